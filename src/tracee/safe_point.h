/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * safe_point.h - is this thread in nobody's critical section?
 *
 * A borrowed thread calls the target's pthread_create(), which allocates.  That is safe only where
 * the thread could have called it itself: not inside the allocator, the loader or another part of
 * libc that holds, or in a process of one thread behaves as if it held, a lock.
 */
#ifndef TRACEE_SAFE_POINT_H
#define TRACEE_SAFE_POINT_H

#include "elf/symbols.h"
#include "proc/proc.h"
#include "tracee/tracee.h"

#define SAFE_RANGES_MAX 6

struct safe_rules {
	enum elf_libc libc;
	struct {
		raddr_t low, high;
	} critical[SAFE_RANGES_MAX]; /* libc, the loader, the allocator, the vdso */
	size_t n_critical;
	raddr_t allocator_low, allocator_high; /* when it is not libc's own; else 0 */
	raddr_t loader_low, loader_high; /* musl's dlopen(), during which no thread can be made */
	const struct proc_maps *maps; /* to know stacks */
};

void safe_rules_add(struct safe_rules *rules, raddr_t low, raddr_t high);

/* Before anything is stopped: what /proc/PID/task/TID/syscall says of a thread. */
enum safe_guess {
	SAFE_UNLIKELY,     /* asleep where it holds something, or uninterruptible */
	SAFE_RUNNING,      /* we cannot know until we look */
	SAFE_ASLEEP_TIMED, /* as the next, and with a time limit that would begin anew */
	SAFE_ASLEEP_EINTR, /* the kernel breaks its call off with EINTR, which we must hide */
	SAFE_ASLEEP,       /* the kernel itself takes its call up again */
	SAFE_GONE,
};
enum safe_guess safe_guess(const struct safe_rules *rules, pid_t pid, pid_t tid);

/* May it be stopped at all?  One that waits for a device does not, for anybody. */
bool safe_is_uninterruptible(pid_t pid, pid_t tid);

/* With the thread stopped. */
bool safe_point_here(const struct safe_rules *rules, const struct tracee *tracee);

/* The same for a thread that shall only make system calls: it may hold any lock, but must be one
 * that finds its way home by a signal return, should we die. */
bool safe_call_here(const struct tracee *tracee);

/* Is there room for bytes below its stack pointer, on what surely is its stack? */
bool safe_stack_room(const struct safe_rules *rules, const struct tracee *tracee, size_t bytes);

#endif /* TRACEE_SAFE_POINT_H */
