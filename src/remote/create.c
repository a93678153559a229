/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * create.c - the transaction: check, reach, prepare, create, attach, commit
 *
 * Until commit() everything can be, and on failure is, taken back.  From the moment that the
 * borrowed thread is set on its way (depart) it goes home by itself, whatever becomes of us, and
 * the new thread leaves by itself when it hears nothing.
 */
#include "remote/guard.h"
#include "remote/reach.h"
#include "remote/thread.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fault.h"
#include "tracee/seccomp.h"
#include "tracee/undo.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define PLACES_TRIED    4
#define UNDO_TRIES      3
#define POLL_SPINS      150 /* then sleep: an idle processor pulls the new thread from a busy one */
#define POLL_NAP_NS     1000 /* and the kernel's timer slack, 50 us by default */
#define FETCH_NAP_NS    10000
#define FETCH_NS        (200 * NS_PER_MS)
#define AGENT_POLL_BYTES (sizeof(struct agent) - offsetof(struct agent, created))
#define POLL_OFFSET      offsetof(struct agent, created)

struct operation {
	struct tendril_target *target;
	const struct plan_request *request;
	struct plan plan;
	struct tracee tracee;
	struct arch_way_home way;
	struct undo_log undo;
	int64_t deadline_ns;
	bool has_departed;
	enum safe_guess first;
	struct tendril_thread *thread; /* being made */
	struct tendril_error *error;
	int64_t decided_ns;
	int result;
	struct {
		uint32_t created;
		int32_t create_result;
		uint32_t thread_state;
		int32_t thread_result;
		int32_t tid;
		int32_t memfd;
		struct agent_time left;
		int32_t gone, pad;
	} seen; /* the part of struct agent that the target writes */
};

_Static_assert(sizeof(((struct operation *)0)->seen) == AGENT_POLL_BYTES, "read in one piece");

static int stage_fails(struct operation *op, int code, enum tendril_stage stage,
		       enum tendril_rule rule, struct tendril_error *error, const char *what)
{
	if (code == -ESRCH || target_has_ended(op->target))
		return fail(error, -ESRCH, stage, TENDRIL_RULE_NO_PROCESS,
			    "process %d ended during the call", op->target->pid);
	return fail(error, code, stage, rule, "process %d: %s: %s", op->target->pid, what,
		    strerror(-code));
}

/* Undo steps */

static int undo_borrowing(void *data)
{
	struct operation *op = data;
	int r = -ESRCH;

	/* None of these can fail while the thread lives; but if one does, much depends on it. */
	for (int i = 0; i < UNDO_TRIES && op->tracee.seized; i++) {
		r = arch_write_extended(op->tracee.tid, &op->tracee.original);
		if (r == 0)
			r = tracee_restore(&op->tracee);
		if (r == 0)
			return 0;
	}
	return r;
}

static int undo_mapping(void *data)
{
	struct operation *op = data;
	const uint64_t arguments[6] = { op->plan.arena, op->plan.arena_bytes };
	int64_t result;
	int r = tracee_syscall(&op->tracee, op->target->gadgets.syscall_ret, op->way.unmap,
			       SYS_munmap, arguments, op->deadline_ns + NS_PER_S, &result);

	return r < 0 ? r : (int)result;
}

/* Is there still anything of ours at the arena's address? */
static bool arena_is_gone(const struct operation *op)
{
	uint8_t byte;

	return pread(op->target->mem, &byte, 1, (off_t)op->plan.agent_at) != 1;
}

