/* SPDX-License-Identifier: BSD-2-Clause */
/* exit.c - ending the calling thread or process, or another process */
#include <signal.h>
#include <sys/syscall.h>

#include "remote/thread.h"
#include "win32/win32_internal.h"

WINBASEAPI VOID WINAPI ExitThread(DWORD dwExitCode)
{
	own_thread_set_value(dwExitCode);
	pthread_exit((void *)(uintptr_t)dwExitCode);
}

WINBASEAPI VOID WINAPI ExitProcess(UINT uExitCode)
{
	exit((int)uExitCode);
}

static int kill_process(const struct object *object, DWORD code)
{
	struct process *process = object->process;
	uint64_t set = CODE_KNOWN | code;
	int r;

	if (pidfd_is_ended(object->fd))
		return -ESRCH;
	/* Before the signal: whoever sees that the process has ended, finds the code. */
	code_set(&process->terminated, code);
	if (syscall(SYS_pidfd_send_signal, object->fd, SIGKILL, NULL, 0) == 0)
		return 0;
	r = -errno;
	(void)__atomic_compare_exchange_n(&process->terminated, &set, 0, false, __ATOMIC_ACQ_REL,
					  __ATOMIC_RELAXED);
	return r;
}

WINBASEAPI BOOL WINAPI TerminateProcess(HANDLE hProcess, UINT uExitCode)
{
	AUTO_OBJECT struct object *object = NULL;
	int r = object_get(hProcess, OBJECT_PROCESS, PROCESS_TERMINATE, &object);

	/* A signal would not leave the code to the parent. */
	if (r == 0 && object->id == getpid())
		_exit((int)uExitCode);
	return error_report(r < 0 ? r : kill_process(object, uExitCode), NULL);
}
