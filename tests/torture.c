/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture.c - thousands of remote threads in targets that never rest
 *
 *     torture [-n COUNT] [-t THREADS] [--program NAME] [--targets DIRECTORY] [--tap] MODE...|all
 *
 * A call may fail cleanly (refused); more than 1 % of that, or any death, hang or complaint of the
 * target is a failure: exit status 1.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tendril/tendril.h>

#include "support.h"

#define CALL_MS	   10000
#define CHECK_EACH 1000

struct options {
	unsigned int n_calls;
	unsigned int threads;
	const char *program;
	bool tap;
};

struct result {
	unsigned int ok, refused, died, hung, corrupt, left;
	double *latency_us;
	char why[WHY_BYTES];
};

static const char *const all_modes[] = {
	"malloc", "dlopen", "pthread", "stdio", "fork", "signals", "alarm-pause", "alarm-suspend",
	"spin", "idle-epoll", "idle-epoll-timeout", "idle-nanosleep", "idle-poll", "idle-select",
	"idle-read", "idle-pause", "idle-accept", "idle-cond",
};

/* 0, or what went wrong in one call; latency only when good. */
static int one_call(struct tendril_target *target, uint64_t count, uint64_t *sum,
		    double *ret_latency_us, struct tendril_error *error)
{
	struct tendril_cost cost = { .size = sizeof(cost) };
	struct tendril_thread *thread = NULL;
	uint64_t value = 0;
	int r = tendril_create(target, count, 0, NULL, &thread, error);

	if (r < 0)
		return r;
	r = tendril_thread_wait(thread, CALL_MS);
	if (r == 0)
		r = tendril_thread_value(thread, &value);
	(void)tendril_thread_cost(thread, &cost);
	tendril_thread_close(thread);
	*ret_latency_us = cost.latency_us;
	*sum += r == 0;
	if (r < 0 && error)
		(void)snprintf(error->text, sizeof(error->text), "wait or value: %s", strerror(-r));
	return r == -ETIMEDOUT ? -EDEADLK : r; /* not a refusal: the thread hangs */
}

/* False when going on makes no sense. */
static bool account(struct result *result, int r, const struct tendril_error *error,
		    struct target *victim)
{
	if (r == 0)
		return true;
	if (result->why[0] == '\0')
		(void)snprintf(result->why, sizeof(result->why), "%d: %s", r, error->text);
	if (!target_is_alive(victim))
		result->died++;
	else if (r == -EDEADLK)
		result->hung++;
	else if (error->left == TENDRIL_LEFT_CHANGED)
		result->corrupt++;
	else
		result->refused++;
	return result->died + result->hung + result->corrupt == 0;
}

static bool check(struct result *result, struct target *victim)
{
	char why[WHY_BYTES];

	if (target_is_well(victim, why))
		return true;
	(void)snprintf(result->why, sizeof(result->why), "%s", why);
	if (strstr(why, "hung"))
		result->hung++;
	else if (strstr(why, "died"))
		result->died++;
	else
		result->corrupt++;
	return false;
}

static void call_many(struct result *result, const struct options *o, struct target *victim,
		      struct tendril_target *target, uint64_t count)
{
	struct tendril_error error = { 0 };
	uint64_t sum = 0;

	for (unsigned int i = 0; i < o->n_calls; i++) {
		double latency_us = 0;
		int r = one_call(target, count, &sum, &latency_us, &error);

		if (r == 0)
			result->latency_us[result->ok++] = latency_us;
		if (!account(result, r, &error, victim))
			return;
		if (i % CHECK_EACH == CHECK_EACH - 1 && !check(result, victim))
			return;
	}
	if (!check(result, victim))
		return;
	if ((uint64_t)target_ask_number(victim, "count") != sum) {
		result->corrupt++;
		(void)snprintf(result->why, sizeof(result->why), "the function ran %ld times of %lu",
			       target_ask_number(victim, "count"), (unsigned long)sum);
	}
}

/* Looks for what stayed, on both sides, but for what the first call lets libc keep. */
static void torture_open(struct result *result, const struct options *o, struct target *victim,
			 struct snapshot *before, struct snapshot *after)
{
	unsigned int flags = SNAPSHOT_BUSY |
			     (snapshot_flags_of(victim->mode) & ~(unsigned)SNAPSHOT_SLEEPERS);
	int handles = count_handles(getpid());
	struct tendril_target *target = NULL;
	struct tendril_error error = { 0 };
	uint64_t count = 0;
	int r = snapshot_settle(before, after, victim->pid, flags);

