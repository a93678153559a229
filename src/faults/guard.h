/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard.h - copies send no signal to anybody but themselves and their own children
 *
 * A program that does not check what fork(2) returned, and sends a signal to -1 then, would end every
 * process of the user; and it is we who let fork(2) fail.  A filter of system calls has the kernel ask
 * us before each call that sends one; it costs the others next to nothing.
 */
#ifndef FAULTS_GUARD_H
#define FAULTS_GUARD_H

#include "faults/trace.h"

/* In this process, before exec.  Return: 0 or negative errno. */
int guard_install(void);
/* In a process that stands outside of a system call; what its copies and children have, too.  Writes below
 * its stack pointer. */
int guard_inject(struct tracer *tracer, struct task *task, const struct arch_state *state,
		 raddr_t syscall_at);
/* A call that the filter has stopped: let it be made, or only seem to be made.  Return: was it held back? */
bool guard_judge(struct tracer *tracer, struct task *task);

#endif /* FAULTS_GUARD_H */
