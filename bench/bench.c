/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench.c - what a remote thread costs, beside its peers, in one run
 *
 *     bench [--rounds N] [--targets DIRECTORY] [--calls N]
 *
 * Rounds are interleaved: each measures every contender once, one after the other, so that what
 * else the machine does meets all alike.  A ratio is that of the medians.  Exit status 1 when a
 * goal of the project is missed.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tendril/tendril.h>

#include "peers.h"
#include "support.h"

#define CALL_MS	   10000
#define RATIO_GOAL 1.25
#define SETUP_GOAL 3000.0 /* us */
#define WARM_UP	   20

struct series {
	const char *name;
	double *us;
	size_t n;
};

static unsigned int n_rounds = 400, n_calls = 0, n_missed;

static struct series series_new(const char *name)
{
	return (struct series){ name, calloc(n_rounds + 1, sizeof(double)), 0 };
}

static void add(struct series *series, double us)
{
	if (us >= 0 && series->n < n_rounds)
		series->us[series->n++] = us;
}

static double median(const struct series *series)
{
	return quantile(series->us, series->n, 0.5);
}

static void print_series(struct series *series)
{
	sort_doubles(series->us, series->n);
	printf("  %-52s %9.1f %9.1f %9.1f\n", series->name, quantile(series->us, series->n, 0),
	       median(series), quantile(series->us, series->n, 0.99));
}

/* goal 0: none */
static void print_ratio(const char *what, double ours, double peer, double goal)
{
	double ratio = peer > 0 ? ours / peer : 0;
	bool missed = goal > 0 && (ratio > goal || ratio <= 0);

	printf("  => %-49s %9.2f x", what, ratio);
	if (goal > 0)
		printf("   goal %.2f x: %s", goal, missed ? "MISSED" : "reached");
	printf("\n");
	n_missed += missed;
}

/* --- one target -------------------------------------------------------------------------- */

struct bench {
	struct target victim;
	struct tendril_target *target;
	uint64_t echo, gap, turns, ticks_per_ms, syscall_address;
	bool has_gap;
	struct series ours, stopped, peer_call, peer_create, peer_sum, peer_stops, gap_ours,
		gap_peer;
};

static bool bench_open(struct bench *b, const char *mode, unsigned int threads)
{
	struct tendril_error error;
	uint64_t address;

	memset(b, 0, sizeof(*b));
	if (target_start_victim(&b->victim, mode, threads) < 0)
		return false;
	if (tendril_open(b->victim.pid, NULL, &b->target, &error) < 0 ||
	    tendril_resolve(b->target, "victim_echo", &b->echo, &error) < 0 ||
	    tendril_resolve(b->target, "victim_gap_ticks", &b->gap, &error) < 0 ||
	    tendril_resolve(b->target, "victim_gap_turns", &b->turns, &error) < 0 ||
	    tendril_resolve(b->target, "victim_ticks_per_ms", &address, &error) < 0) {
		(void)fprintf(stderr, "bench: %s\n", error.text);
		return false;
	}
	(void)tendril_read(b->target, address, &b->ticks_per_ms, 8, NULL, NULL);
	b->has_gap = strcmp(mode, "gap") == 0;
	b->syscall_address = peer_find_syscall(b->victim.pid);
	b->ours = series_new("remote thread, call to verdict");
	b->stopped = series_new("  the borrowed thread was stopped");
	b->peer_call = series_new("peer: SEIZE+INTERRUPT+1 system call+DETACH");
	b->peer_create = series_new("peer: local pthread_create");
	b->peer_sum = series_new("peer: the sum of both");
	b->peer_stops = series_new("peer: SEIZE+INTERRUPT+DETACH");
	b->gap_ours = series_new("gap that a spinning thread sees, ours");
	b->gap_peer = series_new("gap that it sees, SEIZE+INTERRUPT+DETACH");
	return true;
}

static void bench_close(struct bench *b)
{
	struct series *all[] = { &b->ours, &b->stopped, &b->peer_call, &b->peer_create,
				 &b->peer_sum, &b->peer_stops, &b->gap_ours, &b->gap_peer };

	for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
		free(all[i]->us);
	tendril_close(b->target);
	target_end(&b->victim);
}

