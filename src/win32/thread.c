/* SPDX-License-Identifier: BSD-2-Clause */
/* thread.c - making and opening threads, their ids and exit codes */
#include <limits.h>

#include "proc/proc.h"
#include "remote/thread.h"
#include "win32/library.h"

#define MIB (1u << 20)

static SIZE_T round_up(SIZE_T bytes, SIZE_T unit)
{
	return (bytes + unit - 1) / unit * unit;
}

/*
 * Windows commits the size (1 MiB being reserved by default, more in whole MiB) or reserves it;
 * Linux commits on use, so both come to a size of the mapping.
 */
static int stack_bytes_of(SIZE_T bytes, DWORD flags, uint64_t *ret_bytes)
{
	SIZE_T unit = flags & STACK_SIZE_PARAM_IS_A_RESERVATION ? PLACE_ALIGN : MIB;

	if (bytes > SIZE_MAX - unit)
		return -ENOMEM;
	*ret_bytes = round_up(bytes, unit);
	return 0;
}

/* The struct thread is ready before there is a thread, which then nothing can come between. */
static int create(const struct object *process, struct object *object, uint64_t start, uint64_t param,
		  const struct tendril_thread_options *options, struct tendril_error *error)
{
	AUTO_TARGET struct tendril_target *target = NULL;
	struct tendril_thread *remote = NULL;
	int r = object_target(process, &target, error);

	if (r == 0)
		r = handle_room();
	if (r == 0)
		r = stand_in_create(target, start, param, options, &remote, error);
	if (r < 0)
		return r == -EINVAL ? -ENOMEM : r; /* a size that no address space has */
	object->fd = take_fd(&remote->fd);
	object->id = remote->tid;
	thread_made(object->thread, remote, object->fd);
	priority_begin(object, remote->local ? gettid() : remote->cost.borrowed_tid);
	return 0;
}

static int create_in(HANDLE handle, SIZE_T stack_bytes, uint64_t start, uint64_t param, DWORD flags,
		     struct object **ret_object, struct tendril_error *error)
{
	struct tendril_thread_options options = { .size = sizeof(options) };
	AUTO_OBJECT struct object *object = NULL;
	AUTO_OBJECT struct object *process = NULL;
	int r = object_get(handle, OBJECT_PROCESS, PROCESS_CREATE_THREAD, &process);

	if (r == 0 && flags & ~(CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION))
		r = -EINVAL;
	if (r == 0)
		r = stack_bytes_of(stack_bytes, flags, &options.stack_bytes);
	if (r < 0)
		return r;
	if (flags & CREATE_SUSPENDED)
		options.flags = TENDRIL_THREAD_SUSPENDED | TENDRIL_THREAD_STAY;
	object = object_new(OBJECT_THREAD, THREAD_ALL_ACCESS);
	if (object)
		object->thread = thread_new(process->process);
	if (!object || !object->thread)
		return -ENOMEM;
	r = create(process, object, start, param, &options, error);
	if (r < 0)
		return r;
	*ret_object = object;
	object = NULL;
	return 0;
}

WINBASEAPI HANDLE WINAPI CreateRemoteThread(HANDLE hProcess,
					    LPSECURITY_ATTRIBUTES lpThreadAttributes,
					    SIZE_T dwStackSize,
					    LPTHREAD_START_ROUTINE lpStartAddress,
					    LPVOID lpParameter, DWORD dwCreationFlags,
					    LPDWORD lpThreadId)
{
	struct tendril_error error = { 0 };
	struct object *object = NULL;
	int r = create_in(hProcess, dwStackSize, (uintptr_t)lpStartAddress, (uintptr_t)lpParameter,
			  dwCreationFlags, &object, &error);

	if (r < 0) {
		(void)error_report(r, &error);
		return NULL;
	}
	if (lpThreadId)
		*lpThreadId = (DWORD)object->id;
	return object_publish(object, lpThreadAttributes && lpThreadAttributes->bInheritHandle);
}

WINBASEAPI HANDLE WINAPI CreateRemoteThreadEx(HANDLE hProcess,
					      LPSECURITY_ATTRIBUTES lpThreadAttributes,
					      SIZE_T dwStackSize,
					      LPTHREAD_START_ROUTINE lpStartAddress,
					      LPVOID lpParameter, DWORD dwCreationFlags,
					      LPPROC_THREAD_ATTRIBUTE_LIST lpAttributeList,
					      LPDWORD lpThreadId)
{
	if (lpAttributeList) {
		(void)error_report(-EOPNOTSUPP, NULL);
		return NULL;
	}
	return CreateRemoteThread(hProcess, lpThreadAttributes, dwStackSize, lpStartAddress,
				  lpParameter, dwCreationFlags, lpThreadId);
}