	if (r == 0)
		r = tendril_open(victim->pid, NULL, &target, &error);
	if (r == 0)
		r = tendril_resolve(target, "victim_count", &count, &error);
	if (r == 0)
		call_many(result, o, victim, target, count);
	else
		(void)account(result, r, &error, victim);
	tendril_close(target);
	if (result->died + result->hung + result->corrupt > 0)
		return;
	if (count_handles(getpid()) != handles) {
		result->left++;
		(void)snprintf(result->why, sizeof(result->why), "%d handles left in the caller",
			       count_handles(getpid()) - handles);
	}
	if (!becomes_same(before, after, victim->pid, flags, 10000, result->why))
		result->left++;
}

static bool is_good(const struct result *result, const struct options *o)
{
	return result->died + result->hung + result->corrupt + result->left == 0 &&
	       result->refused * 100 <= o->n_calls && result->ok > 0;
}

static void print_result(const struct result *result, const struct options *o, const char *mode,
			 unsigned int number)
{
	bool good = is_good(result, o);

	sort_doubles(result->latency_us, result->ok);
	if (o->tap)
		printf("%sok %u - torture_%s_%u\n# ", good ? "" : "not ", number, mode, o->threads);
	printf("%-20s %7u %6u %8u %6u %6u %8u %6u %10.1f %10.1f%s%s\n", mode, o->threads, result->ok,
	       result->refused, result->died, result->hung, result->corrupt, result->left,
	       quantile(result->latency_us, result->ok, 0.5),
	       quantile(result->latency_us, result->ok, 0.99), result->why[0] ? "  " : "",
	       result->why);
	(void)fflush(stdout);
}

static bool torture_mode(const struct options *o, const char *mode, unsigned int number)
{
	struct target_start how = { .program = o->program, .mode = mode, .threads = o->threads };
	struct result result = { 0 };
	struct snapshot *before = snapshot_new(), *after = snapshot_new();
	struct target victim;
	bool good;

	result.latency_us = calloc(o->n_calls, sizeof(double));
	if (!before || !after || !result.latency_us)
		exit(3);
	if (target_start(&victim, &how) == 0) {
		torture_open(&result, o, &victim, before, after);
		target_end(&victim);
	} else {
		(void)snprintf(result.why, sizeof(result.why), "no victim");
	}
	print_result(&result, o, mode, number);
	good = is_good(&result, o);
	free(result.latency_us);
	snapshot_free(before);
	snapshot_free(after);
	return good;
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: torture [-n COUNT] [-t THREADS] [--program NAME] "
			      "[--targets DIRECTORY] [--tap] MODE...|all\n");
	return 2;
}

/* Returns the index of the first mode, or -1. */
static int read_options(int argc, char **argv, struct options *o)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--tap") == 0)
			o->tap = true;
		else if (i + 1 == argc)
			return -1;
		else if (strcmp(argv[i], "-n") == 0)
			o->n_calls = (unsigned int)strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "-t") == 0)
			o->threads = (unsigned int)strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--program") == 0)
			o->program = argv[++i];
		else if (strcmp(argv[i], "--targets") == 0)
			support_set_targets(argv[++i]);
		else
			return -1;
	}
	return i < argc && o->n_calls > 0 && o->threads > 0 ? i : -1;
}

int main(int argc, char **argv)
{
	struct options o = { .n_calls = 20000, .threads = 1 };
	const char *const *modes = all_modes;
	size_t n_modes = ARRAY_LENGTH(all_modes), n_bad = 0;
	int first = read_options(argc, argv, &o);

	if (first < 0)
		return usage();
	if (strcmp(argv[first], "all") != 0) {
		modes = (const char *const *)argv + first;
		n_modes = (size_t)(argc - first);
	}
	(void)signal(SIGPIPE, SIG_IGN);
	if (o.tap)
		printf("1..%zu\n", n_modes);
	printf("%s%-20s %7s %6s %8s %6s %6s %8s %6s %10s %10s\n", o.tap ? "# " : "", "target",
	       "threads", "ok", "refused", "died", "hung", "corrupt", "left", "median us", "p99 us");
	for (size_t i = 0; i < n_modes; i++)
		n_bad += !torture_mode(&o, modes[i], (unsigned int)i + 1);
	return n_bad > 0;
}
