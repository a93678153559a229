/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * suppress.h - a file of findings that are accepted
 *
 * Each line describes findings that are not to be told as such:
 *
 *     # its cache of descriptors grows up to a bound
 *     function=cache_* opened-by=cache_refill
 *     module=libfoo.so.* call=mmap errno=ENOMEM
 *     file=parser.c left=socket
 *
 * A line has one or more FIELD=GLOB, separated by blanks; all of them must fit.  A # where a word
 * could begin starts a comment; empty lines are skipped.
 *
 *     function    the function that was explored, as it is shown (Cache::refill(int))
 *     module      the file of the program or library that has it
 *     file        its source file
 *     call        what was made to fail: a system call, malloc, calloc or realloc
 *     errno       and how: EMFILE
 *     left        what kind stayed: file, socket, ..., mapping, thread, process, as it is shown
 *     what        and which: its path or peer
 *     opened-by   any function in the stack of its opening
 *
 * In a GLOB, * stands for any characters, / among them, and ? for one; a blank in a name is written
 * as ?. A glob of module or file that has no / is compared with the last part of the path.  A field
 * that stands twice in a line is a mistake.
 *
 * Of a finding that several failures lead to, or that leaves several things behind, a line must fit
 * each of them: accepting one way to leak does not hide another.
 */
#ifndef FAULTS_SUPPRESS_H
#define FAULTS_SUPPRESS_H

#include "faults/faults.h"

#define SUPPRESSIONS_MAX       10000
#define SUPPRESSIONS_MAX_BYTES (1u << 20)

/*
 * Return: 0, -ENOENT and the like (the file cannot be read), -EINVAL (a line is wrong), -EFBIG (too
 * long), -ENOMEM; *error names the file and the line.
 */
int suppressions_read(const char *path, struct faults_suppressions **ret_suppressions,
		      struct tendril_error *error);
void suppressions_free(struct faults_suppressions *suppressions);

/* The first line that fits, whose use is counted; -1: none.  By one thread at a time. */
int suppressions_match(const struct faults_suppressions *suppressions,
		       const struct faults_finding *finding);

size_t suppressions_count(const struct faults_suppressions *suppressions);
/* What line index (from 0, as suppressions_match() tells it) says, raw; where it stands in the
 * file, from 1; and how many findings it has taken. */
const char *suppressions_text(const struct faults_suppressions *suppressions, size_t index);
unsigned int suppressions_line(const struct faults_suppressions *suppressions, size_t index);
uint64_t suppressions_uses(const struct faults_suppressions *suppressions, size_t index);

#endif /* FAULTS_SUPPRESS_H */
