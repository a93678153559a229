/* SPDX-License-Identifier: BSD-2-Clause */
/* suspend.c - keep threads from running, and let them */
#include "remote/thread.h"
#include "win32/win32_internal.h"

#define FAILED ((DWORD)-1)

bool object_is_own_thread(const struct object *object)
{
	return !object->thread ||
	       (object->thread->pid == getpid() && object->thread->tid == gettid());
}

int object_thread_target(struct object *object, struct tendril_target **ret_target,
			 struct tendril_error *error)
{
	const struct thread *thread = object->thread;
	/* All that is asked of the descriptor is whether it is the end, and it is the thread's that counts. */
	const struct object process = {
		.kind = OBJECT_PROCESS,
		.id = thread->pid,
		.fd = object->fd,
		.process = thread->process,
	};

	if (object_wait(object, 0) == 0)
		return -ESRCH;
	return object_target(&process, ret_target, error);
}

static int suspend(struct object *object, uint32_t *ret_previous, struct tendril_error *error)
{
	AUTO_TARGET struct tendril_target *target = NULL;
	bool is_ours = object->thread->pid == getpid();
	int r = object_thread_target(object, &target, error);

	if (r < 0)
		return r;
	/* It must not stay with one of our locks, which its own resumption needs. */
	if (is_ours)
		locks_take();
	r = tendril_suspend(target, object->thread->tid, ret_previous, error);
	if (is_ours)
		locks_give_back();
	return r;
}

WINBASEAPI DWORD WINAPI SuspendThread(HANDLE hThread)
{
	struct tendril_error error = { 0 };
	struct object *object = NULL;
	uint32_t previous = 0;
	bool is_own;
	int r = object_get(hThread, OBJECT_THREAD, THREAD_SUSPEND_RESUME, &object);

	if (r < 0) {
		(void)error_report(r, NULL);
		return FAILED;
	}
	is_own = object_is_own_thread(object);
	if (!is_own)
		r = suspend(object, &previous, &error);
	object_put(object); /* first: the handle may be closed while we wait */
	if (is_own)
		thread_suspend_own();
	return error_report(r, &error) ? previous : FAILED;
}

static int resume(struct object *object, uint32_t *ret_previous, struct tendril_error *error)
{
	AUTO_TARGET struct tendril_target *target = NULL;
	int r = thread_resume_by(object->thread->remote, object->fd);

	if (r >= 0) { /* it has not run so far, and needed no stop for that */
		*ret_previous = (uint32_t)r + 1;
		return 0;
	}
	r = object_thread_target(object, &target, error);
	return r < 0 ? r : tendril_resume(target, object->thread->tid, ret_previous, error);
}

WINBASEAPI DWORD WINAPI ResumeThread(HANDLE hThread)
{
	AUTO_OBJECT struct object *object = NULL;
	struct tendril_error error = { 0 };
	uint32_t previous = 0;
	int r = object_get(hThread, OBJECT_THREAD, THREAD_SUSPEND_RESUME, &object);

	/* Who asks this of itself, runs. */
	if (r == 0 && !object_is_own_thread(object)) {
		r = resume(object, &previous, &error);
		if (r == -ESRCH)
			r = 0; /* one that has ended is not suspended either */
	}
	return error_report(r, &error) ? previous : FAILED;
}
