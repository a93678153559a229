/* SPDX-License-Identifier: BSD-2-Clause */
#include "faults/trace.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "proc/proc.h"

#define OPTIONS                                                                                     \
	(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK |      \
	 PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE)
#define BUCKETS	       1024
#define COPY_LIMIT_NS  (10 * NS_PER_S)
#define STRANGERS_MAX  256

struct tracer {
	struct task *bucket[BUCKETS];
	struct task *freed; /* told as ended by the last call */
	struct group dead;  /* killed, and not yet gone */
	/* Stops of tasks of whose making we have not been told yet. */
	struct {
		pid_t tid;
		int status;
	} stranger[STRANGERS_MAX];
	size_t n_strangers;
	sigset_t old_mask;
	bool was_subreaper;
};

void group_init(struct group *group)
{
	*group = (struct group){ .last = &group->first };
}

static void queue(struct task *task)
{
	task->next_waiting = NULL;
	*task->group->last = task;
	task->group->last = &task->next_waiting;
}

static void unqueue(struct task *task)
{
	struct task **link = &task->group->first;

	while (*link && *link != task)
		link = &(*link)->next_waiting;
	if (!*link)
		return;
	*link = task->next_waiting;
	if (!*link)
		task->group->last = link;
}

static struct task **find_link(struct tracer *tracer, pid_t tid)
{
	struct task **link = &tracer->bucket[(unsigned int)tid % BUCKETS];

	while (*link && (*link)->tid != tid)
		link = &(*link)->next;
	return link;
}

static void note_stop(struct task *task, int status)
{
	task->status = status;
	task->ended = WIFEXITED(status) || WIFSIGNALED(status);
	if (!task->has_stop)
		queue(task); /* one that is killed while it is stopped has two: the last one counts */
	task->has_stop = true;
}

static int take_stranger(struct tracer *tracer, pid_t tid)
{
	for (size_t i = 0; i < tracer->n_strangers; i++) {
		int status = tracer->stranger[i].status;

		if (tracer->stranger[i].tid != tid)
			continue;
		tracer->stranger[i] = tracer->stranger[--tracer->n_strangers];
		return status;
	}
	return -1;
}

static struct task *add_task(struct tracer *tracer, pid_t tid, pid_t tgid, struct group *group)
{
	struct task **link = find_link(tracer, tid);
	struct task *task = calloc(1, sizeof(*task));
	int status;

	if (!task)
		return NULL;
	*task = (struct task){ .tid = tid, .tgid = tgid, .group = group };
	group->n_tasks++;
	*link = task;
	status = take_stranger(tracer, tid);
	if (status != -1)
		note_stop(task, status);
	return task;
}

static void remove_task(struct tracer *tracer, struct task *task)
{
	struct task **link = find_link(tracer, task->tid);

	*link = task->next;
	if (task->has_stop)
		unqueue(task);
	task->group->n_tasks--;
}

static void set_aside(struct tracer *tracer, pid_t tid, int status)
{
	/* A child that was left to us when its parent ended has nothing to tell. */
	if (!WIFSTOPPED(status) || tracer->n_strangers == STRANGERS_MAX)
		return;
	tracer->stranger[tracer->n_strangers].tid = tid;
	tracer->stranger[tracer->n_strangers++].status = status;
}

/* Take over one stop of whichever task.  Return: 1; 0: there is none; -ECHILD. */
static int take_one(struct tracer *tracer)
{
	int status;
	pid_t tid = waitpid(-1, &status, WNOHANG | __WALL);
	struct task *task;

	if (tid <= 0)
		return tid == 0 ? 0 : -errno;
	task = *find_link(tracer, tid);
	if (!task)
		set_aside(tracer, tid, status);
	else if (task->group != &tracer->dead)
		note_stop(task, status);
	else if (WIFEXITED(status) || WIFSIGNALED(status)) {
		remove_task(tracer, task);
		free(task);
	} else {
		/* Whose end is traced can stop once more on its way. */
		(void)ptrace(PTRACE_CONT, tid, NULL, NULL);
	}
	return 1;
}

