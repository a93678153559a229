/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - the processes under our eyes: their stops, breakpoints in them, and copies of them
 *
 * All of it is done by one thread, the only one that ptrace(2) obeys.  Each task (thread) belongs to a
 * group, and a stop is kept until somebody asks for the next one of that group: so a call can be
 * followed in plain order while other processes stop meanwhile.  All tasks die with us.
 */
#ifndef FAULTS_TRACE_H
#define FAULTS_TRACE_H

#include <signal.h>
#include <sys/ptrace.h>

#include "arch/arch.h"

struct task {
	pid_t tid, tgid;
	struct group *group;
	bool started;    /* its first stop has been seen */
	bool in_syscall; /* between the stops at the entry and the exit of a system call */
	bool ours;       /* the process is a child of ours, and its copies can be, too */
	void *of;        /* its group's own; a child has what its maker has */
	unsigned int ordinal; /* likewise; 0 in a child */
	struct task_step {  /* the system call that it is in, for who follows it */
		long number;
		uint64_t arguments[6];
		int injected;
		const struct trail *trail; /* NULL: nobody has asked for it */
		bool fallible;
	} step;
	int *ret_status; /* where its end is to be noted, whoever is told of it; or NULL */
	bool at_exit;   /* STOP_EXIT was told */
	bool guarded;   /* signals to others are held back */
	int how;        /* it was let go on the last time */
	bool is_copied; /* its next child is the copy that we make of it, and no thread */
	/* private to trace.c */
	bool has_stop, ended;
	int status;
	struct task *next, *next_waiting;
};

#define TRACE_OPTIONS                                                                               \
	(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK |      \
	 PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACESECCOMP)

/* Whose stops are asked for together. */
struct group {
	size_t n_tasks;
	struct task *first, **last; /* those with a stop that nobody has asked for yet */
};

struct tracer;

enum stop_kind {
	STOP_BEGIN,   /* of a new task, before its first instruction */
	STOP_SYSCALL, /* entry or exit: ->in_syscall tells */
	STOP_CLONE,   /* it has made ->child, which is of the same group */
	STOP_EXEC,
	STOP_EXIT,    /* about to end, all is still there; only with trace_exits() */
	STOP_TRAP,    /* breakpoint or single step */
	STOP_GROUP,   /* the whole process was stopped by a signal */
	STOP_SIGNAL,  /* about to be delivered */
	STOP_ENDED,   /* it is gone; *task is freed with the next call */
};

struct stop {
	enum stop_kind kind;
	struct task *task, *child;
	bool child_shares; /* the child is a thread */
	int signal; /* STOP_SIGNAL: which; else 0, so that it can be passed on always */
	int status; /* STOP_ENDED: of wait(2); STOP_EXIT: what it will be */
};

int tracer_new(struct tracer **ret_tracer);
/* Kills whatever is left, and waits until it is gone. */
void tracer_free(struct tracer *tracer);

void group_init(struct group *group);

/* A task that is traced already, or will be when its first stop is told.  NULL: out of memory. */
struct task *tracer_add(struct tracer *tracer, pid_t tid, pid_t tgid, struct group *group);
/* The signals that were blocked before the tracer was made. */
const sigset_t *tracer_old_mask(const struct tracer *tracer);

/*
 * Start a command in a group; it is stopped before its first instruction.
 * copy: it is not the user's own run of it: it says nothing, and sends signals to nobody else.
 * prepare: called in the child before exec; may be NULL.
 */
int tracer_start(struct tracer *tracer, char *const *argv, bool copy,
		 int (*prepare)(void *, struct tendril_error *), void *data, struct group *group,
		 struct task **ret_task, struct tendril_error *error);

/* Return: 0; -ETIMEDOUT; -ECHILD: no task of the group is left; -EINTR: interrupted by a signal. */
int tracer_next(struct tracer *tracer, struct group *group, int64_t deadline_ns,
		struct stop *ret_stop);

/* PTRACE_CONT, PTRACE_SYSCALL, PTRACE_SINGLESTEP or PTRACE_LISTEN.  A task that has died meanwhile
 * will say so. */
void task_resume(struct task *task, int how, int signal);
void task_move(struct task *task, struct group *group);
/* From now on STOP_EXIT is told of it. */
void trace_exits(struct task *task);
/* Kill all processes of a group, and wait for their end. */
void group_kill(struct tracer *tracer, struct group *group);
/* Only the tasks that are @of somebody, and without the wait: they are in no group at once. */
void group_drop_of(struct tracer *tracer, struct group *group, const void *of);
/* Take a stopped process out of our hands; it stays stopped if asked. */
void task_release(struct tracer *tracer, struct task *task, bool stopped);
void tracer_each(struct tracer *tracer, const struct group *group,
		 void (*visit)(struct task *task, void *data), void *data);
/* How many signals to others were held back. */
uint64_t tracer_held_back(const struct tracer *tracer);
/* Of a process, which have not ended. */
size_t tracer_threads(const struct tracer *tracer, pid_t tgid);

/* NULL: there is none any more. */
struct task *tracer_find(struct tracer *tracer, pid_t tid);
/* The next stop of this task alone.  Return: as tracer_next(); -ESRCH: it has ended. */
int task_next(struct tracer *tracer, struct task *task, int64_t deadline_ns, struct stop *ret_stop);

/* Let it run until it stops in this way; *ret_child is a child that it has made meanwhile (may be NULL). */
int task_run_to(struct tracer *tracer, struct task *task, int how, enum stop_kind kind,
		struct task **ret_child);
/* Kill its process, which is nobody's any more. */
void task_drop(struct tracer *tracer, struct task *task);

/*
 * A copy of a process whose task is stopped outside of a system call, with the registers of state, by a
 * clone(2) made there with the instruction at syscall_at.  The task's own registers have to be written
 * by the caller before it goes on: he may want more copies first.
 */
int task_copy(struct tracer *tracer, struct task *task, const struct arch_state *state,
	      raddr_t syscall_at, const struct arch_state *copy_state, struct group *group,
	      struct task **ret_copy);
/* One system call made by a stopped task. */
int task_syscall(struct tracer *tracer, struct task *task, const struct arch_state *state,
		 raddr_t syscall_at, long number, const uint64_t arguments[6], int64_t *ret_result);

/* Signals that are not delivered to it meanwhile; they stay pending, with all that they tell. */
int task_hold_signals(const struct task *task, uint64_t *ret_mask);
int task_set_signals(const struct task *task, uint64_t mask);

/* Memory; all of it, or -EFAULT, -ESRCH. */
int task_read(const struct task *task, raddr_t address, void *data, size_t bytes);
int task_write(const struct task *task, raddr_t address, const void *data, size_t bytes);
/* As much as can be read. */
size_t task_read_some(const struct task *task, raddr_t address, void *data, size_t bytes);

#endif /* FAULTS_TRACE_H */
