/* SPDX-License-Identifier: BSD-2-Clause */
/* test_scale.c - many threads in one target, many callers of one, many targets of one caller */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <tendril/tendril.h>

#include "support.h"

#define CALL_MS 60000

static struct {
	unsigned int alive;	/* threads at once in one target */
	unsigned int callers;	/* processes, and threads, that call at once */
	unsigned int targets;	/* open at once */
	unsigned int calls;	/* for the caller's memory */
} scale = { 200, 16, 60, 5000 };

static char why[WHY_BYTES];
static struct target victim;

static void begin(const char *mode, unsigned int threads)
{
	assert_int_equal(target_start_victim(&victim, mode, threads), 0);
}

static int end_test(void **state)
{
	target_end(&victim);
	return 0;
}

static int open_resolved(pid_t pid, const char *symbol, struct tendril_target **ret_target,
			 uint64_t *ret_address, struct tendril_error *error)
{
	int r = tendril_open(pid, NULL, ret_target, error);

	return r < 0 ? r : tendril_resolve(*ret_target, symbol, ret_address, error);
}

static void create_alive(struct tendril_target *target, uint64_t block,
			 struct tendril_thread **threads)
{
	const struct tendril_thread_options options = { sizeof(options), .stack_bytes = 128 << 10 };
	struct tendril_error error;

	for (unsigned int i = 0; i < scale.alive; i++)
		if (tendril_create(target, block, i, &options, &threads[i], &error) < 0)
			fail_msg("thread %u: %s", i, error.text);
}

static void test_many_threads_are_alive_at_once(void **state)
{
	struct tendril_thread **threads = calloc(scale.alive, sizeof(struct tendril_thread *));
	struct tendril_target *target = NULL;
	struct tendril_error error;
	char answer[64];
	uint64_t block = 0;

	begin("idle-epoll", 1);
	if (open_resolved(victim.pid, "victim_block", &target, &block, &error) < 0)
		fail_msg("%s", error.text);
	create_alive(target, block, threads);
	assert_true(count_threads(victim.pid) >= (int)scale.alive + 1);
	assert_int_equal(target_ask(&victim, "release", answer, sizeof(answer)), 0);
	for (unsigned int i = 0; i < scale.alive; i++) {
		uint64_t value = 0;

		assert_int_equal(tendril_thread_wait(threads[i], CALL_MS), 0);
		assert_int_equal(tendril_thread_value(threads[i], &value), 0);
		assert_int_equal(value, i);
		tendril_thread_close(threads[i]);
	}
	tendril_close(target);
	assert_int_equal(count_threads(victim.pid), 1);
	if (!target_is_well(&victim, why))
		fail_msg("%s", why);
	free(threads);
}

/* A process of its own that calls; how many of its calls failed. */
static int call_as_process(unsigned int n)
{
	struct tendril_target *target = NULL;
	struct tendril_error error = { 0 };
	uint64_t count = 0, value = 0;
	int n_failed = 0;

	if (open_resolved(victim.pid, "victim_count", &target, &count, &error) < 0)
		return 100;
	for (unsigned int i = 0; i < n; i++) {
		if (tendril_call(target, count, NULL, 0, CALL_MS, &value, &error) == 0)
			continue;
		(void)fprintf(stderr, "# caller %d: %s\n", (int)getpid(), error.text);
		n_failed++;
	}
	tendril_close(target);
	return n_failed < 100 ? n_failed : 99;
}

static void call_from_processes(const char *mode, unsigned int threads)
{
	pid_t children[64];
	int n_failed = 0;

	begin(mode, threads);
	for (unsigned int i = 0; i < scale.callers; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(call_as_process(50));
		}
	}
	for (unsigned int i = 0; i < scale.callers; i++) {
		int status = 0;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		n_failed += WIFEXITED(status) ? WEXITSTATUS(status) : 100;
	}
	assert_int_equal(n_failed, 0);
	assert_int_equal(target_ask_number(&victim, "count"), (int)scale.callers * 50);
	if (!target_is_well(&victim, why))
		fail_msg("%s", why);
	target_end(&victim);
}

static void test_processes_call_one_target_at_once(void **state)
{
	call_from_processes("idle-epoll", 1);
	call_from_processes("malloc", 4);
}

/* --- many targets ------------------------------------------------------------------------ */

struct fleet {
	struct target *victims;
	struct tendril_target **targets;
	uint64_t *counts;
	unsigned int n;
	unsigned int calls_each;
	unsigned int n_failed;
	pthread_mutex_t lock;
	unsigned int next;
};

static bool next_call(struct fleet *fleet, unsigned int *ret_which)
{
	pthread_mutex_lock(&fleet->lock);
	*ret_which = fleet->next++;
	pthread_mutex_unlock(&fleet->lock);
	return *ret_which < fleet->n * fleet->calls_each;
}

