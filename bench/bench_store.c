/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_store.c [FOLDER] - a week of 1,000 processes at 10 s: its size, and how soon it is a chart
 *
 * Beside the lines that Windows' Performance Monitor would write of the same (PDH-CSV, as `tendril
 * relog` writes it too), which are counted and not kept.  Exit status 1 when a goal is missed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "measure.h"
#include "monitor/store.h"

#define N_PROCESSES 1000
#define N_SAMPLES   60480
#define DRAWN	    500
#define BOUND	    (UINT64_C(500) << 20)
#define BOUND_MB    500
#define CHART_S	    1
#define CSV_EVERY   600

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

/* A time, and each counter in quotes. */
static size_t csv_bytes(void)
{
	size_t bytes = strlen("\"11/23/2026 14:00:00.000\"\r\n");

	for (int i = 0; i < N_PROCESSES; i++)
		for (int c = 0; c < MONITOR_COUNTERS; c++)
			bytes += (size_t)snprintf(NULL, 0, ",\"%" PRIu64 "\"", process[i].value[c]);
	return bytes;
}

struct spent {
	double us;  /* CPU time of all appends */
	double csv; /* bytes a sample */
};

static int fill(struct store *store, struct spent *ret_spent)
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
		double begin_us;

		for (int i = 0; i < N_PROCESSES; i++)
			turn(&process[i]);
		begin_us = clock_us(&CLOCK_OF_US);
		r = store_append(store, &sample);
		ret_spent->us += clock_us(&CLOCK_OF_US) - begin_us;
		if (k % CSV_EVERY == 0)
			ret_spent->csv += (double)csv_bytes() * CSV_EVERY / N_SAMPLES;
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
		measure_limit(what, (double)(now_ns() - begin) / 1e9, CHART_S, "s");
	else
		measure_failed(what);
	free(line.points);
	store_close(store);
	return r;
}

static void tell(const char *path, const struct spent *spent)
{
	struct rusage usage;
	struct stat status;

	(void)getrusage(RUSAGE_SELF, &usage);
	if (stat(path, &status) < 0) {
		measure_failed("a week's log");
		return;
	}
	measure_limit("a week's log", (double)status.st_size / 1e6, BOUND_MB, "MB");
	measure_ratio((double)status.st_size / N_SAMPLES, spent->csv, "bytes",
		      &(struct goal){ "a sample of it; PDH-CSV / it", 0, true });
	measure_limit("CPU time of a sample's append", spent->us / N_SAMPLES, -1, "us");
	measure_limit("memory", (double)usage.ru_maxrss / 1024, -1, "MB");
}

int main(int argc, char **argv)
{
	const struct store_options how = { .mode = STORE_APPEND, .max_bytes = BOUND };
	char folder[] = "/tmp/tendril-bench-XXXXXX", path[4096];
	const char *place = argc > 1 ? argv[1] : mkdtemp(folder);
	struct store_error error = { "" };
	struct spent spent = { 0 };
	struct store *store = NULL;
	int r;

	(void)snprintf(path, sizeof(path), "%s/week.tlog", place ? place : ".");
	r = store_open(path, &how, &store, &error);
	if (r < 0) {
		(void)fprintf(stderr, "bench_store: %s: %s\n", path, error.text);
		return 1;
	}
	printf("A log of %d samples of %d processes with %d counters, one each 10 s\n", N_SAMPLES,
	       N_PROCESSES, MONITOR_COUNTERS);
	measure_heading();
	r = fill(store, &spent);
	store_close(store);
	if (r < 0)
		measure_failed("a week's log");
	else
		tell(path, &spent);
	if (r == 0)
		r = chart(path, INT64_C(7) * 86400 * NS_PER_S, "one process's week as a chart");
	if (r == 0)
		r = chart(path, INT64_C(3600) * NS_PER_S, "its last hour as a chart");
	(void)unlink(path);
	if (argc < 2)
		(void)rmdir(folder);
	return measure_end();
}
