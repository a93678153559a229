/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/thread.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

/* A reaper that is not done by then is kept from it: its process has been stopped, most likely. */
#define REAPER_PATIENCE_NS ((int64_t)NS_PER_S)
/* Its id may be used again just when it is opened: so look once in a while whether it is there. */
#define REAPER_SLICE_NS    (50 * (int64_t)NS_PER_MS)
#define POLL_NAP_NS        100000
/*
 * So long after its begin a thread is waited for awake, and so long its reaper: to fall asleep, and to
 * be woken up on a processor that has nothing else to do, takes longer than those that only answer a
 * question live.  Counted from then, not from the wait's begin: who waits often does not pay often.
 */
#define YOUNG_NS           100000
#define REAPER_AWAKE_NS    50000
#define LONG_YIELD_NS      300000
#define BUSY_NS            (200 * NS_PER_MS)

int open_thread_fd(pid_t pid, pid_t tid, bool *ret_is_process)
{
	int fd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD);

	*ret_is_process = false;
	if (fd < 0 && errno == EINVAL) { /* before Linux 6.9 */
		*ret_is_process = true;
		fd = (int)syscall(SYS_pidfd_open, pid, 0);
	}
	if (fd < 0)
		return -errno;
	fd = descriptor_above_stdio(fd);
	return fd < 0 ? -errno : fd;
}

