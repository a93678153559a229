/* SPDX-License-Identifier: BSD-2-Clause */
/* test_store_bounds.c - the log: it keeps its bound, and what is in it when it is killed */
#include "store_support.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

/* Bounds */

struct extremes {
	uint64_t min, max, n, n_averages;
};

static int find_extremes(void *context, const struct store_reading *reading)
{
	const struct monitor_sample *min = reading->min ? reading->min : reading->sample;
	const struct monitor_sample *max = reading->max ? reading->max : reading->sample;
	struct extremes *extremes = context;

	extremes->n += reading->n_samples;
	extremes->n_averages += reading->min != NULL;
	for (size_t i = 0; i < reading->sample->n_processes; i++) {
		uint64_t value = reading->sample->process[i].value[0];

		assert_in_range(value, min->process[i].value[0], max->process[i].value[0]);
		if (i != 7)
			continue;
		if (min->process[i].value[0] < extremes->min)
			extremes->min = min->process[i].value[0];
		if (max->process[i].value[0] > extremes->max)
			extremes->max = max->process[i].value[0];
	}
	return 0;
}

/* A spike of one sample is still seen when its samples have become averages. */
static void test_bound_keeps_extremes(void **state)
{
	const uint64_t bound = 14 << 20;
	struct extremes extremes = { .min = UINT64_MAX };
	struct store *store = open_or_fail(STORE_APPEND, bound);
	struct stat status;
	struct world world;

	(void)state;
	world_begin(&world, 1000, 1);
	world.percent = 90;
	for (int i = 0; i < 8000; i++) {
		world_turn(&world, 10000, 3);
		world.process[7].value[0] = i == 100 ? 99999 : 50;
		append_or_fail(store, &world.sample);
		assert_int_equal(stat(path, &status), 0);
		assert_in_range(status.st_size, 0, bound);
	}
	assert_int_equal(store_read(store, INT64_MIN, INT64_MAX, find_extremes, &extremes), 0);
	assert_true(extremes.n_averages > 0);
	assert_int_equal(extremes.n, 8000);
	assert_int_equal(extremes.min, 50);
	assert_int_equal(extremes.max, 99999);
	store_close(store);
}

/* Many that come and go: they and the oldest averages are dropped, the newest samples are not. */
static void test_bound_drops_oldest(void **state)
{
	AUTO_FREE struct store_instance *instances = NULL;
	struct store *store = open_or_fail(STORE_APPEND, STORE_MIN_BYTES);
	struct store_range range;
	struct stat status;
	struct world world;
	size_t n_instances;

	(void)state;
	world_begin(&world, 300, 1);
	for (int i = 0; i < 6000; i++) {
		world_turn(&world, 1000, MONITOR_COUNTERS);
		for (int k = 0; k < 5; k++)
			world.process[roll(&world, 300)].start_ticks += 1000;
		append_or_fail(store, &world.sample);
		assert_int_equal(stat(path, &status), 0);
		assert_in_range(status.st_size, 0, STORE_MIN_BYTES);
	}
	assert_int_equal(store_range(store, &range), 0);
	assert_true(range.n_samples < 6000);
	assert_int_equal(range.last_ns, world.sample.time_ns);
	assert_whole(store, range.n_samples);
	assert_int_equal(store_instances(store, INT64_MIN, INT64_MAX, &instances, &n_instances), 0);
	assert_true(n_instances < 25000);
	store_close(store);
}

static void test_bytes_a_sample(void **state)
{
	struct store *store = open_or_fail(STORE_APPEND, 0);
	struct store_range begun, range;
	struct world world;
	uint64_t bytes;

	(void)state;
	world_begin(&world, 1000, 1);
	world.known = 1u << MONITOR_HANDLES | 1u << MONITOR_THREADS | 1u << MONITOR_MAPPINGS;
	for (size_t i = 0; i < 1000; i++)
		world.process[i].known = world.known;
	for (int i = 0; i < 7300; i++) {
		append_or_fail(store, &world.sample);
		world_turn(&world, 1000, 3);
		if (i == 99) /* with the list of processes, and the first keyframe */
			assert_int_equal(store_range(store, &begun), 0);
	}
	assert_int_equal(store_range(store, &range), 0);
	bytes = (range.n_bytes - begun.n_bytes) / 7200;
	print_message("# %" PRIu64 " bytes a sample of 1,000 processes x 3 counters, 5 %% changing\n",
		      bytes);
	assert_in_range(bytes, 50, 143);
	store_close(store);
}

/* Killed */

static int integrity(void)
{
	sqlite3 *db;
	sqlite3_stmt *statement;
	int ok = 0;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL) == SQLITE_OK) {
		ok = sqlite3_step(statement) == SQLITE_ROW &&
		     !strcmp((const char *)sqlite3_column_text(statement, 0), "ok");
		sqlite3_finalize(statement);
	}
	sqlite3_close(db);
	return ok;
}

/* Append for ever and tell how many are in; the bound makes that condense, too. */
static _Noreturn void log_until_killed(int out, uint64_t seed)
{
	const struct store_options options = { .mode = STORE_APPEND, .max_bytes = STORE_MIN_BYTES };
	static struct world world;
	struct store *store;

	world_begin(&world, 300, seed);
	world.sample.time_ns += (int64_t)seed * 3600 * NS_PER_S;
	if (store_open(path, &options, &store, NULL) < 0)
		_exit(1);
	for (;;) {
		world_turn(&world, 1000, MONITOR_COUNTERS);
		if (store_append(store, &world.sample) < 0 ||
		    write(out, &world.sample.time_ns, sizeof(int64_t)) != sizeof(int64_t))
			_exit(1);
	}
}

static void test_killed_at_any_moment(void **state)
{
	struct world dice;

	(void)state;
	world_begin(&dice, 2, 4242);
	for (uint64_t turn = 1; turn <= 200; turn++) {
		struct timespec nap = { .tv_nsec = (long)roll(&dice, 20000000) };
		int64_t last_ns = 0, one_ns;
		struct store_range range;
		struct store *store;
		int ends[2], status;
		pid_t child;

		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		child = fork();
		if (child == 0)
			log_until_killed(ends[1], turn);
		assert_true(child > 0);
		(void)close(ends[1]);
		(void)nanosleep(&nap, NULL); /* a random moment, not one to wait for */
		(void)kill(child, SIGKILL);
		while (read(ends[0], &one_ns, sizeof(one_ns)) == (ssize_t)sizeof(one_ns))
			last_ns = one_ns;
		(void)close(ends[0]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		if (access(path, F_OK) != 0)
			continue; /* it had not even been made */
		store = open_or_fail(STORE_APPEND, 0);
		assert_int_equal(store_range(store, &range), 0);
		/* All that was said to be in is in, and at most one more. */
		assert_true(range.last_ns >= last_ns);
		assert_true(!last_ns || range.last_ns <= last_ns + NS_PER_S);
		assert_int_equal(damaged(store), 0);
		store_close(store);
		if (turn % 10 == 0)
			assert_true(integrity());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_bound_keeps_extremes, new_log),
		cmocka_unit_test_setup(test_bound_drops_oldest, new_log),
		cmocka_unit_test_setup(test_bytes_a_sample, new_log),
		cmocka_unit_test_setup(test_killed_at_any_moment, new_log),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
