/* SPDX-License-Identifier: BSD-2-Clause */
/* test_store.c - the log: what goes in comes out, killed or not, bounded or not, hostile or not */
#include "monitor/delta.h"
#include "monitor/store.h"

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

#define START_MS   1790000000000
#define N_PROCESSES 60

static char folder[64], path[96];

/* A world of processes that live, die, change and are reused, from a seed. */
struct world {
	uint64_t seed;
	unsigned percent; /* that change in a turn */
	uint32_t known;
	struct monitor_sample sample;
	struct monitor_process process[1100];
};

static uint64_t roll(struct world *world, uint64_t below)
{
	world->seed = world->seed * 6364136223846793005u + 1442695040888963407u;
	return (world->seed >> 33) % below;
}

static void world_begin(struct world *world, size_t n, uint64_t seed)
{
	memset(world, 0, sizeof(*world));
	world->seed = seed;
	world->percent = 5;
	world->known = (1u << MONITOR_COUNTERS) - 1;
	world->sample = (struct monitor_sample){ .time_ns = START_MS * NS_PER_MS,
						 .monotonic_ns = INT64_C(5000) * NS_PER_MS,
						 .process = world->process, .n_processes = n };
	for (size_t i = 0; i < n; i++) {
		struct monitor_process *process = &world->process[i];

		process->pid = (pid_t)(100 + 3 * i);
		process->start_ticks = 1000 + i;
		process->uid = (uid_t)(i % 5);
		process->session = 7;
		(void)snprintf(process->name, sizeof(process->name), "name-%zu", i % 20);
		process->known = world->known;
		process->value[MONITOR_HANDLES] = 20 + roll(world, 200);
		process->value[MONITOR_HANDLE_LIMIT] = 1024;
		process->value[MONITOR_THREADS] = 1 + roll(world, 20);
		process->value[MONITOR_MAPPINGS] = 100 + roll(world, 200);
		process->value[MONITOR_RESIDENT_BYTES] = 4096 * roll(world, 100000);
		process->value[MONITOR_CPU_NS] = 10000000 * roll(world, 100000);
	}
}

static void world_pass(struct world *world, int64_t ms)
{
	world->sample.time_ns += ms * NS_PER_MS;
	world->sample.monotonic_ns += ms * NS_PER_MS;
}

/* One counter of so many percent of the processes. */
static void world_turn(struct world *world, int64_t ms, int n_counters)
{
	world_pass(world, ms);
	for (size_t k = 0; k < world->sample.n_processes * world->percent / 100; k++) {
		struct monitor_process *process =
			&world->process[roll(world, world->sample.n_processes)];
		int counter = (int)roll(world, (uint64_t)n_counters);

		counter = counter == 1 ? MONITOR_THREADS : counter == 2 ? MONITOR_MAPPINGS : counter;
		process->value[counter] += 1 + roll(world, 4);
		if (!monitor_counters[counter].is_total && roll(world, 2))
			process->value[counter] -= process->value[counter] > 10 ? 8 : 0;
	}
}

/* What a bad day brings. */
static void world_shake(struct world *world)
{
	size_t n = world->sample.n_processes, i = roll(world, n);
	struct monitor_process *process = &world->process[i];

	switch (roll(world, 6)) {
	case 0: /* the id is used again */
		process->start_ticks += 100000;
		break;
	case 1: /* it ends */
		if (n < N_PROCESSES / 2)
			break;
		memmove(process, process + 1, (n - i - 1) * sizeof(*process));
		world->sample.n_processes--;
		break;
	case 2: /* one more */
		if (n + 1 == sizeof(world->process) / sizeof(world->process[0]))
			break;
		world->process[n] = world->process[n - 1];
		world->process[n].pid += 1 + (pid_t)roll(world, 3);
		world->process[n].start_ticks += 5;
		world->sample.n_processes++;
		break;
	case 3: /* no longer readable, or so again */
		process->known ^= 1u << roll(world, MONITOR_COUNTERS);
		break;
	case 4: /* execve(2) and a hostile name */
		(void)snprintf(process->name, sizeof(process->name), "\x1b[2J\"(%d)\n\xff",
			       (int)roll(world, 1000));
		break;
	default:
		process->value[roll(world, MONITOR_COUNTERS)] =
			roll(world, 2) ? INT64_MAX / 2 : roll(world, 1u << 30);
		break;
	}
}

