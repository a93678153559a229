/* SPDX-License-Identifier: BSD-2-Clause */
/* test_suspend.c - threads of live victims suspended, resumed and ended; nothing stays, nothing is
 * lost */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <tendril/tendril.h>

#include "inject.h"
#include "support.h"

#define WAIT_MS 10000

struct world {
	struct target victim;
	struct tendril_target *target;
	struct tendril_error error;
	unsigned int flags;
	int own_handles;
	int own_threads;
};

static struct snapshot *before, *after;
static struct world w; /* of the running test */
static char why[WHY_BYTES];

static const struct tendril_options patient = {.size = sizeof(patient), .timeout_ms = 30000};

static int setup_group(void **state)
{
	before = snapshot_new();
	after = snapshot_new();
	return before && after ? 0 : -1;
}

static int teardown_group(void **state)
{
	snapshot_free(before);
	snapshot_free(after);
	return 0;
}

static uint64_t address_of(const char *symbol)
{
	uint64_t address = 0;

	if (tendril_resolve(w.target, symbol, &address, &w.error) < 0)
		fail_msg("tendril_resolve(%s): %s", symbol, w.error.text);
	return address;
}

/* What the victim's C library keeps after its first thread is its own. */
static void begin_program(const char *program, const char *mode, unsigned int threads)
{
	struct target_start how = {.mode = mode, .threads = threads};

	assert_int_equal(target_start(&w.victim, &how), 0);
	w.flags = snapshot_flags_of(mode);
	w.own_handles = count_handles(getpid());
	w.own_threads = count_threads(getpid());
	assert_int_equal(tendril_open(w.victim.pid, &patient, &w.target, &w.error), 0);
	assert_int_equal(tendril_call(w.target, address_of("victim_pthread_works"), NULL, 0,
				      WAIT_MS, NULL, &w.error),
			 0);
	if (!target_is_well(&w.victim, why))
		fail_msg("%s", why);
	assert_int_equal(snapshot_settle(before, after, w.victim.pid, w.flags), 0);
}

static void begin(const char *mode, unsigned int threads)
{
	begin_program(NULL, mode, threads);
}

static void end(void)
{
	tendril_close(w.target);
	w.target = NULL;
	if (!target_is_well(&w.victim, why))
		fail_msg("the target complains: %s", why);
	if (!becomes_same(before, after, w.victim.pid, w.flags, 3000, why))
		fail_msg("left in the target: %s", why);
	assert_int_equal(count_handles(getpid()), w.own_handles);
	assert_int_equal(count_threads(getpid()), w.own_threads);
	target_end(&w.victim);
}

static uint32_t suspend(pid_t tid)
{
	uint32_t previous = 999;
	int r = tendril_suspend(w.target, tid, &previous, &w.error);

	if (r < 0)
		fail_msg("%s: tendril_suspend: %d: %s", w.victim.mode, r, w.error.text);
	return previous;
}

static uint32_t resume(pid_t tid)
{
	uint32_t previous = 999;
	int r = tendril_resume(w.target, tid, &previous, &w.error);

	if (r < 0)
		fail_msg("%s: tendril_resume: %d: %s", w.victim.mode, r, w.error.text);
	return previous;
}

static struct tendril_thread *create(const char *function, uint64_t param, uint32_t flags)
{
	const struct tendril_thread_options options = {.size = sizeof(options), .flags = flags};
	struct tendril_thread *thread = NULL;
	int r = tendril_create(w.target, address_of(function), param, &options, &thread, &w.error);

	if (r < 0)
		fail_msg("tendril_create(%s): %d: %s", function, r, w.error.text);
	return thread;
}

static uint64_t finish(struct tendril_thread *thread)
{
	uint64_t value = 0;

	assert_int_equal(tendril_thread_wait(thread, WAIT_MS), 0);
	assert_int_equal(tendril_thread_value(thread, &value), 0);
	tendril_thread_close(thread);
	return value;
}

