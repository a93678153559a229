/* SPDX-License-Identifier: BSD-2-Clause */
/* test_remote.c - the native API on live victims; after each test nothing is left, on both sides */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <tendril/tendril.h>

#include "support.h"

#define CALL_MS 10000

/* A victim, open, and what it and we looked like before. */
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

/* --- the world of one test --------------------------------------------------------------- */

/* Four threads that do nothing but allocate, on two processors, and perhaps under a sanitizer. */
static const struct tendril_options patient = { .size = sizeof(patient), .timeout_ms = 30000 };

static void begin_with(const struct target_start *how, unsigned int flags)
{
	int r = target_start(&w.victim, how);

	if (r < 0)
		fail_msg("no victim: %s", strerror(-r));
	w.flags = flags;
	w.own_handles = count_handles(getpid());
	w.own_threads = count_threads(getpid());
	r = tendril_open(w.victim.pid, &patient, &w.target, &w.error);
	if (r < 0)
		fail_msg("tendril_open: %d: %s", r, w.error.text);
}

static uint64_t address_of(const char *symbol)
{
	uint64_t address = 0;
	int r = tendril_resolve(w.target, symbol, &address, &w.error);

	if (r < 0)
		fail_msg("tendril_resolve(%s): %d: %s", symbol, r, w.error.text);
	return address;
}

static uint64_t call(const char *function, const struct tendril_argument *arguments, size_t n)
{
	uint64_t value = 0;
	int r = tendril_call(w.target, address_of(function), arguments, n, CALL_MS, &value,
			     &w.error);

	if (r < 0)
		fail_msg("tendril_call(%s): %d: %s", function, r, w.error.text);
	return value;
}

static uint64_t call_integer(const char *function, uint64_t value)
{
	const struct tendril_argument argument = { TENDRIL_INTEGER, .value = value };

	return call(function, &argument, 1);
}

/*
 * What the target's own C library keeps after its first thread (a cached stack, an arena, a TLS
 * block) is its own: one thread first, then the picture that every later one is held against.
 */
static void look(void)
{
	(void)call_integer("victim_pthread_works", 1);
	tendril_close(w.target);
	/* With a second thread, libc enters the same call at another place: let it sleep anew. */
	if (!target_is_well(&w.victim, why))
		fail_msg("%s", why);
	assert_int_equal(snapshot_settle(before, after, w.victim.pid, w.flags), 0);
	assert_int_equal(tendril_open(w.victim.pid, &patient, &w.target, &w.error), 0);
}

static void begin(const char *mode, unsigned int threads)
{
	struct target_start how = { .mode = mode, .threads = threads };

	begin_with(&how, snapshot_flags_of(mode));
	look();
}

static void assert_nothing_left(void)
{
	if (!becomes_same(before, after, w.victim.pid, w.flags, 3000, why))
		fail_msg("left in the target: %s", why);
	if (!target_is_well(&w.victim, why))
		fail_msg("the target complains: %s", why);
}

static void assert_nothing_left_here(void)
{
	int handles = count_handles(getpid()), threads = count_threads(getpid());

	/* The victim's two pipes are the test's. */
	if (handles != w.own_handles || threads != w.own_threads)
		fail_msg("left in the caller: %d handles, %d threads", handles - w.own_handles,
			 threads - w.own_threads);
}

static void end(void)
{
	tendril_close(w.target);
	w.target = NULL;
	assert_nothing_left();
	assert_nothing_left_here();
	target_end(&w.victim);
}

static struct tendril_thread *create(const char *function, uint64_t param,
				     const struct tendril_thread_options *options)
{
	struct tendril_thread *thread = NULL;
	int r = tendril_create(w.target, address_of(function), param, options, &thread, &w.error);

	if (r < 0)
		fail_msg("%s, %d threads: tendril_create(%s): %d: %s", w.victim.mode,
			 count_threads(w.victim.pid), function, r, w.error.text);
	assert_non_null(thread);
	return thread;
}

static uint64_t finish(struct tendril_thread *thread)
{
	uint64_t value = 0;

	assert_int_equal(tendril_thread_wait(thread, CALL_MS), 0);
	assert_int_equal(tendril_thread_value(thread, &value), 0);
	tendril_thread_close(thread);
	return value;
}

static void wait_entered(long n)
{
	int64_t deadline_ns = deadline_in_ms(CALL_MS);

	while (target_ask_number(&w.victim, "entered") != n)
		assert_true(support_again(deadline_ns));
}

static void release(void)
{
	char answer[64];

	assert_int_equal(target_ask(&w.victim, "release", answer, sizeof(answer)), 0);
}

/* --- threads ----------------------------------------------------------------------------- */

static void test_create_runs_the_function_with_its_parameter(void **state)
{
	begin("idle-epoll", 1);
	assert_int_equal(finish(create("victim_echo", 0x123456789abcdef0, NULL)),
			 0x123456789abcdef0);
	end();
}

static void test_create_works_in_every_mode(void **state)
{
	static const char *const modes[] = {
		"idle-epoll", "idle-epoll-timeout", "idle-pause", "idle-nanosleep", "idle-poll",
		"idle-select", "idle-read", "idle-accept", "idle-cond", "malloc", "dlopen",
		"pthread", "stdio", "fork", "signals", "alarm-pause", "alarm-suspend", "spin",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(modes); i++)
		for (unsigned int threads = 1; threads <= 4; threads += 3) {
			begin(modes[i], threads);
			for (uint64_t n = 1; n <= 5; n++)
				assert_int_equal(finish(create("victim_count", 0, NULL)), n);
			end();
		}
}

/* Such a sequence is to be aborted when its thread did anything else meanwhile: the kernel forgets it
 * when the thread is borrowed there. */
static void test_restartable_sequences_are_left_alone(void **state)
{
	begin("rseq", 1);
	for (uint64_t n = 1; n <= 50; n++)
		assert_int_equal(finish(create("victim_count", 0, NULL)), n);
	end();
}

static void test_tid_names_the_thread_and_its_process(void **state)
{
	struct tendril_thread *thread;
	char path[64];

	begin("idle-epoll", 1);
	thread = create("victim_block", 5, NULL);
	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)w.victim.pid,
		       (int)tendril_thread_tid(thread));
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(tendril_thread_process_id(thread), w.victim.pid);
	assert_int_equal(tendril_target_pid(w.target), w.victim.pid);
	release();
	assert_int_equal(finish(thread), 5);
	end();
}

