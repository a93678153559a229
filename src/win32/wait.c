/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wait.c - waiting for the end of processes and threads, and Sleep()
 *
 * A wait is one poll(2) of the descriptors behind the handles.  What has ended stays so.
 */
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <string.h>

#include "remote/thread.h"
#include "win32/win32_internal.h"

/* How long a thread that has ended may take to give its stack back while others are waited for. */
#define GIVE_BACK_NS (10 * NS_PER_MS)
/* How often is looked for what no descriptor tells of. */
#define LOOK_NS      NS_PER_MS

struct wait {
	struct object *const *objects;
	DWORD n;
	int64_t deadline_ns;
	bool is_alertable;
};

/* What a thread holds while it waits; when it is ended meanwhile, that is put. */
struct held {
	struct object *objects[MAXIMUM_WAIT_OBJECTS];
	DWORD n;
};

static __thread struct held own_held;
static pthread_key_t held_key;
static bool has_key;

static void put_held(void *data)
{
	struct held *held = data;

	while (held->n > 0)
		object_put(held->objects[--held->n]);
}

__attribute__((constructor)) static void make_key(void)
{
	has_key = pthread_key_create(&held_key, put_held) == 0;
}

/* The library may be unloaded before its threads end. */
__attribute__((destructor)) static void forget_key(void)
{
	if (has_key)
		(void)pthread_key_delete(held_key);
	has_key = false;
}

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