/* The new thread hears "leave", and has left when this returns. */
static int undo_thread(void *data)
{
	struct operation *op = data;
	uint32_t leave = AGENT_VERDICT_LEAVE;
	int64_t deadline = now_ns() + op->target->timeout_ms * (int64_t)NS_PER_MS + NS_PER_S;

	if (op->thread->box)
		(void)thread_decide(op->thread->box, AGENT_VERDICT_NONE, AGENT_VERDICT_LEAVE);
	else
		(void)tracee_write(&op->tracee, op->plan.mailbox_at, &leave, sizeof(leave));
	while (!arena_is_gone(op)) {
		if (target_has_ended(op->target))
			return -ESRCH;
		if (now_ns() > deadline)
			return -ETIMEDOUT;
		nap_ns(POLL_NAP_NS);
	}
	while (op->seen.tid && op->target->same_pid_namespace &&
	       syscall(SYS_tgkill, op->target->pid, op->seen.tid, 0) == 0 && now_ns() < deadline)
		nap_ns(POLL_NAP_NS);
	return 0;
}

/* Prepare */

static int check_seccomp(struct operation *op, struct tendril_error *error)
{
	long refused = -1;
	int r;

	if (op->target->seccomp_checked)
		return 0;
	r = seccomp_check(&op->tracee, &refused);
	if (r == -EACCES)
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_SECCOMP,
			    "process %d has a seccomp filter, which only CAP_SYS_ADMIN may read: run as "
			    "root, so that it can be known not to kill the process",
			    op->target->pid);
	if (r == -EPERM)
		return fail(error, -EACCES, TENDRIL_STAGE_CHECK, TENDRIL_RULE_SECCOMP,
			    "the seccomp filter of process %d does not permit system call %ld, which "
			    "is needed",
			    op->target->pid, refused);
	if (r < 0)
		return stage_fails(op, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_SECCOMP, error,
				   "reading its seccomp filter");
	op->target->seccomp_checked = true;
	return 0;
}

/* Everything that the borrowed thread needs to put itself back, written below its stack. */
static int lay_way_home(struct operation *op)
{
	const struct arch_arena arena = {
		.address = op->plan.arena,
		.bytes = op->plan.arena_bytes,
		.left = op->plan.agent_at + offsetof(struct agent, left),
	};

	uint8_t text[ARCH_CALL_TEXT_BYTES] = { 0 };

	(void)tracee_read(&op->tracee,
			  arch_ip(&op->tracee.original) - ARCH_SYSCALL_BYTES - sizeof(text), text,
			  sizeof(text));
	arch_build_way_home(&op->way, &op->tracee.original, text, &op->target->gadgets, &arena);
	return tracee_write(&op->tracee, op->way.address, op->way.bytes, op->way.n_bytes);
}

static int map_arena(struct operation *op, struct tendril_error *error)
{
	int64_t result = -ENOMEM;
	int r = FAULT_POINT("map");

	for (int i = 0; r == 0 && i < PLACES_TRIED; i++) {
		uint64_t arguments[6] = { 0, op->plan.arena_bytes, PROT_READ | PROT_EXEC,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK |
						  MAP_FIXED_NOREPLACE,
					  (uint64_t)-1, 0 };

		r = plan_place(&op->plan, op->target, op->request);
		if (r == 0)
			r = lay_way_home(op);
		if (r < 0)
			break;
		arguments[0] = op->plan.arena;
		r = tracee_syscall(&op->tracee, op->target->gadgets.syscall_ret, op->way.unmap,
				   SYS_mmap, arguments, op->deadline_ns, &result);
		if (r < 0 || result != -EEXIST)
			break;
	}
	if (r == 0 && result < 0 && result > -4096)
		r = (int)result;
	else if (r == 0 && (raddr_t)result != op->plan.arena)
		r = -EIO;
	if (r < 0)
		return stage_fails(op, r, TENDRIL_STAGE_PREPARE, TENDRIL_RULE_LIMIT, error,
				   "it may map no more memory");
	return 0;
}