/* SIGCHLD is blocked, so that none comes between the look and the wait. */
static int await_sigchld(int64_t deadline_ns)
{
	int64_t left = deadline_ns - now_ns();
	struct timespec time = { left / NS_PER_S, left % NS_PER_S };
	sigset_t mask;

	if (left <= 0)
		return -ETIMEDOUT;
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	if (sigtimedwait(&mask, NULL, &time) >= 0)
		return 0;
	return errno == EAGAIN ? 0 : -errno;
}

/* What a stop means */

static bool is_thread_of(pid_t tgid, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", tgid, tid);
	return access(path, F_OK) == 0;
}

static void meet_child(struct tracer *tracer, struct stop *stop)
{
	unsigned long message = 0;
	pid_t tid;

	stop->kind = STOP_CLONE;
	if (ptrace(PTRACE_GETEVENTMSG, stop->task->tid, NULL, &message) < 0)
		return;
	tid = (pid_t)message;
	stop->child_shares = !stop->task->is_copied && is_thread_of(stop->task->tgid, tid);
	stop->child = add_task(tracer, tid, stop->child_shares ? stop->task->tgid : tid,
			       stop->task->group);
	if (stop->child)
		stop->child->of = stop->task->of;
}

/* All other threads are gone, and the one that called is the leader now. */
static void meet_exec(struct tracer *tracer, struct stop *stop)
{
	unsigned long former = 0;
	struct task *task;

	stop->kind = STOP_EXEC;
	stop->task->in_syscall = true;
	if (ptrace(PTRACE_GETEVENTMSG, stop->task->tid, NULL, &former) < 0 ||
	    (pid_t)former == stop->task->tid)
		return;
	task = *find_link(tracer, (pid_t)former);
	if (!task)
		return;
	remove_task(tracer, task);
	free(task);
}

static void classify(struct tracer *tracer, struct stop *stop, int status)
{
	int event = status >> 16, signal = WSTOPSIG(status);
	unsigned long message = 0;

	stop->signal = signal;
	switch (event) {
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		meet_child(tracer, stop);
		return;
	case PTRACE_EVENT_EXEC:
		meet_exec(tracer, stop);
		return;
	case PTRACE_EVENT_EXIT:
		stop->kind = STOP_EXIT;
		if (ptrace(PTRACE_GETEVENTMSG, stop->task->tid, NULL, &message) == 0)
			stop->status = (int)message;
		return;
	case PTRACE_EVENT_STOP:
		stop->kind = stop->task->started ? STOP_GROUP : STOP_BEGIN;
		stop->task->started = true;
		return;
	default:
		break;
	}
	stop->kind = signal == (SIGTRAP | 0x80) ? STOP_SYSCALL :
		     signal == SIGTRAP		? STOP_TRAP :
						  STOP_SIGNAL;
	if (stop->kind == STOP_SYSCALL)
		stop->task->in_syscall = !stop->task->in_syscall;
}

static void tell(struct tracer *tracer, struct task *task, struct stop *ret_stop)
{
	*ret_stop = (struct stop){ .task = task };
	unqueue(task);
	task->has_stop = false;
	if (!task->ended) {
		classify(tracer, ret_stop, task->status);
		return;
	}
	ret_stop->kind = STOP_ENDED;
	ret_stop->status = task->status;
	remove_task(tracer, task);
	tracer->freed = task;
}

int tracer_next(struct tracer *tracer, struct group *group, int64_t deadline_ns,
		struct stop *ret_stop)
{
	free(tracer->freed);
	tracer->freed = NULL;
	for (;;) {
		int r;

		if (group->first) {
			tell(tracer, group->first, ret_stop);
			return 0;
		}
		if (group->n_tasks == 0)
			return -ECHILD;
		r = take_one(tracer);
		if (r == 0)
			r = await_sigchld(deadline_ns);
		if (r < 0)
			return r;
	}
}

