/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * borrow.h - system calls that a thread of the target makes for us
 *
 * No thread is made and no function of the target is called, so no lock matters: any thread will
 * do, also one that waits for a lock, or is suspended.  If we die at whichever instruction, the
 * thread goes home by itself, without an EINTR, and a call was made or was not.
 */
#ifndef REMOTE_BORROW_H
#define REMOTE_BORROW_H

#include "remote/target.h"

/* A thread that is stopped and borrowed; its way home is laid below its stack. */
struct borrowed;

/*
 * One system call.  *ret_result is the kernel's own: -errno when it failed there.
 * Return: 0: it was made; -EACCES: a filter (seccomp) does not let it through; -ESRCH; ...
 */
int borrowed_call(struct borrowed *borrowed, long number, const uint64_t arguments[6],
		  int64_t *ret_result, struct tendril_error *error);

/*
 * Would it be let through?  For a step that nobody may stop behind: to be asked before it for the
 * calls that have to follow.  Return: 0, -EACCES, -ESRCH, ...
 */
int borrowed_may_call(struct borrowed *borrowed, long number, struct tendril_error *error);

/*
 * From now on, and until the thread is home, it unmaps [address, address + bytes) on its way if we
 * die: for what would be half a thing.
 */
int borrowed_unmap_if_we_die(struct borrowed *borrowed, raddr_t address, uint64_t bytes,
			     struct tendril_error *error);

/* Memory of its process, also where it may not be accessed.  0, -EFAULT, -ESRCH. */
int borrowed_write(const struct borrowed *borrowed, raddr_t address, const void *data, size_t bytes);
int borrowed_read(const struct borrowed *borrowed, raddr_t address, void *data, size_t bytes);

/*
 * Borrow a thread, let work() make its calls, and take the thread home.  work() may run in another
 * process that shares our memory; what it returns is returned.
 */
int remote_borrow(struct tendril_target *target,
		  int (*work)(struct borrowed *borrowed, void *data, struct tendril_error *error),
		  void *data, struct tendril_error *error);

/* For a single call. */
int remote_syscall(struct tendril_target *target, long number, const uint64_t arguments[6],
		   int64_t *ret_result, struct tendril_error *error);

#endif /* REMOTE_BORROW_H */