static int fill_arena(struct operation *op, struct tendril_error *error)
{
	struct agent *agent = &op->plan.agent;
	int r = FAULT_POINT("fill");

	agent->home_unmap = op->way.unmap;
	agent->home_leave = op->way.leave;
	agent->fetch = op->tracee.interrupted ? op->target->gadgets.syscall_ret : 0;
	if (r == 0)
		r = tracee_write(&op->tracee, op->plan.arena, __start_tendril_agent,
				 (size_t)(__stop_tendril_agent - __start_tendril_agent));
	if (r == 0)
		r = tracee_write(&op->tracee, op->plan.agent_at, agent, sizeof(*agent));
	if (r == 0 && op->plan.data_bytes)
		r = tracee_write(&op->tracee,
				 op->plan.agent_at + ((sizeof(*agent) + 15) & ~15ul),
				 op->plan.data, op->plan.data_bytes);
	if (r < 0)
		return stage_fails(op, r, TENDRIL_STAGE_PREPARE, TENDRIL_RULE_NONE, error,
				   "writing to what was mapped");
	return 0;
}

static int prepare(struct operation *op, struct tendril_error *error)
{
	int r = check_seccomp(op, error);

	if (r < 0)
		return r;
	r = FAULT_POINT("save");
	if (r == 0)
		r = arch_read_extended(op->tracee.tid, &op->tracee.original);
	if (r < 0)
		return stage_fails(op, r, TENDRIL_STAGE_PREPARE, TENDRIL_RULE_NONE, error,
				   "saving the state of a thread");
	r = map_arena(op, error);
	if (r < 0)
		return r;
	undo_note(&op->undo, "unmap the arena", undo_mapping, op);
	return fill_arena(op, error);
}

/* Create */

/* The borrowed thread is set on its way: one write of its registers commits it to all the rest. */
static int depart(struct operation *op, struct tendril_error *error)
{
	struct arch_state state = { .regs = op->tracee.original.regs };
	int r = FAULT_POINT("depart");

	if (r == 0) {
		arch_set_entry(&state, plan_entry(&op->plan), op->plan.scratch_top,
			       op->plan.agent_at);
		r = arch_write_registers(op->tracee.tid, &state);
	}
	if (r < 0)
		return stage_fails(op, r, TENDRIL_STAGE_CREATE, TENDRIL_RULE_NONE, error,
				   "setting a thread on its way");
	op->has_departed = true;
	undo_forget(&op->undo); /* the arena: the thread itself unmaps it, or the new one does */
	undo_forget(&op->undo); /* the thread: it is not to be put back, it goes home */
	(void)FAULT_POINT("departed");
	if (op->tracee.interrupted)
		r = tracee_resume(&op->tracee, false);
	else
		r = tracee_detach(&op->tracee);
	return r < 0 ? stage_fails(op, r, TENDRIL_STAGE_CREATE, TENDRIL_RULE_NONE, error, "") : 0;
}

static bool has_news(const struct operation *op)
{
	return op->seen.created == AGENT_NOT_CREATED ||
	       op->seen.thread_state != AGENT_THREAD_UNBORN;
}

/* Watch the arena until the new thread is parked, or it is clear that there will be none. */
static int await_thread(struct operation *op)
{
	for (int i = 0; !has_news(op); i++) {
		int r = tracee_read(&op->tracee, op->plan.agent_at + POLL_OFFSET, &op->seen,
				    sizeof(op->seen));

		if (r == -EFAULT)
			return -ENOMEM; /* it could not be made writable, and has been unmapped */
		if (r < 0)
			return r;
		if (i < POLL_SPINS)
			continue;
		if (now_ns() > op->deadline_ns)
			return -ETIMEDOUT;
		if (target_has_ended(op->target))
			return -ESRCH;
		nap_ns(POLL_NAP_NS);
	}
	return 0;
}

/*
 * The borrowed thread was in the middle of a system call: take it home ourselves, since only at a
 * ptrace stop does the kernel take the call up again as if nothing had been, with the time it had
 * left, and with EINTR if a signal has really come meanwhile.
 */
