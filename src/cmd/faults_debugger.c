/* SPDX-License-Identifier: BSD-2-Clause */
/* faults_debugger.c - a debugger on the process that a replay has left where its step failed */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "cmd/faults_session.h"
#include "proc/proc.h"

#define STOPPED_NS NS_PER_S /* at most, to stop or to end */

/* The stop has been ordered; a debugger that comes before it waits for a second one.  Nothing tells of
 * the stops of a process that is not our child. */
static void wait_until_stopped(pid_t pid)
{
	int64_t deadline = now_ns() + STOPPED_NS;
	struct proc_process process;

	while (proc_process_read(pid, &process) == 0 && process.state != 'T' && now_ns() < deadline)
		nap_ns(NS_PER_MS);
}

/* ^C is for what it debugs, and it is not to end us, who have to clean up behind it. */
static void ignore_keys(void)
{
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
}

/* In the child.  What tells that it could not be run is an errno in the pipe. */
static void __attribute__((noreturn)) exec_debugger(const char *debugger, pid_t pid, int failed)
{
	/* Or gdb would stop again at once, at the signal that the process stands at. */
	bool is_gdb = !strncmp(lines_base_name(debugger), "gdb", 3);
	char number[16];
	sigset_t none;
	int code;

	(void)snprintf(number, sizeof(number), "%d", (int)pid);
	/* A debugger that never hears of SIGCHLD waits for ever. */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGQUIT, SIG_DFL);
	(void)execlp(debugger, debugger, "-p", number, is_gdb ? "-ex" : NULL,
		     "handle SIGSTOP nostop noprint nopass", (char *)NULL);
	code = errno;
	if (write(failed, &code, sizeof(code)) < 0)
		_exit(126);
	_exit(127);
}

static int run_debugger(const char *debugger, pid_t pid)
{
	int failed[2], code = 0;
	pid_t child;

	if (pipe2(failed, O_CLOEXEC) < 0)
		return -errno;
	AUTO_CLOSE int result = failed[0];
	AUTO_CLOSE int told = failed[1];
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		exec_debugger(debugger, pid, told);
	close_keeping_errno(take_fd(&told));
	if (read(result, &code, sizeof(code)) != (ssize_t)sizeof(code))
		code = 0;
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return -code;
}

static void end_process(int process, pid_t pid)
{
	struct pollfd gone = { .fd = process, .events = POLLIN };

	if (pidfd_send_signal(process, SIGKILL, NULL, 0) == 0)
		(void)poll(&gone, 1, STOPPED_NS / NS_PER_MS);
	(void)waitpid(pid, NULL, WNOHANG | __WALL); /* if it was made our child */
}

int faults_debug(const struct faults_request *request, pid_t pid)
{
	/* Held by its descriptor: in a debugger it may end, and its number be another's. */
	AUTO_CLOSE int process = pidfd_open(pid, 0);
	int r;

	if (process < 0)
		return cmd_fail_code(false, -errno, "the process that the replay has stopped");
	printf("Process %d is stopped where the step has failed.\n", (int)pid);
	(void)fflush(stdout);
	wait_until_stopped(pid);
	ignore_keys();
	r = run_debugger(request->debugger, pid);
	end_process(process, pid);
	return r < 0 ? cmd_fail_code(false, r, request->debugger) : CMD_DONE;
}
