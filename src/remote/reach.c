/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/reach.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define BETWEEN_ROUNDS_NS  200000
#define STOP_PATIENCE_NS   (20 * NS_PER_MS)
#define MOMENTS            100
#define MOMENT_FIRST_NS    7000
#define MOMENT_LONGEST_NS  40000
#define TURN_PATIENCE_NS   (20 * NS_PER_MS)
#define TURN_NAP_NS        20000
#define EXPLAIN_AFTER_NS   (100 * NS_PER_MS)
#define SAME_TRACER_NS     (500 * NS_PER_MS)

struct search {
	struct tendril_target *target;
	struct tracee *tracee;
	enum safe_guess first;
	bool anywhere; /* no lock matters */
	size_t stack_bytes;
	int64_t started_ns, deadline_ns;
	uint32_t attempts;
	bool maps_are_fresh;
	int64_t stopped_ns; /* by attempts that came to nothing */
};

/* A stack that was not there when the mappings were read, or has grown since. */
static bool has_room(struct search *s)
{
	if (safe_stack_room(&s->target->rules, s->tracee, s->stack_bytes))
		return true;
	if (s->maps_are_fresh || target_refresh_maps(s->target) < 0)
		return false;
	s->maps_are_fresh = true;
	return safe_stack_room(&s->target->rules, s->tracee, s->stack_bytes);
}

static bool is_good(struct search *s)
{
	return (s->anywhere ? safe_to_divert(s->tracee)
			    : safe_point_here(&s->target->rules, s->tracee)) &&
	       has_room(s);
}

/*
 * How often the thread was given a processor so far; -1: the kernel does not say.  A thread that
 * waits for one is still where it was when it is interrupted, and looking at it is of no use.
 */
static int64_t count_turns(int schedstat)
{
	char text[128];
	ssize_t n = schedstat < 0 ? -1 : pread(schedstat, text, sizeof(text) - 1, 0);
	long ran_ns, waited_ns, turns;

	if (n <= 0)
		return -1;
	text[n] = '\0';
	/* Without the kernel's statistics they are all 0. */
	return sscanf(text, "%ld %ld %ld", &ran_ns, &waited_ns, &turns) == 3 && turns > 0 ? turns : -1;
}

