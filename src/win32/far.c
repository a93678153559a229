/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far.c - handles of other processes: looked up, given and closed where they are
 *
 * A handle is a descriptor and an entry in the table of its process, and only code there can make
 * both.  So the library in the other process does it, called on a thread of its own: the functions
 * far_..._here() below are exported for that, and for nothing else.  A process that does not have
 * the library has no handles.
 */
#include <sys/syscall.h>

#include "remote/thread.h"
#include "win32/win32_internal.h"

#define CALL_TIMEOUT_MS 5000

/* How a handle is told in the 64 bits that a function returns. */
#define ACCESS_BITS 21 /* PROCESS_ALL_ACCESS, THREAD_ALL_ACCESS */
#define ID_BITS     23 /* PID_MAX_LIMIT is 2^22 */

TENDRIL_API uint64_t tendril_far_describe_here(uint64_t handle);
TENDRIL_API uint64_t tendril_far_close_here(uint64_t handle);
TENDRIL_API uint64_t tendril_far_adopt_here(uint64_t kind, uint64_t id, uint64_t identity,
					    uint64_t access, uint64_t inherit);
TENDRIL_API uint64_t tendril_far_queue_here(uint64_t id, uint64_t identity, uint64_t function,
					    uint64_t argument);

/* The other process's side */

/* 0: it is not open. */
TENDRIL_API uint64_t tendril_far_describe_here(uint64_t handle)
{
	AUTO_OBJECT struct object *object = NULL;

	if (object_get((HANDLE)(uintptr_t)handle, OBJECT_ANY, 0, &object) < 0 || !object->handle)
		return 0;
	return (uint64_t)object->kind << (ACCESS_BITS + ID_BITS) |
	       (uint64_t)object->id << ACCESS_BITS | object->access;
}

TENDRIL_API uint64_t tendril_far_close_here(uint64_t handle)
{
	return (uint64_t)(int64_t)handle_close((HANDLE)(uintptr_t)handle);
}

/* A process or thread by its id, if it is the one that is meant. */
static int open_by_id(struct object *object, uint64_t identity)
{
	bool fd_is_process = false;
	uint64_t found;
	pid_t pid = 0;
	int r = object->fd = object->kind == OBJECT_PROCESS
				     ? open_pidfd(object->id)
				     : open_thread_by_id(object->id, &fd_is_process);

	if (r >= 0)
		r = pidfd_identity(object->fd, object->id, &found);
	if (r == 0 && found != identity)
		r = -ESRCH;
	if (r == 0 && object->kind == OBJECT_PROCESS)
		return process_get(object->id, object->fd, &object->process);
	if (r == 0)
		r = pidfd_process_id(object->fd, object->id, &pid);
	return r < 0 ? r : thread_get(pid, object->id, object->fd, fd_is_process, &object->thread);
}

/* The handle, or a negative errno. */
TENDRIL_API uint64_t tendril_far_adopt_here(uint64_t kind, uint64_t id, uint64_t identity,
					    uint64_t access, uint64_t inherit)
{
	AUTO_OBJECT struct object *object = object_new((enum object_kind)kind, (DWORD)access);
	int r = object ? handle_room() : -ENOMEM;
	HANDLE handle;

	if (kind != OBJECT_PROCESS && kind != OBJECT_THREAD)
		return (uint64_t)(int64_t)-EOPNOTSUPP;
	if (r == 0) {
		object->id = (pid_t)id;
		r = open_by_id(object, identity);
	}
	if (r < 0)
		return (uint64_t)(int64_t)r;
	handle = object_publish(object, inherit);
	object = NULL;
	return (uint64_t)(uintptr_t)handle;
}

/* 0, or a negative errno. */
TENDRIL_API uint64_t tendril_far_queue_here(uint64_t id, uint64_t identity, uint64_t function,
					    uint64_t argument)
{
	AUTO_OBJECT struct object *thread = object_new(OBJECT_THREAD, THREAD_SET_CONTEXT);
	int r = -ENOMEM;

	if (thread) {
		thread->id = (pid_t)id;
		r = open_by_id(thread, identity);
	}
	if (r == 0 && thread->thread->pid != getpid())
		r = -EINVAL;
	if (r == 0)
		r = apc_queue(thread, (PAPCFUNC)(uintptr_t)function, argument);
	return (uint64_t)(int64_t)r;
}

/* Our side */