/* "running", or the call that it sleeps in and its arguments. */
static void read_call(pid_t tid, char text[256])
{
	char path[64];
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", (int)w.victim.pid, (int)tid);
	text[0] = '\0';
	file = fopen(path, "re");
	if (!file)
		return;
	(void)!fgets(text, 256, file);
	(void)fclose(file);
}

/* As soon as it has gone to sleep. */
static void assert_waits_in_futex(pid_t tid)
{
	int64_t deadline_ns = deadline_in_ms(WAIT_MS);
	char text[256];

	do {
		read_call(tid, text);
		if (strncmp(text, "202 ", 4) == 0)
			return;
	} while (support_again(deadline_ns));
	fail_msg("%s: thread %d does not wait, but: %s", w.victim.mode, (int)tid, text);
}

/* --- suspend and resume ------------------------------------------------------------------ */

static const char *const modes[] = {
	"idle-epoll",	 "idle-epoll-timeout",
	"idle-pause",	 "idle-nanosleep",
	"idle-poll",	 "idle-select",
	"idle-read",	 "idle-accept",
	"idle-cond",	 "malloc",
	"dlopen",	 "pthread",
	"stdio",	 "fork",
	"signals",	 "alarm-pause",
	"alarm-suspend", "spin",
	"gap",		 "rseq",
};

static void test_a_thread_goes_on_as_if_nothing_had_been(void **state)
{
	for (size_t i = 0; i < ARRAY_LENGTH(modes); i++)
		for (unsigned int threads = 1; threads <= 4; threads += 3) {
			begin(modes[i], threads);
			for (int n = 0; n < 20; n++) {
				assert_int_equal(suspend(w.victim.pid), 0);
				assert_waits_in_futex(w.victim.pid);
				assert_int_equal(resume(w.victim.pid), 1);
			}
			end();
		}
}

static void test_a_thousand_times_in_a_row(void **state)
{
	static const char *const some[] = {"idle-nanosleep", "idle-poll", "idle-epoll",
					   "spin",	     "malloc",	  "rseq"};

	for (size_t i = 0; i < ARRAY_LENGTH(some); i++) {
		begin(some[i], 1);
		for (int n = 0; n < (i == 0 ? 1000 : 200); n++) {
			assert_int_equal(suspend(w.victim.pid), 0);
			assert_int_equal(resume(w.victim.pid), 1);
		}
		end();
	}
}

static void test_suspensions_are_counted(void **state)
{
	begin("idle-nanosleep", 1);
	for (uint32_t n = 0; n < 127; n++)
		assert_int_equal(suspend(w.victim.pid), n);
	assert_int_equal(tendril_suspend(w.target, w.victim.pid, NULL, &w.error), -EOVERFLOW);
	for (uint32_t n = 127; n > 0; n--) {
		assert_waits_in_futex(w.victim.pid);
		assert_int_equal(resume(w.victim.pid), n);
	}
	assert_int_equal(resume(w.victim.pid), 0);
	end();
}

/* Suspend and resume it for ever. */
static void torment(pid_t pid, int mode)
{
	struct tendril_target *target = NULL;

	if (tendril_open(pid, NULL, &target, NULL) < 0)
		_exit(1);
	for (;;) {
		(void)tendril_suspend(target, pid, NULL, NULL);
		if (mode)
			(void)tendril_suspend(target, pid, NULL, NULL);
		(void)tendril_resume(target, pid, NULL, NULL);
		if (mode)
			(void)tendril_resume(target, pid, NULL, NULL);
	}
}

/* What is left is a thread that runs, or that is suspended so often as it says. */
static void resume_all(pid_t tid)
{
	uint32_t previous = 1, n = 0;

	for (uint32_t expected = 0; previous > 1 || n == 0; n++, expected = previous - 1) {
		previous = resume(tid);
		if (n > 0)
			assert_int_equal(previous, expected);
		assert_in_range(previous, 0, 3);
	}
	assert_int_equal(resume(tid), 0);
}