static int open_schedstat(pid_t tid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/schedstat", tid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/*
 * A busy thread that was met where it must not be borrowed runs on for a moment: to the next system
 * call it makes, or to wherever it is then.  0, or negative errno.
 */
static int run_a_moment(struct search *s, int64_t moment_ns, bool to_syscall, int schedstat)
{
	struct tracee *t = s->tracee;
	int64_t turns = count_turns(schedstat), patience_ns = now_ns() + TURN_PATIENCE_NS;
	int r = tracee_resume(t, to_syscall);

	while (r == 0 && turns >= 0 && count_turns(schedstat) == turns && now_ns() < patience_ns) {
		r = tracee_await(t, now_ns());
		if (r != -ETIMEDOUT)
			return r;
		nap_ns(TURN_NAP_NS);
		r = 0;
	}
	if (r == 0)
		r = tracee_await(t, now_ns() + moment_ns);
	if (r == -ETIMEDOUT)
		r = tracee_interrupt(t, s->deadline_ns);
	return r;
}

/*
 * Look again and again, at moments that keep no step with what the thread does.  Some of its system
 * calls are good moments; if the first one is not, its calls are the allocator's.
 * Return: 1: good; 0: not; negative errno.
 */
static int watch(struct search *s)
{
	AUTO_CLOSE int schedstat = open_schedstat(s->tracee->tid);
	int64_t moment_ns = MOMENT_FIRST_NS;
	bool to_syscall = !s->anywhere && !s->target->refuses_skip;

	for (int i = 0; i < MOMENTS; i++) {
		int r = run_a_moment(s, moment_ns, to_syscall, schedstat);

		if (r < 0)
			return r == -EBUSY ? 0 : r;
		if (is_good(s))
			return 1;
		s->attempts++;
		to_syscall = to_syscall && !s->tracee->at_entry;
		moment_ns = (moment_ns * 7 + now_ns()) % MOMENT_LONGEST_NS;
	}
	return 0;
}

/* Return: 1: it is ours, stopped; 0: not this time; negative errno: no use in going on. */
static int try_thread(struct search *s, pid_t tid, bool is_running)
{
	struct tracee *t = s->tracee;
	int64_t patience = now_ns() + STOP_PATIENCE_NS;
	int r;

	tracee_init(t, s->target->pid, tid, s->target->mem);
	s->attempts++;
	r = tracee_stop(t, patience > s->deadline_ns ? patience : s->deadline_ns);
	if (r == -EPERM || r == -ESRCH || r == -EBUSY)
		return 0;
	if (r < 0)
		return r;
	if (is_good(s))
		return 1;
	if (is_running && watch(s) == 1)
		return 1;
	if (t->at_entry)
		(void)tracee_detach(t); /* unchanged registers: it makes its call */
	else if (t->seized)
		(void)tracee_restore(t); /* stopped elsewhere, perhaps in a group stop */
	s->stopped_ns += t->stopped_ns;
	return 0;
}

/* Every thread is tried as what it seems to be from outside: the best kind first. */
static int try_threads(struct search *s, const pid_t *tids, size_t n, enum safe_guess wanted)
{
	for (size_t i = 0; i < n; i++) {
		int r;

		if (safe_guess(&s->target->rules, s->target->pid, tids[i]) != wanted)
			continue;
		if (wanted == SAFE_UNLIKELY && safe_is_uninterruptible(s->target->pid, tids[i]))
			continue;
		r = try_thread(s, tids[i], wanted == SAFE_RUNNING);
		if (r != 0)
			return r;
		if (now_ns() > s->deadline_ns)
			return 0;
	}
	return 0;
}

static int try_all(struct search *s)
{
	static const enum safe_guess order[] = { SAFE_ASLEEP, SAFE_ASLEEP_EINTR, SAFE_RUNNING,
						 SAFE_ASLEEP_TIMED, SAFE_PARKED };
	static const enum safe_guess anywhere[] = { SAFE_ASLEEP, SAFE_UNLIKELY, SAFE_ASLEEP_EINTR,
						    SAFE_RUNNING, SAFE_ASLEEP_TIMED, SAFE_PARKED };
	const enum safe_guess *wanted = s->anywhere ? anywhere : order;
	size_t n_wanted = s->anywhere ? ARRAY_SIZE(anywhere) : ARRAY_SIZE(order);
	AUTO_FREE pid_t *tids = NULL;
	size_t n = 0;
	int r;

	if (s->first == SAFE_ASLEEP) {
		s->first = SAFE_UNLIKELY; /* the next time it is one of all */
		r = try_thread(s, s->target->pid, false);
		if (r != 0)
			return r;
	}
	r = proc_threads(s->target->pid, &tids, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_wanted; i++) {
		r = try_threads(s, tids, n, wanted[i]);
		if (r != 0)
			return r;
	}
	return 0;
}

/*
 * For how long the same tracer has been there without doing anything: a debugger whose user thinks.
 * Remembered from call to call, so that the next one need not find it out anew.
 */
static int64_t tracer_idle_ns(struct target_tracer *seen, pid_t tracer, int64_t now)
{
	AUTO_CLOSE int schedstat = open_schedstat(tracer);
	int64_t turns = count_turns(schedstat);

	if (tracer != seen->tid || turns != seen->turns)
		*seen = (struct target_tracer){ .tid = tracer, .turns = turns, .since_ns = now };
	return now - seen->since_ns;
}

/* Will whoever traces the target still do so in the next round? */
static bool tracer_stays(struct search *s, int64_t now)
{
	struct proc_process process;

	if (proc_process_read(s->target->pid, &process) < 0 || process.tracer_pid == 0)
		return false;
	/* Whoever calls us is not in the middle of another call. */
	return process.tracer_pid == s->target->caller_tid ||
	       tracer_idle_ns(&s->target->tracer, process.tracer_pid, now) >= SAME_TRACER_NS;
}

/*
 * Nobody could be borrowed in this round.  A tracer that does nothing, or a process that is stopped,
 * will be no different in the next; another call like ours is gone by then, or works at it.
 */
static int give_up_early(struct search *s, struct tendril_error *error)
{
	struct tendril_error why = { 0 };
	int64_t now = now_ns();

	if (proc_explain_access(s->target->pid, &why) == 0)
		return 0;
	if (why.rule == TENDRIL_RULE_TRACED && !tracer_stays(s, now))
		return 0;
	if (why.rule != TENDRIL_RULE_TRACED && why.rule != TENDRIL_RULE_STOPPED &&
	    now - s->started_ns < EXPLAIN_AFTER_NS)
		return 0;
	why.stage = TENDRIL_STAGE_REACH;
	if (error)
		*error = why;
	return why.code;
}

static int refuse(struct search *s, struct tendril_error *error)
{
	int r = proc_explain_access(s->target->pid, error);

	if (r < 0) {
		if (error)
			error->stage = TENDRIL_STAGE_REACH;
		return r;
	}
	return fail(error, -EAGAIN, TENDRIL_STAGE_REACH, TENDRIL_RULE_NO_SAFE_POINT,
		    "no thread of process %d came to a safe point in %lld ms (%u looks): each was inside "
		    "libc, its loader or its allocator; try again, or with more time",
		    s->target->pid, (long long)(s->deadline_ns - s->started_ns) / NS_PER_MS,
		    s->attempts);
}

/* It was asked to stop, and cannot be asked back: only the end of our thread would let go of it. */
static int refuse_to_stop(struct search *s, struct tendril_error *error)
{
	int r = fail(error, -ETIMEDOUT, TENDRIL_STAGE_REACH, TENDRIL_RULE_NO_SAFE_POINT,
		     "thread %d of process %d does not stop: it is asleep uninterruptibly, and will be "
		     "stopped when it wakes, until the calling thread ends",
		     s->tracee->tid, s->target->pid);

	if (error)
		error->left = TENDRIL_LEFT_CHANGED;
	return r;
}

static int search(struct search *s, struct tendril_error *error)
{
	struct tendril_target *target = s->target;
	struct tracee *tracee = s->tracee;

	s->started_ns = now_ns();
	for (;;) {
		int r = try_all(s);

		if (r == 1) {
			tracee->stopped_ns += s->stopped_ns;
			return 0;
		}
		if (r == -ETIMEDOUT && tracee->seized)
			return refuse_to_stop(s, error);
		if (r < 0 && r != -ESRCH)
			return target_explain(target, r, TENDRIL_STAGE_REACH, error);
		if (target_has_ended(target))
			return target_explain(target, -ESRCH, TENDRIL_STAGE_REACH, error);
		if (!target_is_same_image(target))
			return fail(error, -ESRCH, TENDRIL_STAGE_REACH, TENDRIL_RULE_NO_PROCESS,
				    "process %d executed another program during the call",
				    target->pid);
		r = give_up_early(s, error);
		if (r < 0)
			return r;
		if (now_ns() > s->deadline_ns)
			return refuse(s, error);
		s->maps_are_fresh = false;
		nap_ns(BETWEEN_ROUNDS_NS);
	}
}

int reach(struct tendril_target *target, enum safe_guess first, size_t stack_bytes,
	  int64_t deadline_ns, struct tracee *tracee, uint32_t *ret_attempts,
	  struct tendril_error *error)
{
	struct search s = { .target = target, .tracee = tracee, .first = first,
			    .stack_bytes = stack_bytes, .deadline_ns = deadline_ns };
	int r = search(&s, error);

	if (r == 0)
		*ret_attempts = s.attempts;
	return r;
}

int reach_anywhere(struct tendril_target *target, enum safe_guess first, size_t stack_bytes,
		   int64_t deadline_ns, struct tracee *tracee, struct tendril_error *error)
{
	struct search s = { .target = target, .tracee = tracee, .first = first, .anywhere = true,
			    .stack_bytes = stack_bytes, .deadline_ns = deadline_ns };

	return search(&s, error);
}

enum safe_guess reach_guess(const struct tendril_target *target)
{
	return safe_guess(&target->rules, target->pid, target->pid);
}

bool reach_needs_guard(const struct tendril_target *target, enum safe_guess first)
{
	AUTO_FREE pid_t *tids = NULL;
	bool breaks_off = false;
	size_t n = 0;

	if (first == SAFE_ASLEEP || proc_threads(target->pid, &tids, &n) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		enum safe_guess guess = safe_guess(&target->rules, target->pid, tids[i]);

		if (guess == SAFE_ASLEEP)
			return false; /* that one will be taken */
		if (guess == SAFE_ASLEEP_EINTR || guess == SAFE_ASLEEP_TIMED)
			breaks_off = true;
	}
	return breaks_off;
}
