/* SPDX-License-Identifier: BSD-2-Clause */
/* test_store.c - the log: what goes in comes out; its coding; lines of a chart */
#include "store_support.h"

#include "monitor/delta.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

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

struct interrupter {
	struct store *store;
	uint64_t n;
};

static int interrupt_at_third(void *context, const struct store_reading *reading)
{
	struct interrupter *interrupter = context;

	(void)reading;
	if (++interrupter->n == 3)
		store_interrupt(interrupter->store);
	return 0;
}

/* Reading ends early, and the log can be read again. */
static void test_interrupted(void **state)
{
	struct world world;
	struct store *store = open_or_fail(STORE_APPEND, 0);
	struct interrupter interrupter = { store, 0 };

	(void)state;
	world_begin(&world, 20, 7);
	for (int i = 0; i < 2000; i++) {
		append_or_fail(store, &world.sample);
		world_turn(&world, 1000, 1);
	}
	assert_int_equal(store_read(store, INT64_MIN, INT64_MAX, interrupt_at_third, &interrupter),
			 -EINTR);
	assert_true(interrupter.n < 2000);
	assert_whole(store, 2000);
	store_close(store);
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
		cmocka_unit_test_setup(test_interrupted, new_log),
		cmocka_unit_test_setup(test_series, new_log),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
