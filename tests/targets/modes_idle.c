/* SPDX-License-Identifier: BSD-2-Clause */
/* modes_idle.c - asleep in the kernel, each in another call */
#include "victim.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SLEEP_MS 250

static int never_ready; /* nothing is ever written to it */
static int epoll_fd;
static int listener;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never;
static bool woken_up;

static void need(bool good)
{
	if (!good)
		_exit(1);
}

static void prepare_fd(void)
{
	never_ready = eventfd(0, EFD_CLOEXEC);
	need(never_ready >= 0);
}

static void prepare_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN };

	prepare_fd();
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	need(epoll_fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, never_ready, &event) == 0);
}

static void prepare_accept(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX }; /* autobind: a name of its own */

	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	need(listener >= 0);
	need(bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0);
	need(listen(listener, 5) == 0);
}

static void prepare_cond(void)
{
	pthread_condattr_t attr;

	need(pthread_condattr_init(&attr) == 0);
	need(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	need(pthread_cond_init(&never, &attr) == 0);
}

/* A call that sleeps for ever may end only when a command is there. */
static void must_sleep_on(const struct worker *worker, const char *call, long ret)
{
	if (ret >= 0)
		victim_bad("%s returned %ld, and nothing happened", call, ret);
	else if (errno == EINTR)
		victim_interrupted(worker, call);
	else
		victim_bad("%s: error %d", call, errno);
}

static void must_time_out(const struct worker *worker, const char *call, long ret, int64_t begin_ns)
{
	if (ret != 0)
		must_sleep_on(worker, call, ret);
	victim_slept(worker, call, begin_ns, SLEEP_MS);
}

static void round_epoll(struct worker *worker)
{
	struct epoll_event events[4];

	must_sleep_on(worker, "epoll_wait", epoll_wait(epoll_fd, events, 4, -1));
}

static void round_epoll_timeout(struct worker *worker)
{
	struct epoll_event events[4];
	int64_t begin_ns = victim_now_ns();

	must_time_out(worker, "epoll_wait", epoll_wait(epoll_fd, events, 4, SLEEP_MS), begin_ns);
}

static void round_pause(struct worker *worker)
{
	must_sleep_on(worker, "pause", pause());
}

static void round_nanosleep(struct worker *worker)
{
	const struct timespec asked = { .tv_nsec = SLEEP_MS * 1000000 };
	struct timespec left = { 0 };
	int64_t begin_ns = victim_now_ns();

	must_time_out(worker, "nanosleep", nanosleep(&asked, &left), begin_ns);
}

static void round_poll(struct worker *worker)
{
	struct pollfd fd = { .fd = never_ready, .events = POLLIN };
	int64_t begin_ns = victim_now_ns();

	must_time_out(worker, "poll", poll(&fd, 1, SLEEP_MS), begin_ns);
}

static void round_select(struct worker *worker)
{
	struct timeval left = { .tv_usec = SLEEP_MS * 1000 };
	int64_t begin_ns = victim_now_ns();
	fd_set fds;

	FD_ZERO(&fds);
	FD_SET(never_ready, &fds);
	must_time_out(worker, "select", select(never_ready + 1, &fds, NULL, NULL, &left), begin_ns);
}

static void round_read(struct worker *worker)
{
	uint64_t value;

	must_sleep_on(worker, "read", read(never_ready, &value, sizeof(value)));
}

static void round_accept(struct worker *worker)
{
	must_sleep_on(worker, "accept", accept(listener, NULL, NULL));
}

static struct timespec monotonic_in(int ms)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += ms * 1000000;
	at.tv_sec += at.tv_nsec / 1000000000;
	at.tv_nsec %= 1000000000;
	return at;
}

/* A condition variable knows no signals: worker 0 looks round for commands in between. */
static void round_cond(struct worker *worker)
{
	int64_t begin_ns = victim_now_ns();
	struct timespec at = monotonic_in(SLEEP_MS);
	int r = 0;

	pthread_mutex_lock(&lock);
	while (!woken_up && r == 0)
		r = worker->index == 0 ? pthread_cond_timedwait(&never, &lock, &at)
				       : pthread_cond_wait(&never, &lock);
	pthread_mutex_unlock(&lock);
	if (r != ETIMEDOUT)
		victim_bad("condition variable: error %d", r);
	victim_slept(worker, "pthread_cond_timedwait", begin_ns, SLEEP_MS);
}

const struct mode idle_modes[] = {
	{ "idle-epoll", MODE_SLEEPS, prepare_epoll, round_epoll, NULL },
	{ "idle-epoll-timeout", MODE_BUSY, prepare_epoll, round_epoll_timeout, NULL },
	{ "idle-pause", MODE_SLEEPS, NULL, round_pause, NULL },
	{ "idle-nanosleep", MODE_BUSY, NULL, round_nanosleep, NULL },
	{ "idle-poll", MODE_BUSY, prepare_fd, round_poll, NULL },
	{ "idle-select", MODE_BUSY, prepare_fd, round_select, NULL },
	{ "idle-read", MODE_SLEEPS, prepare_fd, round_read, NULL },
	{ "idle-accept", MODE_SLEEPS, prepare_accept, round_accept, NULL },
	{ "idle-cond", MODE_SLEEPS, prepare_cond, round_cond, NULL },
	{ NULL },
};
