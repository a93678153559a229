/* SPDX-License-Identifier: BSD-2-Clause */
/* start.c - a command that is ours to trace from its first instruction */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/wait.h>

#include "faults/guard.h"

static _Noreturn void run_command(char *const *argv, bool copy, int go, int told,
				  int (*prepare)(void *, struct tendril_error *), void *data,
				  const sigset_t *mask)
{
	struct tendril_error error = {0};
	char byte;

	while (read(go, &byte, 1) < 0 && errno == EINTR)
		;
	sigprocmask(SIG_SETMASK, mask, NULL);
	if (copy) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		for (int i = 0; i < 3; i++)
			(void)dup2(null, i);
	}
	/* As debuggers do: so that what is where does not change from one run to the next. */
	(void)personality(ADDR_NO_RANDOMIZE | (unsigned int)personality(0xffffffff));
	/* The sandbox first: it may need rights that the guard takes away. */
	if (prepare && prepare(data, &error) < 0) {
		if (!error.code)
			error.code = -EPERM;
	} else if (copy && guard_install() < 0) {
		error.code = -errno;
		snprintf(error.text, sizeof(error.text), "a filter of system calls: %s",
			 strerror(errno));
	} else {
		execvp(argv[0], argv);
		error.code = -errno;
		snprintf(error.text, sizeof(error.text), "%s: %s", argv[0], strerror(errno));
	}
	(void)!write(told, &error, sizeof(error));
	_exit(127);
}

static int await_exec(struct tracer *tracer, struct task *task, int told,
		      struct tendril_error *error)
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
		task_resume(task, PTRACE_CONT, stop.signal);
	}
	if (read(told, &why, sizeof(why)) != sizeof(why))
		return fail(error, -ENOEXEC, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "the command ended before it began");
	why.text[sizeof(why.text) - 1] = '\0';
	return fail(error, why.code, why.stage, why.rule, "%s", why.text);
}

static int start_child(struct tracer *tracer, char *const *argv, bool copy,
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
		run_command(argv, copy, go[0], told[1], prepare, data, tracer_old_mask(tracer));
	}
	close_keeping_errno(go[0]);
	close_keeping_errno(told[1]);
	*ret_go = go[1];
	*ret_told = told[0];
	*ret_pid = pid;
	return pid < 0 ? -errno : 0;
}

int tracer_start(struct tracer *tracer, char *const *argv, bool copy,
		 int (*prepare)(void *, struct tendril_error *), void *data, struct group *group,
		 struct task **ret_task, struct tendril_error *error)
{
	AUTO_CLOSE int go = -1, told = -1;
	struct task *task;
	pid_t pid = -1;
	int r = start_child(tracer, argv, copy, prepare, data, &go, &told, &pid);

	if (r < 0)
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_LIMIT, "fork: %s",
			    strerror(-r));
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)TRACE_OPTIONS) < 0) {
		r = -errno;
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "ptrace is not permitted here: %s", strerror(-r));
	}
	task = tracer_add(tracer, pid, pid, group);
	if (!task) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return -ENOMEM;
	}
	task->started = true;
	task->ours = true;
	task->guarded = copy;
	close(take_fd(&go));
	r = await_exec(tracer, task, told, error);
	if (r == 0)
		*ret_task = task;
	return r;
}
