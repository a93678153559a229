/* SPDX-License-Identifier: BSD-2-Clause */
/* rights.c - which rights a handle gets, and which the kernel would not let it use */
#include <sys/uio.h>

#include "win32/win32_internal.h"

/* Rights for which the kernel wants to see that the caller may trace the process. */
#define PROCESS_TRACE_RIGHTS \
	(PROCESS_CREATE_THREAD | PROCESS_VM_OPERATION | PROCESS_VM_READ | PROCESS_VM_WRITE)
#define THREAD_TRACE_RIGHTS \
	(THREAD_TERMINATE | THREAD_SUSPEND_RESUME | THREAD_GET_CONTEXT | THREAD_SET_CONTEXT)

/* What each generic right stands for, of a process and of a thread. */
static const struct {
	DWORD generic, process, thread;
} generic_rights[] = {
	{ GENERIC_ALL, PROCESS_ALL_ACCESS, THREAD_ALL_ACCESS },
	{ MAXIMUM_ALLOWED, PROCESS_ALL_ACCESS, THREAD_ALL_ACCESS },
	{ GENERIC_READ, READ_CONTROL | PROCESS_VM_READ | PROCESS_QUERY_INFORMATION,
	  READ_CONTROL | THREAD_GET_CONTEXT | THREAD_QUERY_INFORMATION },
	{ GENERIC_WRITE,
	  READ_CONTROL | PROCESS_CREATE_PROCESS | PROCESS_CREATE_THREAD | PROCESS_VM_OPERATION |
		  PROCESS_VM_WRITE | PROCESS_DUP_HANDLE | PROCESS_SET_QUOTA |
		  PROCESS_SET_INFORMATION | PROCESS_SUSPEND_RESUME,
	  READ_CONTROL | THREAD_TERMINATE | THREAD_SUSPEND_RESUME | THREAD_SET_CONTEXT |
		  THREAD_SET_INFORMATION | THREAD_SET_LIMITED_INFORMATION },
	{ GENERIC_EXECUTE, READ_CONTROL | SYNCHRONIZE | PROCESS_TERMINATE |
				   PROCESS_QUERY_LIMITED_INFORMATION,
	  READ_CONTROL | SYNCHRONIZE | THREAD_QUERY_LIMITED_INFORMATION },
};

DWORD rights_granted(enum object_kind kind, DWORD asked)
{
	bool is_process = kind == OBJECT_PROCESS;
	DWORD access = asked & (is_process ? PROCESS_ALL_ACCESS : THREAD_ALL_ACCESS);

	if (kind == OBJECT_SNAPSHOT) /* what may be done with it needs none */
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(generic_rights); i++)
		if (asked & generic_rights[i].generic)
			access |= is_process ? generic_rights[i].process : generic_rights[i].thread;
	if (is_process && access & PROCESS_QUERY_INFORMATION)
		access |= PROCESS_QUERY_LIMITED_INFORMATION;
	if (!is_process && access & THREAD_QUERY_INFORMATION)
		access |= THREAD_QUERY_LIMITED_INFORMATION;
	if (!is_process && access & THREAD_SET_INFORMATION)
		access |= THREAD_SET_LIMITED_INFORMATION;
	return access;
}

/* The rules are those of ptrace(2), which reading memory asks too: EFAULT means that we might. */
static bool may_trace(pid_t pid)
{
	uint64_t byte;
	struct iovec here = { &byte, 1 }, there = { NULL, 1 };

	return pid == getpid() || process_vm_readv(pid, &here, 1, &there, 1, 0) == 1 ||
	       errno == EFAULT;
}

int rights_check(enum object_kind kind, pid_t pid, DWORD asked, DWORD *access,
		 struct tendril_error *error)
{
	DWORD tracing = kind == OBJECT_PROCESS ? PROCESS_TRACE_RIGHTS : THREAD_TRACE_RIGHTS;
	AUTO_TARGET struct tendril_target *target = NULL;
	int r;

	if (!(*access & tracing) || may_trace(pid))
		return 0;
	/* Asked again in a slower way, which knows why. */
	r = tendril_open(pid, NULL, &target, error);
	if (r < 0 && r != -ESRCH && asked & MAXIMUM_ALLOWED) {
		*access &= ~tracing;
		return 0;
	}
	return r;
}
