/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_support.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

char folder[64], path[96];

uint64_t roll(struct world *world, uint64_t below)
{
	world->seed = world->seed * 6364136223846793005u + 1442695040888963407u;
	return (world->seed >> 33) % below;
}

void world_begin(struct world *world, size_t n, uint64_t seed)
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

void world_pass(struct world *world, int64_t ms)
{
	world->sample.time_ns += ms * NS_PER_MS;
	world->sample.monotonic_ns += ms * NS_PER_MS;
}

/* One counter of so many percent of the processes. */
void world_turn(struct world *world, int64_t ms, int n_counters)
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
void world_shake(struct world *world)
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

struct store *open_or_fail(enum store_mode mode, uint64_t max_bytes)
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

int new_log(void **state)
{
	char command[160];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -f %s/*", folder);
	return system(command) == 0 ? 0 : -1;
}

int count_reading(void *context, const struct store_reading *reading)
{
	*(uint64_t *)context += reading->n_samples;
	return 0;
}

int damaged(struct store *store)
{
	uint64_t n = 0;

	return store_read(store, INT64_MIN, INT64_MAX, count_reading, &n);
}

void assert_whole(struct store *store, uint64_t n_wanted)
{
	uint64_t n = 0;

	if (store_read(store, INT64_MIN, INT64_MAX, count_reading, &n) < 0)
		fail_msg("%s", store_problem(store));
	assert_int_equal(n, n_wanted);
}

void append_or_fail(struct store *store, const struct monitor_sample *sample)
{
	int r = store_append(store, sample);

	if (r < 0)
		print_message("%s\n", store_problem(store));
	assert_int_equal(r, 0);
}

int make_folder(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/test_store.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/a?%%23 log", folder);
	return 0;
}

int remove_folder(void **state)
{
	return new_log(state) == 0 && rmdir(folder) == 0 ? 0 : -1;
}