uint32_t thread_change_verdict(struct mailbox *box, uint32_t from, uint32_t to)
{
	if (!__atomic_compare_exchange_n(&box->verdict, &from, to, 0, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		return from;
	return to;
}

void thread_wake(struct mailbox *box)
{
	(void)syscall(SYS_futex, &box->verdict, FUTEX_WAKE, 1, NULL, NULL, 0);
}

uint32_t thread_decide(struct mailbox *box, uint32_t from, uint32_t to)
{
	uint32_t now = thread_change_verdict(box, from, to);

	if (now == to)
		thread_wake(box);
	return now;
}

bool thread_commit(struct mailbox *box, bool is_suspended)
{
	uint32_t verdict = is_suspended ? AGENT_VERDICT_SUSPEND : AGENT_VERDICT_RUN;

	if (is_suspended)
		box->park.word = PARK_SUSPENDED_ONCE;
	return thread_change_verdict(box, AGENT_VERDICT_NONE, verdict) == verdict;
}

/* The word that a suspended thread waits on becomes another one, of that count less @n. */
static void take_suspensions(struct mailbox *box, uint32_t word, int n)
{
	while (!__atomic_compare_exchange_n(&box->park.word, &word,
					    word + (uint32_t)n * PARK_RESUMED_ONCE, 0,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
	(void)syscall(SYS_futex, &box->park.word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

uint32_t thread_dismiss_suspended(struct mailbox *box, const uint64_t *value)
{
	uint32_t now = thread_change_verdict(box, AGENT_VERDICT_SUSPEND, AGENT_VERDICT_LEAVE);

	if (now != AGENT_VERDICT_LEAVE)
		return now;
	if (value) {
		box->value = *value;
		__atomic_store_n(&box->end, AGENT_RETURNED, __ATOMIC_RELEASE);
	}
	/* It has waited for another word, and looks at the verdict. */
	take_suspensions(box, __atomic_load_n(&box->park.word, __ATOMIC_ACQUIRE), 1);
	return now;
}

pid_t tendril_thread_tid(const struct tendril_thread *thread)
{
	return thread->tid;
}

int tendril_thread_fd(const struct tendril_thread *thread)
{
	return thread->fd;
}

pid_t tendril_thread_process_id(const struct tendril_thread *thread)
{
	return thread->pid;
}

/* Where a thread has no descriptor of its own, its id says whether it lives; a number used again
 * within the same process would have to be ours to fool this, and ours are told by the mailbox. */
static bool has_exited(const struct tendril_thread *thread, int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (poll(&pfd, 1, timeout_ms) > 0 && (pfd.revents & POLLIN))
		return true;
	return thread->fd_is_process &&
	       syscall(SYS_tgkill, thread->pid, thread->tid, 0) < 0 && errno == ESRCH;
}

bool thread_has_ended(const struct tendril_thread *thread, int fd)
{
	return has_exited(thread, fd, 0);
}

static int64_t earlier(int64_t a_ns, int64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

/*
 * Whom we wait for may have come to our processor, so let it run.  But where others have work that gives
 * away a whole slice, milliseconds: after one of those it is better to sleep, for some time to come.
 */
static _Atomic int64_t busy_until_ns;

static bool yields_soon(void)
{
	int64_t begun_ns = now_ns(), now;

	if (begun_ns < busy_until_ns)
		return false;
	(void)sched_yield();
	now = now_ns();
	if (now - begun_ns > LONG_YIELD_NS)
		busy_until_ns = now + BUSY_NS;
	return true;
}

void thread_await_awake(const struct tendril_thread *thread, int fd, int64_t deadline_ns)
{
	int64_t until_ns = earlier(deadline_ns, thread->begun_ns + YOUNG_NS);

	while (now_ns() < until_ns && !has_exited(thread, fd, 0) && yields_soon())
		;
}

static bool wait_for_exit(const struct tendril_thread *thread, int fd, int64_t deadline_ns)
{
	thread_await_awake(thread, fd, deadline_ns);
	for (;;) {
		int64_t left_ns = deadline_ns - now_ns();
		int slice_ms = thread->fd_is_process ? 1 : 60000;

		if (left_ns < slice_ms * (int64_t)NS_PER_MS)
			slice_ms = left_ns <= 0 ? 0 : (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS);
		if (has_exited(thread, fd, slice_ms))
			return true;
		if (now_ns() >= deadline_ns)
			return false;
	}
}

bool thread_is_settled(const struct tendril_thread *thread)
{
	return __atomic_load_n(&thread->is_settled, __ATOMIC_ACQUIRE);
}

/*
 * The reaper unmaps the thread's stack right after it, and ends.  (If its id has been used again in
 * the same process, it seems to be at work for longer: that is what the patience is for, too.)
 */
static bool is_reaper_at_work(const struct tendril_thread *thread)
{
	pid_t reaper = thread->box ? __atomic_load_n(&thread->box->reaper_tid, __ATOMIC_ACQUIRE)
				   : 0;
	uint8_t byte;
	struct iovec here = { &byte, 1 }, there = { (void *)(uintptr_t)thread->arena, 1 };

	if (reaper <= 0 || thread->local)
		return false;
	if (thread->same_pid_namespace)
		return syscall(SYS_tgkill, thread->pid, reaper, 0) == 0 || errno != ESRCH;
	return process_vm_readv(thread->pid, &here, 1, &there, 1, 0) == 1;
}

static void await_reaper(const struct tendril_thread *thread, int64_t until_ns)
{
	pid_t reaper = __atomic_load_n(&thread->box->reaper_tid, __ATOMIC_ACQUIRE);
	int64_t left_ns = earlier(until_ns - now_ns(), REAPER_SLICE_NS);
	struct timespec left = { .tv_nsec = left_ns > 0 ? left_ns : 0 };
	struct pollfd pollfd = { .fd = -1, .events = POLLIN };
	bool is_process = false;
	AUTO_CLOSE int fd = -1;

	if (thread->same_pid_namespace)
		fd = open_thread_fd(thread->pid, reaper, &is_process);
	if (fd < 0 || is_process) {
		nap_ns(earlier(POLL_NAP_NS, left.tv_nsec));
		return;
	}
	pollfd.fd = fd;
	(void)ppoll(&pollfd, 1, &left, NULL);
}

/* When the thread was first seen to have ended. */
static int64_t end_seen_ns(struct tendril_thread *thread)
{
	int64_t seen_ns = 0, now = now_ns();

	if (__atomic_compare_exchange_n(&thread->end_seen_ns, &seen_ns, now, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return now;
	return seen_ns;
}

int thread_settle(struct tendril_thread *thread, int64_t until_ns)
{
	while (!thread_is_settled(thread)) {
		int64_t given_up_ns;

		if (is_reaper_at_work(thread)) {
			given_up_ns = end_seen_ns(thread) + REAPER_PATIENCE_NS;
			if (now_ns() < given_up_ns && now_ns() >= until_ns)
				return -ETIMEDOUT;
			if (now_ns() < end_seen_ns(thread) + REAPER_AWAKE_NS && yields_soon())
				continue;
			if (now_ns() < given_up_ns) {
				await_reaper(thread, earlier(until_ns, given_up_ns));
				continue;
			}
		}
		__atomic_store_n(&thread->is_settled, true, __ATOMIC_RELEASE);
	}
	return 0;
}

int thread_wait_by(struct tendril_thread *thread, int fd, int64_t timeout_ms)
{
	int64_t deadline_ns = INT64_MAX, now = now_ns();

	if (timeout_ms >= 0 && timeout_ms < (INT64_MAX - now) / NS_PER_MS)
		deadline_ns = now + timeout_ms * NS_PER_MS;
	return wait_for_exit(thread, fd, deadline_ns) ? thread_settle(thread, deadline_ns)
						      : -ETIMEDOUT;
}

int tendril_thread_wait(struct tendril_thread *thread, int64_t timeout_ms)
{
	return thread_wait_by(thread, thread->fd, timeout_ms);
}

int thread_value_by(struct tendril_thread *thread, int fd, uint64_t *ret_value)
{
	uint32_t end;

	if (!has_exited(thread, fd, 0))
		return -EAGAIN;
	if (!thread->box)
		return -ESRCH;
	end = __atomic_load_n(&thread->box->end, __ATOMIC_ACQUIRE);
	if (end != AGENT_RETURNED)
		return -ESRCH;
	*ret_value = thread->box->value;
	return 0;
}

int tendril_thread_value(struct tendril_thread *thread, uint64_t *ret_value)
{
	return thread_value_by(thread, thread->fd, ret_value);
}

int thread_resume_by(struct tendril_thread *thread, int fd)
{
	struct mailbox *box = thread->box;
	uint32_t word;
	int left;

	if (!box || __atomic_load_n(&box->verdict, __ATOMIC_ACQUIRE) == AGENT_VERDICT_RUN)
		return -EALREADY;
	if (has_exited(thread, fd, 0))
		return -ESRCH;
	word = __atomic_load_n(&box->park.word, __ATOMIC_ACQUIRE);
	do {
		left = park_count(word) - 1;
		if (left < 0)
			return -EALREADY;
	} while (!__atomic_compare_exchange_n(&box->park.word, &word, word + PARK_RESUMED_ONCE, 0,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	(void)syscall(SYS_futex, &box->park.word, FUTEX_WAKE, 1, NULL, NULL, 0);
	if (left > 0)
		return left;
	return thread_change_verdict(box, AGENT_VERDICT_SUSPEND, AGENT_VERDICT_RUN) ==
			       AGENT_VERDICT_RUN
		       ? 0
		       : -ESRCH;
}

int tendril_thread_resume(struct tendril_thread *thread)
{
	return thread_resume_by(thread, thread->fd);
}

struct tendril_thread *thread_new_bare(pid_t pid, pid_t tid, bool fd_is_process)
{
	struct tendril_thread *thread = calloc(1, sizeof(*thread));

	if (!thread)
		return NULL;
	thread->fd = -1;
	thread->fd_is_process = fd_is_process;
	thread->pid = pid;
	thread->tid = tid;
	thread->same_pid_namespace = true;
	thread->cost.size = sizeof(thread->cost);
	return thread;
}

void tendril_thread_close(struct tendril_thread *thread)
{
	if (!thread)
		return;
	/* Its creator alone has promised to resume it: it would stay for as long as the target does. */
	if (thread->box && !thread->stays)
		(void)thread_dismiss_suspended(thread->box, NULL);
	close_keeping_errno(thread->fd);
	if (thread->local)
		local_release(thread->local);
	else if (thread->box)
		(void)munmap(thread->box, MAILBOX_BYTES);
	free(thread);
}

int tendril_thread_cost(const struct tendril_thread *thread, struct tendril_cost *ret_cost)
{
	size_t size = ret_cost->size < sizeof(*ret_cost) ? ret_cost->size : sizeof(*ret_cost);

	if (size < sizeof(size_t))
		return -EINVAL;
	memcpy(ret_cost, &thread->cost, size);
	ret_cost->size = size;
	return 0;
}