static int64_t earlier(int64_t a_ns, int64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
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

/* Before Linux 6.9 a thread's descriptor is its process's, and tells nothing of the thread. */
static bool must_look(const struct object *object)
{
	return object->thread && object->thread->remote->fd_is_process;
}

/* No need to ask the kernel again. */
static bool is_known(const struct object *object)
{
	return object->thread && thread_is_settled(object->thread->remote);
}

/*
 * Has it ended?  A thread may have until until_ns to give its stack back.
 * Return: 0; -ETIMEDOUT: not so far; -EBADF: somebody has closed the descriptor.
 */
static int look(const struct object *object, short revents, int64_t until_ns)
{
	struct tendril_thread *thread = object->thread ? object->thread->remote : NULL;

	if (revents & POLLNVAL)
		return -EBADF;
	if (!revents && !(must_look(object) && thread_has_ended(thread, object->fd)))
		return -ETIMEDOUT;
	return thread ? thread_settle(thread, until_ns) : 0;
}

/* The lowest that has ended, or -ETIMEDOUT. */
static int first_ended(const struct wait *wait, const struct pollfd *fds, int64_t until_ns)
{
	for (DWORD i = 0; i < wait->n; i++) {
		int r = look(wait->objects[i], fds[i].revents, until_ns);

		if (r != -ETIMEDOUT)
			return r < 0 ? r : (int)i;
	}
	return -ETIMEDOUT;
}

/* Return: does one of them have to be looked at, because its descriptor does not tell? */
static bool fill(struct pollfd *fds, struct object *const *objects, DWORD n)
{
	bool looks = false;

	for (DWORD i = 0; i < n; i++) {
		/* A pseudo-handle's -1 is ignored: it is never signalled, as on Windows. */
		fds[i] = (struct pollfd){ .fd = objects[i]->fd, .events = POLLIN };
		looks = looks || must_look(objects[i]);
	}
	return looks;
}

/* Look once.  Return: as first_ended(). */
static int look_at_any(const struct wait *wait)
{
	struct pollfd fds[MAXIMUM_WAIT_OBJECTS];
	struct wait below = *wait;
	int r;

	/* Of no interest are those behind one that is known to have ended. */
	for (below.n = 0; below.n < wait->n && !is_known(wait->objects[below.n]);)
		below.n++;
	if (below.n == 0)
		return 0;
	(void)fill(fds, below.objects, below.n);
	r = poll_until(fds, below.n, 0);
	if (r >= 0)
		r = first_ended(&below, fds, 0);
	return r == -ETIMEDOUT && below.n < wait->n ? (int)below.n : r;
}

static bool is_any_known(const struct wait *wait)
{
	for (DWORD i = 0; i < wait->n; i++)
		if (is_known(wait->objects[i]))
			return true;
	return false;
}

/*
 * Asleep until one of them has ended or the descriptor that tells of calls (-1: there is none) is
 * readable.  looks: by waking up now and then to look.
 */
static int block_for_any(const struct wait *wait, int alert_fd, bool looks)
{
	struct pollfd fds[MAXIMUM_WAIT_OBJECTS + 1];
	nfds_t n = wait->n + (alert_fd >= 0);
	int64_t until_ns = 0;
	int r;

	if (fill(fds, wait->objects, wait->n))
		looks = true;
	fds[wait->n] = (struct pollfd){ .fd = alert_fd, .events = POLLIN };
	if (wait->n == 1 && wait->objects[0]->thread)
		thread_await_awake(wait->objects[0]->thread->remote, fds[0].fd, wait->deadline_ns);
	for (;;) {
		r = poll_until(fds, n, looks ? earlier(wait->deadline_ns, now_ns() + LOOK_NS)
						       : wait->deadline_ns);
		if (r >= 0)
			r = first_ended(wait, fds, until_ns);
		if (r != -ETIMEDOUT)
			return r;
		if (wait->is_alertable && apc_is_pending())
			return -EINTR;
		if (left_ns(wait->deadline_ns) == 0)
			return -ETIMEDOUT;
		until_ns = looks ? 0 : earlier(wait->deadline_ns, now_ns() + GIVE_BACK_NS);
	}
}

/* The descriptor that tells of calls exists while it is needed; without one we look for them. */
static int block_alertable(const struct wait *wait)
{
	int alert_fd, r;

	r = look_at_any(wait);
	if (r != -ETIMEDOUT)
		return r;
	if (apc_is_pending())
		return -EINTR;
	if (left_ns(wait->deadline_ns) == 0)
		return -ETIMEDOUT;
	alert_fd = apc_alert_begin();
	r = block_for_any(wait, alert_fd, alert_fd < 0);
	apc_alert_end(alert_fd);
	return r;
}

/* Return: the lowest that has ended; -ETIMEDOUT; -EINTR: a call is queued for this thread. */
static int wait_for_any(const struct wait *wait)
{
	if (is_any_known(wait))
		return look_at_any(wait);
	return wait->is_alertable ? block_alertable(wait) : block_for_any(wait, -1, false);
}

/* Keep only those that have not ended. */
static int drop_ended(struct object **objects, DWORD *n)
{
	struct pollfd fds[MAXIMUM_WAIT_OBJECTS];
	DWORD n_left = 0;
	int r;

	for (DWORD i = 0; i < *n; i++)
		if (!is_known(objects[i]))
			objects[n_left++] = objects[i];
	*n = n_left;
	(void)fill(fds, objects, *n);
	r = *n > 0 ? poll_until(fds, *n, 0) : 0;
	n_left = 0;
	for (DWORD i = 0; r >= 0 && i < *n; i++) {
		int ended = look(objects[i], fds[i].revents, 0);

		if (ended == -ETIMEDOUT)
			objects[n_left++] = objects[i];
		else if (ended < 0)
			r = ended;
	}
	*n = n_left;
	return r < 0 ? r : 0;
}

/* Asleep until the first of them has ended, and then until the first of the rest has: what ends
 * meanwhile wakes nobody. */
static int wait_for_all(const struct wait *wait)
{
	struct object *left[MAXIMUM_WAIT_OBJECTS] = { NULL };
	struct wait first = *wait;
	DWORD n = wait->n;
	int r;

	memcpy(left, wait->objects, n * sizeof(left[0]));
	first.objects = left;
	first.n = 1;
	do {
		r = drop_ended(left, &n);
		if (r < 0 || n == 0)
			return r;
		r = wait_for_any(&first);
	} while (r >= 0);
	return r;
}

int object_wait(struct object *object, int64_t deadline_ns)
{
	struct wait wait = { .objects = &object, .n = 1, .deadline_ns = deadline_ns };

	return wait_for_any(&wait);
}

static bool has_twice(struct object *const *objects, DWORD n)
{
	for (DWORD i = 0; i < n; i++)
		for (DWORD j = i + 1; j < n; j++)
			if (objects[i]->kind == objects[j]->kind && objects[i]->id == objects[j]->id &&
			    objects[i]->thread == objects[j]->thread &&
			    objects[i]->process == objects[j]->process)
				return true;
	return false;
}

/* Processes and threads have an end to wait for. */
static int get_waitable(HANDLE handle, struct object **ret_object)
{
	AUTO_OBJECT struct object *object = NULL;
	int r = object_get(handle, OBJECT_ANY, 0, &object);

	if (r < 0)
		return r;
	if (object->kind != OBJECT_PROCESS && object->kind != OBJECT_THREAD)
		return -EBADF;
	if (!(object->access & SYNCHRONIZE))
		return -EPERM;
	*ret_object = object;
	object = NULL;
	return 0;
}

static int wait_for_handles(DWORD n_handles, const HANDLE *handles, bool for_all, bool is_alertable,
			    int64_t deadline_ns)
{
	struct held nested = { .n = 0 }; /* for a signal handler's wait, in the middle of another */
	struct held *held = own_held.n == 0 ? &own_held : &nested;
	struct wait wait = { .objects = held->objects, .n = n_handles, .deadline_ns = deadline_ns,
			     .is_alertable = is_alertable };
	int r = 0;

	if (has_key && !pthread_getspecific(held_key))
		(void)pthread_setspecific(held_key, &own_held);
	while (r == 0 && held->n < n_handles) {
		r = get_waitable(handles[held->n], &held->objects[held->n]);
		if (r == 0)
			held->n++;
	}
	if (r == 0 && for_all && has_twice(held->objects, n_handles))
		r = -EINVAL;
	if (r == 0)
		r = for_all ? wait_for_all(&wait) : wait_for_any(&wait);
	put_held(held);
	return r;
}

/* The calls are made when nothing is held any more: they may not return. */
static DWORD report_wait(int r)
{
	if (r == -ETIMEDOUT)
		return WAIT_TIMEOUT;
	if (r == -EINTR) {
		apc_run();
		return WAIT_IO_COMPLETION;
	}
	(void)error_report(r, NULL);
	return r < 0 ? WAIT_FAILED : WAIT_OBJECT_0 + (DWORD)r;
}

WINBASEAPI DWORD WINAPI WaitForSingleObjectEx(HANDLE hHandle, DWORD dwMilliseconds, BOOL bAlertable)
{
	return report_wait(wait_for_handles(1, &hHandle, false, bAlertable,
					    deadline_of(dwMilliseconds)));
}

WINBASEAPI DWORD WINAPI WaitForSingleObject(HANDLE hHandle, DWORD dwMilliseconds)
{
	return WaitForSingleObjectEx(hHandle, dwMilliseconds, FALSE);
}

WINBASEAPI DWORD WINAPI WaitForMultipleObjectsEx(DWORD nCount, CONST HANDLE *lpHandles,
						 BOOL bWaitAll, DWORD dwMilliseconds,
						 BOOL bAlertable)
{
	if (nCount == 0 || nCount > MAXIMUM_WAIT_OBJECTS || !lpHandles)
		return report_wait(-EINVAL);
	return report_wait(wait_for_handles(nCount, lpHandles, bWaitAll, bAlertable,
					    deadline_of(dwMilliseconds)));
}

WINBASEAPI DWORD WINAPI WaitForMultipleObjects(DWORD nCount, CONST HANDLE *lpHandles, BOOL bWaitAll,
					       DWORD dwMilliseconds)
{
	return WaitForMultipleObjectsEx(nCount, lpHandles, bWaitAll, dwMilliseconds, FALSE);
}

static void sleep_until(int64_t deadline_ns)
{
	struct timespec ts = { .tv_sec = deadline_ns / NS_PER_S, .tv_nsec = deadline_ns % NS_PER_S };

	/* INFINITE is 292 years. */
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

WINBASEAPI DWORD WINAPI SleepEx(DWORD dwMilliseconds, BOOL bAlertable)
{
	int64_t deadline_ns = deadline_of(dwMilliseconds);

	if (bAlertable && apc_sleep(deadline_ns))
		return report_wait(-EINTR);
	if (dwMilliseconds == 0)
		(void)sched_yield();
	else if (!bAlertable)
		sleep_until(deadline_ns);
	return 0;
}

WINBASEAPI VOID WINAPI Sleep(DWORD dwMilliseconds)
{
	(void)SleepEx(dwMilliseconds, FALSE);
}
