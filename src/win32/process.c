/* SPDX-License-Identifier: BSD-2-Clause */
/* process.c - opening processes, their ids, handle counts and exit codes */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "proc/proc.h"
#include "remote/target.h"
#include "win32/win32_internal.h"

bool object_has_ended(const struct object *object)
{
	/* A note for later calls, the only thing of a published object that may be written. */
	bool *note = (bool *)(uintptr_t)&object->has_ended;

	if (object->fd < 0)
		return false;
	if (__atomic_load_n(note, __ATOMIC_RELAXED))
		return true;
	if (!pidfd_is_ended(object->fd))
		return false;
	__atomic_store_n(note, true, __ATOMIC_RELAXED);
	return true;
}

/* The one that the process keeps, if no other thread is using it. */
static int kept_target(const struct object *object, struct tendril_target **ret_target,
		       struct tendril_error *error)
{
	struct process *process = object->process;
	int r = 0;

	if (!process || pthread_mutex_trylock(&process->target_lock) != 0)
		return tendril_open(object->id, NULL, ret_target, error);
	if (!process->target)
		r = tendril_open(object->id, NULL, &process->target, error);
	if (r < 0) {
		(void)pthread_mutex_unlock(&process->target_lock);
		return r;
	}
	close_keeping_errno(process->target->pidfd); /* of one that was just opened */
	process->target->pidfd = object->fd;
	process->target->keeper = process;
	*ret_target = process->target;
	return 0;
}

void object_target_done(struct tendril_target *target)
{
	struct process *process = target ? target->keeper : NULL;

	if (!process) {
		tendril_close(target);
		return;
	}
	target->pidfd = -1;
	(void)pthread_mutex_unlock(&process->target_lock);
}

int object_target(const struct object *object, struct tendril_target **ret_target,
		  struct tendril_error *error)
{
	AUTO_TARGET struct tendril_target *target = NULL;
	int r = object_has_ended(object) ? -ESRCH : 0;

	if (r == 0)
		r = kept_target(object, &target, error);
	/* Alive after the pid was looked up: it was not yet anybody else's. */
	if (object_has_ended(object))
		return -ESRCH;
	if (r < 0)
		return r;
	*ret_target = target;
	target = NULL;
	return 0;
}

int open_pidfd(pid_t pid)
{
	int fd = descriptor_above_stdio((int)syscall(SYS_pidfd_open, pid, 0));

	return fd < 0 ? -errno : fd;
}

int process_open_again(const struct process *process)
{
	AUTO_CLOSE int fd = open_pidfd(process->pid);
	uint64_t identity;
	int r = fd < 0 ? fd : pidfd_identity(fd, process->pid, &identity);

	if (r < 0)
		return r;
	return identity == process->identity ? take_fd(&fd) : -ESRCH;
}

/* The key of the process is read while the new descriptor pins the pid. */
static int open_process(DWORD access, pid_t pid, struct object **ret_object,
			struct tendril_error *error)
{
	AUTO_CLOSE int fd = open_pidfd(pid);
	AUTO_OBJECT struct object *object = NULL;
	int r = fd < 0 ? fd : handle_fits(fd);

	if (r < 0)
		return r;
	object = object_new(OBJECT_PROCESS, rights_granted(OBJECT_PROCESS, access));
	if (!object)
		return -ENOMEM;
	object->id = pid;
	object->fd = take_fd(&fd);
	r = rights_check(OBJECT_PROCESS, pid, access, &object->access, error);
	if (r == 0)
		r = process_get(pid, object->fd, &object->process);
	if (r == 0 && pidfd_is_ended(object->fd))
		r = -ESRCH;
	if (r < 0)
		return r;
	object->inode = pidfd_inode(object->process->identity);
	*ret_object = object;
	object = NULL;
	return 0;
}

WINBASEAPI HANDLE WINAPI OpenProcess(DWORD dwDesiredAccess, BOOL bInheritHandle, DWORD dwProcessId)
{
	struct tendril_error error = { 0 };
	struct object *object = NULL;
	int r = -EINVAL;

	if (dwProcessId > 0 && dwProcessId <= INT_MAX)
		r = open_process(dwDesiredAccess, (pid_t)dwProcessId, &object, &error);
	/* Here, other than for an open handle, "no such process" is a wrong parameter.  EINVAL
	 * and ENOENT are what the kernel says to the id of a thread. */
	if (r == -ESRCH || r == -ENOENT)
		r = -EINVAL;
	if (r < 0) {
		(void)error_report(r, &error);
		return NULL;
	}
	return object_publish(object, bInheritHandle);
}

