/* SPDX-License-Identifier: BSD-2-Clause */
#include "faults/trace.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "faults/guard.h"
#include "proc/proc.h"

#define BUCKETS	    1024
#define TICK_SIGNAL SIGRTMAX
#define TICK_NS	    (20 * NS_PER_MS)
#define DEATH_NS    (10 * NS_PER_S)

struct tracer {
	struct task *bucket[BUCKETS];
	struct task *freed; /* told as ended by the last call */
	struct group dead;  /* killed, and not yet gone */
	/* Stops of tasks of whose making we have not been told yet. */
	struct stranger {
		pid_t tid;
		int status;
	} * stranger;
	size_t n_strangers, strangers_room;
	timer_t ticks;
	bool has_ticks;
	struct sigaction old_action;
	sigset_t old_mask;
	bool was_subreaper;
	uint64_t held_back;
};

void group_init(struct group *group)
{
	*group = (struct group){.last = &group->first};
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

struct task *tracer_find(struct tracer *tracer, pid_t tid)
{
	return *find_link(tracer, tid);
}

static void note_stop(struct task *task, int status)
{
	task->status = status;
	task->ended = WIFEXITED(status) || WIFSIGNALED(status);
	if (!task->has_stop)
		queue(task); /* one that is killed while it is stopped has two: the last one counts
			      */
	task->has_stop = true;
}

static struct stranger *find_stranger(struct tracer *tracer, pid_t tid)
{
	for (size_t i = 0; i < tracer->n_strangers; i++)
		if (tracer->stranger[i].tid == tid)
			return &tracer->stranger[i];
	return NULL;
}

static int take_stranger(struct tracer *tracer, pid_t tid)
{
	struct stranger *stranger = find_stranger(tracer, tid);
	int status = stranger ? stranger->status : -1;

	if (stranger)
		*stranger = tracer->stranger[--tracer->n_strangers];
	return status;
}

struct task *tracer_add(struct tracer *tracer, pid_t tid, pid_t tgid, struct group *group)
{
	struct task **link = find_link(tracer, tid);
	struct task *task = calloc(1, sizeof(*task));
	int status;

	if (!task)
		return NULL;
	*task = (struct task){.tid = tid, .tgid = tgid, .group = group};
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
	struct stranger *stranger = find_stranger(tracer, tid);

	/* A child that was left to us when its parent ended has nothing to tell. */
	if (!WIFSTOPPED(status)) {
		(void)take_stranger(tracer, tid);
		return;
	}
	if (!stranger && tracer->n_strangers == tracer->strangers_room) {
		size_t room = tracer->strangers_room * 2 + 64;
		struct stranger *more = realloc(tracer->stranger, room * sizeof(*more));

		if (!more)
			return;
		tracer->stranger = more;
		tracer->strangers_room = room;
	}
	if (!stranger)
		stranger = &tracer->stranger[tracer->n_strangers++];
	*stranger = (struct stranger){.tid = tid, .status = status};
}

static bool is_clone_event(int status)
{
	int event = status >> 16;

	return WIFSTOPPED(status) && (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK ||
				      event == PTRACE_EVENT_CLONE);
}

/* Who was killed while it told of a child leaves that child to us. */
static void kill_child_of(struct tracer *tracer, const struct task *task)
{
	unsigned long message = 0;
	pid_t tid;

	if (ptrace(PTRACE_GETEVENTMSG, task->tid, NULL, &message) < 0)
		return;
	tid = (pid_t)message;
	if (tid > 1 && !tracer_find(tracer, tid) && tracer_add(tracer, tid, tid, &tracer->dead))
		(void)kill(tid, SIGKILL);
}

/* Wait for a stop of whichever task, and take it over.  Return: 0; -ECHILD; -EINTR: a signal, which
 * comes every TICK_NS at the latest. */
static int take_one(struct tracer *tracer)
{
	int status;
	pid_t tid = waitpid(-1, &status, __WALL);
	struct task *task;

	if (tid < 0)
		return -errno;
	task = *find_link(tracer, tid);
	if (!task) {
		set_aside(tracer, tid, status);
	} else if (task->group != &tracer->dead) {
		note_stop(task, status);
	} else if (WIFEXITED(status) || WIFSIGNALED(status)) {
		remove_task(tracer, task);
		free(task);
	} else {
		if (is_clone_event(status))
			kill_child_of(tracer, task);
		/* Whose end is traced can stop once more on its way. */
		(void)ptrace(PTRACE_CONT, tid, NULL, NULL);
	}
	return 0;
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
	if (ptrace(PTRACE_GETEVENTMSG, stop->task->tid, NULL, &message) < 0 || message <= 1)
		return;
	tid = (pid_t)message;
	stop->child_shares = !stop->task->is_copied && is_thread_of(stop->task->tgid, tid);
	stop->child = tracer_add(tracer, tid, stop->child_shares ? stop->task->tgid : tid,
				 stop->task->group);
	if (!stop->child)
		return;
	stop->child->of = stop->task->of;
	stop->child->guarded = stop->task->guarded;
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
		stop->task->at_exit = true;
		if (ptrace(PTRACE_GETEVENTMSG, stop->task->tid, NULL, &message) == 0)
			stop->status = (int)message;
		return;
	case PTRACE_EVENT_STOP:
		/* Its end is told in the same way, with SIGTRAP. */
		stop->kind = stop->task->started && signal != SIGTRAP ? STOP_GROUP : STOP_BEGIN;
		stop->task->started = true;
		return;
	default:
		break;
	}
	stop->kind = signal == (SIGTRAP | 0x80) ? STOP_SYSCALL
		     : signal == SIGTRAP	? STOP_TRAP
						: STOP_SIGNAL;
	stop->signal = stop->kind == STOP_SIGNAL ? signal : 0;
	if (stop->kind == STOP_SYSCALL)
		stop->task->in_syscall = !stop->task->in_syscall;
}