int task_next(struct tracer *tracer, struct task *task, int64_t deadline_ns, struct stop *ret_stop)
{
	for (;;) {
		int r;

		if (task->has_stop) {
			tell(tracer, task, ret_stop);
			return ret_stop->kind == STOP_ENDED ? -ESRCH : 0;
		}
		r = take_one(tracer);
		if (r == 0)
			r = await_sigchld(deadline_ns);
		if (r < 0 && r != -EINTR)
			return r;
	}
}

void task_resume(struct task *task, int how, int signal)
{
	(void)ptrace(how, task->tid, NULL, (void *)(intptr_t)signal);
}

void task_move(struct task *task, struct group *group)
{
	if (task->has_stop)
		unqueue(task);
	task->group->n_tasks--;
	task->group = group;
	group->n_tasks++;
	if (task->has_stop)
		queue(task);
}

void trace_exits(struct task *task)
{
	(void)ptrace(PTRACE_SETOPTIONS, task->tid, NULL, (void *)(OPTIONS | PTRACE_O_TRACEEXIT));
}

static void kill_task(struct tracer *tracer, struct task *task)
{
	(void)kill(task->tgid, SIGKILL);
	(void)ptrace(PTRACE_CONT, task->tid, NULL, NULL); /* it does not wake who is stopped at its end */
	task_move(task, &tracer->dead);
	if (!task->has_stop)
		return;
	unqueue(task);
	task->has_stop = false;
	if (!task->ended)
		return;
	remove_task(tracer, task);
	free(task);
}

static void drop_if(struct tracer *tracer, const struct group *group, const void *of, bool all)
{
	for (size_t i = 0; i < BUCKETS && group->n_tasks; i++)
		for (struct task *task = tracer->bucket[i], *next; task; task = next) {
			next = task->next;
			if (task->group == group && (all || task->of == of))
				kill_task(tracer, task);
		}
}

void group_drop(struct tracer *tracer, struct group *group)
{
	drop_if(tracer, group, NULL, true);
}

void group_drop_of(struct tracer *tracer, struct group *group, const void *of)
{
	drop_if(tracer, group, of, false);
}

static void await_dead(struct tracer *tracer)
{
	while (tracer->dead.n_tasks) {
		int r = take_one(tracer);

		if (r == -ECHILD)
			break;
		if (r == 0)
			(void)await_sigchld(now_ns() + NS_PER_S);
	}
}

void group_kill(struct tracer *tracer, struct group *group)
{
	group_drop(tracer, group);
	await_dead(tracer);
}

void task_release(struct tracer *tracer, struct task *task, bool stopped)
{
	if (stopped)
		(void)kill(task->tgid, SIGSTOP);
	(void)ptrace(PTRACE_DETACH, task->tid, NULL, NULL);
	remove_task(tracer, task);
	free(task);
}

void tracer_each(struct tracer *tracer, const struct group *group,
		 void (*visit)(struct task *task, void *data), void *data)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct task *task = tracer->bucket[i]; task; task = task->next)
			if (task->group == group)
				visit(task, data);
}

size_t tracer_threads(const struct tracer *tracer, pid_t tgid)
{
	size_t n = 0;

	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct task *task = tracer->bucket[i]; task; task = task->next)
			n += task->tgid == tgid && !task->ended;
	return n;
}

/* Copies, and system calls of others */

