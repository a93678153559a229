/* SPDX-License-Identifier: BSD-2-Clause */
/* thread.c - making threads, their ids, suspension and exit codes */
#include "win32/win32_internal.h"

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

static int create(const struct object *process, struct object *object, uint64_t start, uint64_t param,
		  const struct tendril_thread_options *options, struct tendril_error *error)
{
	AUTO_TARGET struct tendril_target *target = NULL;
	int r = object_target(process, &target, error);

	if (r == 0)
		r = tendril_create(target, start, param, options, &object->thread, error);
	if (r < 0)
		return r == -EINVAL ? -ENOMEM : r; /* a size that no address space has */
	/* It exists: nothing may fail from here on. */
	object->fd = tendril_thread_fd(object->thread);
	object->id = tendril_thread_tid(object->thread);
	object->process = process_ref(process->process);
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
		options.flags = TENDRIL_THREAD_SUSPENDED;
	object = object_new(OBJECT_THREAD, THREAD_ALL_ACCESS);
	if (!object)
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

WINBASEAPI HANDLE WINAPI GetCurrentThread(VOID)
{
	return (HANDLE)(intptr_t)-2;
}

WINBASEAPI DWORD WINAPI GetCurrentThreadId(VOID)
{
	return (DWORD)gettid();
}

WINBASEAPI DWORD WINAPI ResumeThread(HANDLE hThread)
{
	AUTO_OBJECT struct object *object = NULL;
	int r = object_get(hThread, OBJECT_THREAD, THREAD_SUSPEND_RESUME, &object);

	if (!error_report(r, NULL))
		return (DWORD)-1;
	/* The caller's own thread runs; one that runs or has ended is not suspended. */
	return object->thread && tendril_thread_resume(object->thread) == 0 ? 1 : 0;
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
	return (DWORD)(object->thread ? tendril_thread_process_id(object->thread) : getpid());
}

/* The thread ended without returning, most likely because its process did. */
static DWORD code_without_value(const struct object *object)
{
	AUTO_OBJECT struct object *process = NULL;
	DWORD code = 0;

	if (pidfd_exit_code(object->fd, &code) == 0)
		return code;
	/* An older kernel: perhaps some handle of the process knows. */
	process = object->process ? object_find(object->process) : NULL;
	if (process && process_exit_code(process, &code) == 0 && code != STILL_ACTIVE)
		return code;
	return 0;
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
	r = tendril_thread_value(object->thread, &value);
	*lpExitCode = r == 0 ? (DWORD)value : code_without_value(object);
	return TRUE;
}