/* Return: false: it was of no interest to anybody. */
static bool tell(struct tracer *tracer, struct task *task, struct stop *ret_stop)
{
	*ret_stop = (struct stop){.task = task};
	unqueue(task);
	task->has_stop = false;
	if (!task->ended && task->status >> 16 == PTRACE_EVENT_SECCOMP) {
		tracer->held_back += guard_judge(tracer, task);
		task_resume(task, task->how, 0);
		return false;
	}
	if (!task->ended) {
		classify(tracer, ret_stop, task->status);
		return true;
	}
	ret_stop->kind = STOP_ENDED;
	ret_stop->status = task->status;
	if (task->ret_status)
		*task->ret_status = task->status;
	remove_task(tracer, task);
	tracer->freed = task;
	return true;
}

int tracer_next(struct tracer *tracer, struct group *group, int64_t deadline_ns,
		struct stop *ret_stop)
{
	free(tracer->freed);
	tracer->freed = NULL;
	for (;;) {
		int r;

		if (group->first && tell(tracer, group->first, ret_stop))
			return 0;
		if (group->first)
			continue;
		if (group->n_tasks == 0)
			return -ECHILD;
		r = take_one(tracer);
		if (r == -EINTR && now_ns() >= deadline_ns)
			return -ETIMEDOUT;
		if (r < 0)
			return r;
	}
}

int task_next(struct tracer *tracer, struct task *task, int64_t deadline_ns, struct stop *ret_stop)
{
	for (;;) {
		int r;

		if (task->has_stop && tell(tracer, task, ret_stop))
			return ret_stop->kind == STOP_ENDED ? -ESRCH : 0;
		r = take_one(tracer);
		if (r == -EINTR && now_ns() >= deadline_ns)
			return -ETIMEDOUT;
		if (r < 0 && r != -EINTR)
			return r;
	}
}