int task_copy(struct tracer *tracer, struct task *task, const struct arch_state *state,
	      raddr_t syscall_at, struct group *group, struct task **ret_copy)
{
	int64_t deadline = now_ns() + COPY_LIMIT_NS;
	struct arch_state call = *state;
	struct task *copy = NULL;
	uint64_t arguments[6];
	struct stop stop;
	long number;
	int r;

	/* A sibling is ours to reap; who else has made the process should not see a new child. */
	arch_fork_arguments(task->ours, &number, arguments);
	arch_set_syscall_here(&call, syscall_at, number, arguments);
	r = arch_write_registers(task->tid, &call);
	task->is_copied = true;
	for (bool done = false; r == 0 && !done;) {
		task_resume(task, PTRACE_SINGLESTEP, 0);
		r = task_next(tracer, task, deadline, &stop);
		if (r == 0 && stop.kind == STOP_CLONE)
			copy = stop.child;
		done = r == 0 && stop.kind == STOP_TRAP;
	}
	if (r < 0)
		return r;
	task->is_copied = false;
	(void)arch_read_registers(task->tid, &call);
	r = arch_write_registers(task->tid, state);
	if (r == 0 && !copy)
		r = arch_syscall_result(&call) < 0 ? (int)arch_syscall_result(&call) : -ENOMEM;
	if (r == 0)
		r = task_next(tracer, copy, deadline, &stop);
	if (r == 0)
		r = arch_write_registers(copy->tid, state);
	if (r < 0)
		return r;
	copy->ours = task->ours;
	task_move(copy, group);
	*ret_copy = copy;
	return 0;
}

int task_syscall(struct tracer *tracer, struct task *task, const struct arch_state *state,
		 raddr_t syscall_at, long number, const uint64_t arguments[6], int64_t *ret_result)
{
	struct arch_state call = *state;
	struct stop stop;
	int r;

	arch_set_syscall_here(&call, syscall_at, number, arguments);
	r = arch_write_registers(task->tid, &call);
	if (r < 0)
		return r;
	do {
		task_resume(task, PTRACE_SINGLESTEP, 0);
		r = task_next(tracer, task, now_ns() + COPY_LIMIT_NS, &stop);
	} while (r == 0 && stop.kind != STOP_TRAP);
	if (r == 0)
		r = arch_read_registers(task->tid, &call);
	if (r < 0)
		return r;
	*ret_result = arch_syscall_result(&call);
	return arch_write_registers(task->tid, state);
}

/* Memory */

size_t task_read_some(const struct task *task, raddr_t address, void *data, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		size_t to_page = 4096 - (address + done) % 4096;
		struct iovec here = { (char *)data + done, bytes - done };
		struct iovec there = { (void *)(uintptr_t)(address + done), bytes - done };
		ssize_t n = process_vm_readv(task->tgid, &here, 1, &there, 1, 0);

		if (n < 0 && to_page < here.iov_len) {
			here.iov_len = there.iov_len = to_page;
			n = process_vm_readv(task->tgid, &here, 1, &there, 1, 0);
		}
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

int task_read(const struct task *task, raddr_t address, void *data, size_t bytes)
{
	return task_read_some(task, address, data, bytes) == bytes ? 0 : -EFAULT;
}

int task_write(const struct task *task, raddr_t address, const void *data, size_t bytes)
{
	const unsigned char *from = data;

	while (bytes) { /* also where it is read-only: so not process_vm_writev(2) */
		unsigned int skip = address % sizeof(long);
		size_t n = sizeof(long) - skip < bytes ? sizeof(long) - skip : bytes;
		void *at = (void *)(uintptr_t)(address - skip);
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, task->tid, at, NULL);
		if (errno)
			return errno == ESRCH ? -ESRCH : -EFAULT;
		memcpy((char *)&word + skip, from, n);
		if (ptrace(PTRACE_POKEDATA, task->tid, at, (void *)word) < 0)
			return errno == ESRCH ? -ESRCH : -EFAULT;
		address += n;
		from += n;
		bytes -= n;
	}
	return 0;
}

/* The command */

static _Noreturn void run_command(char *const *argv, bool silent, int go, int told,
				  int (*prepare)(void *, struct tendril_error *), void *data,
				  const sigset_t *mask)
{
	struct tendril_error error = { 0 };
	char byte;

	while (read(go, &byte, 1) < 0 && errno == EINTR)
		;
	sigprocmask(SIG_SETMASK, mask, NULL);
	if (silent) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		for (int i = 0; i < 3; i++)
			(void)dup2(null, i);
	}
	/* As debuggers do: so that what is where does not change from one run to the next. */
	(void)personality(ADDR_NO_RANDOMIZE | (unsigned int)personality(0xffffffff));
	if (prepare && prepare(data, &error) < 0) {
		if (!error.code)
			error.code = -EPERM;
	} else {
		execvp(argv[0], argv);
		error.code = -errno;
		snprintf(error.text, sizeof(error.text), "%s: %s", argv[0], strerror(errno));
	}
	(void)!write(told, &error, sizeof(error));
	_exit(127);
}

