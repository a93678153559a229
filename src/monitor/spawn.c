/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * By fork(2) and not by posix_spawn(3), which cannot give a program another limit.  Between fork and
 * exec there are system calls only: another thread may hold any lock.
 */
#include "monitor/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define COULD_NOT 127

/* A copy of it above those that are about to be replaced. */
static int above_standard(int fd, int flags)
{
	if (fd < 0)
		fd = open("/dev/null", flags | O_CLOEXEC);
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

static void reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL);
	sigemptyset(&none);
	(void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static void set_handle_limit(uint64_t soft)
{
	struct rlimit limit;

	if (soft == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* The child.  Return: why not, as errno. */
static int become(const struct spawn_options *options)
{
	int from[3] = { above_standard(options->in, O_RDONLY),
			above_standard(options->out, O_WRONLY),
			above_standard(options->error, O_WRONLY) };

	for (int fd = 0; fd < 3; fd++)
		if (from[fd] < 0 || dup2(from[fd], fd) < 0)
			return errno;
	/* What we inherited ourselves is not marked to be closed. */
	(void)close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	/* Who may read all processes does not lend that to a command, which may talk to the network. */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	(void)setsid();
	set_handle_limit(options->handle_limit);
	reset_signals();
	(void)execvpe(options->argv[0], options->argv, options->environment);
	return errno;
}

/* All signals are blocked, so that no handler of ours runs in the child. */
static pid_t fork_quietly(void)
{
	sigset_t all, before;
	pid_t pid;
	int code;

	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	code = errno;
	if (pid != 0)
		(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = code;
	return pid;
}

/* The pipe closes when the program is executed. */
static int wait_for_exec(pid_t pid, int report)
{
	int code = 0;
	ssize_t n;

	do {
		n = read(report, &code, sizeof(code));
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	(void)waitpid(pid, NULL, 0);
	return n == sizeof(code) && code > 0 ? -code : -EIO;
}

int spawn_pipe(int ret_ends[2], int flags)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | flags) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		int fd = ends[i];

		if (fd > STDERR_FILENO)
			continue;
		ends[i] = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		close_keeping_errno(fd);
	}
	if (ends[0] < 0 || ends[1] < 0) {
		int code = -errno;

		close_keeping_errno(ends[0]);
		close_keeping_errno(ends[1]);
		return code;
	}
	ret_ends[0] = ends[0];
	ret_ends[1] = ends[1];
	return 0;
}

int spawn(const struct spawn_options *options, pid_t *ret_pid)
{
	AUTO_CLOSE int report_in = -1;
	int report[2], code;
	pid_t pid;
	int r = spawn_pipe(report, 0);

	if (r < 0)
		return r;
	report_in = report[0];
	pid = fork_quietly();
	if (pid == 0) {
		code = become(options);
		r = write(report[1], &code, sizeof(code)) == sizeof(code);
		_exit(COULD_NOT);
	}
	code = errno;
	close_keeping_errno(report[1]);
	if (pid < 0)
		return -code;
	r = wait_for_exec(pid, report_in);
	if (r == 0)
		*ret_pid = pid;
	return r;
}