static void test_whoever_suspends_may_be_killed_at_any_time(void **state)
{
	static const char *const some[] = { "idle-nanosleep", "idle-epoll", "spin",
					    "malloc",	      "rseq",	    "signals" };
	unsigned int seed = 7, n_left = 0;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(some); i++) {
		begin(some[i], 1);
		for (int n = 0; n < 50; n++) {
			uint32_t previous;
			pid_t child = fork();

			assert_true(child >= 0);
			(void)setpgid(child, child == 0 ? 0 : child);
			if (child == 0)
				torment(w.victim.pid, n % 2);
			(void)usleep((useconds_t)(rand_r(&seed) % 4000));
			(void)kill(child, SIGKILL);
			/* It, and who did it on its behalf. */
			while (waitpid(-child, NULL, __WALL) > 0)
				;
			assert_int_equal(errno, ECHILD);
			previous = suspend(w.victim.pid);
			n_left += previous > 0;
			resume_all(w.victim.pid);
			assert_int_equal(status_number(w.victim.pid, "TracerPid"), 0);
		}
		end();
	}
	assert_in_range(n_left, 1, 299); /* or the killing came always too late, or too soon */
}

/* 0: as it should be; 1: refused on the way; else wrong. */
static int suspend_and_resume(void *param)
{
	int handles = count_handles(getpid());
	struct tendril_target *target = NULL;
	pid_t pid = *(const pid_t *)param;
	int r;

	inject_mark(true);
	r = tendril_open(pid, NULL, &target, NULL);
	for (int i = 0; r == 0 && i < 2; i++)
		r = tendril_suspend(target, pid, NULL, NULL);
	for (int i = 0; r == 0 && i < 2; i++)
		r = tendril_resume(target, pid, NULL, NULL);
	tendril_close(target);
	inject_mark(false);
	if (count_handles(getpid()) != handles)
		return 3;
	return r < 0;
}

static void inject_everywhere(const char *mode, enum inject_how how)
{
	struct inject_result result;
	unsigned int n_injected = 0, k = 0;

	begin(mode, 1);
	do {
		k++;
		inject_run(suspend_and_resume, &w.victim.pid, how, k, &result);
		n_injected += result.was_injected;
		if (result.hung)
			fail_msg("%s: hung at call %u (%ld)", mode, k, result.number);
		if (how == INJECT_ERROR && !(WIFEXITED(result.status) && WEXITSTATUS(result.status) < 2))
			fail_msg("%s: call %u (%ld): status %x", mode, k, result.number,
				 (unsigned int)result.status);
		resume_all(w.victim.pid);
		if (!target_is_well(&w.victim, why))
			fail_msg("%s: call %u (%ld): %s", mode, k, result.number, why);
	} while (result.n_calls >= k);
	assert_in_range(n_injected, 50, 100000);
	end();
}

static void test_whoever_suspends_is_killed_before_every_system_call(void **state)
{
	inject_everywhere("idle-nanosleep", INJECT_KILL_BEFORE);
	inject_everywhere("spin", INJECT_KILL_BEFORE);
}

static void test_whoever_suspends_is_killed_after_every_system_call(void **state)
{
	inject_everywhere("idle-nanosleep", INJECT_KILL_AFTER);
	inject_everywhere("spin", INJECT_KILL_AFTER);
}

static void test_every_system_call_of_whoever_suspends_fails(void **state)
{
	inject_everywhere("idle-nanosleep", INJECT_ERROR);
	inject_everywhere("spin", INJECT_ERROR);
}

/* --- created suspended ------------------------------------------------------------------- */

