/* SPDX-License-Identifier: BSD-2-Clause */
/* wait.c - waiting for the end of processes and threads */
#include <limits.h>
#include <poll.h>

#include "remote/thread.h"
#include "win32/win32_internal.h"

/* How long a thread that has ended may take to give its stack back while others are waited for. */
#define GIVE_BACK_NS (10 * NS_PER_MS)
/* How often threads are looked at that no descriptor tells of. */
#define LOOK_NS      NS_PER_MS

static int64_t deadline_of(DWORD milliseconds)
{
	if (milliseconds == INFINITE)
		return INT64_MAX;
	return now_ns() + (int64_t)milliseconds * NS_PER_MS;
}

static int64_t left_ns(int64_t deadline_ns)
{
	int64_t left = deadline_ns - now_ns();

	return left > 0 ? left : 0;
}

/* Return: how many are readable, 0: the deadline has passed, or negative errno. */
static int poll_until(struct pollfd *fds, nfds_t n, int64_t deadline_ns)
{
	for (;;) {
		int64_t left = deadline_ns == INT64_MAX ? 0 : left_ns(deadline_ns);
		struct timespec ts = { .tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S };
		int r = ppoll(fds, n, deadline_ns == INT64_MAX ? NULL : &ts, NULL);

		if (r >= 0)
			return r;
		if (errno != EINTR)
			return -errno;
	}
}

static int wait_thread(const struct object *object, int64_t deadline_ns)
{
	struct tendril_thread *thread = object->thread->remote;
	int64_t left;

	if (deadline_ns == INT64_MAX)
		return thread_wait_by(thread, object->fd, -1);
	left = left_ns(deadline_ns);
	return thread_wait_by(thread, object->fd, (left + NS_PER_MS - 1) / NS_PER_MS);
}

int object_wait(struct object *object, int64_t deadline_ns)
{
	/* A pseudo-handle's -1 is ignored by poll(): it is never signalled, as on Windows. */
	struct pollfd pollfd = { .fd = object->fd, .events = POLLIN };
	int r;

	if (object->thread)
		return wait_thread(object, deadline_ns);
	r = poll_until(&pollfd, 1, deadline_ns);
	if (r > 0 && pollfd.revents & POLLNVAL)
		return -EBADF;
	return r > 0 ? 0 : r < 0 ? r : -ETIMEDOUT;
}

static DWORD report_wait(int r)
{
	if (r == -ETIMEDOUT)
		return WAIT_TIMEOUT;
	(void)error_report(r, NULL);
	return r < 0 ? WAIT_FAILED : WAIT_OBJECT_0 + (DWORD)r;
}

WINBASEAPI DWORD WINAPI WaitForSingleObject(HANDLE hHandle, DWORD dwMilliseconds)
{
	int64_t deadline_ns = deadline_of(dwMilliseconds);
	AUTO_OBJECT struct object *object = NULL;
	int r = object_get(hHandle, OBJECT_ANY, SYNCHRONIZE, &object);

	return report_wait(r < 0 ? r : object_wait(object, deadline_ns));
}

/* What has ended stays so: one after the other is all of them. */
static int wait_all(struct object **objects, DWORD n, int64_t deadline_ns)
{
	for (DWORD i = 0; i < n; i++) {
		int r = object_wait(objects[i], deadline_ns);

		if (r < 0)
			return r;
	}
	return 0;
}

/* The lowest of those whose descriptor is readable that is done, or -ETIMEDOUT. */
static int first_ended(struct object **objects, const struct pollfd *fds, DWORD n, int64_t until_ns)
{
	for (DWORD i = 0; i < n; i++) {
		int r;

		if (!fds[i].revents)
			continue;
		r = object_wait(objects[i], until_ns);
		if (r != -ETIMEDOUT)
			return r < 0 ? r : (int)i;
	}
	return -ETIMEDOUT;
}

static int64_t earlier(int64_t a_ns, int64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

/* Before Linux 6.9 a thread's descriptor is its process's, and tells nothing of the thread. */
static bool must_look(const struct object *object)
{
	return object->thread && object->thread->remote->fd_is_process;
}

static int wait_any(struct object **objects, DWORD n, int64_t deadline_ns)
{
	struct pollfd fds[MAXIMUM_WAIT_OBJECTS];
	int64_t until_ns = 0;
	bool looks = false;
	int r;

	for (DWORD i = 0; i < n; i++) {
		fds[i] = (struct pollfd){ .fd = objects[i]->fd, .events = POLLIN };
		looks = looks || must_look(objects[i]);
	}
	do {
		r = poll_until(fds, n, looks ? earlier(deadline_ns, now_ns() + LOOK_NS)
					     : deadline_ns);
		for (DWORD i = 0; i < n; i++)
			if (must_look(objects[i]))
				fds[i].revents = POLLIN;
		if (r >= 0)
			r = first_ended(objects, fds, n, until_ns);
		if (r != -ETIMEDOUT)
			return r;
		until_ns = looks ? 0 : earlier(deadline_ns, now_ns() + GIVE_BACK_NS);
	} while (left_ns(deadline_ns) > 0);
	return -ETIMEDOUT;
}

static bool has_twice(const struct object *const *objects, DWORD n)
{
	for (DWORD i = 0; i < n; i++)
		for (DWORD j = i + 1; j < n; j++)
			if (objects[i] == objects[j])
				return true;
	return false;
}

WINBASEAPI DWORD WINAPI WaitForMultipleObjects(DWORD nCount, CONST HANDLE *lpHandles, BOOL bWaitAll,
					       DWORD dwMilliseconds)
{
	struct object *objects[MAXIMUM_WAIT_OBJECTS];
	int64_t deadline_ns = deadline_of(dwMilliseconds);
	DWORD n = 0;
	int r = 0;

	if (nCount == 0 || nCount > MAXIMUM_WAIT_OBJECTS || !lpHandles)
		return report_wait(-EINVAL);
	while (r == 0 && n < nCount) {
		r = object_get(lpHandles[n], OBJECT_ANY, SYNCHRONIZE, &objects[n]);
		if (r == 0)
			n++;
	}
	if (r == 0 && bWaitAll && has_twice((const struct object *const *)objects, n))
		r = -EINVAL;
	if (r == 0)
		r = bWaitAll ? wait_all(objects, n, deadline_ns) : wait_any(objects, n, deadline_ns);
	while (n > 0)
		object_put(objects[--n]);
	return report_wait(r);
}
