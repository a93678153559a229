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
	raddr_t loader_data; /* glibc: where its loader's locks are; 0: not known */
	raddr_t files;       /* glibc: the list of all FILEs */
	bool has_other_ids;  /* threads there know themselves by other numbers than we do */
	const struct proc_maps *maps; /* to know stacks */
};

void safe_rules_add(struct safe_rules *rules, raddr_t low, raddr_t high);

/*
 * What a thread waits for that is suspended (remote/park.h), so that it can be told from outside whether
 * it was at a safe point then.
 */
#define SAFE_PARKED_VALUE   0x5ad0f3c7u
#define UNSAFE_PARKED_VALUE 0x5ad0f3c8u

/* Before anything is stopped: what /proc/PID/task/TID/syscall says of a thread. */
enum safe_guess {
	SAFE_UNLIKELY,     /* asleep where it holds something, or uninterruptible */
	SAFE_RUNNING,      /* we cannot know until we look */
	SAFE_ASLEEP_TIMED, /* as the next, and with a time limit that would begin anew */
	SAFE_ASLEEP_EINTR, /* the kernel breaks its call off with EINTR, which we must hide */
	SAFE_ASLEEP,       /* the kernel itself takes its call up again */
	SAFE_PARKED,       /* suspended by us where it would do */
	SAFE_GONE,
};
enum safe_guess safe_guess(const struct safe_rules *rules, pid_t pid, pid_t tid);

/* May it be stopped at all?  One that waits for a device does not, for anybody. */
bool safe_is_uninterruptible(pid_t pid, pid_t tid);

/* With the thread stopped. */
bool safe_point_here(const struct safe_rules *rules, const struct tracee *tracee);

/*
 * May it end here, never to come back?  As above, unless it holds a lock of glibc's loader or of a FILE,
 * which nobody would ever give back; or where it waits for a lock of the program's own: it would not do
 * to call anything there, since that may come to wait for the same lock.
 */
bool safe_to_end(const struct safe_rules *rules, const struct tracee *tracee);

/* Is it suspended, so that what it was interrupted in is below our feet, and may keep time? */
bool safe_is_parked(const struct tracee *tracee);

/*
 * May its registers be changed and put back by itself?  Not in the middle of a restartable sequence, nor
 * where it is about to go on with a call that only the kernel knows the rest of.
 */
bool safe_to_divert(const struct tracee *tracee);

/* Is there room for bytes below its stack pointer, on what surely is its stack? */
bool safe_stack_room(const struct safe_rules *rules, const struct tracee *tracee, size_t bytes);

#endif /* TRACEE_SAFE_POINT_H */