static void test_created_suspended_is_the_same_count(void **state)
{
	struct tendril_thread *thread;
	pid_t tid;

	begin("idle-epoll", 1);
	thread = create("victim_count", 0, TENDRIL_THREAD_SUSPENDED | TENDRIL_THREAD_STAY);
	tid = tendril_thread_tid(thread);
	assert_int_equal(suspend(tid), 1);
	assert_int_equal(suspend(tid), 2);
	assert_int_equal(tendril_thread_resume(thread), 2);
	assert_int_equal(resume(tid), 2);
	assert_int_equal(target_ask_number(&w.victim, "count"), 0);
	assert_int_equal(resume(tid), 1);
	assert_int_equal(finish(thread), 1);
	thread = create("victim_count", 0, TENDRIL_THREAD_SUSPENDED | TENDRIL_THREAD_STAY);
	assert_int_equal(suspend(tendril_thread_tid(thread)), 1);
	assert_int_equal(tendril_thread_resume(thread), 1);
	assert_int_equal(tendril_thread_resume(thread), 0);
	assert_int_equal(tendril_thread_resume(thread), -EALREADY);
	assert_int_equal(finish(thread), 2);
	end();
}

static void test_it_stays_suspended_when_its_handle_is_closed(void **state)
{
	struct tendril_thread *thread;
	pid_t tid;

	begin("idle-epoll", 1);
	thread = create("victim_count", 0, TENDRIL_THREAD_SUSPENDED | TENDRIL_THREAD_STAY);
	tid = tendril_thread_tid(thread);
	tendril_thread_close(thread);
	assert_waits_in_futex(tid);
	assert_int_equal(target_ask_number(&w.victim, "count"), 0);
	assert_int_equal(resume(tid), 1);
	end();
}

/* A new thread is made although all are suspended; and they stay so. */
static void test_a_thread_is_made_while_all_are_suspended(void **state)
{
	begin("idle-nanosleep", 1);
	assert_int_equal(suspend(w.victim.pid), 0);
	assert_int_equal(suspend(w.victim.pid), 1);
	for (uint64_t n = 1; n <= 20; n++)
		assert_int_equal(finish(create("victim_count", 0, 0)), n);
	assert_waits_in_futex(w.victim.pid);
	assert_int_equal(resume(w.victim.pid), 2);
	assert_int_equal(resume(w.victim.pid), 1);
	end();
}

/* --- terminate --------------------------------------------------------------------------- */

static const char *const endless[] = {"victim_spin", "victim_sleep", "victim_allocate",
				      "victim_block", "victim_wait_for_lock"};

static void terminate(struct tendril_thread *thread, uint64_t value)
{
	int r = tendril_thread_terminate(w.target, thread, value, &w.error);

	if (r < 0)
		fail_msg("%s: tendril_thread_terminate: %d: %s", w.victim.mode, r, w.error.text);
}

static void test_a_terminated_thread_of_ours_has_the_value_and_is_gone(void **state)
{
	begin("idle-epoll", 2);
	for (size_t i = 0; i < ARRAY_LENGTH(endless); i++)
		for (int n = 0; n < 20; n++) {
			struct tendril_thread *thread = create(endless[i], 1, 0);

			terminate(thread, 0xfedcba9876543210);
			assert_int_equal(finish(thread), 0xfedcba9876543210);
		}
	end();
}

/* By the id alone, as of one that was made by somebody else. */
static void test_a_strangers_thread_has_the_value_for_its_creator(void **state)
{
	begin("idle-epoll", 2);
	for (size_t i = 0; i < ARRAY_LENGTH(endless); i++) {
		struct tendril_thread *thread = create(endless[i], 1, 0);

		assert_int_equal(
			tendril_terminate(w.target, tendril_thread_tid(thread), 77, &w.error), 0);
		assert_int_equal(finish(thread), 77);
	}
	end();
}

static void test_a_suspended_thread_can_be_terminated(void **state)
{
	begin("idle-epoll", 2);
	for (size_t i = 0; i < ARRAY_LENGTH(endless); i++) {
		struct tendril_thread *thread = create(endless[i], 1, 0);

		assert_int_equal(suspend(tendril_thread_tid(thread)), 0);
		terminate(thread, 5);
		assert_int_equal(finish(thread), 5);
	}
	end();
}