static void *call_fleet(void *param)
{
	struct fleet *fleet = param;
	unsigned int which;

	while (next_call(fleet, &which)) {
		struct tendril_error error;
		uint64_t value = 0;
		unsigned int i = which % fleet->n;

		if (tendril_call(fleet->targets[i], fleet->counts[i], NULL, 0, CALL_MS, &value,
				 &error) == 0)
			continue;
		(void)fprintf(stderr, "# target %u: %s\n", i, error.text);
		pthread_mutex_lock(&fleet->lock);
		fleet->n_failed++;
		pthread_mutex_unlock(&fleet->lock);
	}
	return NULL;
}

static void start_fleet(struct fleet *fleet)
{
	struct tendril_error error = { 0 };

	for (unsigned int i = 0; i < fleet->n; i++) {
		assert_int_equal(target_start_victim(&fleet->victims[i], "idle-epoll", 1), 0);
		if (open_resolved(fleet->victims[i].pid, "victim_count", &fleet->targets[i],
				  &fleet->counts[i], &error) < 0)
			fail_msg("target %u: %s", i, error.text);
	}
}

static void end_fleet(struct fleet *fleet)
{
	for (unsigned int i = 0; i < fleet->n; i++) {
		tendril_close(fleet->targets[i]);
		assert_int_equal(target_ask_number(&fleet->victims[i], "count"),
				 (int)fleet->calls_each);
		if (!target_is_well(&fleet->victims[i], why))
			fail_msg("target %u: %s", i, why);
		target_end(&fleet->victims[i]);
	}
}

static void test_threads_call_many_targets(void **state)
{
	struct fleet fleet = { .n = scale.targets, .calls_each = 5,
			       .lock = PTHREAD_MUTEX_INITIALIZER };
	struct rlimit limit;
	pthread_t threads[16];

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	fleet.victims = calloc(fleet.n, sizeof(*fleet.victims));
	fleet.targets = calloc(fleet.n, sizeof(*fleet.targets));
	fleet.counts = calloc(fleet.n, sizeof(*fleet.counts));
	start_fleet(&fleet);
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, call_fleet, &fleet), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(fleet.n_failed, 0);
	end_fleet(&fleet);
	free(fleet.victims);
	free(fleet.targets);
	free(fleet.counts);
}

/* --- memory ------------------------------------------------------------------------------ */

static void call_times(struct tendril_target *target, uint64_t count, unsigned int n)
{
	struct tendril_error error;
	uint64_t value = 0;

	for (unsigned int i = 0; i < n; i++)
		if (tendril_call(target, count, NULL, 0, CALL_MS, &value, &error) < 0)
			fail_msg("call %u: %s", i, error.text);
}

/* Half of the calls on one open target, half with a target each.  Growth of a tenth of a percent
 * of a page a call would show. */
static void call_each_on_a_new_target(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct tendril_target *other = NULL;
		struct tendril_error error;
		uint64_t count;

		if (open_resolved(victim.pid, "victim_count", &other, &count, &error) < 0)
			fail_msg("%s", error.text);
		call_times(other, count, 1);
		tendril_close(other);
	}
}

static void test_memory_of_the_caller_stays_flat(void **state)
{
	struct tendril_target *target = NULL;
	struct tendril_error error;
	uint64_t count = 0;
	long before_kib, grown_kib, target_before_kib, target_grown_kib;
	int handles;

	begin("idle-epoll", 1);
	assert_int_equal(open_resolved(victim.pid, "victim_count", &target, &count, &error), 0);
	call_times(target, count, 500);
	call_each_on_a_new_target(500); /* until the heap has found its size */
	handles = count_handles(getpid());
	before_kib = status_number(getpid(), "VmRSS");
	target_before_kib = status_number(victim.pid, "VmRSS");
	call_times(target, count, scale.calls / 2);
	call_each_on_a_new_target(scale.calls / 2);
	grown_kib = status_number(getpid(), "VmRSS") - before_kib;
	target_grown_kib = status_number(victim.pid, "VmRSS") - target_before_kib;
	printf("# %u calls: caller grew by %ld KiB, target by %ld KiB\n", scale.calls, grown_kib,
	       target_grown_kib);
	assert_true(grown_kib <= 128);
	assert_true(target_grown_kib <= 128);
	assert_int_equal(count_handles(getpid()), handles);
	tendril_close(target);
	if (!target_is_well(&victim, why))
		fail_msg("%s", why);
}

#define TEST(name) cmocka_unit_test_teardown(name, end_test)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_many_threads_are_alive_at_once),
		TEST(test_processes_call_one_target_at_once),
		TEST(test_threads_call_many_targets),
		TEST(test_memory_of_the_caller_stays_flat),
	};

	if (argc == 2 && strcmp(argv[1], "--full") == 0) {
		scale.alive = 1000;
		scale.targets = 500;
		scale.calls = 100000;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
