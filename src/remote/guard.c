/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/guard.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

int guard_run(void *stack, int (*work)(void *data), void *data)
{
	sigset_t all, old;
	int pid, saved;

	/* What is meant for the caller is not for the guard: it begins with every signal blocked. */
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = clone(work, (char *)stack + GUARD_STACK_BYTES,
		    CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_VFORK, data);
	saved = errno;
	/* Without an exit signal it is nobody's child but to those who ask for it by number. */
	while (pid > 0 && waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
		;
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return pid < 0 ? -saved : 0;
}