static void test_one_that_never_ran_never_runs(void **state)
{
	const uint32_t flags[] = {TENDRIL_THREAD_SUSPENDED,
				  TENDRIL_THREAD_SUSPENDED | TENDRIL_THREAD_STAY};

	begin("idle-epoll", 2);
	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
		struct tendril_thread *thread = create("victim_count", 0, flags[i]);

		terminate(thread, 5);
		assert_int_equal(finish(thread), 5);
		thread = create("victim_count", 0, flags[i]);
		assert_int_equal(suspend(tendril_thread_tid(thread)), 1);
		assert_int_equal(
			tendril_terminate(w.target, tendril_thread_tid(thread), 6, &w.error), 0);
		assert_int_equal(finish(thread), 6);
	}
	assert_int_equal(target_ask_number(&w.victim, "count"), 0);
	end();
}

static void wait_until_gone(pid_t tid)
{
	int64_t deadline_ns = deadline_in_ms(WAIT_MS);

	while (syscall(SYS_tgkill, w.victim.pid, tid, 0) == 0)
		assert_true(support_again(deadline_ns));
}

static void test_a_thread_of_the_programs_own_can_be_terminated(void **state)
{
	begin("idle-epoll", 2);
	for (int suspended = 0; suspended < 2; suspended++)
		for (size_t i = 0; i < ARRAY_LENGTH(endless); i++) {
			const struct tendril_argument function = {TENDRIL_INTEGER,
								  .value = address_of(endless[i])};
			uint64_t tid = 0;

			assert_int_equal(tendril_call(w.target, address_of("victim_start"),
						      &function, 1, WAIT_MS, &tid, &w.error),
					 0);
			if (suspended)
				assert_int_equal(suspend((pid_t)tid), 0);
			if (tendril_terminate(w.target, (pid_t)tid, 1, &w.error) < 0)
				fail_msg("%s: %s", endless[i], w.error.text);
			wait_until_gone((pid_t)tid);
			assert_int_equal(tendril_terminate(w.target, (pid_t)tid, 1, &w.error),
					 -ESRCH);
		}
	if (!target_is_well(&w.victim, why))
		fail_msg("%s", why);
	assert_int_equal(count_threads(w.victim.pid), 2);
	tendril_close(w.target);
	target_end(&w.victim);
}

static void test_the_end_of_the_last_thread_is_that_of_the_process(void **state)
{
	struct pollfd end_of_it;

	for (unsigned int threads = 1; threads <= 2; threads++) {
		begin("idle-epoll", threads);
		end_of_it = (struct pollfd){ .fd = tendril_target_fd(w.target), .events = POLLIN };
		if (tendril_terminate(w.target, w.victim.pid, 0, &w.error) < 0)
			fail_msg("%s", w.error.text);
		/* With a second thread, that one lives on. */
		assert_int_equal(poll(&end_of_it, 1, threads == 1 ? WAIT_MS : 50), threads == 1);
		if (threads == 2)
			assert_true(status_is(w.victim.pid, "State", 'Z'));
		tendril_close(w.target);
		target_end(&w.victim);
	}
}

/* 0: it was ended; 1: refused on the way. */
static int terminate_it(void *param)
{
	const pid_t *ids = param;
	struct tendril_target *target = NULL;
	int r;

	inject_mark(true);
	r = tendril_open(ids[0], NULL, &target, NULL);
	if (r == 0)
		r = tendril_terminate(target, ids[1], 9, NULL);
	tendril_close(target);
	inject_mark(false);
	return r < 0;
}

/* Either it was ended, with the value, or it goes on. */
static void break_off_terminating(enum inject_how how, bool is_suspended)
{
	struct inject_result result;
	unsigned int k = 0;

	begin("idle-epoll", 2);
	do {
		struct tendril_thread *thread = create("victim_sleep", 1, 0);
		pid_t ids[2] = { w.victim.pid, tendril_thread_tid(thread) };
		uint64_t value;

		if (is_suspended)
			assert_int_equal(suspend(ids[1]), 0);
		inject_run(terminate_it, ids, how, ++k, &result);
		assert_false(result.hung);
		if (tendril_thread_wait(thread, 0) < 0)
			(void)tendril_thread_terminate(w.target, thread, 9, NULL);
		value = finish(thread);
		assert_int_equal(value, 9);
	} while (result.n_calls >= k);
	end();
}