static int call_there(const struct object *process, const char *function,
		      const uint64_t *values, size_t n_values, uint64_t *ret_value,
		      struct tendril_error *error)
{
	struct tendril_argument arguments[TENDRIL_ARGUMENTS_MAX] = { 0 };
	AUTO_TARGET struct tendril_target *target = NULL;
	uint64_t address = 0;
	int r = object_target(process, &target, error);

	if (r == 0)
		r = tendril_resolve(target, function, &address, error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_values; i++)
		arguments[i].value = values[i];
	return tendril_call(target, address, arguments, n_values, CALL_TIMEOUT_MS, ret_value, error);
}

int far_adopt(const struct object *to, const struct object *object, bool inherit, HANDLE *ret_handle,
	      struct tendril_error *error)
{
	uint64_t values[] = { object->kind, (uint64_t)object->id, 0, object->access, inherit };
	uint64_t value = 0;
	int r = object->kind == OBJECT_SNAPSHOT
			? -EOPNOTSUPP
			: pidfd_identity(object->fd, object->id, &values[2]);

	if (r == 0)
		r = call_there(to, "tendril_far_adopt_here", values, ARRAY_SIZE(values), &value,
			       error);
	if (r == 0 && (int64_t)value <= 0)
		r = value == 0 ? -EIO : (int)(int64_t)value;
	if (r < 0)
		return r;
	*ret_handle = (HANDLE)(uintptr_t)value;
	return 0;
}

int far_close(const struct object *from, HANDLE handle, struct tendril_error *error)
{
	uint64_t value = (uintptr_t)handle;
	int r = call_there(from, "tendril_far_close_here", &value, 1, &value, error);

	return r < 0 ? r : (int)(int64_t)value;
}

int far_queue(const struct object *thread, uint64_t function, uint64_t argument,
	      struct tendril_error *error)
{
	AUTO_OBJECT struct object *process = object_new(OBJECT_PROCESS, 0);
	uint64_t values[] = { (uint64_t)thread->id, 0, function, argument }, value = 0;
	int r = process ? pidfd_identity(thread->fd, thread->id, &values[1]) : -ENOMEM;

	if (r == 0) {
		process->id = thread->thread->pid;
		process->fd = process_open_again(thread->thread->process);
		r = process->fd < 0 ? process->fd : 0;
	}
	if (r == 0)
		r = call_there(process, "tendril_far_queue_here", values, ARRAY_SIZE(values), &value,
			       error);
	if (r == 0)
		r = (int)(int64_t)value;
	return r < 0 && thread_has_ended(thread->thread->remote, thread->fd) ? -EOWNERDEAD : r;
}

/*
 * The other process says what the handle is, and may lie: the id counts only if the descriptor,
 * which we take a copy of, is that of the same process or thread.
 */
static int fetch_fd(const struct object *from, HANDLE handle, struct object *object)
{
	AUTO_CLOSE int pidfd = open_pidfd(from->id);
	AUTO_CLOSE int fd = -1;
	uint64_t identity;
	int r;

	if (pidfd < 0)
		return pidfd;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, (int)((uintptr_t)handle / 4), 0);
	if (fd < 0)
		return errno == EBADF ? -EBADF : -errno;
	r = pidfd_identity(fd, object->id, &identity);
	return r < 0 ? r : open_by_id(object, identity);
}

int far_fetch(const struct object *from, HANDLE handle, struct object **ret_object,
	      struct tendril_error *error)
{
	AUTO_OBJECT struct object *object = NULL;
	uint64_t value = (uintptr_t)handle;
	int r = call_there(from, "tendril_far_describe_here", &value, 1, &value, error);
	enum object_kind kind = (enum object_kind)(value >> (ACCESS_BITS + ID_BITS));

	if (r < 0)
		return r;
	if (kind == OBJECT_SNAPSHOT)
		return -EOPNOTSUPP;
	if (kind != OBJECT_PROCESS && kind != OBJECT_THREAD)
		return -EBADF;
	object = object_new(kind, (DWORD)value & ((1u << ACCESS_BITS) - 1));
	if (!object)
		return -ENOMEM;
	object->id = (pid_t)(value >> ACCESS_BITS & ((1u << ID_BITS) - 1));
	r = fetch_fd(from, handle, object);
	if (r < 0)
		return r;
	*ret_object = object;
	object = NULL;
	return 0;
}
