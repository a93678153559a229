/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handle.c - which handles are open, and what they stand for
 *
 * The table is a hash of chains through the objects themselves, so that giving an object its
 * handle needs no memory: it happens after the last thing that can fail, a thread that exists
 * can never be without its handle.
 */
#include <fcntl.h>

#include "win32/win32_internal.h"

#define N_BUCKETS 1024

static struct {
	pthread_mutex_t lock;
	struct object *bucket[N_BUCKETS];
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Descriptors 0, 1 and 2 are never ours (see descriptor_above_stdio()), so this is never NULL. */
static HANDLE handle_of(int fd)
{
	return (HANDLE)((uintptr_t)fd * 4);
}

static struct object **bucket_of(HANDLE handle)
{
	return &table.bucket[(uintptr_t)handle / 4 % N_BUCKETS];
}

/* The link that leads to the object, for removing it; *link is NULL when there is none. */
static struct object **link_of(HANDLE handle)
{
	struct object **link = bucket_of(handle);

	while (*link && (*link)->handle != handle)
		link = &(*link)->next;
	return link;
}

struct object *object_new(enum object_kind kind, DWORD access)
{
	struct object *object = calloc(1, sizeof(*object));

	if (!object)
		return NULL;
	object->n_refs = 1;
	object->kind = kind;
	object->access = access;
	object->fd = -1;
	return object;
}

HANDLE object_publish(struct object *object, bool inherit)
{
	HANDLE handle = handle_of(object->fd);
	struct object **bucket = bucket_of(handle);

	if (inherit)
		(void)fcntl(object->fd, F_SETFD, 0); /* an open descriptor: cannot fail */
	pthread_mutex_lock(&table.lock);
	object->handle = handle;
	object->next = *bucket;
	*bucket = object;
	pthread_mutex_unlock(&table.lock);
	return handle;
}

static void object_free(struct object *object)
{
	if (object->thread)
		tendril_thread_close(object->thread);
	else
		close_keeping_errno(object->fd);
	process_put(object->process);
	free(object);
}

void object_put(struct object *object)
{
	unsigned int n_left;

	if (!object)
		return;
	pthread_mutex_lock(&table.lock);
	n_left = --object->n_refs;
	pthread_mutex_unlock(&table.lock);
	if (n_left == 0)
		object_free(object);
}

/* The pseudo-handles stand for whoever asks, so each call makes its own object. */
static int pseudo_get(HANDLE handle, enum object_kind kind, struct object **ret_object)
{
	bool is_process = handle == GetCurrentProcess();
	enum object_kind own = is_process ? OBJECT_PROCESS : OBJECT_THREAD;
	struct object *object;

	if (kind != OBJECT_ANY && kind != own)
		return -EBADF;
	object = object_new(own, is_process ? PROCESS_ALL_ACCESS : THREAD_ALL_ACCESS);
	if (!object)
		return -ENOMEM;
	object->id = is_process ? getpid() : gettid();
	*ret_object = object;
	return 0;
}

int object_get(HANDLE handle, enum object_kind kind, DWORD access, struct object **ret_object)
{
	struct object *object;
	int r = 0;

	if (handle == GetCurrentProcess() || handle == GetCurrentThread())
		return pseudo_get(handle, kind, ret_object);
	pthread_mutex_lock(&table.lock);
	object = *link_of(handle);
	if (!object || (kind != OBJECT_ANY && object->kind != kind))
		r = -EBADF;
	else if ((object->access & access) != access)
		r = -EPERM;
	else
		object->n_refs++;
	pthread_mutex_unlock(&table.lock);
	if (r == 0)
		*ret_object = object;
	return r;
}

struct object *object_find(const struct process *process)
{
	struct object *found = NULL;

	pthread_mutex_lock(&table.lock);
	for (size_t i = 0; i < N_BUCKETS && !found; i++)
		for (found = table.bucket[i]; found; found = found->next)
			if (found->kind == OBJECT_PROCESS && found->process == process)
				break;
	if (found)
		found->n_refs++;
	pthread_mutex_unlock(&table.lock);
	return found;
}

WINBASEAPI BOOL WINAPI CloseHandle(HANDLE hObject)
{
	struct object **link;
	struct object *object;

	if (hObject == GetCurrentProcess() || hObject == GetCurrentThread())
		return TRUE;
	pthread_mutex_lock(&table.lock);
	link = link_of(hObject);
	object = *link;
	if (object && object->is_protected)
		object = NULL;
	if (object)
		*link = object->next;
	pthread_mutex_unlock(&table.lock);
	if (!object)
		return error_report(-EBADF, NULL);
	object_put(object);
	return TRUE;
}

WINBASEAPI BOOL WINAPI GetHandleInformation(HANDLE hObject, LPDWORD lpdwFlags)
{
	AUTO_OBJECT struct object *object = NULL;
	int r = object_get(hObject, OBJECT_ANY, 0, &object);
	bool is_protected;
	int fd_flags;

	if (r == 0 && !object->handle)
		r = -EBADF;
	if (r == 0 && !lpdwFlags)
		r = -EINVAL;
	if (r < 0)
		return error_report(r, NULL);
	fd_flags = fcntl(object->fd, F_GETFD);
	if (fd_flags < 0)
		return error_report(-errno, NULL);
	pthread_mutex_lock(&table.lock);
	is_protected = object->is_protected;
	pthread_mutex_unlock(&table.lock);
	*lpdwFlags = (fd_flags & FD_CLOEXEC ? 0 : HANDLE_FLAG_INHERIT) |
		     (is_protected ? HANDLE_FLAG_PROTECT_FROM_CLOSE : 0);
	return TRUE;
}

WINBASEAPI BOOL WINAPI SetHandleInformation(HANDLE hObject, DWORD dwMask, DWORD dwFlags)
{
	AUTO_OBJECT struct object *object = NULL;
	int r = object_get(hObject, OBJECT_ANY, 0, &object);

	if (r == 0 && !object->handle)
		r = -EBADF;
	if (r == 0 && dwMask & ~(HANDLE_FLAG_INHERIT | HANDLE_FLAG_PROTECT_FROM_CLOSE))
		r = -EINVAL;
	if (r < 0)
		return error_report(r, NULL);
	if (dwMask & HANDLE_FLAG_INHERIT) {
		int fd_flags = dwFlags & HANDLE_FLAG_INHERIT ? 0 : FD_CLOEXEC;

		if (fcntl(object->fd, F_SETFD, fd_flags) < 0)
			return error_report(-errno, NULL);
	}
	if (dwMask & HANDLE_FLAG_PROTECT_FROM_CLOSE) {
		pthread_mutex_lock(&table.lock);
		object->is_protected = dwFlags & HANDLE_FLAG_PROTECT_FROM_CLOSE;
		pthread_mutex_unlock(&table.lock);
	}
	return TRUE;
}
