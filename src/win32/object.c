/* SPDX-License-Identifier: BSD-2-Clause */
/* object.c - the life of what handles stand for */
#include <string.h>
#include <sys/stat.h>

#include "win32/win32_internal.h"

static struct {
	pthread_mutex_t lock;
	struct object *first;
} spare = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void lock_spare(void)
{
	(void)pthread_mutex_lock(&spare.lock);
}

static void unlock_spare(void)
{
	(void)pthread_mutex_unlock(&spare.lock);
}

/* A child of fork(2) has the handles too, and must not find the lock held by a thread that it
 * does not have. */
__attribute__((constructor)) static void guard_fork(void)
{
	locks_add(lock_spare, unlock_spare, unlock_spare);
}

static struct object *take_spare(void)
{
	struct object *object;

	lock_spare();
	object = spare.first;
	if (object)
		spare.first = object->next_spare;
	unlock_spare();
	return object ? object : calloc(1, sizeof(*object));
}

struct object *object_new(enum object_kind kind, DWORD access)
{
	struct object *object = take_spare();

	if (!object)
		return NULL;
	object->handle = NULL;
	object->kind = kind;
	object->access = access;
	object->id = 0;
	object->fd = -1;
	object->inode = 0;
	object->thread = NULL;
	object->process = NULL;
	object->snapshot = NULL;
	__atomic_store_n(&object->has_ended, false, __ATOMIC_RELAXED);
	__atomic_store_n(&object->is_protected, false, __ATOMIC_RELAXED);
	__atomic_store_n(&object->is_displaced, false, __ATOMIC_RELAXED);
	__atomic_store_n(&object->n_refs, 1, __ATOMIC_RELEASE);
	return object;
}

int object_new_pseudo(HANDLE handle, enum object_kind kind, struct object **ret_object)
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

bool object_try_ref(struct object *object)
{
	unsigned int n = __atomic_load_n(&object->n_refs, __ATOMIC_RELAXED);

	while (n > 0)
		if (__atomic_compare_exchange_n(&object->n_refs, &n, n + 1, true, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

/* A program that closes descriptors which are not its own may have got the number for a file. */
static void close_if_ours(const struct object *object)
{
	struct stat st;

	if (object->fd < 0 || __atomic_load_n(&object->is_displaced, __ATOMIC_ACQUIRE))
		return;
	if (object->inode && (fstat(object->fd, &st) < 0 || st.st_ino != object->inode))
		return;
	close_keeping_errno(object->fd);
}

void object_put(struct object *object)
{
	if (!object || __atomic_sub_fetch(&object->n_refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	close_if_ours(object);
	thread_put(object->thread);
	process_put(object->process);
	snapshot_put(object->snapshot);
	lock_spare();
	object->next_spare = spare.first;
	spare.first = object;
	unlock_spare();
}