static void test_cost_tells_time_and_borrowed_thread(void **state)
{
	struct tendril_thread *thread;
	struct tendril_cost cost = { .size = sizeof(cost) };

	begin("idle-epoll", 4);
	thread = create("victim_echo", 1, NULL);
	assert_int_equal(tendril_thread_cost(thread, &cost), 0);
	assert_true(cost.latency_us > 0 && cost.latency_us < 1e6);
	assert_true(cost.stopped_us > 0 && cost.stopped_us <= cost.latency_us);
	assert_true(cost.attempts >= 1);
	assert_true(cost.borrowed_tid >= w.victim.pid);
	(void)finish(thread);
	end();
}

static void test_wait_times_out_and_then_waits(void **state)
{
	struct tendril_thread *thread;
	uint64_t value = 0;
	int64_t begin_ns;

	begin("idle-epoll", 1);
	thread = create("victim_block", 9, NULL);
	assert_int_equal(tendril_thread_wait(thread, 0), -ETIMEDOUT);
	begin_ns = support_now_ns();
	assert_int_equal(tendril_thread_wait(thread, 30), -ETIMEDOUT);
	assert_true(support_now_ns() - begin_ns >= 30000000);
	assert_int_equal(tendril_thread_value(thread, &value), -EAGAIN);
	assert_int_equal(value, 0);
	release();
	assert_int_equal(tendril_thread_wait(thread, -1), 0);
	assert_int_equal(tendril_thread_wait(thread, 0), 0);
	assert_int_equal(finish(thread), 9);
	end();
}

static void test_nothing_is_left_when_wait_returns(void **state)
{
	begin("idle-epoll", 1);
	for (int i = 0; i < 50; i++) {
		struct tendril_thread *thread = create("victim_echo", 1, NULL);
		pid_t tid = tendril_thread_tid(thread);
		char path[64];

		assert_int_equal(tendril_thread_wait(thread, -1), 0);
		(void)snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)w.victim.pid, (int)tid);
		assert_int_not_equal(access(path, F_OK), 0);
		tendril_thread_close(thread);
	}
	end();
}

static void test_thread_fd_is_readable_at_the_end(void **state)
{
	struct tendril_thread *thread;
	struct pollfd fd;

	begin("idle-epoll", 1);
	thread = create("victim_block", 1, NULL);
	fd = (struct pollfd){ .fd = tendril_thread_fd(thread), .events = POLLIN };
	assert_true(fd.fd >= 0);
	assert_int_equal(fcntl(fd.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(poll(&fd, 1, 0), 0);
	release();
	assert_int_equal(poll(&fd, 1, CALL_MS), 1);
	assert_true(fd.revents & POLLIN);
	assert_int_equal(finish(thread), 1);
	end();
}

static void test_target_fd_is_readable_at_the_end(void **state)
{
	struct pollfd fd;

	begin("idle-epoll", 1);
	fd = (struct pollfd){ .fd = tendril_target_fd(w.target), .events = POLLIN };
	assert_int_equal(poll(&fd, 1, 0), 0);
	kill(w.victim.pid, SIGKILL);
	assert_int_equal(poll(&fd, 1, CALL_MS), 1);
	tendril_close(w.target);
	target_end(&w.victim);
}

static void test_suspended_thread_runs_only_after_resume(void **state)
{
	const struct tendril_thread_options options = {
		.size = sizeof(options), .flags = TENDRIL_THREAD_SUSPENDED,
	};
	struct tendril_thread *thread;

	begin("idle-epoll", 1);
	thread = create("victim_count", 0, &options);
	assert_int_equal(tendril_thread_wait(thread, 100), -ETIMEDOUT);
	assert_int_equal(target_ask_number(&w.victim, "count"), 0);
	assert_int_equal(tendril_thread_resume(thread), 0);
	assert_int_equal(tendril_thread_resume(thread), -EALREADY);
	assert_int_equal(finish(thread), 1);
	end();
}

/* Nobody can resume it any more: it must not stay for ever, and must not run. */
static void test_suspended_thread_that_is_closed_leaves_unrun(void **state)
{
	const struct tendril_thread_options options = {
		.size = sizeof(options), .flags = TENDRIL_THREAD_SUSPENDED,
	};

	begin("idle-epoll", 1);
	tendril_thread_close(create("victim_count", 0, &options));
	tendril_close(w.target);
	w.target = NULL;
	assert_nothing_left();
	assert_int_equal(target_ask_number(&w.victim, "count"), 0);
	end();
}

static void test_closed_thread_goes_on_and_cleans_up(void **state)
{
	begin("idle-epoll", 1);
	tendril_thread_close(create("victim_block", 1, NULL));
	tendril_close(w.target);
	w.target = NULL;
	wait_entered(1);
	release();
	end();
}

static void test_stack_is_as_large_as_asked(void **state)
{
	static const uint64_t sizes[] = { 64 << 10, 256 << 10, 1 << 20, 16 << 20 };

	begin("idle-epoll", 1);
	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		struct tendril_thread_options options = { sizeof(options),
							  .stack_bytes = sizes[i] };
		uint64_t used = sizes[i] - 16384; /* TLS, the thread's descriptor, a guard page */
		uint64_t want = 0;

		for (uint64_t at = 0; at < used; at += 512)
			want += (unsigned char)(at >> 9);
		assert_int_equal(finish(create("victim_deep", used, &options)), want);
		tendril_close(w.target);
		assert_int_equal(tendril_open(w.victim.pid, NULL, &w.target, NULL), 0);
	}
	end();
}

static void test_default_stack_is_that_of_the_targets_threads(void **state)
{
	begin("idle-epoll", 1);
	assert_true(finish(create("victim_stack_size", 0, NULL)) >= 1 << 20);
	assert_true(finish(create("victim_deep", 4 << 20, NULL)) > 0);
	end();
}

static void test_impossible_stack_is_refused(void **state)
{
	static const uint64_t sizes[] = { 1, 4096, UINT64_MAX, UINT64_MAX - 4095,
					  UINT64_C(1) << 63, UINT64_C(1) << 47 };

	begin("idle-epoll", 1);
	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		struct tendril_thread_options options = { sizeof(options),
							  .stack_bytes = sizes[i] };
		struct tendril_thread *thread = (void *)1;
		int r = tendril_create(w.target, address_of("victim_echo"), 0, &options, &thread,
				       &w.error);

		if (r == 0) { /* as good: a small one that was rounded up */
			assert_true(sizes[i] <= 4096);
			(void)finish(thread);
			continue;
		}
		assert_true(r == -EINVAL || r == -ENOMEM || r == -EAGAIN);
		assert_ptr_equal(thread, (void *)1);
		assert_int_equal(w.error.left, TENDRIL_LEFT_NOTHING);
		assert_int_equal(w.error.code, r);
	}
	end();
}