static void reset_gap(struct bench *b)
{
	uint64_t zero = 0;

	if (b->has_gap)
		(void)tendril_write(b->target, b->gap, &zero, sizeof(zero), 0, NULL, NULL);
}

static uint64_t read_word(struct bench *b, uint64_t address)
{
	uint64_t word = 0;

	(void)tendril_read(b->target, address, &word, sizeof(word), NULL, NULL);
	return word;
}

/* Once the spinner has run on for a whole turn, its gap is known. */
static double read_gap(struct bench *b)
{
	int64_t deadline_ns = deadline_in_ms(1000);
	uint64_t turns, ticks;

	if (!b->has_gap)
		return -1;
	turns = read_word(b, b->turns);
	while (read_word(b, b->turns) < turns + 2)
		if (support_now_ns() > deadline_ns)
			return -1;
	ticks = read_word(b, b->gap);
	return (double)ticks * 1000 / (double)b->ticks_per_ms;
}

/* The thread that a call borrowed, for the peers to take the same; 0 when it failed. */
static pid_t measure_ours(struct bench *b, bool warm)
{
	struct tendril_cost cost = { .size = sizeof(cost) };
	struct tendril_thread *thread = NULL;
	struct tendril_error error;

	reset_gap(b);
	if (tendril_create(b->target, b->echo, 0, NULL, &thread, &error) < 0) {
		(void)fprintf(stderr, "bench: %s\n", error.text);
		return 0;
	}
	(void)tendril_thread_cost(thread, &cost);
	(void)tendril_thread_wait(thread, CALL_MS);
	tendril_thread_close(thread);
	if (!warm)
		return cost.borrowed_tid;
	add(&b->ours, cost.latency_us);
	add(&b->stopped, cost.stopped_us);
	add(&b->gap_ours, read_gap(b));
	return cost.borrowed_tid;
}

static void measure_peers(struct bench *b, pid_t tid, bool warm)
{
	double call = peer_remote_call(tid, b->syscall_address);
	double create = peer_pthread_create(), stop;

	reset_gap(b);
	stop = peer_stop(tid);
	if (!warm || call < 0 || create < 0)
		return;
	add(&b->peer_call, call);
	add(&b->peer_create, create);
	add(&b->peer_sum, call + create);
	add(&b->peer_stops, stop);
	add(&b->gap_peer, read_gap(b));
}

static void bench_target(const char *title, const char *mode, unsigned int threads)
{
	struct bench b;
	unsigned int n_failed = 0;

	printf("\n%-54s %9s %9s %9s  us\n", title, "min", "median", "p99");
	if (!bench_open(&b, mode, threads)) {
		printf("  no such target\n");
		n_missed++;
		return;
	}
	for (unsigned int i = 0; i < n_rounds + WARM_UP && n_failed < 10; i++) {
		pid_t tid = measure_ours(&b, i >= WARM_UP);

		n_failed += tid == 0;
		if (tid)
			measure_peers(&b, tid, i >= WARM_UP);
	}
	print_series(&b.ours);
	print_series(&b.peer_call);
	print_series(&b.peer_create);
	print_series(&b.peer_sum);
	print_ratio("remote thread / peers' sum", median(&b.ours), median(&b.peer_sum), RATIO_GOAL);
	print_series(&b.stopped);
	print_series(&b.peer_stops);
	print_ratio("stopped / peer", median(&b.stopped), median(&b.peer_stops), RATIO_GOAL);
	if (b.has_gap) {
		print_series(&b.gap_ours);
		print_series(&b.gap_peer);
		print_ratio("gap / peer", median(&b.gap_ours), median(&b.gap_peer), RATIO_GOAL);
	}
	/* Not its own check: the peers' interruption ends its epoll_wait() with EINTR. */
	if (n_failed || !target_is_alive(&b.victim)) {
		printf("  FAILED: %u calls\n", n_failed);
		n_missed++;
	}
	bench_close(&b);
}

/* --- a target that is new to us ---------------------------------------------------------- */