static int await_exec(struct tracer *tracer, struct task *task, int told, struct tendril_error *error)
{
	struct tendril_error why;
	struct stop stop;
	int r;

	for (;;) {
		r = task_next(tracer, task, INT64_MAX, &stop);
		if (r < 0)
			break;
		if (stop.kind == STOP_EXEC)
			return 0;
		if (stop.kind == STOP_CLONE && stop.child)
			task_resume(stop.child, PTRACE_CONT, 0);
		task_resume(task, PTRACE_CONT,
			    stop.kind == STOP_SIGNAL ? stop.signal : 0);
	}
	if (read(told, &why, sizeof(why)) != sizeof(why))
		return fail(error, -ENOEXEC, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "the command ended before it began");
	why.text[sizeof(why.text) - 1] = '\0';
	return fail(error, why.code, why.stage, why.rule, "%s", why.text);
}

static int start_child(struct tracer *tracer, char *const *argv, bool silent,
		       int (*prepare)(void *, struct tendril_error *), void *data, int *ret_go,
		       int *ret_told, pid_t *ret_pid)
{
	int go[2], told[2];
	pid_t pid;

	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(told, O_CLOEXEC) < 0) {
		int r = -errno;

		close(go[0]);
		close(go[1]);
		return r;
	}
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		run_command(argv, silent, go[0], told[1], prepare, data, &tracer->old_mask);
	}
	close_keeping_errno(go[0]);
	close_keeping_errno(told[1]);
	*ret_go = go[1];
	*ret_told = told[0];
	*ret_pid = pid;
	return pid < 0 ? -errno : 0;
}

int tracer_start(struct tracer *tracer, char *const *argv, bool silent,
		 int (*prepare)(void *, struct tendril_error *), void *data, struct group *group,
		 struct task **ret_task, struct tendril_error *error)
{
	AUTO_CLOSE int go = -1, told = -1;
	struct task *task;
	pid_t pid = -1;
	int r = start_child(tracer, argv, silent, prepare, data, &go, &told, &pid);

	if (r < 0)
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_LIMIT, "fork: %s",
			    strerror(-r));
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)OPTIONS) < 0) {
		r = -errno;
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "ptrace is not permitted here: %s", strerror(-r));
	}
	task = add_task(tracer, pid, pid, group);
	if (!task) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return -ENOMEM;
	}
	task->started = true;
	task->ours = true;
	close(take_fd(&go));
	r = await_exec(tracer, task, told, error);
	if (r == 0)
		*ret_task = task;
	return r;
}

int tracer_new(struct tracer **ret_tracer)
{
	struct tracer *tracer = calloc(1, sizeof(*tracer));
	sigset_t mask;
	int was = 0;

	if (!tracer)
		return -ENOMEM;
	group_init(&tracer->dead);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, &tracer->old_mask);
	/* What copies leave behind comes to us, and to nobody who does not know it. */
	(void)prctl(PR_GET_CHILD_SUBREAPER, &was, 0, 0, 0);
	tracer->was_subreaper = was;
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	*ret_tracer = tracer;
	return 0;
}

void tracer_free(struct tracer *tracer)
{
	if (!tracer)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct task *task = tracer->bucket[i], *next; task; task = next) {
			next = task->next;
			if (task->group != &tracer->dead)
				kill_task(tracer, task);
		}
	await_dead(tracer);
	free(tracer->freed);
	(void)prctl(PR_SET_CHILD_SUBREAPER, tracer->was_subreaper, 0, 0, 0);
	sigprocmask(SIG_SETMASK, &tracer->old_mask, NULL);
	free(tracer);
}
