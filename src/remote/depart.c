/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * depart.c - the borrowed thread makes the new one, and goes home
 *
 * From the moment that it is set on its way (depart) it goes home by itself, whatever becomes of
 * us, and the new thread leaves by itself when it hears nothing.
 */
#include "remote/operation.h"

#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/fault.h"

#define YIELD_NS         200000 /* longer than it takes where there is a processor for everybody */
#define NAP_NS           50000
#define LOOK_NS          10000
#define FETCH_NAP_NS     10000
#define FETCH_NS         (200 * NS_PER_MS)
#define COME_BACK_NS     (5 * NS_PER_MS)
#define AGENT_POLL_BYTES (sizeof(struct agent) - offsetof(struct agent, mark))
#define POLL_OFFSET      offsetof(struct agent, mark)

_Static_assert(sizeof(((struct operation *)0)->seen) == AGENT_POLL_BYTES, "read in one piece");

/* Is there still anything of ours at the arena's address? */
static bool has_arena(const struct operation *op)
{
	uint64_t mark;

	return tracee_read(&op->tracee, op->plan.agent_at + offsetof(struct agent, mark), &mark,
			   sizeof(mark)) == 0 &&
	       mark == op->plan.agent.mark;
}

/* A word in the arena, if that is there: at its address may be something of somebody else's. */
static void tell(const struct operation *op, raddr_t at, uint32_t word)
{
	if (has_arena(op))
		(void)tracee_write(&op->tracee, at, &word, sizeof(word));
}

static void say_heard(const struct operation *op)
{
	tell(op, op->plan.agent_at + offsetof(struct agent, heard), 1);
}

static void say_leave(const struct operation *op)
{
	if (op->thread->box)
		(void)thread_decide(op->thread->box, AGENT_VERDICT_NONE, AGENT_VERDICT_LEAVE);
	else
		tell(op, op->plan.mailbox_at + offsetof(struct mailbox, verdict),
		     AGENT_VERDICT_LEAVE);
}

/* The new thread hears "leave", and has left when this returns. */
static int undo_thread(void *data)
{
	struct operation *op = data;
	int64_t deadline = now_ns() + op->target->timeout_ms * (int64_t)NS_PER_MS + NS_PER_S;

	say_leave(op);
	while (has_arena(op)) {
		if (target_has_ended(op->target))
			return -ESRCH;
		if (now_ns() > deadline)
			return -ETIMEDOUT;
		nap_ns(NAP_NS);
	}
	while (op->seen.tid && op->target->same_pid_namespace &&
	       syscall(SYS_tgkill, op->target->pid, op->seen.tid, 0) == 0 && now_ns() < deadline)
		nap_ns(NAP_NS);
	return 0;
}

int operation_dismiss(struct operation *op)
{
	uint32_t verdict = op->thread->box ? thread_change_verdict(op->thread->box, AGENT_VERDICT_NONE,
								   AGENT_VERDICT_LEAVE)
					   : AGENT_VERDICT_LEAVE;

	if (verdict == AGENT_VERDICT_RUN || verdict == AGENT_VERDICT_SUSPEND)
		return 1;
	say_heard(op);
	(void)undo_thread(op);
	return 0;
}

/* The borrowed thread is set on its way: one write of its registers commits it to all the rest. */
static int depart(struct operation *op, struct tendril_error *error)
{
	struct arch_state state = { .regs = op->tracee.original.regs };
	int r = FAULT_POINT("depart");

	if (op->goes_alone)
		arch_set_signal_return(&state, &op->target->gadgets, op->way_in.address);
	else
		arch_set_entry(&state, plan_entry(&op->plan), op->plan.scratch_top,
			       op->plan.agent_at);
	if (r == 0)
		r = arch_write_registers(op->tracee.tid, &state);
	/* Only now, when all ways restore it: signals wait until the thread is home. */
	if (r == 0 && op->goes_alone)
		r = tracee_block_signals(&op->tracee);
	if (r < 0)
		return stage_fails(op, r, TENDRIL_STAGE_CREATE, TENDRIL_RULE_NONE, error,
				   "setting a thread on its way");
	op->has_departed = true;
	/* What was noted is not to be undone any more: the thread puts itself back, and it or the
	 * new one unmaps the arena. */
	while (op->undo.n_steps > 0)
		undo_forget(&op->undo);
	(void)FAULT_POINT("departed");
	if (op->tracee.interrupted)
		r = tracee_resume(&op->tracee, false);
	else
		r = tracee_detach(&op->tracee);
	return r < 0 ? stage_fails(op, r, TENDRIL_STAGE_CREATE, TENDRIL_RULE_NONE, error, "") : 0;
}

