/* SPDX-License-Identifier: BSD-2-Clause */
/* seccomp.h - would the target's system call filters let a remote thread be made? */
#ifndef TRACEE_SECCOMP_H
#define TRACEE_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "tracee/tracee.h"

/*
 * With the thread stopped.  Its filters are run, here, for every call that we and the target's
 * pthread_create() need.
 * Return: 0: nothing stands in the way (or there is no filter); -EPERM: *ret_refused does not
 * pass; -EACCES: there is a filter that we may not read.
 */
int seccomp_check(const struct tracee *tracee, long *ret_refused);

/* What a filter says of a call: SECCOMP_RET_*.  A broken filter: SECCOMP_RET_KILL_PROCESS. */
uint32_t seccomp_run(const struct sock_filter *program, size_t n, const struct seccomp_data *data);

#endif /* TRACEE_SECCOMP_H */
