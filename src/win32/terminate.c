/* SPDX-License-Identifier: BSD-2-Clause */
/* terminate.c - ending another thread */
#include "remote/thread.h"
#include "win32/win32_internal.h"

static int terminate(struct object *object, DWORD code, struct tendril_error *error)
{
	AUTO_TARGET struct tendril_target *target = NULL;
	struct thread *thread = object->thread;
	bool is_ours = thread->pid == getpid();
	uint64_t set = CODE_KNOWN | code;
	int r = object_thread_target(object, &target, error);

	if (r < 0)
		return r;
	/* Before its end: whoever sees that it has ended, finds the code. */
	code_set(&thread->terminated, code);
	/* It must not go with one of our locks. */
	if (is_ours)
		locks_take();
	r = tendril_thread_terminate(target, thread->remote, code, error);
	if (is_ours)
		locks_give_back();
	if (r < 0)
		(void)__atomic_compare_exchange_n(&thread->terminated, &set, 0, false,
						  __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	return r;
}

WINBASEAPI BOOL WINAPI TerminateThread(HANDLE hThread, DWORD dwExitCode)
{
	struct tendril_error error = { 0 };
	struct object *object = NULL;
	bool is_own = false;
	int r = object_get(hThread, OBJECT_THREAD, THREAD_TERMINATE, &object);

	if (r == 0) {
		is_own = object_is_own_thread(object);
		if (!is_own)
			r = terminate(object, dwExitCode, &error);
		object_put(object);
	}
	if (is_own)
		ExitThread(dwExitCode);
	return error_report(r, &error);
}