static void bench_setup(void)
{
	struct target_start how = { .program = "manylibs" };
	struct series both = series_new("open + first symbol");
	struct target victim;

	printf("\n%-54s %9s %9s %9s  us\n", "A new target with 100 libraries", "min", "median", "p99");
	if (target_start(&victim, &how) < 0) {
		printf("  not built\n");
		n_missed++;
		return;
	}
	for (unsigned int i = 0; i < n_rounds; i++) {
		struct tendril_target *target = NULL;
		uint64_t address;
		int64_t begin_ns = support_now_ns();

		if (tendril_open(victim.pid, NULL, &target, NULL) == 0 &&
		    tendril_resolve(target, "many_77_7", &address, NULL) == 0)
			add(&both, (double)(support_now_ns() - begin_ns) / 1000);
		tendril_close(target);
	}
	print_series(&both);
	print_ratio("setup / limit of 3 ms", median(&both), SETUP_GOAL, 1.0);
	free(both.us);
	target_end(&victim);
}

/* --- gdb --------------------------------------------------------------------------------- */

static void bench_gdb(void)
{
	struct series gdb = series_new("gdb -batch -ex 'call (int)getpid()'");
	struct series ours = series_new("open, resolve, call, wait, close");
	struct target victim;
	bool gdb_good = true;

	printf("\n%-54s %9s %9s %9s  us\n", "A whole call from nothing, target asleep", "min",
	       "median", "p99");
	if (target_start_victim(&victim, "idle-epoll", 1) < 0)
		return;
	for (unsigned int i = 0; i < 5; i++) {
		struct tendril_target *target = NULL;
		int64_t begin_ns = support_now_ns();
		uint64_t address = 0, value = 0;

		if (tendril_open(victim.pid, NULL, &target, NULL) == 0 &&
		    tendril_resolve(target, "getpid", &address, NULL) == 0 &&
		    tendril_call(target, address, NULL, 0, CALL_MS, &value, NULL) == 0)
			add(&ours, (double)(support_now_ns() - begin_ns) / 1000);
		tendril_close(target);
		add(&gdb, peer_gdb_call(victim.pid, &gdb_good));
	}
	if (gdb.n > 0 && !gdb_good)
		printf("  gdb attached, but could not make the call on this processor: time of the try\n");
	print_series(&ours);
	if (gdb.n > 0) {
		print_series(&gdb);
		print_ratio("gdb / ours", median(&gdb), median(&ours), 0);
	} else {
		printf("  no gdb\n");
	}
	free(ours.us);
	free(gdb.us);
	target_end(&victim);
}

/* --- the caller's memory ----------------------------------------------------------------- */

static void bench_memory(void)
{
	struct target victim;
	struct tendril_target *target = NULL;
	uint64_t echo = 0, value;
	long before_kib;

	if (target_start_victim(&victim, "idle-epoll", 1) < 0 ||
	    tendril_open(victim.pid, NULL, &target, NULL) < 0 ||
	    tendril_resolve(target, "victim_echo", &echo, NULL) < 0)
		return;
	for (unsigned int i = 0; i < 1000; i++)
		(void)tendril_call(target, echo, NULL, 0, CALL_MS, &value, NULL);
	before_kib = status_number(getpid(), "VmRSS");
	for (unsigned int i = 0; i < n_calls; i++)
		(void)tendril_call(target, echo, NULL, 0, CALL_MS, &value, NULL);
	printf("\nThe caller's memory over %u calls: %ld KiB before, %+ld KiB\n", n_calls, before_kib,
	       status_number(getpid(), "VmRSS") - before_kib);
	tendril_close(target);
	target_end(&victim);
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: bench [--rounds N] [--targets DIRECTORY] [--calls N]\n");
	return 2;
}

int main(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--rounds") == 0)
			n_rounds = (unsigned int)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--targets") == 0)
			support_set_targets(argv[i + 1]);
		else if (strcmp(argv[i], "--calls") == 0)
			n_calls = (unsigned int)strtoul(argv[i + 1], NULL, 10);
		else
			return usage();
	}
	if (argc % 2 == 0 || n_rounds < 5)
		return usage();
	printf("%u interleaved rounds each\n", n_rounds);
	bench_target("Target asleep in epoll_wait", "idle-epoll", 1);
	bench_target("Target asleep in nanosleep", "idle-nanosleep", 1);
	bench_target("Target busy: registers", "spin", 1);
	bench_target("Target busy: looking at the clock", "gap", 1);
	bench_target("Target busy: malloc on 4 threads", "malloc", 4);
	bench_setup();
	bench_gdb();
	if (n_calls)
		bench_memory();
	printf("\n%u goals missed\n", n_missed);
	return n_missed > 0;
}
