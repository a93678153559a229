/* SPDX-License-Identifier: BSD-2-Clause */
/* modes_signals.c - signals that must arrive, once each, and calls that must not notice */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define QUEUED (SIGRTMIN + 3)

static int pipe_fds[2];
static atomic_ulong sent, received, sum_sent, sum_received;
static atomic_ulong alarms;
static timer_t timer;

/* Each tick queues one real-time signal with a number, and now and then wakes a reader. */
static void on_tick(int signal)
{
	int saved = errno;
	unsigned long n = atomic_fetch_add(&alarms, 1) + 1;
	union sigval value = { .sival_ptr = (void *)n };

	if (sigqueue(getpid(), QUEUED, value) == 0) {
		atomic_fetch_add(&sent, 1);
		atomic_fetch_add(&sum_sent, n);
	}
	if (n % 4 == 0 && write(pipe_fds[1], "x", 1) < 0 && errno != EAGAIN)
		victim_bad("write in a handler: error %d", errno);
	errno = saved;
}

static void on_queued(int signal, siginfo_t *info, void *context)
{
	if (info->si_code != SI_QUEUE || info->si_pid != getpid())
		victim_bad("a queued signal came from elsewhere (code %d)", info->si_code);
	atomic_fetch_add(&received, 1);
	atomic_fetch_add(&sum_received, (unsigned long)info->si_value.sival_ptr);
}

static void catch(int signal, void (*plain)(int), void (*full)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_flags = SA_RESTART };

	if (full) {
		action.sa_sigaction = full;
		action.sa_flags |= SA_SIGINFO;
	} else {
		action.sa_handler = plain;
	}
	if (sigaction(signal, &action, NULL) != 0)
		_exit(1);
}

static void set_ticks(int us)
{
	const struct itimerval interval = { .it_interval.tv_usec = us, .it_value.tv_usec = us };

	(void)setitimer(ITIMER_REAL, &interval, NULL);
}

static void prepare_storm(void)
{
	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		_exit(1);
	(void)fcntl(pipe_fds[1], F_SETFL, O_NONBLOCK);
	catch(QUEUED, NULL, on_queued);
	catch(SIGALRM, on_tick, NULL);
	set_ticks(1000);
}

/* With SA_RESTART no read may see EINTR; SIGUSR1 has no such flag. */
static void round_storm(struct worker *worker)
{
	char c = 0;
	ssize_t n = read(pipe_fds[0], &c, 1);
	volatile unsigned long spin = 0;
	char *block;

	if (n < 0 && errno == EINTR)
		victim_interrupted(worker, "read");
	else if (n != 1 || c != 'x')
		victim_bad("read under signals: %zd, %#x", n, (unsigned int)c);
	while (spin < 20000)
		spin++;
	block = malloc(spin % 1000 + 1);
	if (block)
		memset(block, 1, spin % 1000 + 1);
	free(block);
}

/* Let the storm pass, then count.  Two more bytes, should a worker sleep without them. */
static void check_storm(void)
{
	int64_t deadline_ns = victim_now_ns() + INT64_C(5000000000);
	const struct timespec nap = { .tv_nsec = 1000000 };

	set_ticks(0);
	while (atomic_load(&received) != atomic_load(&sent) && victim_now_ns() < deadline_ns)
		(void)nanosleep(&nap, NULL);
	if (atomic_load(&received) != atomic_load(&sent))
		victim_bad("%lu signals sent, %lu received", atomic_load(&sent),
			   atomic_load(&received));
	else if (atomic_load(&sum_received) != atomic_load(&sum_sent))
		victim_bad("signals with other numbers than were sent");
	set_ticks(1000);
}

/* --- one signal, and nothing else to wake up by ------------------------------------------- */

static void on_alarm(int signal)
{
	atomic_fetch_add(&alarms, 1);
}

/* The timer's second shot comes to the rescue of a lost first one, and is complained of. */
static void arm_timer(int ms)
{
	struct itimerspec once = {
		.it_value.tv_nsec = ms * 1000000,
		.it_interval.tv_sec = 3,
	};

	(void)timer_settime(timer, 0, &once, NULL);
}

static void disarm_timer(void)
{
	struct itimerspec off = { 0 };

	(void)timer_settime(timer, 0, &off, NULL);
}

static void prepare_alarm(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	struct sigaction action = { .sa_handler = on_alarm };

	if (sigaction(SIGALRM, &action, NULL) != 0 ||
	    timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
		_exit(1);
}

static void was_woken(struct worker *worker, const char *call, unsigned long before,
		      int64_t begin_ns)
{
	if (victim_is_told(worker))
		return;
	if (atomic_load(&alarms) == before)
		victim_bad("%s ended without a signal", call);
	else if (victim_now_ns() - begin_ns > INT64_C(2500000000))
		victim_bad("%s slept through its signal", call);
}

static void pause_without_alarm(void)
{
	sigset_t alarm_only;

	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	(void)pthread_sigmask(SIG_BLOCK, &alarm_only, NULL);
	(void)pause();
}

/* 20 ms: far longer than anybody keeps a thread between the two calls. */
static void round_pause(struct worker *worker)
{
	unsigned long before = atomic_load(&alarms);
	int64_t begin_ns = victim_now_ns();

	if (worker->index != 0) { /* the signal is the main thread's */
		pause_without_alarm();
		return;
	}
	arm_timer(20);
	(void)pause();
	disarm_timer();
	was_woken(worker, "pause", before, begin_ns);
}

static void round_suspend(struct worker *worker)
{
	unsigned long before = atomic_load(&alarms);
	int64_t begin_ns = victim_now_ns();
	sigset_t alarm_only, old, now;

	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	(void)pthread_sigmask(SIG_BLOCK, &alarm_only, &old);
	if (worker->index != 0) {
		sigaddset(&old, SIGALRM);
		(void)sigsuspend(&old);
		return;
	}
	arm_timer(2);
	sigdelset(&old, SIGALRM);
	(void)sigsuspend(&old);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &now);
	if (!sigismember(&now, SIGALRM))
		victim_bad("the signal mask of before sigsuspend() did not come back");
	(void)pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
	disarm_timer();
	was_woken(worker, "sigsuspend", before, begin_ns);
}

const struct mode signal_modes[] = {
	{ "signals", MODE_BUSY, prepare_storm, round_storm, check_storm },
	{ "alarm-pause", MODE_SLEEPS, prepare_alarm, round_pause, NULL },
	{ "alarm-suspend", MODE_SLEEPS, prepare_alarm, round_suspend, NULL },
	{ NULL },
};