void task_resume(struct task *task, int how, int signal)
{
	task->how = how;
	(void)ptrace(how, task->tid, NULL, (void *)(intptr_t)signal);
}

uint64_t tracer_held_back(const struct tracer *tracer)
{
	return tracer->held_back;
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
	(void)ptrace(PTRACE_SETOPTIONS, task->tid, NULL,
		     (void *)(TRACE_OPTIONS | PTRACE_O_TRACEEXIT));
}

static void kill_task(struct tracer *tracer, struct task *task)
{
	task->ret_status = NULL;
	/* The number of one that has ended may be another process's already. */
	if (!task->ended)
		(void)kill(task->tgid, SIGKILL);
	if (task->at_exit) /* it does not wake who is stopped at its end */
		(void)ptrace(PTRACE_CONT, task->tid, NULL, NULL);
	task_move(task, &tracer->dead);
	if (!task->has_stop)
		return;
	unqueue(task);
	task->has_stop = false;
	if (!task->ended && is_clone_event(task->status))
		kill_child_of(tracer, task);
	if (!task->ended)
		return;
	remove_task(tracer, task);
	free(task);
}

void task_drop(struct tracer *tracer, struct task *task)
{
	kill_task(tracer, task);
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

void group_drop_of(struct tracer *tracer, struct group *group, const void *of)
{
	drop_if(tracer, group, of, false);
}

static void await_dead(struct tracer *tracer)
{
	int64_t deadline = now_ns() + DEATH_NS;

	while (tracer->dead.n_tasks && now_ns() < deadline)
		if (take_one(tracer) == -ECHILD)
			break;
}

void group_kill(struct tracer *tracer, struct group *group)
{
	drop_if(tracer, group, NULL, true);
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

/* All together */

/* Ticks */

static void tick(int number)
{
	(void)number;
}

/*
 * wait(2) knows no time limit, and asking without waiting would double the number of calls: so a
 * signal interrupts it now and then.  One that comes just before the wait is made good by the next.
 */
static int start_ticks(struct tracer *tracer)
{
	struct sigaction action = {.sa_handler = tick};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID,
				 .sigev_signo = TICK_SIGNAL,
				 ._sigev_un._tid = gettid()};
	const struct itimerspec often = {{0, TICK_NS}, {0, TICK_NS}};
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, TICK_SIGNAL);
	if (sigaction(TICK_SIGNAL, &action, &tracer->old_action) < 0 ||
	    sigprocmask(SIG_UNBLOCK, &mask, &tracer->old_mask) < 0)
		return -errno;
	if (timer_create(CLOCK_MONOTONIC, &event, &tracer->ticks) < 0)
		return -errno;
	tracer->has_ticks = true;
	return timer_settime(tracer->ticks, 0, &often, NULL) < 0 ? -errno : 0;
}

static void stop_ticks(struct tracer *tracer)
{
	if (tracer->has_ticks)
		(void)timer_delete(tracer->ticks);
	/* One that is on its way still finds the handler. */
	sigprocmask(SIG_SETMASK, &tracer->old_mask, NULL);
	(void)sigaction(TICK_SIGNAL, &tracer->old_action, NULL);
}

const sigset_t *tracer_old_mask(const struct tracer *tracer)
{
	return &tracer->old_mask;
}

int tracer_new(struct tracer **ret_tracer)
{
	struct tracer *tracer = calloc(1, sizeof(*tracer));
	int was = 0, r;

	if (!tracer)
		return -ENOMEM;
	group_init(&tracer->dead);
	r = start_ticks(tracer);
	if (r < 0) {
		stop_ticks(tracer);
		free(tracer);
		return r;
	}
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
	free(tracer->stranger);
	(void)prctl(PR_SET_CHILD_SUBREAPER, tracer->was_subreaper, 0, 0, 0);
	stop_ticks(tracer);
	free(tracer);
}