static void test_whoever_terminates_is_killed_at_every_system_call(void **state)
{
	for (int is_suspended = 0; is_suspended < 2; is_suspended++) {
		break_off_terminating(INJECT_KILL_BEFORE, is_suspended);
		break_off_terminating(INJECT_KILL_AFTER, is_suspended);
	}
}

static void test_every_system_call_of_whoever_terminates_fails(void **state)
{
	break_off_terminating(INJECT_ERROR, false);
	break_off_terminating(INJECT_ERROR, true);
}

/* --- the own process --------------------------------------------------------------------- */

struct self {
	struct tendril_target *target;
	int handles;
	int threads;
};

static struct self begin_self(void)
{
	struct self self = { .handles = count_handles(getpid()), .threads = count_threads(getpid()) };

	assert_int_equal(tendril_open(getpid(), &patient, &self.target, &w.error), 0);
	return self;
}

static void end_self(struct self *self)
{
	int64_t deadline_ns = deadline_in_ms(WAIT_MS);

	tendril_close(self->target);
	while (count_threads(getpid()) != self->threads)
		assert_true(support_again(deadline_ns));
	assert_int_equal(count_handles(getpid()), self->handles);
}

static atomic_ulong rounds;

static void *own_spin(void *param)
{
	for (;;)
		atomic_fetch_add(&rounds, 1);
	return param;
}

static void *own_allocate(void *param)
{
	for (;; atomic_fetch_add(&rounds, 1)) {
		void *volatile block = malloc(10000);

		free(block);
	}
	return param;
}

static void *own_sleep(void *param)
{
	for (;; atomic_fetch_add(&rounds, 1))
		(void)usleep(1000);
	return param;
}

static void await_rounds(unsigned long more)
{
	unsigned long now = atomic_load(&rounds);
	int64_t deadline_ns = deadline_in_ms(WAIT_MS);

	while (atomic_load(&rounds) < now + more)
		assert_true(support_again(deadline_ns));
}

/* Stands still while another thread gets on. */
static void assert_stands_still(void)
{
	unsigned long now = atomic_load(&rounds);

	for (int i = 0; i < 200; i++)
		(void)sched_yield();
	(void)usleep(5000);
	assert_int_equal(atomic_load(&rounds), now);
}

static void *(*const own_endless[])(void *) = { own_spin, own_allocate, own_sleep };

static void test_threads_of_the_own_process_are_suspended_and_ended(void **state)
{
	for (size_t i = 0; i < ARRAY_LENGTH(own_endless); i++) {
		struct self self = begin_self();
		struct tendril_thread *thread = NULL;
		uint32_t previous = 9;
		uint64_t value = 0;
		pid_t tid;

		assert_int_equal(tendril_create(self.target, (uintptr_t)own_endless[i], 0, NULL, &thread,
						&w.error),
				 0);
		tid = tendril_thread_tid(thread);
		for (int n = 0; n < 50; n++) {
			await_rounds(1);
			if (tendril_suspend(self.target, tid, &previous, &w.error) < 0)
				fail_msg("%s", w.error.text);
			assert_int_equal(previous, 0);
			if (n % 10 == 0)
				assert_stands_still();
			assert_int_equal(tendril_resume(self.target, tid, &previous, &w.error), 0);
			assert_int_equal(previous, 1);
		}
		await_rounds(1);
		if (tendril_thread_terminate(self.target, thread, 12345, &w.error) < 0)
			fail_msg("%s", w.error.text);
		assert_int_equal(tendril_thread_wait(thread, WAIT_MS), 0);
		assert_int_equal(tendril_thread_value(thread, &value), 0);
		assert_int_equal(value, 12345);
		tendril_thread_close(thread);
		end_self(&self);
	}
}

static _Atomic pid_t pthread_tid;

static void *tell_and_sleep(void *param)
{
	atomic_store(&pthread_tid, gettid());
	return own_sleep(param);
}

