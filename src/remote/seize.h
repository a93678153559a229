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
	int (*work)(struct seizure *seizure); /* begins, and ends, with nothing seized */
	void *data;
	int result;
	int64_t moment_ns;
	bool has_fresh_maps;
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

/*
 * Let it run for a moment, and stop it again: another moment each time, so that they keep no step
 * with what it does.  Return: 0, or negative errno as seizure_stop(), nothing seized.
 */
int seizure_run_a_moment(struct seizure *seizure);

/* As that, with a look at the mappings meanwhile, for which it has to be let go. */
int seizure_refresh_maps(struct seizure *seizure);

#endif /* REMOTE_SEIZE_H */
