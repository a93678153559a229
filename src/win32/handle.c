/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handle.c - which handles are open, and what they stand for
 *
 * The table has one word a descriptor and no lock.  Whoever uses a handle reads the word, takes a
 * reference to the object that it points to, and reads the word again: if it still points there,
 * the object is what the handle stands for, and lives for as long as the reference.  Giving an
 * object its handle is one store, which cannot fail: it happens after the last thing that can, so a
 * thread that exists is never without its handle.
 */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "win32/win32_internal.h"

#define N_SLOTS     (1u << 20)
/* How many descriptors others may open between our look for room and our use of it. */
#define SLOTS_SPARE 4096u

/* 8 MiB of address space, of which only the pages are memory that descriptors in use fall on. */
static struct object *slots[N_SLOTS];

/* Descriptors 0, 1 and 2 are never ours (see descriptor_above_stdio()), so this is never NULL. */
static HANDLE handle_of(int fd)
{
	return (HANDLE)((uintptr_t)fd * 4);
}

static struct object **slot_of(HANDLE handle)
{
	uintptr_t value = (uintptr_t)handle;

	return value % 4 == 0 && value / 4 < N_SLOTS ? &slots[value / 4] : NULL;
}

int handle_fits(int fd)
{
	return (unsigned int)fd < N_SLOTS ? 0 : -EMFILE;
}

int handle_room(void)
{
	struct rlimit limit;
	int fd;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur <= N_SLOTS)
		return 0;
	/* The kernel gives the lowest number that is free. */
	fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0)
		return -errno;
	close_keeping_errno(fd);
	return (unsigned int)fd < N_SLOTS - SLOTS_SPARE ? 0 : -EMFILE;
}

HANDLE object_publish(struct object *object, bool inherit)
{
	HANDLE handle = handle_of(object->fd);
	struct object *displaced;
	struct stat st;

	if (inherit)
		(void)fcntl(object->fd, F_SETFD, 0); /* an open descriptor: cannot fail */
	if (object->inode == 0 && fstat(object->fd, &st) == 0)
		object->inode = st.st_ino;
	object->handle = handle;
	displaced = __atomic_exchange_n(slot_of(handle), object, __ATOMIC_ACQ_REL);
	if (displaced) {
		__atomic_store_n(&displaced->is_displaced, true, __ATOMIC_RELEASE);
		object_put(displaced);
	}
	return handle;
}

/* What the handle stands for, with a reference; NULL: nothing. */
static struct object *look_up(HANDLE handle)
{
	struct object **slot = slot_of(handle);
	struct object *object;

	while (slot && (object = __atomic_load_n(slot, __ATOMIC_ACQUIRE))) {
		if (!object_try_ref(object))
			continue; /* it has just been closed, and the slot says so by now */
		if (__atomic_load_n(slot, __ATOMIC_ACQUIRE) == object)
			return object;
		object_put(object);
	}
	return NULL;
}

static bool is_pseudo(HANDLE handle)
{
	return handle == GetCurrentProcess() || handle == GetCurrentThread();
}

int object_get(HANDLE handle, enum object_kind kind, DWORD access, struct object **ret_object)
{
	AUTO_OBJECT struct object *object = NULL;

	if (is_pseudo(handle))
		return object_new_pseudo(handle, kind, ret_object);
	object = look_up(handle);
	if (!object || (kind != OBJECT_ANY && object->kind != kind))
		return -EBADF;
	if ((object->access & access) != access)
		return -EPERM;
	*ret_object = object;
	object = NULL;
	return 0;
}

int handle_close(HANDLE handle)
{
	AUTO_OBJECT struct object *object = NULL;
	struct object *expected;

	if (is_pseudo(handle))
		return 0;
	object = look_up(handle);
	if (!object || __atomic_load_n(&object->is_protected, __ATOMIC_RELAXED))
		return -EBADF;
	/* Of several threads that close it, one does. */
	expected = object;
	if (!__atomic_compare_exchange_n(slot_of(handle), &expected, NULL, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		return -EBADF;
	object_put(object); /* the table's reference */
	return 0;
}

WINBASEAPI BOOL WINAPI CloseHandle(HANDLE hObject)
{
	return error_report(handle_close(hObject), NULL);
}

WINBASEAPI BOOL WINAPI GetHandleInformation(HANDLE hObject, LPDWORD lpdwFlags)
{
	AUTO_OBJECT struct object *object = NULL;
	int r = object_get(hObject, OBJECT_ANY, 0, &object);
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
	*lpdwFlags = (fd_flags & FD_CLOEXEC ? 0 : HANDLE_FLAG_INHERIT) |
		     (__atomic_load_n(&object->is_protected, __ATOMIC_RELAXED)
			      ? HANDLE_FLAG_PROTECT_FROM_CLOSE : 0);
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
	if (dwMask & HANDLE_FLAG_PROTECT_FROM_CLOSE)
		__atomic_store_n(&object->is_protected,
				 (dwFlags & HANDLE_FLAG_PROTECT_FROM_CLOSE) != 0,
				 __ATOMIC_RELAXED);
	return TRUE;
}