WINBASEAPI HANDLE WINAPI CreateThread(LPSECURITY_ATTRIBUTES lpThreadAttributes, SIZE_T dwStackSize,
				      LPTHREAD_START_ROUTINE lpStartAddress, LPVOID lpParameter,
				      DWORD dwCreationFlags, LPDWORD lpThreadId)
{
	return CreateRemoteThread(GetCurrentProcess(), lpThreadAttributes, dwStackSize,
				  lpStartAddress, lpParameter, dwCreationFlags, lpThreadId);
}

/* Before Linux 6.9 only a process has a descriptor, and which one that is has to be asked. */
int open_thread_by_id(pid_t tid, bool *ret_is_process)
{
	struct proc_process thread;
	int fd = open_thread_fd(tid, tid, ret_is_process);

	if (fd == -EINVAL && proc_process_read(tid, &thread) == 0)
		fd = open_thread_fd(thread.tgid, tid, ret_is_process);
	return fd;
}

static int open_thread(DWORD access, pid_t tid, struct object **ret_object,
		       struct tendril_error *error)
{
	AUTO_OBJECT struct object *object =
		object_new(OBJECT_THREAD, rights_granted(OBJECT_THREAD, access));
	bool fd_is_process = false;
	pid_t pid = 0;
	int r = object ? handle_room() : -ENOMEM;

	if (r < 0)
		return r;
	object->id = tid;
	r = object->fd = open_thread_by_id(tid, &fd_is_process);
	if (r >= 0)
		r = pidfd_process_id(object->fd, tid, &pid);
	if (r == 0)
		r = rights_check(OBJECT_THREAD, pid, access, &object->access, error);
	if (r == 0)
		r = thread_get(pid, tid, object->fd, fd_is_process, &object->thread);
	if (r == 0 && object_wait(object, 0) == 0)
		r = -ESRCH;
	if (r < 0)
		return r;
	*ret_object = object;
	object = NULL;
	return 0;
}

WINBASEAPI HANDLE WINAPI OpenThread(DWORD dwDesiredAccess, BOOL bInheritHandle, DWORD dwThreadId)
{
	struct tendril_error error = { 0 };
	struct object *object = NULL;
	int r = -EINVAL;

	if (dwThreadId > 0 && dwThreadId <= INT_MAX)
		r = open_thread(dwDesiredAccess, (pid_t)dwThreadId, &object, &error);
	if (r == -ESRCH || r == -ENOENT)
		r = -EINVAL;
	if (r < 0) {
		(void)error_report(r, &error);
		return NULL;
	}
	return object_publish(object, bInheritHandle);
}

WINBASEAPI HANDLE WINAPI GetCurrentThread(VOID)
{
	return (HANDLE)(intptr_t)-2;
}

WINBASEAPI DWORD WINAPI GetCurrentThreadId(VOID)
{
	return (DWORD)gettid();
}

WINBASEAPI DWORD WINAPI GetThreadId(HANDLE Thread)
{
	AUTO_OBJECT struct object *object = NULL;
	int r = object_get(Thread, OBJECT_THREAD, THREAD_QUERY_LIMITED_INFORMATION, &object);

	if (!error_report(r, NULL))
		return 0;
	return (DWORD)object->id;
}

WINBASEAPI DWORD WINAPI GetProcessIdOfThread(HANDLE Thread)
{
	AUTO_OBJECT struct object *object = NULL;
	int r = object_get(Thread, OBJECT_THREAD, THREAD_QUERY_LIMITED_INFORMATION, &object);

	if (!error_report(r, NULL))
		return 0;
	return (DWORD)(object->thread ? object->thread->pid : getpid());
}

/* The thread ended without returning, most likely because its process did. */
static DWORD code_without_value(const struct object *object)
{
	struct process *process = object->thread->process;
	AUTO_CLOSE int fd = -1;
	DWORD code = 0;
	int status;

	if (pidfd_thread_status(object->fd, &status) == 0)
		return process_code_of_status(process, status);
	if (!process)
		return 0;
	/* An older kernel: perhaps the process can still be asked. */
	if (code_get(&process->exited, &code))
		return code;
	fd = process_open_again(process);
	if (fd < 0)
		return 0;
	return process_exit_code(process, fd, &code) == 0 && code != STILL_ACTIVE ? code : 0;
}

WINBASEAPI BOOL WINAPI GetExitCodeThread(HANDLE hThread, LPDWORD lpExitCode)
{
	AUTO_OBJECT struct object *object = NULL;
	int r = object_get(hThread, OBJECT_THREAD, THREAD_QUERY_LIMITED_INFORMATION, &object);
	uint64_t value = 0;

	if (r == 0 && !lpExitCode)
		r = -EFAULT;
	if (r < 0)
		return error_report(r, NULL);
	if (!object->thread || object_wait(object, 0) == -ETIMEDOUT) {
		*lpExitCode = STILL_ACTIVE;
		return TRUE;
	}
	if (code_get(&object->thread->terminated, lpExitCode))
		return TRUE;
	r = thread_value_by(object->thread->remote, object->fd, &value);
	*lpExitCode = r == 0 ? (DWORD)value : code_without_value(object);
	return TRUE;
}
