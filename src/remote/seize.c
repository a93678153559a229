/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/seize.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "remote/guard.h"

#define RETRY_NS	  200000
#define STOP_PATIENCE_NS  (50 * NS_PER_MS)
#define MOMENT_FIRST_NS	  20000
#define MOMENT_LONGEST_NS 400000
#define REFUSALS_MAX	  100 /* by the kernel, though nobody traces the thread */
#define SCOPE_RELATIONS	  1   /* of Yama: who is no ancestor needs the traced one's leave */

static bool is_there(const struct seizure *s)
{
	return syscall(SYS_tgkill, s->target->pid, s->tid, 0) == 0 || errno != ESRCH;
}

static int has_ended(struct seizure *s)
{
	return fail(s->error, -ESRCH, TENDRIL_STAGE_REACH, TENDRIL_RULE_NO_PROCESS,
		    "there is no thread %d in process %d, or no longer", s->tid, s->target->pid);
}

/* Nothing but its own waking would end that, and a seizure cannot be taken back meanwhile. */
static bool is_uninterruptible(const struct proc_process *thread)
{
	return thread->state == 'D';
}

static int explain(struct seizure *s, int code)
{
	if (!is_there(s))
		return has_ended(s);
	if (code == -EACCES && !s->target->is_self)
		return target_explain(s->target, code, TENDRIL_STAGE_REACH, s->error);
	if (code == -EACCES)
		return fail(
			s->error, code, TENDRIL_STAGE_REACH, TENDRIL_RULE_SELF,
			"the kernel does not let this process trace its own threads (Yama, or not "
			"dumpable)");
	return fail(s->error, -EBUSY, TENDRIL_STAGE_REACH, TENDRIL_RULE_TRACED,
		    "thread %d of process %d is traced by somebody, stopped by a signal, or asleep "
		    "uninterruptibly: it could not be stopped in %u ms",
		    s->tid, s->target->pid, s->target->timeout_ms);
}

/*
 * The kernel refused: 0: somebody has the thread, and will let go of it; negative errno: no use in
 * waiting. A thread that is ending is refused too.
 */
static int judge_refusal(struct seizure *s, int *refusals)
{
	struct proc_process thread;

	if (proc_process_read(s->tid, &thread) < 0 || thread.state == 'Z' || thread.state == 'X')
		return has_ended(s);
	if (thread.tracer_pid != 0) {
		*refusals = 0;
		return 0;
	}
	return ++*refusals > REFUSALS_MAX ? explain(s, -EACCES) : 0;
}

static int is_stopped(struct seizure *s)
{
	return fail(s->error, -EBUSY, TENDRIL_STAGE_REACH, TENDRIL_RULE_STOPPED,
		    "process %d is stopped by a signal: kill -CONT %d", s->target->pid,
		    s->target->pid);
}

static int refuse_to_stop(struct seizure *s)
{
	int r = explain(s, -EBUSY);

	if (s->error && s->tracee.seized)
		s->error->left = TENDRIL_LEFT_CHANGED;
	return r;
}

int seizure_stop(struct seizure *s)
{
	struct proc_process thread;
	int refusals = 0, r;

	for (;; nap_ns(RETRY_NS)) {
		if (proc_process_read_stat(s->tid, &thread) < 0)
			return has_ended(s);
		if (now_ns() > s->deadline_ns)
			return explain(s, -EBUSY);
		if (is_uninterruptible(&thread))
			continue;
		tracee_init(&s->tracee, s->target->pid, s->tid, s->target->mem);
		r = tracee_stop(&s->tracee, now_ns() + STOP_PATIENCE_NS);
		if (r == 0)
			return 0;
		if (r == -ETIMEDOUT)
			return refuse_to_stop(s);
		if (r == -EBUSY)
			return is_stopped(s);
		if (r == -EPERM)
			r = judge_refusal(s, &refusals);
		if (r == -ESRCH)
			return has_ended(s);
		if (r < 0)
			return r;
	}
}

