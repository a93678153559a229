/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.h - what an exploration has found, for people, programs, code scanners and test runners
 *
 * All text of the result is raw: it is escaped here.
 */
#ifndef FAULTS_REPORT_H
#define FAULTS_REPORT_H

#include <stdio.h>

#include "faults/faults.h"
#include "symbolize/show.h"

struct faults_style {
	bool colour;
	size_t width;      /* of the terminal; 0: lines are not cut */
	size_t top;        /* leaks in the text; 0: all */
	bool all_findings; /* in the text, and in SARIF: those, too, that are most likely none */
	const struct faults_options *asked; /* what a replay has to ask for again */
	bool sandbox;      /* that too; asked->prepare does not tell */
};

/* Return: 0, -ENOMEM, -EIO. */
int faults_print_text(const struct faults_result *result, const struct faults_style *style,
		      FILE *out);
/* All about one. */
int faults_print_finding(const struct faults_finding *finding, const struct faults_style *style,
			 FILE *out);
/* One document, on one line. */
int faults_print_json(const struct faults_result *result, const struct faults_style *style,
		      FILE *out);
/* SARIF 2.1.0, one run. */
int faults_print_sarif(const struct faults_result *result, const struct faults_style *style,
		       FILE *out);
/* JUnit's XML: one suite, a case for each function. */
int faults_print_junit(const struct faults_result *result, const struct faults_style *style,
		       FILE *out);

static inline bool faults_is_leak(const struct faults_finding *finding)
{
	return finding->verdict == FAULTS_LEAK && !finding->suppressed;
}

size_t faults_count_leaks(const struct faults_result *result);

/* What the forms of the report share */

/* The command that shows exactly this case again, for a shell; NULL: out of memory. */
char *faults_replay_command(const struct faults_style *style, const struct faults_case *what);
/* "open_log, close_*", what was asked for; NULL: out of memory. */
char *faults_asked_names(const struct faults_options *asked);
/* In one line: "open_log keeps a file when fstat fails with EIO"; escaped. */
struct text faults_title(const struct faults_finding *finding);
/* The same number for the same defect in every run. */
uint64_t faults_fingerprint(const struct faults_finding *finding);

/* "fstat"; the number of one that has no name. */
struct text faults_call_name(const struct faults_step *step);
/* "EIO" */
struct text faults_error_name(int error);
/* "handle 7  file /etc/passwd", "mapping of 4096 bytes" */
struct text faults_left_text(const struct faults_left *left);
/* How it came: "opened", "mapped", "started". */
const char *faults_left_verb(const struct faults_left *left);
/* What the first case is of; NULL: nothing was made to fail. */
const struct faults_step *faults_first_step(const struct faults_finding *finding);
const struct faults_step *faults_last_step(const struct faults_finding *finding);

/* How many of the frames are inside the function, itself among them; all, if it is not in there. */
size_t faults_frames_inside(const struct faults_finding *finding, const struct faults_stack *stack);
/* The frame of them to look at; NULL: the stack is not known. */
const struct frame *faults_place(const struct faults_finding *finding,
				 const struct faults_stack *stack);

/* "ret<0"; of FAULTS_FAILS_BY_TYPE "type". */
const char *faults_fails_name(enum faults_fails fails);

#endif /* FAULTS_REPORT_H */