static int fetch(struct operation *op)
{
	struct arch_state home = op->tracee.original;
	const struct agent_time left = { 1, 0 };
	raddr_t waiting = op->target->gadgets.syscall_ret + ARCH_SYSCALL_BYTES;
	int64_t deadline = now_ns() + FETCH_NS;
	int r;

	for (;;) {
		raddr_t sp;

		r = tracee_interrupt(&op->tracee, deadline);
		sp = arch_sp(&op->tracee.original);
		if (r < 0 && r != -EBUSY)
			return r;
		if (arch_ip(&op->tracee.original) == waiting &&
		    (sp == op->way.leave || sp == op->way.unmap))
			break;
		/*
		 * Gone home by itself, its patience at an end; or still on its way, in a process
		 * that was stopped meanwhile, or in a pthread_create() that does not return: then
		 * it will find home alone.
		 */
		if (sp >= op->way.address + op->way.n_bytes || r == -EBUSY || now_ns() > deadline)
			return tracee_detach(&op->tracee);
		r = tracee_resume(&op->tracee, false);
		if (r < 0)
			return r;
		nap_ns(FETCH_NAP_NS);
	}
	op->tracee.original = home;
	if (op->seen.created == AGENT_NOT_CREATED)
		r = undo_mapping(op);
	else
		r = tracee_write(&op->tracee, op->plan.agent_at + offsetof(struct agent, left),
				 &left, sizeof(left));
	/* It can do that, too: on its own way home. */
	return r < 0 ? tracee_detach(&op->tracee) : undo_borrowing(op);
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

static int create_thread(struct operation *op, struct tendril_error *error)
{
	const uint32_t heard = 1;
	bool is_left;
	int r = depart(op, error);

	if (r < 0)
		return r;
	r = await_thread(op);
	if (r == 0 && op->seen.created == AGENT_NOT_CREATED) {
		(void)tracee_write(&op->tracee, op->plan.agent_at + offsetof(struct agent, heard),
				   &heard, sizeof(heard));
		r = -op->seen.create_result;
	}
	else if (r == 0 && op->seen.thread_state == AGENT_THREAD_LEAVING)
		r = op->seen.thread_result;
	if (r == 0) {
		undo_note(&op->undo, "dismiss the thread", undo_thread, op);
		return 0;
	}
	if (r == -ETIMEDOUT) /* should it come after all, it is to leave at once */
		(void)tracee_write(&op->tracee, op->plan.agent_at + offsetof(struct agent, heard),
				   &heard, sizeof(heard));
	if (op->tracee.seized)
		(void)fetch(op); /* first: nobody leaves the arena before the borrowed thread */
	if (r == -ESRCH)
		return explain_no_thread(op, r, error);
	/* There is nobody to dismiss, but wait until all is gone. */
	is_left = r == -ETIMEDOUT || undo_thread(op) < 0;
	r = explain_no_thread(op, r, error);
	if (is_left && error)
		error->left = TENDRIL_LEFT_CHANGED;
	return r;
}

/* Attach */

/* The page that the new thread shares with us; sealed, since the target could shorten it. */
static int map_mailbox(struct operation *op)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;
	void *page;
	int r = FAULT_POINT("mailbox");

	if (r < 0)
		return r;
	fd = (int)syscall(SYS_pidfd_getfd, op->target->pidfd, op->seen.memfd, 0);
	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_size != MAILBOX_BYTES)
		return -EPROTO;
	page = mmap(NULL, MAILBOX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	op->thread->box = page;
	return 0;
}

/* In another PID namespace the thread knows itself by another number than we do. */
static int translate_tid(struct operation *op, pid_t *ret_tid)
{
	AUTO_FREE pid_t *tids = NULL;
	struct proc_process thread;
	size_t n = 0;
	int r;

	if (op->target->same_pid_namespace) {
		*ret_tid = op->seen.tid;
		return 0;
	}
	r = proc_threads(op->target->pid, &tids, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (proc_process_read(tids[n - 1 - i], &thread) < 0 || thread.n_ns_pids == 0)
			continue;
		if (thread.ns_pid[thread.n_ns_pids - 1] == op->seen.tid) {
			*ret_tid = tids[n - 1 - i];
			return 0;
		}
	}
	return r < 0 ? r : -ESRCH;
}

