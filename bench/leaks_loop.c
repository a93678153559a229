/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leaks_loop.c - opens and closes in a tight loop, ten calls deep
 *
 * Says "ready"; then each line read is `PAIRS THREADS PAIRS_A_SECOND LEAKS`, and answered by
 * `CPU_NS WALL_NS PAIRS`.  Each thread makes PAIRS pairs of open and close; 0 a second is as fast as
 * it can.  LEAKS handles are kept then.  With the line as arguments it does that once, and ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64
#define PACE_PAIRS  64 /* made without a look at the clock */

struct lap {
	unsigned long pairs, threads, pairs_a_second, leaks;
	unsigned int cpu;
};

static volatile int depth;
static long n_cpus;

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static __attribute__((noinline)) int deep_10(bool keeps)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		exit(1);
	if (!keeps)
		(void)close(fd);
	return fd;
}

/* Each does something after the call, so that it is no jump. */
#define DEEP(N, NEXT)                                                                              \
	static __attribute__((noinline)) int deep_##N(bool keeps)                         \
	{                                                                                          \
		char local[32 + N * 8];                                                            \
		int fd;                                                                            \
                                                                                                   \
		local[0] = (char)N;                                                                \
		__asm__ volatile("" : : "r"(local) : "memory");                                    \
		fd = NEXT(keeps);                                                                  \
		depth = local[0];                                                                  \
		return fd;                                                                         \
	}

DEEP(9, deep_10)
DEEP(8, deep_9)
DEEP(7, deep_8)
DEEP(6, deep_7)
DEEP(5, deep_6)
DEEP(4, deep_5)
DEEP(3, deep_4)
DEEP(2, deep_3)
DEEP(1, deep_2)

/* Spins until the time of the pair has come: sleeping would cost the scheduler's part. */
static void keep_pace(const struct lap *lap, int64_t begin_ns, unsigned long made)
{
	int64_t due_ns;

	if (lap->pairs_a_second == 0 || made % PACE_PAIRS != 0)
		return;
	due_ns = begin_ns + (int64_t)(made * 1000000000.0 / (double)lap->pairs_a_second);
	while (now_ns(CLOCK_MONOTONIC) < due_ns)
		;
}

static void *run_lap(void *param)
{
	const struct lap *lap = param;
	int64_t begin_ns = now_ns(CLOCK_MONOTONIC);
	cpu_set_t set;

	if (lap->threads > 1) {
		CPU_ZERO(&set);
		CPU_SET(lap->cpu, &set);
		(void)sched_setaffinity(0, sizeof(set), &set);
	}
	for (unsigned long i = 0; i < lap->pairs; i++) {
		keep_pace(lap, begin_ns, i);
		(void)deep_1(false);
	}
	return NULL;
}

static void run_threads(const struct lap *lap)
{
	struct lap laps[THREADS_MAX];
	pthread_t threads[THREADS_MAX];

	for (unsigned long i = 0; i < lap->threads; i++) {
		laps[i] = *lap;
		laps[i].cpu = (unsigned int)(i % (unsigned long)n_cpus);
		if (pthread_create(&threads[i], NULL, run_lap, &laps[i]) != 0)
			exit(1);
	}
	for (unsigned long i = 0; i < lap->threads; i++)
		(void)pthread_join(threads[i], NULL);
}

static int answer(const char *line)
{
	int64_t cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID), wall_ns = now_ns(CLOCK_MONOTONIC);
	struct lap lap = { 0 };

	if (sscanf(line, "%lu %lu %lu %lu", &lap.pairs, &lap.threads, &lap.pairs_a_second,
		   &lap.leaks) != 4 ||
	    lap.threads < 1 || lap.threads > THREADS_MAX) {
		(void)fprintf(stderr, "leaks_loop: PAIRS THREADS PAIRS_A_SECOND LEAKS\n");
		return 2;
	}
	if (lap.threads == 1)
		(void)run_lap(&lap);
	else
		run_threads(&lap);
	for (unsigned long i = 0; i < lap.leaks; i++)
		(void)deep_1(true);
	printf("%lld %lld %lu\n", (long long)(now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns),
	       (long long)(now_ns(CLOCK_MONOTONIC) - wall_ns), lap.pairs * lap.threads);
	(void)fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	char line[256];

	n_cpus = sysconf(_SC_NPROCESSORS_ONLN); /* opens files: not while anybody counts */
	if (argc == 5) {
		(void)snprintf(line, sizeof(line), "%s %s %s %s", argv[1], argv[2], argv[3], argv[4]);
		return answer(line);
	}
	(void)!write(1, "ready\n", 6);
	while (fgets(line, sizeof(line), stdin))
		if (answer(line) != 0)
			return 2;
	return 0;
}
