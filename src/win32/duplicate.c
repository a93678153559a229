/* SPDX-License-Identifier: BSD-2-Clause */
/* duplicate.c - DuplicateHandle() */
#include <fcntl.h>
#include <sys/syscall.h>

#include "remote/thread.h"
#include "win32/win32_internal.h"

static bool is_self(const struct object *process)
{
	return process->id == getpid();
}

/* A process that handles are taken from or given to. */
static int side_get(HANDLE handle, struct object **ret_process)
{
	AUTO_OBJECT struct object *process = NULL;
	int r = object_get(handle, OBJECT_PROCESS, PROCESS_DUP_HANDLE, &process);

	if (r < 0)
		return r;
	if (!is_self(process) && pidfd_is_ended(process->fd))
		return -ESRCH;
	*ret_process = process;
	process = NULL;
	return 0;
}

/* A pseudo-handle becomes the real one that it stands for. */
static int make_real(struct object *object)
{
	bool fd_is_process = false;

	if (object->fd >= 0)
		return 0;
	object->fd = object->kind == OBJECT_PROCESS
			     ? open_pidfd(object->id)
			     : open_thread_fd(getpid(), object->id, &fd_is_process);
	if (object->fd < 0)
		return object->fd;
	if (object->kind == OBJECT_PROCESS)
		return process_get(object->id, object->fd, &object->process);
	return thread_get(getpid(), object->id, object->fd, fd_is_process, &object->thread);
}

int object_copy(const struct object *from, DWORD access, struct object **ret_copy)
{
	AUTO_OBJECT struct object *copy = object_new(from->kind, access);
	int r = copy ? handle_room() : -ENOMEM;

	if (r < 0)
		return r;
	copy->id = from->id;
	copy->process = process_ref(from->process);
	copy->thread = thread_ref(from->thread);
	copy->snapshot = snapshot_ref(from->snapshot);
	if (from->fd >= 0) {
		copy->fd = fcntl(from->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		if (copy->fd < 0)
			return -errno;
	}
	r = make_real(copy);
	if (r < 0)
		return r;
	*ret_copy = copy;
	copy = NULL;
	return 0;
}

static pid_t process_of(const struct object *object)
{
	if (object->kind == OBJECT_PROCESS)
		return object->id;
	return object->thread ? object->thread->pid : getpid();
}

/* What the duplicate may do: other rights than the source has are the kernel's to refuse. */
static int choose_access(const struct object *object, DWORD asked, DWORD options, DWORD *ret_access,
			 struct tendril_error *error)
{
	*ret_access = object->access;
	if (options & DUPLICATE_SAME_ACCESS)
		return 0;
	*ret_access = rights_granted(object->kind, asked);
	if ((*ret_access & ~object->access) == 0)
		return 0;
	return rights_check(object->kind, process_of(object), asked, ret_access, error);
}

/* Everything that DuplicateHandle() was asked for but the source and its process. */
struct request {
	HANDLE to;
	HANDLE *ret_handle; /* NULL: the caller does not want to know */
	DWORD access, options;
	bool inherit;
};

static int give(const struct object *source, const struct request *request,
		struct tendril_error *error)
{
	AUTO_OBJECT struct object *to = NULL;
	AUTO_OBJECT struct object *copy = NULL;
	HANDLE handle = NULL;
	DWORD access = 0;
	int r = side_get(request->to, &to);

	if (r == 0)
		r = choose_access(source, request->access, request->options, &access, error);
	if (r == 0)
		r = object_copy(source, access, &copy);
	if (r == 0 && !is_self(to))
		r = far_adopt(to, copy, request->inherit, &handle, error);
	if (r < 0)
		return r;
	if (is_self(to)) {
		handle = object_publish(copy, request->inherit);
		copy = NULL;
	}
	if (request->ret_handle)
		*request->ret_handle = handle;
	return 0;
}

static int duplicate(const struct object *from, HANDLE handle, const struct request *request,
		     struct tendril_error *error)
{
	AUTO_OBJECT struct object *source = NULL;
	int r = is_self(from) ? object_get(handle, OBJECT_ANY, 0, &source)
			      : far_fetch(from, handle, &source, error);

	return r < 0 ? r : give(source, request, error);
}

static int close_source(const struct object *from, HANDLE handle, struct tendril_error *error)
{
	return is_self(from) ? handle_close(handle) : far_close(from, handle, error);
}

WINBASEAPI BOOL WINAPI DuplicateHandle(HANDLE hSourceProcessHandle, HANDLE hSourceHandle,
				       HANDLE hTargetProcessHandle, LPHANDLE lpTargetHandle,
				       DWORD dwDesiredAccess, BOOL bInheritHandle, DWORD dwOptions)
{
	struct request request = { hTargetProcessHandle, lpTargetHandle, dwDesiredAccess, dwOptions,
				   bInheritHandle };
	AUTO_OBJECT struct object *from = NULL;
	struct tendril_error error = { 0 };
	int r = side_get(hSourceProcessHandle, &from);
	bool only_closes = dwOptions & DUPLICATE_CLOSE_SOURCE && !hTargetProcessHandle &&
			   !lpTargetHandle;

	if (r == 0 && dwOptions & ~(DUPLICATE_CLOSE_SOURCE | DUPLICATE_SAME_ACCESS))
		r = -EINVAL;
	if (r < 0)
		return error_report(r, &error);
	if (!only_closes)
		r = duplicate(from, hSourceHandle, &request, &error);
	/* Also when it could not be duplicated. */
	if (dwOptions & DUPLICATE_CLOSE_SOURCE) {
		int closed = close_source(from, hSourceHandle, r < 0 ? NULL : &error);

		if (r == 0)
			r = closed;
	}
	return error_report(r, &error);
}