/*
 * What the target has written to the arena.  0: it is in op->seen; -EFAULT: there is no arena, or at
 * its address something of a stranger's, which kept the thread from mapping it; -ESRCH.
 */
static int look_at_arena(struct operation *op)
{
	int r = tracee_read(&op->tracee, op->plan.agent_at + POLL_OFFSET, &op->seen,
			    sizeof(op->seen));

	if (r == 0 && op->seen.mark == op->plan.agent.mark) {
		op->has_seen_arena = true;
		return 0;
	}
	memset(&op->seen, 0, sizeof(op->seen));
	op->seen.memfd = -1;
	return r < 0 ? r : -EFAULT;
}

/* Is a thread with that stack pointer neither on the ways that we have laid nor in the arena? */
static bool is_elsewhere(const struct operation *op, raddr_t sp)
{
	raddr_t low = op->goes_alone ? op->way_in.address : op->way.address;

	return (sp < low || sp >= op->way.address + op->way.n_bytes) &&
	       (sp < op->plan.arena || sp > op->plan.arena + op->plan.arena_bytes);
}

/* A thread that goes alone has not mapped the arena so far: because it could not, and is back? */
static bool has_come_back(struct operation *op)
{
	struct tracee look;
	raddr_t sp;

	if (op->tracee.seized)
		return operation_fetch(op) == 1 && look_at_arena(op) == -EFAULT;
	tracee_init(&look, op->target->pid, op->tracee.tid, op->target->mem);
	if (tracee_stop(&look, now_ns() + FETCH_NS) < 0)
		return false;
	sp = arch_sp(&look.original);
	(void)tracee_restore(&look);
	op->tracee.stopped_ns += look.stopped_ns;
	return look_at_arena(op) == -EFAULT && is_elsewhere(op, sp);
}

/* Between two looks, after a time in which we only yield.  0: look again; an errno: it is no use;
 * OPERATION_AGAIN: the thread is back. */
static int pause_waiting(struct operation *op, int64_t *next_check_ns)
{
	if (op->tracee.seized && tracee_keep_running(&op->tracee) < 0 && !op->tracee.seized)
		return -ESRCH; /* perhaps by an execve(2), which waits for us to notice */
	if (now_ns() > op->deadline_ns)
		return -ETIMEDOUT;
	if (target_has_ended(op->target))
		return -ESRCH;
	if (!op->has_seen_arena && now_ns() > *next_check_ns) {
		if (has_come_back(op))
			return OPERATION_AGAIN;
		*next_check_ns = now_ns() + COME_BACK_NS;
	}
	nap_ns(NAP_NS);
	return 0;
}

/*
 * A look takes the lock of the target's memory, which the thread needs to map its own.  What is in the
 * mailbox, once we have that, is seen without one.
 */
static void yield_before_look(const struct operation *op)
{
	const struct mailbox *box = op->thread->box;
	int64_t until_ns = now_ns() + LOOK_NS;

	do {
		(void)sched_yield();
		if (box && __atomic_load_n(&box->tid, __ATOMIC_ACQUIRE))
			return;
	} while (now_ns() < until_ns);
}

/*
 * Watch the arena until the new thread exists, or it is clear that there will be none.  It need not
 * have run: by then the mailbox is there, in which it will find its verdict.
 */
static int await_thread(struct operation *op)
{
	int64_t next_check_ns = now_ns() + COME_BACK_NS, yield_until_ns = now_ns() + YIELD_NS;

	for (;;) {
		int r = look_at_arena(op);

		/* It could not be mapped as it has to be, and has been unmapped. */
		if (r == -EFAULT && (!op->goes_alone || op->has_seen_arena))
			return op->goes_alone ? OPERATION_AGAIN : -ENOMEM;
		if (r < 0 && r != -EFAULT)
			return r;
		if (op->seen.memfd >= 0 && op->seen.created != AGENT_NOT_CREATED)
			operation_take_mailbox(op);
		if (op->seen.created != AGENT_CREATE_PENDING)
			return 0;
		if (now_ns() < yield_until_ns) {
			yield_before_look(op);
			continue;
		}
		r = pause_waiting(op, &next_check_ns);
		if (r < 0)
			return r;
	}
}