static void test_a_pthread_of_the_own_process_can_be_joined_when_ended(void **state)
{
	struct self self = begin_self();
	pthread_t thread;
	void *value = NULL;

	atomic_store(&pthread_tid, 0);
	assert_int_equal(pthread_create(&thread, NULL, tell_and_sleep, NULL), 0);
	while (atomic_load(&pthread_tid) == 0)
		(void)sched_yield();
	await_rounds(1);
	assert_int_equal(tendril_suspend(self.target, pthread_tid, NULL, &w.error), 0);
	assert_stands_still();
	if (tendril_terminate(self.target, pthread_tid, 99, &w.error) < 0)
		fail_msg("%s", w.error.text);
	assert_int_equal(pthread_join(thread, &value), 0);
	assert_ptr_equal(value, (void *)99);
	end_self(&self);
}

struct sleeper {
	struct tendril_target *target;
	_Atomic pid_t tid;
	atomic_bool is_awake;
	uint32_t previous;
};

static void *suspend_myself(void *param)
{
	struct sleeper *sleeper = param;

	atomic_store(&sleeper->tid, gettid());
	assert_int_equal(tendril_suspend(sleeper->target, gettid(), &sleeper->previous, NULL), 0);
	atomic_store(&sleeper->is_awake, true);
	return NULL;
}

static void test_a_thread_suspends_itself(void **state)
{
	struct self self = begin_self();
	struct sleeper sleeper = { .target = self.target, .previous = 9 };
	int64_t deadline_ns = deadline_in_ms(WAIT_MS);
	uint32_t previous = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, suspend_myself, &sleeper), 0);
	while (previous == 0) {
		assert_true(support_again(deadline_ns));
		if (atomic_load(&sleeper.tid) &&
		    tendril_suspend(self.target, sleeper.tid, &previous, NULL) == 0) {
			assert_false(atomic_load(&sleeper.is_awake));
			assert_int_equal(tendril_resume(self.target, sleeper.tid, NULL, NULL), 0);
		}
	}
	assert_int_equal(previous, 1);
	assert_int_equal(tendril_resume(self.target, sleeper.tid, &previous, NULL), 0);
	assert_int_equal(previous, 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(atomic_load(&sleeper.is_awake));
	assert_int_equal(sleeper.previous, 0);
	end_self(&self);
}

/* --- other kinds of targets -------------------------------------------------------------- */

static void test_musl_target(void **state)
{
	static const char *const some[] = { "idle-nanosleep", "idle-epoll", "spin", "malloc" };
	char path[4096];

	if (!support_find("victim_musl", path))
		SKIP_BECAUSE("no musl-gcc");
	for (size_t i = 0; i < ARRAY_LENGTH(some); i++) {
		struct tendril_thread *thread;

		begin_program("victim_musl", some[i], 2);
		for (int n = 0; n < 50; n++) {
			assert_int_equal(suspend(w.victim.pid), 0);
			assert_int_equal(resume(w.victim.pid), 1);
		}
		for (size_t e = 0; e < ARRAY_LENGTH(endless); e++) {
			thread = create(endless[e], 1, 0);
			if (e % 2)
				assert_int_equal(suspend(tendril_thread_tid(thread)), 0);
			terminate(thread, e + 100);
			assert_int_equal(finish(thread), e + 100);
		}
		end();
	}
}

static void kill_who_calls(int number)
{
	const struct sock_filter program[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (unsigned int)number },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
	};
	const struct sock_fprog fprog = { ARRAY_LENGTH(program), (struct sock_filter *)program };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, 2, &fprog) < 0)
		_exit(1);
}