static void test_bad_options_are_refused(void **state)
{
	struct tendril_thread_options options = { .size = sizeof(options), .flags = 1u << 20 };
	struct tendril_options open_options = { .size = sizeof(open_options), .flags = 1 };
	struct tendril_thread *thread = NULL;
	struct tendril_target *other = NULL;

	begin("idle-epoll", 1);
	assert_int_equal(tendril_create(w.target, address_of("victim_echo"), 0, &options, &thread,
					&w.error), -EINVAL);
	options = (struct tendril_thread_options){ .size = 3 };
	assert_int_equal(tendril_create(w.target, address_of("victim_echo"), 0, &options, &thread,
					NULL), -EINVAL);
	assert_null(thread);
	assert_int_equal(tendril_open(w.victim.pid, &open_options, &other, &w.error), -EINVAL);
	assert_null(other);
	end();
}

static void test_pthread_exit_ends_the_thread_cleanly(void **state)
{
	struct tendril_thread *thread;
	uint64_t value = 0;
	int r;

	begin("idle-epoll", 1);
	/* pthread_exit() makes glibc load libgcc_s once: that is the target's own. */
	thread = create("victim_exit", 77, NULL);
	assert_int_equal(tendril_thread_wait(thread, CALL_MS), 0);
	tendril_thread_close(thread);
	look();

	thread = create("victim_exit", 77, NULL);
	assert_int_equal(tendril_thread_wait(thread, CALL_MS), 0);
	r = tendril_thread_value(thread, &value);
	assert_true(r == -ESRCH || (r == 0 && value == 77));
	tendril_thread_close(thread);
	end();
}

static void test_function_may_end_the_process(void **state)
{
	struct tendril_thread *thread;
	uint64_t value = 0;

	begin("idle-epoll", 1);
	thread = create("victim_exit_process", 3, NULL);
	assert_int_equal(tendril_thread_wait(thread, CALL_MS), 0);
	assert_int_equal(tendril_thread_value(thread, &value), -ESRCH);
	tendril_thread_close(thread);
	tendril_close(w.target);
	assert_nothing_left_here();
	target_end(&w.victim);
}