static struct store *open_or_fail(enum store_mode mode, uint64_t max_bytes)
{
	const struct store_options options = { .mode = mode, .max_bytes = max_bytes };
	struct store_error error = { "" };
	struct store *store = NULL;
	int r = store_open(path, &options, &store, &error);

	if (r < 0)
		print_message("%s: %s\n", path, error.text);
	assert_int_equal(r, 0);
	return store;
}

static int new_log(void **state)
{
	char command[160];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -f %s/*", folder);
	return system(command) == 0 ? 0 : -1;
}

/* What a log should give back. */
struct memory {
	struct monitor_sample *sample;
	size_t n, at, room;
};

static void remember(struct memory *memory, const struct monitor_sample *sample)
{
	struct monitor_sample *copy;

	memory->sample = reallocarray(memory->sample, memory->n + 1, sizeof(*memory->sample));
	assert_non_null(memory->sample);
	copy = &memory->sample[memory->n++];
	*copy = *sample;
	copy->process = calloc(sample->n_processes + 1, sizeof(*copy->process));
	assert_non_null(copy->process);
	memcpy(copy->process, sample->process, sample->n_processes * sizeof(*copy->process));
}

static void forget(struct memory *memory)
{
	for (size_t i = 0; i < memory->n; i++)
		free(memory->sample[i].process);
	free(memory->sample);
}

static void assert_same_sample(const struct monitor_sample *got, const struct monitor_sample *wanted)
{
	assert_int_equal(got->time_ns, wanted->time_ns);
	assert_int_equal(got->monotonic_ns, wanted->monotonic_ns);
	assert_int_equal(got->n_processes, wanted->n_processes);
	for (size_t i = 0; i < got->n_processes; i++) {
		const struct monitor_process *a = &got->process[i], *b = &wanted->process[i];

		assert_int_equal(a->pid, b->pid);
		assert_int_equal(a->start_ticks, b->start_ticks);
		assert_int_equal(a->known, b->known);
		for (int k = 0; k < MONITOR_COUNTERS; k++)
			assert_int_equal(a->value[k], b->known & 1u << k ? b->value[k] : 0);
	}
}

static int compare_reading(void *context, const struct store_reading *reading)
{
	struct memory *memory = context;

	assert_null(reading->min);
	assert_true(memory->at < memory->n);
	assert_same_sample(reading->sample, &memory->sample[memory->at++]);
	return 0;
}

static int count_reading(void *context, const struct store_reading *reading)
{
	*(uint64_t *)context += reading->n_samples;
	return 0;
}

static int damaged(struct store *store)
{
	uint64_t n = 0;

	return store_read(store, INT64_MIN, INT64_MAX, count_reading, &n);
}

static void assert_whole(struct store *store, uint64_t n_wanted)
{
	uint64_t n = 0;

	if (store_read(store, INT64_MIN, INT64_MAX, count_reading, &n) < 0)
		fail_msg("%s", store_problem(store));
	assert_int_equal(n, n_wanted);
}

static void append_or_fail(struct store *store, const struct monitor_sample *sample)
{
	int r = store_append(store, sample);

	if (r < 0)
		print_message("%s\n", store_problem(store));
	assert_int_equal(r, 0);
}

/* The coding */

static void test_numbers(void **state)
{
	static const int64_t numbers[] = { 0, 1, -1, 63, 64, -64, -65, 1 << 20, INT64_MAX, INT64_MIN };
	struct delta_bytes bytes = { 0 };
	const unsigned char *data;
	uint64_t number;

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert_int_equal(delta_put_signed(&bytes, numbers[i]), 0);
	data = bytes.data;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		int64_t back = 0;

		data = delta_get_signed(data, bytes.data + bytes.n_bytes, &back);
		assert_non_null(data);
		assert_true(back == numbers[i]);
	}
	assert_ptr_equal(data, bytes.data + bytes.n_bytes);
	/* Cut off, and longer than 64 bits. */
	data = (const unsigned char *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02";
	assert_null(delta_get(data, data + 10, &number));
	assert_null(delta_get(data, data + 3, &number));
	delta_bytes_done(&bytes);
}

/* Whatever a step says, the state stays one: rising ids, values below 2^63. */
static void test_steps_of_noise(void **state)
{
	/* One comes, and its first counter is 0 - 1. */
	static const unsigned char below_zero[] = { 3, 0, 1, 1, 4, 1, 1, 0, 2 };
	struct delta_state one = { 0 };
	const unsigned char *after;
	struct world world;
	bool changed;

	(void)state;
	assert_int_equal(delta_decode(&one, 1, below_zero, below_zero + sizeof(below_zero), &after,
				      &changed), -EBADMSG);
	delta_state_done(&one);
	world_begin(&world, 2, 99);
	for (int i = 0; i < 20000; i++) {
		struct delta_state cells = { 0 };
		unsigned char noise[40];
		const unsigned char *behind;
		bool members;
		size_t n = roll(&world, sizeof(noise));
		int r = 0;

		for (size_t k = 0; k < n; k++)
			noise[k] = (unsigned char)roll(&world, roll(&world, 2) ? 4 : 256);
		for (int k = 0; r == 0 && k < 3; k++) {
			r = delta_decode(&cells, 1 + (uint32_t)(i & 2), noise, noise + n, &behind, &members);
			assert_true(r == 0 || r == -EBADMSG);
			for (size_t j = 0; r == 0 && j < cells.n_cells; j++) {
				assert_true(j == 0 ||
					    cells.cell[j].instance > cells.cell[j - 1].instance);
				assert_true(cells.cell[j].value[0] <= INT64_MAX);
			}
		}
		delta_state_done(&cells);
	}
}

/* In and out */

static void test_everything_comes_back(void **state)
{
	struct memory memory = { 0 };
	struct store_range range;
	struct store *store;
	struct world world;

	(void)state;
	world_begin(&world, N_PROCESSES, 1);
	for (int session = 0; session < 3; session++) {
		store = open_or_fail(STORE_APPEND, 0);
		for (int i = 0; i < 400; i++) {
			world_turn(&world, 1000, MONITOR_COUNTERS);
			world_shake(&world);
			append_or_fail(store, &world.sample);
			remember(&memory, &world.sample);
		}
		store_close(store);
	}
	store = open_or_fail(STORE_READ, 0);
	assert_int_equal(store_read(store, INT64_MIN, INT64_MAX, compare_reading, &memory), 0);
	assert_int_equal(memory.at, memory.n);
	/* A window in the middle. */
	memory.at = 700;
	assert_int_equal(store_read(store, memory.sample[700].time_ns, memory.sample[709].time_ns,
				    compare_reading, &memory), 0);
	assert_int_equal(memory.at, 710);
	assert_int_equal(store_range(store, &range), 0);
	assert_int_equal(range.first_ns, memory.sample[0].time_ns);
	assert_int_equal(range.last_ns, memory.sample[memory.n - 1].time_ns);
	assert_int_equal(range.n_samples, memory.n);
	store_close(store);
	forget(&memory);
}

static const struct store_instance *instance_of(const struct store_instance *instances, size_t n,
						const struct monitor_process *process)
{
	for (size_t i = 0; i < n; i++)
		if (instances[i].process.pid == process->pid &&
		    instances[i].process.start_ticks == process->start_ticks)
			return &instances[i];
	return NULL;
}

static void test_instances(void **state)
{
	AUTO_FREE struct store_instance *all = NULL, *late = NULL;
	const struct store_instance *first, *second;
	struct store *store = open_or_fail(STORE_APPEND, 0);
	struct monitor_process before;
	struct world world;
	size_t n, n_late;

	(void)state;
	world_begin(&world, 3, 1);
	append_or_fail(store, &world.sample);
	before = world.process[1];
	world.process[1].start_ticks++;
	(void)snprintf(world.process[2].name, sizeof(world.process[2].name), "renamed");
	world_pass(&world, 1000);
	append_or_fail(store, &world.sample);
	assert_int_equal(store_instances(store, INT64_MIN, INT64_MAX, &all, &n), 0);
	assert_int_equal(n, 4);
	first = instance_of(all, n, &before);
	second = instance_of(all, n, &world.process[1]);
	assert_non_null(first);
	assert_non_null(second);
	assert_int_equal(first->reuse, 0);
	assert_int_equal(second->reuse, 1);
	assert_int_equal(first->last_ns, START_MS * NS_PER_MS);
	assert_int_equal(second->first_ns, (START_MS + 1000) * NS_PER_MS);
	assert_int_equal(second->last_ns, (START_MS + 1000) * NS_PER_MS);
	assert_string_equal(instance_of(all, n, &world.process[2])->process.name, "renamed");
	assert_int_equal(store_instances(store, (START_MS + 1) * NS_PER_MS, INT64_MAX, &late,
					 &n_late), 0);
	assert_int_equal(n_late, 3);
	assert_null(instance_of(late, n_late, &before));
	store_close(store);
}

static void test_times_rise(void **state)
{
	struct store *store = open_or_fail(STORE_APPEND, 0);
	struct store_range range;
	struct world world;

	(void)state;
	world_begin(&world, 3, 1);
	append_or_fail(store, &world.sample);
	world_pass(&world, 2000);
	world.sample.time_ns -= 3600 * NS_PER_S; /* the clock is set back */
	append_or_fail(store, &world.sample);
	assert_int_equal(store_range(store, &range), 0);
	assert_int_equal(range.last_ns, (START_MS + 2000) * NS_PER_MS);
	store_close(store);
}

static void test_bookmarks(void **state)
{
	AUTO_FREE struct store_bookmark *marks = NULL;
	struct store *store = open_or_fail(STORE_APPEND, 0), *other;
	char longest[2 * STORE_MARK_BYTES];
	size_t n;

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(store_mark(store, 2 * NS_PER_S, "second"), 0);
	other = open_or_fail(STORE_MARK, 0); /* beside the one who logs */
	assert_int_equal(store_mark(other, NS_PER_S, longest), 0);
	store_close(other);
	assert_int_equal(store_bookmarks(store, &marks, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(marks[0].time_ns, NS_PER_S);
	assert_int_equal(strlen(marks[0].text), STORE_MARK_BYTES - 1);
	assert_string_equal(marks[1].text, "second");
	store_close(store);
}

static void test_one_writer(void **state)
{
	const struct store_options options = { .mode = STORE_APPEND };
	struct store *store = open_or_fail(STORE_APPEND, 0), *other = NULL;
	struct store_error error;

	(void)state;
	assert_int_equal(store_open(path, &options, &other, &error), -EBUSY);
	assert_string_equal(error.text, "another process is logging to it");
	store_close(store);
	store_close(open_or_fail(STORE_APPEND, 0));
}

/* After it was closed there is one file; while it is written, it can be read. */
static void test_one_file_and_live_readers(void **state)
{
	struct store *store = open_or_fail(STORE_APPEND, 0), *reader;
	char name[128];
	struct world world;
	uint64_t n = 0;

	(void)state;
	world_begin(&world, 3, 1);
	append_or_fail(store, &world.sample);
	reader = open_or_fail(STORE_READ, 0);
	assert_int_equal(store_read(reader, INT64_MIN, INT64_MAX, count_reading, &n), 0);
	assert_int_equal(n, 1);
	store_close(reader);
	world_pass(&world, 1000);
	append_or_fail(store, &world.sample);
	store_close(store);
	(void)snprintf(name, sizeof(name), "%s-wal", path);
	assert_int_not_equal(access(name, F_OK), 0);
	(void)snprintf(name, sizeof(name), "%s-shm", path);
	assert_int_not_equal(access(name, F_OK), 0);
}

/* Charts */

static void test_series(void **state)
{
	struct store_line lines[2] = { { .counter = MONITOR_HANDLES },
				       { .counter = MONITOR_THREADS } };
	AUTO_FREE struct store_instance *instances = NULL;
	struct store *store = open_or_fail(STORE_APPEND, 0);
	struct world world;
	uint64_t n_samples = 0;
	size_t n;

	(void)state;
	world_begin(&world, 3, 1);
	for (uint64_t i = 0; i < 1000; i++) {
		world.process[1].value[MONITOR_HANDLES] = i;
		world.process[1].value[MONITOR_THREADS] = 4;
		world.process[1].known = i == 555 ? 0 : world.known;
		append_or_fail(store, &world.sample);
		world_pass(&world, 1000);
	}
	assert_int_equal(store_instances(store, INT64_MIN, INT64_MAX, &instances, &n), 0);
	lines[0].instance = lines[1].instance =
		instance_of(instances, n, &world.process[1])->id;
	assert_int_equal(store_series(store, INT64_MIN, INT64_MAX, 100, lines, 2), 0);
	assert_in_range(lines[0].n_points, 90, 100);
	for (size_t i = 0; i < lines[0].n_points; i++) {
		const struct store_point *point = &lines[0].points[i];
		uint64_t low = (uint64_t)(point->time_ns / NS_PER_MS - START_MS) / 1000;
		uint64_t high = (uint64_t)(point->end_ns / NS_PER_MS - START_MS) / 1000;

		n_samples += point->n_samples;
		assert_int_equal(point->min, low);
		assert_int_equal(point->max, high);
		assert_int_equal(point->last, high);
		if (high - low + 1 == point->n_samples) /* none is missing in it */
			assert_true(point->average > (double)(low + high) / 2 - 0.01 &&
				    point->average < (double)(low + high) / 2 + 0.01);
		assert_true(lines[1].points[i].average == 4);
	}
	assert_int_equal(n_samples, 999);
	free(lines[0].points);
	free(lines[1].points);
	store_close(store);
}

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

/* Hostile files */

static void write_log(int n)
{
	struct store *store = open_or_fail(STORE_APPEND, 0);
	struct world world;

	world_begin(&world, N_PROCESSES, 1);
	for (int i = 0; i < n; i++) {
		world_turn(&world, 1000, MONITOR_COUNTERS);
		world_shake(&world);
		append_or_fail(store, &world.sample);
	}
	assert_int_equal(store_mark(store, 0, "mark"), 0);
	store_close(store);
}

static void run_sql(const char *sql)
{
	char *why = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	sqlite3_close(db);
}

static int open_code(enum store_mode mode, struct store_error *error)
{
	const struct store_options options = { .mode = mode };
	struct store *store = NULL;
	int r = store_open(path, &options, &store, error);

	if (r == 0)
		store_close(store);
	return r;
}

static void test_other_files(void **state)
{
	struct store_error error;
	FILE *file;

	(void)state;
	assert_int_equal(open_code(STORE_READ, &error), -ENOENT);
	run_sql("CREATE TABLE t(x); INSERT INTO t VALUES(1)");
	assert_int_equal(open_code(STORE_READ, &error), -EBADMSG);
	assert_string_equal(error.text, "is not a log of tendril");
	assert_int_equal(open_code(STORE_APPEND, &error), -EBADMSG); /* and it is not touched */
	run_sql("INSERT INTO t SELECT x FROM t");
	assert_int_equal(new_log(NULL), 0);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs("this is a letter, and no database at all, whatever its length may be; "
			  "it goes on for more than a header of one hundred bytes", file) > 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(open_code(STORE_APPEND, &error), -EBADMSG);
	assert_string_equal(error.text, "is not a log of tendril");
}

static void test_changed_logs(void **state)
{
	static const char *const changes[] = {
		"DELETE FROM instance WHERE id > 10",
		"UPDATE sample SET is_key = 0",
		"UPDATE sample SET is_key = 7",
		"UPDATE sample SET data = x'00'",
		"UPDATE sample SET data = x'00ffffffffffffffff7f'",
		"UPDATE sample SET data = 'text'",
		"UPDATE sample SET data = x'0003' || x'00' || x'ffffffff0f'",
		"UPDATE instance SET pid = -1",
		"UPDATE instance SET pid = 5",
		"UPDATE instance SET name = zeroblob(10)",
		"UPDATE instance SET name = zeroblob(10000000)",
		"UPDATE sample SET time_ms = 5000000000000 WHERE is_key",
		"INSERT INTO average VALUES(5, 1, 1, 1, x'000000')",
		"INSERT INTO average VALUES(5, 6, -1, 1, x'000000')",
		"INSERT INTO average VALUES(5, 6, 1, 1, x'')",
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct store *store;

		assert_int_equal(new_log(state), 0);
		write_log(20);
		run_sql(changes[i]);
		store = open_or_fail(STORE_READ, 0);
		if (damaged(store) != -EBADMSG)
			fail_msg("not seen: %s", changes[i]);
		assert_non_null(strstr(store_problem(store), "damaged"));
		store_close(store);
	}
}

static void test_changed_schema(void **state)
{
	struct store_error error;

	(void)state;
	write_log(3);
	run_sql("CREATE TRIGGER evil AFTER INSERT ON sample BEGIN DELETE FROM bookmark; END");
	assert_int_equal(open_code(STORE_READ, &error), -EBADMSG);
	assert_int_equal(open_code(STORE_APPEND, &error), -EBADMSG);
	run_sql("DROP TRIGGER evil; PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = "
		"replace(sql, 'is_key INTEGER', 'is_key REAL') WHERE name = 'sample'");
	assert_int_equal(open_code(STORE_READ, &error), -EBADMSG);
	run_sql("PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = "
		"replace(sql, 'is_key REAL', 'is_key INTEGER') WHERE name = 'sample'");
	assert_int_equal(open_code(STORE_READ, &error), 0);
	run_sql("PRAGMA user_version = 2");
	assert_int_equal(open_code(STORE_READ, &error), -ENOTSUP);
	assert_string_equal(error.text, "is a log of version 2; this program knows version 1");
}

static void read_all_of_it(void)
{
	const struct store_options options = { .mode = STORE_READ };
	struct store_line line = { .instance = 3, .counter = MONITOR_HANDLES };
	AUTO_FREE struct store_instance *instances = NULL;
	AUTO_FREE struct store_bookmark *marks = NULL;
	struct store *store = NULL;
	struct store_error error;
	size_t n;

	if (store_open(path, &options, &store, &error) < 0) {
		assert_true(error.text[0] && !strchr(error.text, '\n'));
		return;
	}
	if (damaged(store) < 0)
		assert_true(store_problem(store)[0] != '\0');
	(void)store_instances(store, INT64_MIN, INT64_MAX, &instances, &n);
	(void)store_bookmarks(store, &marks, &n);
	if (store_series(store, INT64_MIN, INT64_MAX, 50, &line, 1) == 0)
		free(line.points);
	store_close(store);
}

/* Bytes changed anywhere, and ends cut off: an error or a result, and never more. */
static void test_noise_in_the_file(void **state)
{
	unsigned char *good;
	struct stat status;
	struct world dice;
	int fd;

	(void)state;
	write_log(60);
	world_begin(&dice, 2, 77);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0 && fstat(fd, &status) == 0);
	good = malloc((size_t)status.st_size);
	assert_non_null(good);
	assert_int_equal(pread(fd, good, (size_t)status.st_size, 0), status.st_size);
	for (int turn = 0; turn < 1000; turn++) {
		assert_int_equal(pwrite(fd, good, (size_t)status.st_size, 0), status.st_size);
		for (uint64_t k = 0; k <= roll(&dice, 20); k++) {
			unsigned char byte = (unsigned char)roll(&dice, 256);

			assert_int_equal(pwrite(fd, &byte, 1,
						(off_t)roll(&dice, (uint64_t)status.st_size)), 1);
		}
		if (turn % 10 == 0)
			assert_int_equal(ftruncate(fd, (off_t)roll(&dice, (uint64_t)status.st_size)),
					 0);
		read_all_of_it();
	}
	free(good);
	(void)close(fd);
}

static int begin(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/test_store.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/a?%%23 log", folder);
	return 0;
}

static int end(void **state)
{
	return new_log(state) == 0 && rmdir(folder) == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_steps_of_noise),
		cmocka_unit_test_setup(test_everything_comes_back, new_log),
		cmocka_unit_test_setup(test_instances, new_log),
		cmocka_unit_test_setup(test_times_rise, new_log),
		cmocka_unit_test_setup(test_bookmarks, new_log),
		cmocka_unit_test_setup(test_one_writer, new_log),
		cmocka_unit_test_setup(test_one_file_and_live_readers, new_log),
		cmocka_unit_test_setup(test_series, new_log),
		cmocka_unit_test_setup(test_bound_keeps_extremes, new_log),
		cmocka_unit_test_setup(test_bound_drops_oldest, new_log),
		cmocka_unit_test_setup(test_bytes_a_sample, new_log),
		cmocka_unit_test_setup(test_killed_at_any_moment, new_log),
		cmocka_unit_test_setup(test_other_files, new_log),
		cmocka_unit_test_setup(test_changed_logs, new_log),
		cmocka_unit_test_setup(test_changed_schema, new_log),
		cmocka_unit_test_setup(test_noise_in_the_file, new_log),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
