/* SPDX-License-Identifier: BSD-2-Clause */
/* seccomp.h - would the target's system call filters let a remote thread be made? */
#ifndef TRACEE_SECCOMP_H
#define TRACEE_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "tracee/tracee.h"

struct seccomp_verdict {
	long refused;  /* -EPERM: this call does not pass */
	bool may_copy; /* process_vm_writev(2), which we can do without, does */
	bool may_skip; /* and so does what a thread does that is borrowed where it enters a call: its number
			  is taken away, and -1 is what the filters see */
};

/*
 * With the thread stopped.  Its filters are run, here, for every call that we and the target's
 * pthread_create() need.
 * Return: 0: nothing stands in the way (or there is no filter); -EPERM; -EACCES: there is a filter
 * that we may not read.
 */
int seccomp_check(const struct tracee *tracee, struct seccomp_verdict *verdict);

/* With the thread stopped: do all of its filters let this call through?  0, -EPERM, -EACCES: nobody
 * may know. */
int seccomp_permits(const struct tracee *tracee, int number);

/* Would a filter of the thread refuse this call?  False also where nobody may know. */
bool seccomp_refuses(pid_t tid, int number);

/*
 * Has a thread other filters than when this was last asked, of it or of another?  *state is what is
 * remembered of that; it begins as all zero.  May say so when it is not true, where nobody may know.
 */
struct seccomp_state {
	pid_t tid;
	long n_filters; /* they can only become more */
};
bool seccomp_has_changed(const struct tracee *tracee, struct seccomp_state *state);

/* What a filter says of a call: SECCOMP_RET_*.  A broken filter: SECCOMP_RET_KILL_PROCESS. */
uint32_t seccomp_run(const struct sock_filter *program, size_t n, const struct seccomp_data *data);

#endif /* TRACEE_SECCOMP_H */
