/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * create.c - the transaction: check, reach, prepare, create, attach, commit
 *
 * Until commit() everything can be, and on failure is, taken back.
 */
#include "remote/guard.h"
#include "remote/operation.h"
#include "remote/reach.h"

#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/fault.h"

#define LARGE_BYTES (1ull << 40)

#define SUSPENSION_NS	    (1 * NS_PER_S)
#define SUSPENSION_SLICE_NS (5 * NS_PER_MS)

int stage_fails(struct operation *op, int code, enum tendril_stage stage, enum tendril_rule rule,
		struct tendril_error *error, const char *what)
{
	if (target_has_ended(op->target))
		return fail(error, -ESRCH, stage, TENDRIL_RULE_NO_PROCESS,
			    "process %d ended during the call", op->target->pid);
	if (!target_is_same_image(op->target))
		return fail(error, -ESRCH, stage, TENDRIL_RULE_NO_PROCESS,
			    "process %d executed another program during the call, and what was being "
			    "done in the old one ended with that",
			    op->target->pid);
	return fail(error, code, stage, rule, "process %d: %s: %s", op->target->pid, what,
		    strerror(-code));
}

/*
 * A thread that is to stay suspended is found, by others than us, by what it waits for: so it has to
 * have come there.  It may take a while to get a processor; then it is found a little later.
 */
static void await_suspension(struct operation *op)
{
	uint32_t *waits = &op->thread->box->park.waits;
	int64_t deadline_ns = now_ns() + SUSPENSION_NS;
	const struct timespec slice = { 0, SUSPENSION_SLICE_NS };

	while (!__atomic_load_n(waits, __ATOMIC_ACQUIRE) && now_ns() < deadline_ns &&
	       !target_has_ended(op->target))
		(void)syscall(SYS_futex, waits, FUTEX_WAIT, 0, &slice, NULL, 0);
}

static int commit(struct operation *op, struct tendril_error *error)
{
	struct tendril_thread *thread = op->thread;
	int r = FAULT_POINT("commit");

	if (r < 0)
		return fail(error, r, TENDRIL_STAGE_COMMIT, TENDRIL_RULE_NONE, "fault point");
	/* The point of no return: whoever changes the word first, this or the thread's own
	 * impatience, decides. */
	if (!thread_commit(thread->box, op->request->is_suspended))
		return fail(error, -ETIMEDOUT, TENDRIL_STAGE_COMMIT, TENDRIL_RULE_NONE,
			    "the new thread had waited too long for its verdict, and left");
	op->decided_ns = now_ns();
	undo_forget(&op->undo);
	thread_wake(thread->box);
	thread->stays = op->request->stays;
	if (!op->request->is_suspended)
		thread->begun_ns = op->decided_ns;
	return 0;
}

/* Everything up to a thread that is parked, and waits for the verdict. */
static int make_thread(struct operation *op, struct tendril_error *error)
{
	size_t room = sizeof(op->way.bytes) + sizeof(op->way_in.bytes) + ARCH_RED_ZONE_BYTES;
	int r = reach(op->target, op->first, room, op->deadline_ns, &op->tracee,
		      &op->thread->cost.attempts, error);

	if (r < 0)
		return r;
	op->thread->cost.borrowed_tid = op->tracee.tid;
	undo_note(&op->undo, "put the borrowed thread back", undo_borrowing, op);
	r = operation_prepare(op, error);
	return r < 0 ? r : operation_create(op, error);
}

static int make(struct operation *op, struct tendril_error *error)
{
	int r = make_thread(op, error);

	if (r == OPERATION_AGAIN) {
		operation_forget_attempt(op);
		op->must_be_led = true;
		r = make_thread(op, error);
	}
	if (r == OPERATION_AGAIN)
		r = stage_fails(op, -EAGAIN, TENDRIL_STAGE_REACH, TENDRIL_RULE_NO_SAFE_POINT, error,
				"no thread could be borrowed");
	if (r == 0)
		r = operation_attach(op, error);
	if (r == 0)
		r = commit(op, error);
	return r;
}

static void take_back(struct operation *op, struct tendril_error *error)
{
	const char *step = NULL;

	if (op->has_departed && op->tracee.seized)
		(void)operation_fetch(op);
	if (undo_run(&op->undo, &step) < 0 && error) {
		error->left = TENDRIL_LEFT_CHANGED;
		(void)snprintf(error->text + strlen(error->text),
			       sizeof(error->text) - strlen(error->text), " (and could not %s)",
			       step);
	}
}

/* A start address that is not code would end the target: say so before anything is touched. */
static int check_function(struct tendril_target *target, raddr_t function,
			  struct tendril_error *error)
{
	const struct proc_map *map = proc_maps_find(&target->maps, function);