/* The target is our child here: its exit code is its parent's to collect, not the library's. */
static void test_target_that_dies_keeps_its_exit_code_for_its_parent(void **state)
{
	struct tendril_thread *thread;
	int status = 0;

	begin("idle-epoll", 1);
	thread = create("victim_exit_process", 42, NULL);
	assert_int_equal(tendril_thread_wait(thread, CALL_MS), 0);
	tendril_thread_close(thread);
	tendril_close(w.target);
	assert_int_equal(waitpid(w.victim.pid, &status, 0), w.victim.pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	w.victim.collected = true;
	target_end(&w.victim);
}

static void test_target_killed_meanwhile_ends_the_wait(void **state)
{
	struct tendril_thread *thread, *other = NULL;
	uint64_t value = 0, echo;

	begin("idle-epoll", 1);
	echo = address_of("victim_echo");
	thread = create("victim_block", 1, NULL);
	kill(w.victim.pid, SIGKILL);
	assert_int_equal(tendril_thread_wait(thread, CALL_MS), 0);
	assert_int_equal(tendril_thread_value(thread, &value), -ESRCH);
	assert_int_equal(tendril_create(w.target, echo, 0, NULL, &other, &w.error), -ESRCH);
	assert_int_equal(w.error.left, TENDRIL_LEFT_GONE);
	tendril_thread_close(thread);
	tendril_close(w.target);
	assert_nothing_left_here();
	target_end(&w.victim);
}

static void test_remote_thread_is_a_true_pthread(void **state)
{
	begin("idle-epoll", 1);
	for (int i = 0; i < 20; i++)
		assert_int_equal(finish(create("victim_pthread_works", 0, NULL)), 0);
	end();
}

/* --- calls ------------------------------------------------------------------------------- */

static void test_call_passes_six_arguments(void **state)
{
	struct tendril_argument six[6];

	begin("idle-epoll", 1);
	for (uint64_t i = 0; i < 6; i++)
		six[i] = (struct tendril_argument){ TENDRIL_INTEGER, .value = i + 1 };
	assert_int_equal(call("victim_six", six, 6), 654321);
	end();
}

static void test_call_copies_strings_and_bytes(void **state)
{
	static const unsigned char bytes[] = { 1, 2, 3, 0, 4 };
	const struct tendril_argument mixed[] = {
		{ TENDRIL_BYTES, .data = "hello", .bytes = 6 },
		{ TENDRIL_BYTES, .data = bytes, .bytes = sizeof(bytes) },
		{ TENDRIL_INTEGER, .value = sizeof(bytes) },
		{ TENDRIL_BYTES, .data = "", .bytes = 1 },
	};

	begin("idle-epoll", 1);
	assert_int_equal(call("victim_mixed", mixed, 4), 5010000);
	end();
}

static void test_call_copies_up_to_the_limit_and_no_more(void **state)
{
	size_t bytes = TENDRIL_ARGUMENT_BYTES_MAX;
	char *text = malloc(bytes + 1);
	struct tendril_argument arguments[7] = { { TENDRIL_BYTES, .data = text, .bytes = bytes } };
	uint64_t value = 1;

	begin("idle-epoll", 1);
	memset(text, 'x', bytes);
	text[bytes - 1] = '\0';
	assert_int_equal(call("victim_strlen", arguments, 1), bytes - 1);
	arguments[0].bytes = bytes + 1;
	assert_int_equal(tendril_call(w.target, address_of("victim_strlen"), arguments, 1, CALL_MS,
				      &value, &w.error), -E2BIG);
	arguments[0].bytes = 5;
	assert_int_equal(tendril_call(w.target, address_of("victim_strlen"), arguments, 7, CALL_MS,
				      &value, &w.error), -E2BIG);
	assert_int_equal(value, 1);
	free(text);
	end();
}

static void test_call_returns_all_64_bits(void **state)
{
	begin("idle-epoll", 1);
	assert_true(call("victim_wide", NULL, 0) == 0xfedcba9876543210u);
	end();
}

static void test_call_that_takes_too_long_goes_on_and_cleans_up(void **state)
{
	uint64_t value = 5;

	begin("idle-epoll", 1);
	assert_int_equal(tendril_call(w.target, address_of("victim_block"), NULL, 0, 50, &value,
				      &w.error), -ETIMEDOUT);
	assert_int_equal(w.error.stage, TENDRIL_STAGE_WAIT);
	assert_int_equal(value, 5);
	wait_entered(1);
	release();
	end();
}

static void test_call_a_function_of_libc_by_its_library(void **state)
{
	begin("idle-epoll", 1);
	assert_int_equal(call("libc!getpid", NULL, 0), w.victim.pid);
	assert_int_equal(call("libc.so.6!getpid", NULL, 0), w.victim.pid);
	end();
}

/* --- libraries --------------------------------------------------------------------------- */

static void test_load_and_unload_a_library(void **state)
{
	char path[4096];
	uint64_t handle = 0, address = 0;

	begin("idle-epoll", 1);
	assert_true(support_find("plug.so", path));
	assert_int_equal(tendril_load(w.target, path, CALL_MS, &handle, &w.error), 0);
	assert_true(handle != 0);
	assert_int_equal(call("plug.so!plug_answer", NULL, 0), 42);
	assert_int_equal(tendril_unload(w.target, path, CALL_MS, &w.error), 0);
	assert_int_equal(tendril_resolve(w.target, "plug.so!plug_answer", &address, NULL),
			 -ENOENT);
	assert_int_equal(tendril_load(w.target, path, CALL_MS, &handle, &w.error), 0);
	assert_int_equal(tendril_unload(w.target, "plug.so", CALL_MS, &w.error), 0);
	end();
}

static void test_load_of_a_missing_file_gives_the_loaders_text(void **state)
{
	uint64_t handle = 7;

	begin("idle-epoll", 1);
	assert_int_equal(tendril_load(w.target, "/nowhere/missing.so", CALL_MS, &handle, &w.error),
			 -ELIBACC);
	assert_non_null(strstr(w.error.text, "/nowhere/missing.so"));
	assert_non_null(strstr(w.error.text, "cannot open shared object file"));
	assert_int_equal(handle, 7);
	end();
}

static void test_load_wants_an_absolute_path(void **state)
{
	uint64_t handle = 7;

	begin("idle-epoll", 1);
	assert_int_equal(tendril_load(w.target, "plug.so", CALL_MS, &handle, &w.error), -EINVAL);
	end();
}

static void test_unload_of_what_the_program_needs_says_so(void **state)
{
	begin("idle-epoll", 1);
	assert_int_equal(tendril_unload(w.target, "libc.so.6", CALL_MS, &w.error), -ELIBACC);
	assert_string_equal(w.error.text, "the program itself needs it");
	end();
}

static void test_load_and_unload_here(void **state)
{
	struct tendril_target *self = NULL;
	char path[4096];

	assert_true(support_find("plug.so", path));
	assert_int_equal(tendril_open(getpid(), NULL, &self, NULL), 0);
	assert_int_equal(tendril_load(self, path, CALL_MS, NULL, NULL), 0);
	assert_int_equal(tendril_unload(self, path, CALL_MS, NULL), 0);
	assert_int_equal(tendril_unload(self, path, CALL_MS, NULL), -ENOENT);
	tendril_close(self);
}

static void test_unload_of_what_is_not_there_says_so(void **state)
{
	begin("idle-epoll", 1);
	assert_int_equal(tendril_unload(w.target, "/nowhere/missing.so", CALL_MS, &w.error),
			 -ENOENT);
	end();
}

/* --- memory and symbols ------------------------------------------------------------------ */

static void test_read_and_write_memory(void **state)
{
	uint64_t word = 0, at;
	size_t bytes = 0;

	begin("idle-epoll", 1);
	at = address_of("victim_word");
	assert_int_equal(tendril_read(w.target, at, &word, 8, &bytes, &w.error), 0);
	assert_true(word == 0x0123456789abcdef && bytes == 8);
	word = 99;
	assert_int_equal(tendril_write(w.target, at, &word, 8, 0, &bytes, &w.error), 0);
	word = 0;
	assert_int_equal(tendril_read(w.target, at, &word, 8, NULL, NULL), 0);
	assert_int_equal(word, 99);
	end();
}

static void test_read_only_memory_needs_force(void **state)
{
	char text[16] = "";
	uint64_t at;
	size_t bytes = 5;

	begin("idle-epoll", 1);
	at = address_of("victim_text");
	assert_int_equal(tendril_write(w.target, at, "READ", 4, 0, &bytes, &w.error), -EFAULT);
	assert_int_equal(bytes, 0);
	assert_int_equal(tendril_write(w.target, at, "READ", 4, TENDRIL_WRITE_FORCE, &bytes,
				       &w.error), 0);
	assert_int_equal(tendril_read(w.target, at, text, 9, NULL, NULL), 0);
	assert_memory_equal(text, "READ only", 9);
	assert_int_equal(tendril_write(w.target, at, "read", 4, TENDRIL_WRITE_FORCE, NULL, NULL),
			 0);
	end();
}

static void test_read_of_nothing_says_how_far_it_came(void **state)
{
	uint64_t word = 3;
	size_t bytes = 9;

	begin("idle-epoll", 1);
	assert_int_equal(tendril_read(w.target, 8, &word, 8, &bytes, &w.error), -EFAULT);
	assert_int_equal(bytes, 0);
	assert_int_equal(tendril_read(w.target, 8, &word, 0, &bytes, &w.error), 0);
	end();
}

static void test_resolve_takes_every_form(void **state)
{
	uint64_t plain, address = 0;
	char number[32];

	begin("idle-epoll", 1);
	plain = address_of("victim_echo");
	assert_true(plain != 0);
	assert_true(address_of("victim!victim_echo") == plain);
	assert_true(address_of("victim_echo+0x10") == plain + 16);
	assert_true(address_of("victim!victim_echo+0x10") == plain + 16);
	(void)snprintf(number, sizeof(number), "%#llx", (unsigned long long)plain);
	assert_true(address_of(number) == plain);
	assert_true(address_of("libc!pthread_create") == address_of("libc.so.6!pthread_create"));
	assert_true(address_of("pthread_create") == address_of("libc!pthread_create"));
	assert_int_equal(tendril_resolve(w.target, "libc!", &address, NULL), -EINVAL);
	assert_int_equal(tendril_resolve(w.target, "", &address, NULL), -EINVAL);
	assert_int_equal(tendril_resolve(w.target, "libc!victim_echo", &address, NULL), -ENOENT);
	assert_int_equal(tendril_resolve(w.target, "nolib!victim_echo", &address, NULL), -ENOENT);
	assert_int_equal(address, 0);
	end();
}

static uint64_t victim_number(const char *symbol)
{
	uint64_t number = 0;

	assert_int_equal(tendril_read(w.target, address_of(symbol), &number, 8, NULL, NULL), 0);
	return number;
}

static void test_resolve_refuses_an_indirect_function_and_runs_nothing(void **state)
{
	uint64_t address = 3;

	begin("idle-epoll", 1);
	assert_int_equal(tendril_resolve(w.target, "victim_indirect", &address, &w.error), -ENOENT);
	assert_int_equal(w.error.rule, TENDRIL_RULE_NO_SYMBOL);
	assert_non_null(strstr(w.error.text, "tendril_resolve_function()"));
	assert_int_equal(tendril_resolve(w.target, "libc!strlen", &address, &w.error), -ENOENT);
	assert_int_equal(address, 3);
	assert_int_equal(victim_number("victim_resolved"), 0);
	end();
}

static void test_resolve_function_asks_the_resolver_in_the_target(void **state)
{
	static const struct tendril_argument hello = { TENDRIL_BYTES, .data = "hello", .bytes = 6 };
	uint64_t address = 0, value = 0;

	begin("idle-epoll", 1);
	assert_int_equal(tendril_resolve_function(w.target, "victim!victim_indirect+0x1", CALL_MS,
						  &address, &w.error), 0);
	assert_true(address == address_of("victim_echo") + 1);
	assert_int_equal(victim_number("victim_resolved"), 1);
	assert_int_equal(tendril_resolve_function(w.target, "libc!strlen", CALL_MS, &address,
						  &w.error), 0);
	assert_int_equal(tendril_call(w.target, address, &hello, 1, CALL_MS, &value, &w.error), 0);
	assert_int_equal(value, 5);
	end();
}

static void test_resolve_function_of_any_other_symbol_is_resolve(void **state)
{
	uint64_t address = 0;

	begin("idle-epoll", 1);
	assert_int_equal(tendril_resolve_function(w.target, "victim_echo+0x10", 0, &address,
						  &w.error), 0);
	assert_true(address == address_of("victim_echo") + 16);
	assert_int_equal(tendril_resolve_function(w.target, "0x1234", 0, &address, &w.error), 0);
	assert_int_equal(address, 0x1234);
	assert_int_equal(tendril_resolve_function(w.target, "victim_ecko", 0, &address, &w.error),
			 -ENOENT);
	assert_non_null(strstr(w.error.text, "victim_echo"));
	assert_int_equal(tendril_resolve_function(w.target, "libc!", 0, &address, NULL), -EINVAL);
	assert_int_equal(address, 0x1234);
	end();
}

/* What a resolver returns is not to be trusted, nor that it returns. */
static void test_resolver_that_misbehaves_is_survived(void **state)
{
	uint64_t address = 0, value = 0;

	begin("idle-epoll", 1);
	assert_int_equal(tendril_resolve_function(w.target, "victim_indirect_data", CALL_MS,
						  &address, &w.error), 0);
	assert_int_equal(tendril_call(w.target, address, NULL, 0, CALL_MS, &value, &w.error),
			 -EFAULT);
	assert_int_equal(tendril_resolve_function(w.target, "victim_indirect_late", 30, &address,
						  &w.error), -ETIMEDOUT);
	assert_int_equal(w.error.stage, TENDRIL_STAGE_WAIT);
	wait_entered(1);
	release();
	end();
}

static void test_resolve_names_near_misses(void **state)
{
	uint64_t address = 0;

	begin("idle-epoll", 1);
	assert_int_equal(tendril_resolve(w.target, "victim_ecko", &address, &w.error), -ENOENT);
	assert_non_null(strstr(w.error.text, "victim_echo"));
	assert_int_equal(w.error.rule, TENDRIL_RULE_NO_SYMBOL);
	end();
}

/* The program was upgraded under the running process: its memory still has all. */
static void test_resolve_works_when_the_files_are_deleted(void **state)
{
	char path[4096], copy[4200], command[9000];
	struct target_start how = { .mode = "idle-epoll", .program = "victim-copy" };

	assert_true(support_find("victim", path));
	(void)snprintf(copy, sizeof(copy), "%s/victim-copy", support_targets());
	(void)snprintf(command, sizeof(command), "cp '%s' '%s'", path, copy);
	assert_int_equal(system(command), 0);
	begin_with(&how, SNAPSHOT_SLEEPERS);
	assert_int_equal(unlink(copy), 0);
	assert_int_equal(call_integer("victim_echo", 4), 4);
	tendril_close(w.target);
	assert_nothing_left_here();
	target_end(&w.victim);
}

/* --- the own process --------------------------------------------------------------------- */

static void *echo_here(void *param)
{
	return param;
}

static void *tid_here(void *param)
{
	return (void *)(intptr_t)gettid();
}

static void test_own_process_is_a_target_too(void **state)
{
	struct tendril_target *self = NULL;
	struct tendril_thread *thread = NULL;
	uint64_t value = 0;
	int handles = count_handles(getpid());
	pid_t tid;

	assert_int_equal(tendril_open(getpid(), NULL, &self, &w.error), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(tendril_create(self, (uintptr_t)echo_here, 55, NULL, &thread,
						&w.error), 0);
		assert_int_equal(finish(thread), 55);
	}
	assert_int_equal(tendril_create(self, (uintptr_t)tid_here, 0, NULL, &thread, &w.error), 0);
	tid = tendril_thread_tid(thread);
	assert_int_equal(finish(thread), tid);
	assert_int_equal(tendril_call(self, (uintptr_t)echo_here,
				      &(struct tendril_argument){ TENDRIL_INTEGER, .value = 8 }, 1,
				      CALL_MS, &value, &w.error), 0);
	assert_int_equal(value, 8);
	tendril_close(self);
	assert_int_equal(count_handles(getpid()), handles);
	assert_int_equal(count_threads(getpid()), 1);
}

static void test_open_by_pidfd_leaves_it_to_the_caller(void **state)
{
	struct tendril_target *target = NULL;
	int pidfd;

	begin("idle-epoll", 1);
	pidfd = (int)syscall(SYS_pidfd_open, w.victim.pid, 0);
	assert_int_equal(tendril_open_pidfd(pidfd, NULL, &target, &w.error), 0);
	assert_int_equal(tendril_target_pid(target), w.victim.pid);
	tendril_close(target);
	assert_int_equal(fcntl(pidfd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(close(pidfd), 0);
	assert_true(tendril_open_pidfd(-1, NULL, &target, &w.error) < 0);
	assert_true(tendril_open_pidfd(STDOUT_FILENO, NULL, &target, &w.error) < 0);
	end();
}

/* --- refusals ---------------------------------------------------------------------------- */

/*
 * Open, and if that is allowed create: one of them must refuse with this code and rule, and say
 * something.  Returns the code.
 */
static void assert_refused(pid_t pid, int code, enum tendril_rule rule)
{
	struct tendril_target *target = NULL;
	struct tendril_thread *thread = NULL;
	struct tendril_error error = { 0 };
	int r = tendril_open(pid, NULL, &target, &error);

	if (r == 0) {
		r = tendril_create(target, 0x1000, 0, NULL, &thread, &error);
		tendril_close(target);
	}
	if (r != code || error.rule != rule)
		fail_msg("code %d (wanted %d), rule %d (wanted %d): %s", r, code, (int)error.rule,
			 (int)rule, error.text);
	assert_int_equal(error.code, code);
	assert_int_equal(error.left, code == -ESRCH ? TENDRIL_LEFT_GONE : TENDRIL_LEFT_NOTHING);
	assert_true(strlen(error.text) > 5);
	assert_null(strchr(error.text, '\n'));
	assert_null(thread);
}

static void test_refuses_a_process_that_does_not_exist(void **state)
{
	assert_refused(4194303, -ESRCH, TENDRIL_RULE_NO_PROCESS);
}

static void test_refuses_a_zombie(void **state)
{
	pid_t pid = fork();
	siginfo_t info;

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_refused(pid, -ESRCH, TENDRIL_RULE_ZOMBIE);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_refuses_a_kernel_thread(void **state)
{
	struct tendril_error error = { 0 };
	struct tendril_target *target = NULL;
	char line[16] = "";
	FILE *comm = fopen("/proc/2/comm", "re");

	if (!comm || !fgets(line, sizeof(line), comm) || strncmp(line, "kthreadd", 8) != 0)
		SKIP_BECAUSE("no kernel threads to be seen in this PID namespace");
	(void)fclose(comm);
	assert_int_equal(tendril_open(2, NULL, &target, &error), -EACCES);
	assert_int_equal(error.rule, TENDRIL_RULE_KERNEL_THREAD);
}

/* flags: what of the program's own doing is not to be compared */
static void refuses_program(const char *program, int code, enum tendril_rule rule,
			    unsigned int flags)
{
	struct target victim;
	struct target_start how = { .program = program };
	int r = target_start(&victim, &how);

	if (r == -ENOENT)
		SKIP_BECAUSE("%s could not be built here", program);
	assert_int_equal(r, 0);
	assert_int_equal(snapshot_take(before, victim.pid, flags), 0);
	assert_refused(victim.pid, code, rule);
	if (!becomes_same(before, after, victim.pid, flags, 1000, why))
		fail_msg("%s", why);
	assert_true(target_is_well(&victim, why));
	target_end(&victim);
}

static void test_refuses_a_static_program(void **state)
{
	refuses_program("plain_static", -ENOEXEC, TENDRIL_RULE_NO_LIBC,
			SNAPSHOT_BUSY);
}

static void test_refuses_a_go_program(void **state)
{
	refuses_program("gotarget", -ENOEXEC, TENDRIL_RULE_NO_LIBC,
			SNAPSHOT_BUSY | SNAPSHOT_NO_THREADS | SNAPSHOT_NO_MAPPINGS);
}

static void test_refuses_a_32_bit_program(void **state)
{
	refuses_program("plain32", -ENOEXEC, TENDRIL_RULE_ARCHITECTURE,
			SNAPSHOT_BUSY);
}

static void test_refuses_a_traced_process_and_names_the_tracer(void **state)
{
	struct tendril_thread *thread = NULL;
	struct target tracer;
	char pid[16], number[32];
	struct target_start how = { .program = "tracer" };
	uint64_t echo;

	begin("idle-epoll", 1);
	echo = address_of("victim_echo");
	(void)snprintf(pid, sizeof(pid), "%d", (int)w.victim.pid);
	/* tracer PID: the mode is its only argument, without -t. */
	how.wrapper = (const char *const[]){ "sh", "-c", "exec \"$1\" \"$0\"", pid, NULL };
	assert_int_equal(target_start(&tracer, &how), 0);
	assert_int_equal(tendril_create(w.target, echo, 0, NULL, &thread, &w.error), -EBUSY);
	assert_int_equal(w.error.rule, TENDRIL_RULE_TRACED);
	(void)snprintf(number, sizeof(number), "%d", (int)tracer.pid);
	assert_non_null(strstr(w.error.text, number));
	assert_non_null(strstr(w.error.text, "tracer"));
	target_end(&tracer);
	assert_int_equal(finish(create("victim_echo", 3, NULL)), 3);
	end();
}

static void test_refuses_a_stopped_process_and_leaves_it_stopped(void **state)
{
	struct tendril_thread *thread = NULL;
	int64_t deadline_ns = deadline_in_ms(5000);
	uint64_t echo;

	begin("idle-read", 1);
	echo = address_of("victim_echo");
	kill(w.victim.pid, SIGSTOP);
	while (!status_is(w.victim.pid, "State", 'T'))
		assert_true(support_again(deadline_ns));
	assert_int_equal(snapshot_take(before, w.victim.pid, SNAPSHOT_BUSY), 0);
	assert_int_equal(tendril_create(w.target, echo, 0, NULL, &thread, &w.error), -EBUSY);
	assert_int_equal(w.error.rule, TENDRIL_RULE_STOPPED);
	assert_int_equal(w.error.left, TENDRIL_LEFT_NOTHING);
	if (!becomes_same(before, after, w.victim.pid, SNAPSHOT_BUSY, 0, why))
		fail_msg("%s", why);
	kill(w.victim.pid, SIGCONT);
	tendril_close(w.target);
	assert_nothing_left_here();
	target_end(&w.victim);
}

static void test_refuses_a_thread_id(void **state)
{
	struct tendril_target *target = NULL;
	DIR *tasks;
	struct dirent *entry;
	char path[64];
	pid_t other = 0;

	begin("idle-epoll", 4);
	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)w.victim.pid);
	tasks = opendir(path);
	while ((entry = readdir(tasks)))
		if (atoi(entry->d_name) > w.victim.pid)
			other = atoi(entry->d_name);
	closedir(tasks);
	assert_true(other != 0);
	assert_true(tendril_open(other, NULL, &target, &w.error) < 0);
	assert_null(target);
	end();
}

/* --- borders: namespaces and users ------------------------------------------------------- */

static void test_target_in_other_mount_pid_and_user_namespaces(void **state)
{
	static const char *const wrapper[] = { "unshare", "--user", "--map-root-user", "--mount",
					       "--pid", "--fork", "--mount-proc", NULL };
	struct target_start how = { .mode = "idle-epoll", .wrapper = wrapper, .inner = true };
	struct target probe;

	if (target_start(&probe, &how) < 0)
		SKIP_BECAUSE("unshare(1) is not allowed here");
	target_end(&probe);
	begin_with(&how, SNAPSHOT_SLEEPERS);
	look();
	assert_int_equal(call_integer("victim_echo", 12), 12);
	assert_int_equal(call("victim_getpid", NULL, 0), 1);
	end();
}

static const char *const as_nobody[] = { "setpriv", "--reuid", "65534", "--regid", "65534",
					 "--clear-groups", NULL };

/* The build directory may not be open to nobody: then the test cannot be made. */
static void start_as_nobody(void)
{
	struct target_start how = { .mode = "idle-epoll", .wrapper = as_nobody };
	struct target probe;

	if (geteuid() != 0)
		SKIP_BECAUSE("only root can start a process of another user");
	if (target_start(&probe, &how) < 0)
		SKIP_BECAUSE("nobody cannot run programs of %s", support_targets());
	target_end(&probe);
	begin_with(&how, SNAPSHOT_SLEEPERS);
}

static void test_root_reaches_a_process_of_another_user(void **state)
{
	start_as_nobody();
	assert_int_equal(call_integer("victim_echo", 12), 12);
	tendril_close(w.target);
	assert_int_equal(snapshot_settle(before, after, w.victim.pid, w.flags), 0);
	assert_int_equal(tendril_open(w.victim.pid, NULL, &w.target, &w.error), 0);
	assert_int_equal(call_integer("victim_echo", 13), 13);
	end();
}

/* Run what in a child that is an ordinary user; its exit status, 0 when all was well there. */
static int as_ordinary_user(uid_t uid, int (*what)(pid_t pid), pid_t pid)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		if (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
			_exit(100);
		_exit(what(pid));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

/* 0 when refused with -EACCES; otherwise the rule or code that came. */
static int is_refused_by(pid_t pid, enum tendril_rule rule)
{
	struct tendril_target *target = NULL;
	struct tendril_thread *thread = NULL;
	struct tendril_error error = { 0 };
	int r = tendril_open(pid, NULL, &target, &error);

	if (r == 0)
		r = tendril_create(target, 0x1000, 0, NULL, &thread, &error);
	(void)fprintf(stderr, "# %d rule %d: %s\n", r, (int)error.rule, error.text);
	return r == -EACCES && error.rule == rule ? 0 : 1;
}

static int is_refused_by_uid(pid_t pid)
{
	return is_refused_by(pid, TENDRIL_RULE_UID);
}

static int is_refused_by_dumpable(pid_t pid)
{
	return is_refused_by(pid, TENDRIL_RULE_DUMPABLE);
}

static void test_ordinary_user_is_refused_by_uid(void **state)
{
	if (geteuid() != 0)
		SKIP_BECAUSE("only root can start a process of another user");
	begin("idle-epoll", 1);
	assert_int_equal(as_ordinary_user(65534, is_refused_by_uid, w.victim.pid), 0);
	end();
}

static void test_process_that_is_not_dumpable_is_refused_to_its_user(void **state)
{
	char answer[64];

	start_as_nobody();
	assert_int_equal(target_ask(&w.victim, "undumpable", answer, sizeof(answer)), 0);
	assert_int_equal(as_ordinary_user(65534, is_refused_by_dumpable, w.victim.pid), 0);
	tendril_close(w.target);
	target_end(&w.victim);
}

static int can_call(pid_t pid)
{
	struct tendril_target *target = NULL;
	struct tendril_error error = { 0 };
	uint64_t address = 0, value = 0;
	struct tendril_argument argument = { TENDRIL_INTEGER, .value = 31 };
	int r = tendril_open(pid, NULL, &target, &error);

	if (r == 0)
		r = tendril_resolve(target, "victim_echo", &address, &error);
	if (r == 0)
		r = tendril_call(target, address, &argument, 1, CALL_MS, &value, &error);
	if (r < 0)
		(void)fprintf(stderr, "# %d rule %d: %s\n", r, (int)error.rule, error.text);
	tendril_close(target);
	return r == 0 && value == 31 ? 0 : 1;
}

static void test_ordinary_user_reaches_own_processes(void **state)
{
	start_as_nobody();
	assert_int_equal(as_ordinary_user(65534, can_call, w.victim.pid), 0);
	tendril_close(w.target);
	target_end(&w.victim);
}

/* --- musl -------------------------------------------------------------------------------- */

static void test_musl_target(void **state)
{
	struct target_start how = { .program = "victim_musl", .mode = "idle-epoll" };
	char path[4096];
	struct tendril_argument text = { TENDRIL_BYTES, .data = "twelve chars", .bytes = 13 };
	uint64_t handle = 0;

	if (!support_find("victim_musl", path))
		SKIP_BECAUSE("no musl-gcc");
	begin_with(&how, SNAPSHOT_SLEEPERS);
	look();
	for (uint64_t i = 0; i < 50; i++)
		assert_int_equal(finish(create("victim_echo", i, NULL)), i);
	assert_int_equal(call("victim_strlen", &text, 1), 12);
	assert_int_equal(tendril_load(w.target, "/nowhere/missing.so", CALL_MS, &handle, &w.error),
			 -ELIBACC);
	assert_non_null(strstr(w.error.text, "/nowhere/missing.so"));
	/* musl keeps the failed load's text for its next dlerror(): not a mapping of ours. */
	end();
}

static void test_musl_target_in_every_mode(void **state)
{
	/* Not "dlopen": musl keeps threads out while it loads, and that one does nothing else. */
	static const char *const modes[] = { "idle-nanosleep", "idle-poll", "idle-cond", "malloc",
					     "pthread", "stdio", "fork", "signals",
					     "alarm-pause", "alarm-suspend", "spin" };
	char path[4096];

	if (!support_find("victim_musl", path))
		SKIP_BECAUSE("no musl-gcc");
	for (size_t i = 0; i < ARRAY_LENGTH(modes); i++)
		for (unsigned int threads = 1; threads <= 4; threads += 3) {
			struct target_start how = { .program = "victim_musl", .mode = modes[i],
						    .threads = threads };

			/* musl has one lock for its heap: four threads that do nothing but allocate
			 * are always at it. */
			if (threads > 1 && strcmp(modes[i], "malloc") == 0)
				continue;
			begin_with(&how, snapshot_flags_of(modes[i]) | SNAPSHOT_BUSY);
			for (uint64_t n = 1; n <= 10; n++)
				assert_int_equal(finish(create("victim_count", 0, NULL)), n);
			tendril_close(w.target);
			if (!target_is_well(&w.victim, why))
				fail_msg("%s", why);
			assert_nothing_left_here();
			target_end(&w.victim);
		}
}

/* --- several callers --------------------------------------------------------------------- */

static void *call_often(void *param)
{
	uint64_t address = *(uint64_t *)param, value = 0;
	intptr_t failed = 0;

	for (int i = 0; i < 50; i++)
		failed += tendril_call(w.target, address, NULL, 0, CALL_MS, &value, NULL) != 0;
	return (void *)failed;
}

/* A shell that becomes another program, met anywhere on the way: an honest answer, soon, and no harm. */
static void test_target_is_met_in_the_middle_of_execve(void **state)
{
	for (unsigned int i = 0; i < 60; i++) {
		struct timespec later = { 0, i * 50000 };
		struct tendril_target *target = NULL;
		struct tendril_error error = { 0 };
		int64_t begin_ns;
		uint64_t address, value;
		pid_t child = fork();
		int r, status;

		if (child == 0) {
			(void)execl("/bin/sh", "sh", "-c", "exec sleep 100", (char *)NULL);
			_exit(127);
		}
		(void)nanosleep(&later, NULL); /* not to wait for anything: another moment each time */
		begin_ns = support_now_ns();
		r = tendril_open(child, NULL, &target, &error);
		for (int n = 0; r == 0 && n < 4; n++) {
			r = tendril_resolve(target, "getpid", &address, &error);
			if (r == 0)
				r = tendril_call(target, address, NULL, 0, 10000, &value, &error);
			if (r == 0)
				assert_int_equal(value, child);
		}
		if (r != 0 && error.rule == TENDRIL_RULE_NO_SAFE_POINT)
			fail_msg("%s", error.text);
		assert_true(support_now_ns() - begin_ns < INT64_C(4000000000));
		tendril_close(target);
		assert_int_equal(waitpid(child, &status, WNOHANG), 0);
		(void)kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
	}
}

static void test_threads_share_one_target(void **state)
{
	pthread_t threads[4];
	uint64_t count;

	begin("idle-epoll", 4);
	count = address_of("victim_count");
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, call_often, &count), 0);
	for (size_t i = 0; i < 4; i++) {
		void *failed = NULL;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(target_ask_number(&w.victim, "count"), 200);
	tendril_close(w.target);
	w.target = NULL;
	/* Four at once leave four cached stacks to glibc: one more call does not add to them. */
	if (!target_is_well(&w.victim, why))
		fail_msg("%s", why);
	assert_nothing_left_here();
	target_end(&w.victim);
}

static int teardown_test(void **state)
{
	target_end(&w.victim);
	memset(&w, 0, sizeof(w));
	return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown_test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_create_runs_the_function_with_its_parameter),
		TEST(test_create_works_in_every_mode),
		TEST(test_restartable_sequences_are_left_alone),
		TEST(test_tid_names_the_thread_and_its_process),
		TEST(test_cost_tells_time_and_borrowed_thread),
		TEST(test_wait_times_out_and_then_waits),
		TEST(test_nothing_is_left_when_wait_returns),
		TEST(test_thread_fd_is_readable_at_the_end),
		TEST(test_target_fd_is_readable_at_the_end),
		TEST(test_suspended_thread_runs_only_after_resume),
		TEST(test_suspended_thread_that_is_closed_leaves_unrun),
		TEST(test_closed_thread_goes_on_and_cleans_up),
		TEST(test_stack_is_as_large_as_asked),
		TEST(test_default_stack_is_that_of_the_targets_threads),
		TEST(test_impossible_stack_is_refused),
		TEST(test_bad_options_are_refused),
		TEST(test_pthread_exit_ends_the_thread_cleanly),
		TEST(test_function_may_end_the_process),
		TEST(test_target_that_dies_keeps_its_exit_code_for_its_parent),
		TEST(test_target_killed_meanwhile_ends_the_wait),
		TEST(test_remote_thread_is_a_true_pthread),
		TEST(test_call_passes_six_arguments),
		TEST(test_call_copies_strings_and_bytes),
		TEST(test_call_copies_up_to_the_limit_and_no_more),
		TEST(test_call_returns_all_64_bits),
		TEST(test_call_that_takes_too_long_goes_on_and_cleans_up),
		TEST(test_call_a_function_of_libc_by_its_library),
		TEST(test_load_and_unload_a_library),
		TEST(test_load_of_a_missing_file_gives_the_loaders_text),
		TEST(test_load_wants_an_absolute_path),
		TEST(test_unload_of_what_is_not_there_says_so),
		TEST(test_unload_of_what_the_program_needs_says_so),
		TEST(test_load_and_unload_here),
		TEST(test_read_and_write_memory),
		TEST(test_read_only_memory_needs_force),
		TEST(test_read_of_nothing_says_how_far_it_came),
		TEST(test_resolve_takes_every_form),
		TEST(test_resolve_refuses_an_indirect_function_and_runs_nothing),
		TEST(test_resolve_function_asks_the_resolver_in_the_target),
		TEST(test_resolve_function_of_any_other_symbol_is_resolve),
		TEST(test_resolver_that_misbehaves_is_survived),
		TEST(test_resolve_names_near_misses),
		TEST(test_resolve_works_when_the_files_are_deleted),
		TEST(test_own_process_is_a_target_too),
		TEST(test_open_by_pidfd_leaves_it_to_the_caller),
		TEST(test_refuses_a_process_that_does_not_exist),
		TEST(test_refuses_a_zombie),
		TEST(test_refuses_a_kernel_thread),
		TEST(test_refuses_a_static_program),
		TEST(test_refuses_a_go_program),
		TEST(test_refuses_a_32_bit_program),
		TEST(test_refuses_a_traced_process_and_names_the_tracer),
		TEST(test_refuses_a_stopped_process_and_leaves_it_stopped),
		TEST(test_refuses_a_thread_id),
		TEST(test_target_in_other_mount_pid_and_user_namespaces),
		TEST(test_root_reaches_a_process_of_another_user),
		TEST(test_ordinary_user_is_refused_by_uid),
		TEST(test_process_that_is_not_dumpable_is_refused_to_its_user),
		TEST(test_ordinary_user_reaches_own_processes),
		TEST(test_musl_target),
		TEST(test_musl_target_in_every_mode),
		TEST(test_target_is_met_in_the_middle_of_execve),
		TEST(test_threads_share_one_target),
	};

	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