int operation_fetch(struct operation *op)
{
	struct arch_state home = op->tracee.original;
	const struct arch_way_home *way = &op->way;
	const struct agent_time left = { 1, 0 };
	raddr_t waiting = op->target->gadgets.syscall_ret + ARCH_SYSCALL_BYTES, ip, sp;
	int64_t deadline = now_ns() + FETCH_NS;
	int r;

	for (;;) {
		r = tracee_interrupt(&op->tracee, deadline);
		ip = arch_ip(&op->tracee.original);
		sp = arch_sp(&op->tracee.original);
		if (r < 0 && r != -EBUSY)
			break;
		if (ip == waiting && (sp == way->leave || sp == way->unmap || sp == way->home))
			break;
		/*
		 * Gone home by itself, its patience at an end; or still on its way, in a process
		 * that was stopped meanwhile, or in a pthread_create() that does not return: then
		 * it will find home alone.
		 */
		if (is_elsewhere(op, sp) || r == -EBUSY || now_ns() > deadline) {
			r = tracee_detach(&op->tracee);
			op->tracee.original = home;
			return r < 0 ? r : is_elsewhere(op, sp);
		}
		r = tracee_resume(&op->tracee, false);
		if (r < 0)
			break;
		nap_ns(FETCH_NAP_NS);
	}
	op->tracee.original = home;
	if (r < 0 && r != -EBUSY)
		return r;
	if (sp == way->unmap)
		r = undo_mapping(op);
	else if (sp == way->leave)
		r = tracee_write(&op->tracee, op->plan.agent_at + offsetof(struct agent, left),
				 &left, sizeof(left));
	else
		r = 0;
	/* It can do that, too: on its own way home. */
	if (r < 0)
		return tracee_detach(&op->tracee);
	r = undo_borrowing(op);
	return r < 0 ? r : 1;
}

static int explain_no_thread(struct operation *op, int code, struct tendril_error *error)
{
	switch (code) {
	case -EAGAIN:
		return stage_fails(op, code, TENDRIL_STAGE_CREATE, TENDRIL_RULE_LIMIT, error,
				   "it may have no more threads (RLIMIT_NPROC, pids cgroup, "
				   "threads-max)");
	case -ENOMEM:
		return stage_fails(op, code, TENDRIL_STAGE_CREATE, TENDRIL_RULE_LIMIT, error,
				   "it may map no more memory (RLIMIT_AS, overcommit, "
				   "max_map_count)");
	case -EMFILE:
		return fail(error, code, TENDRIL_STAGE_CREATE, TENDRIL_RULE_LIMIT,
			    "process %d is at its limit of open handles (RLIMIT_NOFILE), and one is "
			    "needed for a moment: prlimit --pid %d --nofile=...",
			    op->target->pid, op->target->pid);
	case -ETIMEDOUT:
		return stage_fails(op, code, TENDRIL_STAGE_CREATE, TENDRIL_RULE_NONE, error,
				   "its pthread_create() has not returned; what comes of it will leave "
				   "by itself");
	default:
		return stage_fails(op, code, TENDRIL_STAGE_CREATE, TENDRIL_RULE_NONE, error,
				   "its pthread_create()");
	}
}

int operation_create(struct operation *op, struct tendril_error *error)
{
	bool is_left;
	int r = depart(op, error);

	if (r < 0)
		return r;
	r = await_thread(op);
	if (r == OPERATION_AGAIN) {
		if (op->tracee.seized)
			(void)operation_fetch(op);
		return r;
	}
	if (r == 0 && op->seen.created == AGENT_NOT_CREATED) {
		say_heard(op);
		r = -op->seen.create_result;
	}
	if (r == 0) {
		undo_note(&op->undo, "dismiss the thread", undo_thread, op);
		return 0;
	}
	if (r == -ETIMEDOUT) { /* should it come after all, it is to leave at once */
		say_heard(op);
		say_leave(op);
	}
	if (op->tracee.seized)
		(void)operation_fetch(op); /* first: nobody leaves the arena before the borrowed thread */
	if (r == -ESRCH)
		return explain_no_thread(op, r, error);
	/* There is nobody to dismiss, but wait until all is gone. */
	is_left = r == -ETIMEDOUT || undo_thread(op) < 0;
	r = explain_no_thread(op, r, error);
	if (is_left && error)
		error->left = TENDRIL_LEFT_CHANGED;
	return r;
}
