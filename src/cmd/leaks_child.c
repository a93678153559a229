/* SPDX-License-Identifier: BSD-2-Clause */
/* leaks_child.c - COMMAND: held before its first instruction until somebody watches */
#include <fcntl.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "cmd/leaks_session.h"

/* In the child.  Whoever should let it go has died when the pipe ends: then nothing is run. */
static void __attribute__((noreturn))
wait_and_exec(int go, int failed, char **words, const sigset_t *mask)
{
	char byte;
	int code;

	if (read(go, &byte, 1) != 1)
		_exit(127);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(words[0], words);
	code = errno;
	if (write(failed, &code, sizeof(code)) < 0)
		_exit(126);
	_exit(127);
}

int leaks_child_start(struct leaks_child *child, char **words, const sigset_t *mask)
{
	int go[2], failed[2];

	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	child->go = go[1];
	AUTO_CLOSE int go_read = go[0];
	if (pipe2(failed, O_CLOEXEC) < 0)
		return -errno;
	child->failed = failed[0];
	AUTO_CLOSE int failed_write = failed[1];
	child->pid = fork();
	if (child->pid < 0)
		return -errno;
	if (child->pid == 0) {
		close(go[1]); /* or it would wait for itself */
		wait_and_exec(go_read, failed_write, words, mask);
	}
	child->pidfd = pidfd_open(child->pid, 0);
	return child->pidfd < 0 ? -errno : 0;
}

int leaks_child_go(struct leaks_child *child)
{
	AUTO_CLOSE int go = take_fd(&child->go);

	return write(go, "", 1) == 1 ? 0 : -errno;
}

int leaks_child_status(const struct leaks_child *child)
{
	siginfo_t info = { 0 };

	/* Left as it is: the source may want to see its end, too. */
	if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    info.si_pid == 0)
		return -1;
	return info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
}

void leaks_child_done(struct leaks_child *child)
{
	close_keeping_errno(take_fd(&child->go)); /* one that still waits ends now */
	close_keeping_errno(take_fd(&child->failed));
	close_keeping_errno(take_fd(&child->pidfd));
	if (child->pid > 0)
		(void)waitpid(child->pid, NULL, WNOHANG);
}
