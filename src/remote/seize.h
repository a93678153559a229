/* SPDX-License-Identifier: BSD-2-Clause */
/* seize.h - one certain thread of a target, or of the own process, stopped for something short */
#ifndef REMOTE_SEIZE_H
#define REMOTE_SEIZE_H

#include "remote/target.h"

struct seizure {
	struct tendril_target *target;
	pid_t tid;
	int64_t deadline_ns;
	struct tendril_error *error;
	struct tracee tracee;
	int (*work)(
		struct seizure *seizure); /* begins with nothing seized, and leaves nothing so */
	void *data;
	int result;
};

/*
 * Run work, with target->lock held and the target prepared: in a process of its own where the
 * caller's death could show, or the thread is one of ours, which only another process may trace.
 * Return: what work returned; -ESRCH: there is no such thread in the target.
 */
int seizure_run(struct tendril_target *target, pid_t tid, int (*work)(struct seizure *), void *data,
		struct tendril_error *error);

/*
 * Stop the thread; whoever has it at the moment is waited for, until the deadline.
 * Return: 0; -ESRCH: it has ended; -EBUSY: traced, stopped or uninterruptible all the time;
 * -EACCES.
 */
int seizure_stop(struct seizure *seizure);

/* Let it run for a moment, and stop it again; 0, or negative errno as seizure_stop(), nothing
 * seized. */
int seizure_run_a_moment(struct seizure *seizure);

#endif /* REMOTE_SEIZE_H */
