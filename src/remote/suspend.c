/* SPDX-License-Identifier: BSD-2-Clause */
/* suspend.c - suspend and resume any thread, with a count that outlives whoever did it */
#include "remote/parked.h"
#include "remote/thread.h"

#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/fault.h"

/* After so many it is parked wherever it is, even inside malloc(); of our own process, where we might
 * be the next who waits for what it holds, after more. */
#define LOOKS_FOR_SAFETY         25
#define LOOKS_FOR_SAFETY_OF_SELF 1000
#define LOOKS_MAX                2000

enum look {
	LOOK_GOOD,    /* parked */
	LOOK_AGAIN,   /* not here: let it run a moment */
	LOOK_NO_ROOM, /* or none that we know of */
};

struct suspension {
	uint32_t previous;
};

static int check_filters(struct seizure *s)
{
	int r;

	if (s->target->is_self)
		return 0; /* we call those all the time; and here no memory may be asked for */
	r = seccomp_permits(&s->tracee, SYS_futex);
	if (r == 0)
		r = seccomp_permits(&s->tracee, SYS_rt_sigreturn);
	if (r == -EPERM)
		return fail(s->error, -EACCES, TENDRIL_STAGE_CHECK, TENDRIL_RULE_SECCOMP,
			    "the seccomp filter of thread %d does not permit futex(2) or "
			    "rt_sigreturn(2), which are needed",
			    s->tid);
	if (r == -EACCES)
		return fail(s->error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_SECCOMP,
			    "thread %d has a seccomp filter, which only CAP_SYS_ADMIN may read: run "
			    "as root, so that it can be known not to kill the process",
			    s->tid);
	return r;
}

/*
 * Nothing here may ask for memory: the stopped thread may be one of ours, with the heap's lock.
 * Return: enum look, or negative errno.
 */
static int park(struct seizure *s, int looks)
{
	const size_t room = ARCH_PARK_BYTES_MAX + ARCH_RED_ZONE_BYTES;
	const struct safe_rules *rules = &s->target->rules;
	bool is_safe;
	int r;

	if (!safe_to_divert(&s->tracee))
		return LOOK_AGAIN;
	if (!safe_stack_room(rules, &s->tracee, room))
		return LOOK_NO_ROOM;
	is_safe = safe_point_here(rules, &s->tracee);
	/* A thread that sleeps will be no better in a moment. */
	if (!is_safe && !s->tracee.interrupted &&
	    looks < (s->target->is_self ? LOOKS_FOR_SAFETY_OF_SELF : LOOKS_FOR_SAFETY))
		return LOOK_AGAIN;
	r = check_filters(s);
	if (r == 0)
		r = parked_begin(s, is_safe);
	return r < 0 ? r : LOOK_GOOD;
}

static int no_place(struct seizure *s)
{
	return fail(s->error, -EBUSY, TENDRIL_STAGE_REACH, TENDRIL_RULE_NO_SAFE_POINT,
		    "thread %d of process %d was on no stack that is known to be its own, or had "
		    "no room "
		    "there, whenever it was looked at",
		    s->tid, s->target->pid);
}

/* Once more, if it is parked.  Return: 1: it is; 0; negative errno. */
static int count_up(struct seizure *s, struct suspension *suspension)
{
	struct parked parked;
	int r;

	if (!parked_find(&s->tracee, &parked))
		return 0;
	suspension->previous = parked_count(&parked);
	if (suspension->previous >= PARK_COUNT_MAX)
		return fail(s->error, -EOVERFLOW, TENDRIL_STAGE_CHECK, TENDRIL_RULE_LIMIT,
			    "thread %d is suspended %u times, and cannot be more often", s->tid,
			    suspension->previous);
	r = parked_set_count(&s->tracee, &parked, suspension->previous + 1);
	if (r == 0)
		r = tracee_restore(&s->tracee);
	return r < 0 ? r : 1;
}

static int suspend_stopped(struct seizure *s, struct suspension *suspension, int looks)
{
	int r = FAULT_POINT("suspend");

	if (r == 0)
		r = count_up(s, suspension);
	if (r != 0)
		return r < 0 ? r : LOOK_GOOD;
	suspension->previous = 0;
	return park(s, looks);
}

static int suspend(struct seizure *s)
{
	int r = seizure_stop(s);

	for (int looks = 0; r == 0; looks++) {
		r = suspend_stopped(s, s->data, looks);
		if (r == LOOK_GOOD)
			return 0;
		if (r < 0 || looks > LOOKS_MAX || now_ns() > s->deadline_ns)
			break;
		/* A stack that was not there when the mappings were read, or has grown since. */
		r = r == LOOK_NO_ROOM && !s->has_fresh_maps ? seizure_refresh_maps(s)
							    : seizure_run_a_moment(s);
	}
	if (s->tracee.seized)
		(void)tracee_restore(&s->tracee);
	return r < 0 ? r : no_place(s);
}

static int resume(struct seizure *s)
{
	struct suspension *suspension = s->data;
	struct parked parked;
	int r = seizure_stop(s);

	if (r < 0)
		return r;
	suspension->previous = 0;
	r = FAULT_POINT("resume");
	if (r == 0 && parked_find(&s->tracee, &parked)) {
		suspension->previous = parked_count(&parked);
		r = suspension->previous > 1
			    ? parked_set_count(&s->tracee, &parked, suspension->previous - 1)
			    : parked_end(&s->tracee, &parked);
	}
	if (s->tracee.seized)
		(void)tracee_restore(&s->tracee);
	return r;
}

/* The calling thread needs nobody to stop it.  It waits where others look for a suspended one. */
void thread_suspend_own(void)
{
	struct park_record record = {.kind = PARK_BY_ITSELF, .count = 1, .word = SAFE_PARKED_VALUE};
	uint32_t *word = &record.word;
	sigset_t all, old;

	record.mark = PARK_MARK ^ (uintptr_t)&record;
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == SAFE_PARKED_VALUE)
		(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, SAFE_PARKED_VALUE, NULL, NULL,
			      0);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static int change(struct tendril_target *target, pid_t tid, int (*work)(struct seizure *),
		  uint32_t *ret_previous, struct tendril_error *error)
{
	struct suspension suspension = {0};
	int r;

	(void)pthread_mutex_lock(&target->lock);
	r = target_prepare(target, error);
	if (r == 0)
		r = seizure_run(target, tid, work, &suspension, error);
	target_settle(target);
	(void)pthread_mutex_unlock(&target->lock);
	if (r == 0 && ret_previous)
		*ret_previous = suspension.previous;
	return r;
}

int tendril_suspend(struct tendril_target *target, pid_t tid, uint32_t *ret_previous,
		    struct tendril_error *error)
{
	if (!target->is_self || tid != gettid())
		return change(target, tid, suspend, ret_previous, error);
	thread_suspend_own();
	if (ret_previous)
		*ret_previous = 0;
	return 0;
}

int tendril_resume(struct tendril_target *target, pid_t tid, uint32_t *ret_previous,
		   struct tendril_error *error)
{
	if (!target->is_self || tid != gettid())
		return change(target, tid, resume, ret_previous, error);
	if (ret_previous)
		*ret_previous = 0; /* it runs, and asks */
	return 0;
}