WINBASEAPI HANDLE WINAPI GetCurrentProcess(VOID)
{
	return (HANDLE)(intptr_t)-1;
}

WINBASEAPI DWORD WINAPI GetCurrentProcessId(VOID)
{
	return (DWORD)getpid();
}

WINBASEAPI DWORD WINAPI GetProcessId(HANDLE Process)
{
	AUTO_OBJECT struct object *object = NULL;
	int r = object_get(Process, OBJECT_PROCESS, PROCESS_QUERY_LIMITED_INFORMATION, &object);

	if (!error_report(r, NULL))
		return 0;
	return (DWORD)object->id;
}

/* What proc_count_handles() opens to count with, and would find among the caller's own. */
#define COUNTING_HANDLES 2

/* Since Linux 6.2 the directory's size is the count, and no descriptor is needed to ask. */
static int count_handles(pid_t pid, uint64_t *ret_n)
{
	struct stat st;
	char path[32];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	if (stat(path, &st) == 0 && st.st_size > 0) {
		*ret_n = (uint64_t)st.st_size;
		return 0;
	}
	r = proc_count_handles(pid, ret_n);
	if (r == 0 && pid == getpid() && *ret_n >= COUNTING_HANDLES)
		*ret_n -= COUNTING_HANDLES;
	return r;
}

WINBASEAPI BOOL WINAPI GetProcessHandleCount(HANDLE hProcess, PDWORD pdwHandleCount)
{
	AUTO_OBJECT struct object *object = NULL;
	uint64_t n = 0;
	int r = object_get(hProcess, OBJECT_PROCESS, PROCESS_QUERY_LIMITED_INFORMATION, &object);

	if (r == 0 && !pdwHandleCount)
		r = -EFAULT;
	if (r < 0)
		return error_report(r, NULL);
	r = count_handles(object->id, &n);
	/* Looked at afterwards: if it lives, the number was its own, not that of a reused pid. */
	if (object->fd >= 0 && pidfd_is_ended(object->fd))
		n = 0;
	else if (r < 0)
		return error_report(r, NULL);
	*pdwHandleCount = (DWORD)n;
	return TRUE;
}

static DWORD killed_by(int signal)
{
	switch (signal) {
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
		return STATUS_ACCESS_VIOLATION;
	default:
		return 128 + (DWORD)signal;
	}
}

DWORD process_code_of_status(const struct process *process, int status)
{
	DWORD code;

	if (!WIFSIGNALED(status))
		return (DWORD)WEXITSTATUS(status);
	/* The kernel has no room for the code that TerminateProcess() was given. */
	if (WTERMSIG(status) == SIGKILL && process && code_get(&process->terminated, &code))
		return code;
	return killed_by(WTERMSIG(status));
}

int process_exit_code(struct process *process, int fd, DWORD *ret_code)
{
	int status;

	if (!pidfd_is_ended(fd)) {
		*ret_code = STILL_ACTIVE;
		return 0;
	}
	if (code_get(&process->exited, ret_code))
		return 0;
	if (pidfd_exit_status(fd, process->pid, &status) == 0)
		code_set(&process->exited, process_code_of_status(process, status));
	else if (code_get(&process->terminated, ret_code))
		return 0;
	return code_get(&process->exited, ret_code) ? 0 : -ENODATA;
}

WINBASEAPI BOOL WINAPI GetExitCodeProcess(HANDLE hProcess, LPDWORD lpExitCode)
{
	AUTO_OBJECT struct object *object = NULL;
	int r = object_get(hProcess, OBJECT_PROCESS, PROCESS_QUERY_LIMITED_INFORMATION, &object);
	DWORD code = 0; /* what a code that is lost is given as */

	if (r == 0 && !lpExitCode)
		r = -EFAULT;
	if (r < 0)
		return error_report(r, NULL);
	if (object->fd < 0)
		code = STILL_ACTIVE;
	else
		(void)process_exit_code(object->process, object->fd, &code);
	*lpExitCode = code;
	return TRUE;
}
