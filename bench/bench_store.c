/* SPDX-License-Identifier: BSD-2-Clause */
/* bench_store.c FOLDER - a week of 1,000 processes at 10 s: its size, and how soon it is a chart */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "monitor/store.h"

#define N_PROCESSES 1000
#define N_SAMPLES   60480
#define DRAWN	    500
#define BOUND	    (UINT64_C(500) << 20)

static struct monitor_process process[N_PROCESSES];
static uint64_t seed = 1;

static uint64_t roll(uint64_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % below;
}

/* 5 % a second is 40 % in 10 s; and of each 100,000, one is another process; never the one that is drawn. */
static void turn(struct monitor_process *one)
{
	if (roll(100) < 40) {
		one->value[roll(2) ? MONITOR_HANDLES : MONITOR_THREADS] = 20 + roll(12);
		one->value[MONITOR_MAPPINGS] = 200 + roll(8);
		one->value[MONITOR_RESIDENT_BYTES] = 4096 * (2000 + roll(100));
		one->value[MONITOR_CPU_NS] += 10000000 * roll(50);
	}
	if (roll(100000) == 0 && one != &process[DRAWN])
		one->start_ticks++;
}

static double seconds_since(int64_t begin_ns)
{
	return (double)(now_ns() - begin_ns) / 1e9;
}

static int fill(struct store *store)
{
	struct monitor_sample sample = { .time_ns = INT64_C(1790000000) * NS_PER_S,
					 .monotonic_ns = NS_PER_S, .process = process,
					 .n_processes = N_PROCESSES };
	int r = 0;

	for (int i = 0; i < N_PROCESSES; i++) {
		process[i] = (struct monitor_process){ .pid = 100 + i, .start_ticks = 10,
						       .known = (1u << MONITOR_COUNTERS) - 1 };
		(void)snprintf(process[i].name, sizeof(process[i].name), "service-%d", i % 50);
		process[i].value[MONITOR_HANDLE_LIMIT] = 1024;
	}
	for (int k = 0; r == 0 && k < N_SAMPLES; k++) {
		for (int i = 0; i < N_PROCESSES; i++)
			turn(&process[i]);
		r = store_append(store, &sample);
		sample.time_ns += 10 * NS_PER_S;
		sample.monotonic_ns += 10 * NS_PER_S;
	}
	return r;
}

static int chart(const char *path, int64_t window_ns, const char *what)
{
	const struct store_options how = { .mode = STORE_READ };
	struct store_line line = { .instance = DRAWN + 1, /* ids count from 1 */
				    .counter = MONITOR_HANDLES };
	struct store *store = NULL;
	struct store_range range;
	int64_t begin;
	int r = store_open(path, &how, &store, NULL);

	if (r == 0)
		r = store_range(store, &range);
	begin = now_ns();
	if (r == 0)
		r = store_series(store, range.last_ns - window_ns, INT64_MAX, 2000, &line, 1);
	if (r == 0)
		printf("%s as a chart of %zu points: %.3f s\n", what, line.n_points,
		       seconds_since(begin));
	free(line.points);
	store_close(store);
	return r;
}

int main(int argc, char **argv)
{
	const struct store_options how = { .mode = STORE_APPEND, .max_bytes = BOUND };
	struct store_error error = { "" };
	struct store *store = NULL;
	struct rusage usage;
	struct stat status;
	char path[4096];
	int64_t begin = now_ns();
	int r;

	(void)snprintf(path, sizeof(path), "%s/week.tlog", argc > 1 ? argv[1] : ".");
	r = store_open(path, &how, &store, &error);
	if (r < 0) {
		(void)fprintf(stderr, "bench_store: %s: %s\n", path, error.text);
		return 1;
	}
	r = fill(store);
	store_close(store);
	(void)getrusage(RUSAGE_SELF, &usage);
	if (r == 0 && stat(path, &status) == 0)
		printf("a week of 1,000 processes x %d counters at 10 s: %.0f MB of 500, %.0f bytes a "
		       "sample, %.2f ms a sample\n", MONITOR_COUNTERS, (double)status.st_size / 1e6,
		       (double)status.st_size / N_SAMPLES, 1e3 * seconds_since(begin) / N_SAMPLES);
	if (r == 0)
		r = chart(path, INT64_C(7) * 86400 * NS_PER_S, "one process's week");
	if (r == 0)
		r = chart(path, INT64_C(3600) * NS_PER_S, "its last hour");
	printf("%.1f MB of memory\n", (double)usage.ru_maxrss / 1024);
	(void)unlink(path);
	return r < 0;
}