/* To wait in futex(2) would be the end of it. */
static void test_one_that_a_filter_would_kill_is_refused(void **state)
{
	struct self self = begin_self();
	int64_t deadline_ns = deadline_in_ms(WAIT_MS);
	pid_t child = fork();
	struct tendril_target *target = NULL;

	assert_true(child >= 0);
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		kill_who_calls(SYS_futex);
		for (;;)
			(void)pause();
	}
	while (!status_is(child, "State", 'S') || status_number(child, "Seccomp") != 2)
		assert_true(support_again(deadline_ns));
	assert_int_equal(tendril_open(child, &patient, &target, &w.error), 0);
	assert_int_equal(tendril_suspend(target, child, NULL, &w.error), -EACCES);
	assert_int_equal(w.error.rule, TENDRIL_RULE_SECCOMP);
	while (!status_is(child, "State", 'S'))
		assert_true(support_again(deadline_ns));
	tendril_close(target);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	end_self(&self);
}

static void test_a_stopped_process_is_left_stopped(void **state)
{
	begin("idle-epoll", 1);
	assert_int_equal(kill(w.victim.pid, SIGSTOP), 0);
	while (!status_is(w.victim.pid, "State", 'T'))
		(void)sched_yield();
	assert_int_equal(tendril_suspend(w.target, w.victim.pid, NULL, &w.error), -EBUSY);
	assert_int_equal(w.error.rule, TENDRIL_RULE_STOPPED);
	assert_true(status_is(w.victim.pid, "State", 'T'));
	assert_int_equal(kill(w.victim.pid, SIGCONT), 0);
	/* And one that is stopped while it is suspended is still suspended afterwards. */
	while (status_is(w.victim.pid, "State", 'T'))
		(void)sched_yield();
	assert_int_equal(suspend(w.victim.pid), 0);
	assert_int_equal(kill(w.victim.pid, SIGSTOP), 0);
	while (!status_is(w.victim.pid, "State", 'T'))
		(void)sched_yield();
	assert_int_equal(kill(w.victim.pid, SIGCONT), 0);
	assert_waits_in_futex(w.victim.pid);
	assert_int_equal(resume(w.victim.pid), 1);
	end();
}

static void test_there_is_no_such_thread(void **state)
{
	begin("idle-epoll", 1);
	assert_int_equal(tendril_suspend(w.target, getpid(), NULL, &w.error), -ESRCH);
	assert_int_equal(tendril_resume(w.target, 0, NULL, &w.error), -ESRCH);
	assert_int_equal(tendril_terminate(w.target, -1, 0, &w.error), -ESRCH);
	end();
}

#define TEST(name) cmocka_unit_test(name)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_thread_goes_on_as_if_nothing_had_been),
		TEST(test_a_thousand_times_in_a_row),
		TEST(test_suspensions_are_counted),
		TEST(test_whoever_suspends_may_be_killed_at_any_time),
		TEST(test_whoever_suspends_is_killed_before_every_system_call),
		TEST(test_whoever_suspends_is_killed_after_every_system_call),
		TEST(test_every_system_call_of_whoever_suspends_fails),
		TEST(test_created_suspended_is_the_same_count),
		TEST(test_it_stays_suspended_when_its_handle_is_closed),
		TEST(test_a_thread_is_made_while_all_are_suspended),
		TEST(test_a_terminated_thread_of_ours_has_the_value_and_is_gone),
		TEST(test_a_strangers_thread_has_the_value_for_its_creator),
		TEST(test_a_suspended_thread_can_be_terminated),
		TEST(test_one_that_never_ran_never_runs),
		TEST(test_a_thread_of_the_programs_own_can_be_terminated),
		TEST(test_the_end_of_the_last_thread_is_that_of_the_process),
		TEST(test_whoever_terminates_is_killed_at_every_system_call),
		TEST(test_every_system_call_of_whoever_terminates_fails),
		TEST(test_threads_of_the_own_process_are_suspended_and_ended),
		TEST(test_a_pthread_of_the_own_process_can_be_joined_when_ended),
		TEST(test_a_thread_suspends_itself),
		TEST(test_musl_target),
		TEST(test_one_that_a_filter_would_kill_is_refused),
		TEST(test_a_stopped_process_is_left_stopped),
		TEST(test_there_is_no_such_thread),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("suspend", tests, setup_group, teardown_group);
}
