/* SPDX-License-Identifier: BSD-2-Clause */
/* errnos.h - in which ways can a system call fail? */
#ifndef FAULTS_ERRNOS_H
#define FAULTS_ERRNOS_H

#include "base/base.h"

#define ERRNOS_MAX 24

/*
 * The errors that a correct program must expect of this call with these arguments, the most telling
 * first, ended by 0: those that the manual pages name and that do not stand for a mistake of the
 * program itself (EBADF, EFAULT, ...).  None: it cannot fail, or failing is never simulated (exit,
 * munmap, close and the like unless unlikely).
 */
const uint8_t *errnos_of(long number, const uint64_t arguments[6], bool unlikely);

/*
 * Of which handles does the call, if it succeeds, change something that a fork(2)ed copy shares with the
 * original: the position in a file, the content of a pipe or socket?  Return: how many of ret_handles.
 */
size_t errnos_call_shared(long number, const uint64_t arguments[6], int ret_handles[2]);

/* Has the call done what it should when it reports an error?  close(2) has: who simulates its
 * failure by leaving it out shows a handle as left that in truth is gone. */
bool errnos_happens_all_the_same(long number);

/* "openat"; NULL: not known.  And back: -1. */
const char *errnos_call_name(long number);
long errnos_call_named(const char *name);
/* "EMFILE"; NULL: not known.  And back: 0. */
const char *errnos_name(int error);
int errnos_named(const char *name);

#endif /* FAULTS_ERRNOS_H */