int seizure_run_a_moment(struct seizure *s)
{
	int r = tracee_resume(&s->tracee, false);

	if (r == 0) {
		nap_ns(s->moment_ns);
		s->moment_ns = (s->moment_ns * 7 + now_ns()) % MOMENT_LONGEST_NS;
		r = tracee_interrupt(&s->tracee, s->deadline_ns);
	}
	if (r == 0)
		return 0;
	if (r == -ESRCH)
		return has_ended(s);
	if (r == -ETIMEDOUT)
		return refuse_to_stop(s);
	(void)tracee_detach(
		&s->tracee); /* the process was stopped meanwhile: with its own registers */
	return r == -EBUSY ? is_stopped(s) : r;
}

int seizure_refresh_maps(struct seizure *s)
{
	int r = tracee_restore(&s->tracee);

	if (r == -ESRCH)
		return has_ended(s);
	(void)target_refresh_maps(s->target);
	s->has_fresh_maps = true;
	return seizure_stop(s);
}

static int run_work(void *data)
{
	struct seizure *s = data;
	int slack_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);

	(void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	s->result = s->work(s);
	if (slack_ns > 0)
		(void)prctl(PR_SET_TIMERSLACK, slack_ns, 0, 0, 0);
	return 0;
}

/* Between its stop and our hiding of that, would it see an EINTR if we were killed? */
static bool breaks_off(const struct seizure *s)
{
	enum safe_guess guess = safe_guess(&s->target->rules, s->target->pid, s->tid);

	/* One that runs may have fallen asleep so by the time that it is stopped. */
	return guess == SAFE_ASLEEP_EINTR || guess == SAFE_ASLEEP_TIMED || guess == SAFE_RUNNING;
}

static bool run_guarded(struct seizure *s)
{
	struct tendril_target *target = s->target;
	bool permit = target->is_self && proc_yama_scope() == SCOPE_RELATIONS;
	int r;

	if (!target->guard_stack)
		target->guard_stack = malloc(GUARD_STACK_BYTES);
	if (!target->guard_stack)
		return false;
	s->result = fail(s->error, -ECANCELED, TENDRIL_STAGE_REACH, TENDRIL_RULE_NONE,
			 "the process that made the call on our behalf was killed");
	if (permit)
		(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	r = guard_run(target->guard_stack, run_work, s);
	if (permit)
		(void)prctl(PR_SET_PTRACER, 0, 0, 0, 0);
	return r == 0;
}

int seizure_run(struct tendril_target *target, pid_t tid, int (*work)(struct seizure *), void *data,
		struct tendril_error *error)
{
	struct seizure *s = malloc(sizeof(*s)); /* not zeroed: most of it is room for registers */
	int r;

	if (!s)
		return fail(error, -ENOMEM, TENDRIL_STAGE_CHECK, TENDRIL_RULE_LIMIT,
			    "out of memory");
	s->target = target;
	s->tid = tid;
	s->deadline_ns = now_ns() + target->timeout_ms * (int64_t)NS_PER_MS;
	s->error = error;
	s->work = work;
	s->data = data;
	s->result = -ECANCELED;
	s->moment_ns = MOMENT_FIRST_NS;
	s->has_fresh_maps = false;
	if (tid <= 0 || !is_there(s))
		s->result = has_ended(s);
	else if (target->is_self)
		s->result = run_guarded(s)
				    ? s->result
				    : fail(error, -ENOMEM, TENDRIL_STAGE_REACH, TENDRIL_RULE_LIMIT,
					   "no process could be made to stop a thread of our own");
	/* Yama lets only an ancestor trace, which the guard is not. */
	else if (!breaks_off(s) || !run_guarded(s) || s->result == -EACCES)
		(void)run_work(s);
	r = s->result;
	free(s);
	return r;
}