static int attach(struct operation *op, struct tendril_error *error)
{
	struct tendril_thread *thread = op->thread;
	int r = FAULT_POINT("attach");

	if (r == 0)
		r = map_mailbox(op);
	if (r == 0)
		r = translate_tid(op, &thread->tid);
	if (r == 0)
		r = FAULT_POINT("handle");
	if (r == 0)
		r = thread->fd = open_thread_fd(op->target->pid, thread->tid,
						&thread->fd_is_process);
	if (r == -EMFILE || r == -ENFILE)
		return fail(error, r, TENDRIL_STAGE_ATTACH, TENDRIL_RULE_LIMIT,
			    "no more handles may be opened here: %s (RLIMIT_NOFILE)", strerror(-r));
	if (r < 0)
		return stage_fails(op, r, TENDRIL_STAGE_ATTACH, TENDRIL_RULE_NONE, error,
				   "taking a handle to the new thread");
	return 0;
}

/* Commit */

static int commit(struct operation *op, struct tendril_error *error)
{
	uint32_t verdict = op->request->is_suspended ? AGENT_VERDICT_SUSPEND : AGENT_VERDICT_RUN;
	int r = FAULT_POINT("commit");

	if (r < 0)
		return fail(error, r, TENDRIL_STAGE_COMMIT, TENDRIL_RULE_NONE, "fault point");
	/* The point of no return: whoever changes the word first, this or the thread's own
	 * impatience, decides. */
	if (thread_decide(op->thread->box, AGENT_VERDICT_NONE, verdict) != verdict)
		return fail(error, -ETIMEDOUT, TENDRIL_STAGE_COMMIT, TENDRIL_RULE_NONE,
			    "the new thread had waited too long for its verdict, and left");
	undo_forget(&op->undo);
	return 0;
}

static int make(struct operation *op, struct tendril_error *error)
{
	size_t room = sizeof(op->way.bytes) + ARCH_RED_ZONE_BYTES;
	int r = reach(op->target, op->first, room, op->deadline_ns, &op->tracee,
		      &op->thread->cost.attempts, error);

	if (r < 0)
		return r;
	op->thread->cost.borrowed_tid = op->tracee.tid;
	undo_note(&op->undo, "put the borrowed thread back", undo_borrowing, op);
	r = prepare(op, error);
	if (r == 0)
		r = create_thread(op, error);
	if (r == 0)
		r = attach(op, error);
	if (r == 0)
		r = commit(op, error);
	return r;
}

static void take_back(struct operation *op, struct tendril_error *error)
{
	const char *step = NULL;

	if (op->has_departed && op->tracee.seized)
		(void)fetch(op);
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
	op->has_departed = false;
	op->thread = thread;
	memset(&op->seen, 0, sizeof(op->seen));
	tracee_init(&op->tracee, target->pid, 0, target->mem);
	return op;
}

/* All that touches the target. */
static int transact(void *data)
{
	struct operation *op = data;

	op->result = make(op, op->error);
	if (op->result < 0) {
		take_back(op, op->error);
		return 0;
	}
	op->decided_ns = now_ns();
	/* The call has succeeded; what is left is to take the borrowed thread home, which it would
	 * also find by itself. */
	if (op->tracee.seized)
		(void)fetch(op);
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
	/* Yama lets only an ancestor trace, which the guard is not. */
	return op->result != -EACCES;
}

static int run_operation(struct operation *op, int64_t started_ns, struct tendril_error *error)
{
	struct tendril_thread *thread = op->thread;
	int r = plan_make(&op->plan, op->target, op->request, error);

	if (r < 0)
		return r;
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