	/* Perhaps it was mapped since. */
	if ((!map || !map->execute) && target_refresh_maps(target) == 0)
		map = proc_maps_find(&target->maps, function);
	if (map && map->execute)
		return 0;
	return fail(error, -EFAULT, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
		    "there is no executable memory at 0x%lx in process %d", function, target->pid);
}

static struct operation *new_operation(struct tendril_target *target,
				       const struct plan_request *request, int64_t started_ns)
{
	/* Not zeroed: most of it is room for register contents. */
	struct operation *op = malloc(sizeof(*op));
	struct tendril_thread *thread = calloc(1, sizeof(*thread));

	if (!op || !thread) {
		free(op);
		free(thread);
		return NULL;
	}
	thread->fd = -1;
	thread->pid = target->pid;
	thread->cost.size = sizeof(thread->cost);
	op->target = target;
	op->request = request;
	op->plan.data = NULL;
	op->undo.n_steps = 0;
	op->deadline_ns = started_ns + target->timeout_ms * (int64_t)NS_PER_MS;
	op->must_be_led = false;
	op->thread = thread;
	operation_forget_attempt(op);
	tracee_init(&op->tracee, target->pid, 0, target->mem);
	return op;
}

static void run_stages(struct operation *op)
{
	op->result = make(op, op->error);
	if (op->result < 0) {
		take_back(op, op->error);
		return;
	}
	/* The call has succeeded; what is left is to take the borrowed thread home, which it would
	 * also find by itself. */
	if (op->tracee.seized)
		(void)operation_fetch(op);
	if (op->request->stays)
		await_suspension(op);
}

/* All that touches the target, with naps that are as short as they are meant to be. */
static int transact(void *data)
{
	int slack_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);

	(void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	run_stages(data);
	if (slack_ns > 0)
		(void)prctl(PR_SET_TIMERSLACK, slack_ns, 0, 0, 0);
	return 0;
}

static bool transact_guarded(struct operation *op)
{
	struct tendril_target *target = op->target;

	if (!reach_needs_guard(target, op->first))
		return false;
	if (!target->guard_stack)
		target->guard_stack = malloc(GUARD_STACK_BYTES);
	if (!target->guard_stack)
		return false;
	op->result = fail(op->error, -ECANCELED, TENDRIL_STAGE_CREATE, TENDRIL_RULE_NONE,
			  "the process that made the call on our behalf was killed");
	if (guard_run(target->guard_stack, transact, op) < 0)
		return false;
	/* It was killed: before the verdict, or after. */
	if (op->result == -ECANCELED && operation_dismiss(op) == 1)
		op->result = 0;
	/* Yama lets only an ancestor trace, which the guard is not. */
	return op->result != -EACCES;
}

static int run_operation(struct operation *op, int64_t started_ns, struct tendril_error *error)
{
	struct tendril_thread *thread = op->thread;
	int r = plan_make(&op->plan, op->target, op->request, error);

	if (r < 0)
		return r;
	/* One that is so large most likely has no room: that can be known before anybody is stopped. */
	if (op->plan.arena_bytes > LARGE_BYTES &&
	    plan_place(&op->plan, op->target, op->request) < 0)
		return fail(error, -ENOMEM, TENDRIL_STAGE_CHECK, TENDRIL_RULE_LIMIT,
			    "process %d has no room for a stack of %lu bytes", op->target->pid,
			    op->request->stack_bytes);
	op->error = error;
	op->first = reach_guess(op->target);
	if (!transact_guarded(op))
		(void)transact(op);
	if (op->result < 0)
		return op->result;
	thread->cost.latency_us = (double)(op->decided_ns - started_ns) / NS_PER_US;
	thread->cost.stopped_us = (double)op->tracee.stopped_ns / NS_PER_US;
	thread->arena = op->plan.agent_at;
	thread->same_pid_namespace = op->target->same_pid_namespace;
	return 0;
}

int remote_create(struct tendril_target *target, const struct plan_request *request,
		  struct tendril_thread **ret_thread, struct tendril_error *error)
{
	int64_t started_ns = now_ns();
	struct operation *op;
	int r;

	(void)pthread_mutex_lock(&target->lock);
	target->caller_tid = gettid();
	r = target_prepare(target, error);
	/* A suspended thread may get its code before it is resumed. */
	if (r == 0 && !request->is_suspended)
		r = check_function(target, request->function, error);
	op = r == 0 ? new_operation(target, request, started_ns) : NULL;
	if (r == 0 && !op)
		r = fail(error, -ENOMEM, TENDRIL_STAGE_CHECK, TENDRIL_RULE_LIMIT, "out of memory");
	if (r == 0)
		r = run_operation(op, started_ns, error);
	target_settle(target);
	(void)pthread_mutex_unlock(&target->lock);
	if (!op)
		return r;
	if (r < 0)
		tendril_thread_close(op->thread);
	else
		*ret_thread = op->thread;
	plan_done(&op->plan);
	free(op);
	return r;
}
