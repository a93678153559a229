/* SPDX-License-Identifier: BSD-2-Clause */
/* reach.h - stop one thread of the target, at a safe point */
#ifndef REMOTE_REACH_H
#define REMOTE_REACH_H

#include "remote/target.h"

/* What the first thread of the target seems to be doing.  Most often it sleeps in its event loop,
 * and need not be looked for. */
enum safe_guess reach_guess(const struct tendril_target *target);

/*
 * Would it take a thread whose call the kernel breaks off with EINTR?  From its stop until we have
 * hidden that, our death would let the thread see it.
 */
bool reach_needs_guard(const struct tendril_target *target, enum safe_guess first);

/*
 * On success *tracee is stopped, at a safe point, with stack_bytes of room below its stack
 * pointer.  On failure nothing is stopped.
 */
int reach(struct tendril_target *target, enum safe_guess first, size_t stack_bytes,
	  int64_t deadline_ns, struct tracee *tracee, uint32_t *ret_attempts,
	  struct tendril_error *error);

/*
 * The same for a thread that shall only make system calls, no call of a function: it is taken
 * wherever it is, and be it inside a lock.
 */
int reach_anywhere(struct tendril_target *target, enum safe_guess first, size_t stack_bytes,
		   int64_t deadline_ns, struct tracee *tracee, struct tendril_error *error);

#endif /* REMOTE_REACH_H */
