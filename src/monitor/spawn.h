/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spawn.h - start a program that has nothing of ours: no terminal, no descriptors, no raised
 * limit, no capability that was given to us alone
 */
#ifndef MONITOR_SPAWN_H
#define MONITOR_SPAWN_H

#include "base/base.h"

struct spawn_options {
	char *const *argv;        /* found by PATH */
	char *const *environment;
	int in, out, error;       /* what it has as 0, 1 and 2; -1: /dev/null.  Borrowed */
	uint64_t handle_limit;    /* its soft RLIMIT_NOFILE; 0: ours */
};

/*
 * It leads a session and a process group of its own, so it has no terminal to write on, and
 * kill(-pid) ends it whole.
 * Return: 0, or what kept it from being executed: -ENOENT, -EACCES, ...
 */
int spawn(const struct spawn_options *options, pid_t *ret_pid);

/* A pipe whose ends are above the descriptors that programs expect. */
int spawn_pipe(int ret_ends[2], int flags);

#endif /* MONITOR_SPAWN_H */
