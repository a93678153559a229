/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_monitor.c - what a sample of every process costs, beside its peers, in one run
 *
 *     bench_monitor [--rounds N] [--processes N]
 *
 * Makes 1,000 processes of 20 handles each, and one of 19,000.  Rounds are interleaved, and ratios
 * are those of the medians of CPU time: wall time meets what else the machine does.  Exit status 1
 * when a goal is missed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "monitor/sample.h"
#include "monitor/source.h"
#include "support.h"

#define HANDLES_EACH  20
#define N_MANY	      19000
#define WARM_UP	      8
#define ALL_COUNTERS  0
#define BASE_GOAL     1.5
#define PIDSTAT_GOAL  100
#define LSOF_GOAL     1000
#define HANDLES_GOAL  1.5
#define PEER_ROUNDS   3

static unsigned int n_rounds = 100, n_processes = 1000, n_missed;

struct cost {
	double cpu_us, wall_us;
};

struct series {
	const char *name;
	double *cpu_us, *wall_us;
	size_t n;
};

static struct series series_new(const char *name)
{
	return (struct series){ name, calloc(n_rounds, sizeof(double)),
				calloc(n_rounds, sizeof(double)), 0 };
}

static void series_add(struct series *series, struct cost cost)
{
	if (series->n == n_rounds)
		return;
	series->cpu_us[series->n] = cost.cpu_us;
	series->wall_us[series->n++] = cost.wall_us;
}

/* Median of CPU time. */
static double series_end(struct series *series)
{
	double cpu_us, wall_us;

	sort_doubles(series->cpu_us, series->n);
	sort_doubles(series->wall_us, series->n);
	cpu_us = quantile(series->cpu_us, series->n, 0.5);
	wall_us = quantile(series->wall_us, series->n, 0.5);
	printf("  %-52s %11.1f %11.1f\n", series->name, cpu_us, wall_us);
	free(series->cpu_us);
	free(series->wall_us);
	return cpu_us;
}

static void judge(const char *what, double ratio, double goal, bool at_least)
{
	bool missed = at_least ? ratio < goal : ratio > goal;

	printf("  => %-49s %9.2f x   goal %s %.1f x: %s\n", what, ratio,
	       at_least ? "at least" : "at most", goal, missed ? "MISSED" : "reached");
	n_missed += missed;
}

/* Clocks: of this process, or of a child that has been waited for. */

static double used_us(int who)
{
	struct rusage usage;

	(void)getrusage(who, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static double own_cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static struct cost measure(int (*run)(void *param), void *param)
{
	struct cost cost = { own_cpu_us(), (double)support_now_ns() / 1000 };

	if (run(param) < 0) {
		(void)fprintf(stderr, "bench_monitor: a sample failed\n");
		n_missed++;
	}
	return (struct cost){ own_cpu_us() - cost.cpu_us,
			      (double)support_now_ns() / 1000 - cost.wall_us };
}

/* --- victims ----------------------------------------------------------------------------- */

static void be_victim(unsigned int n_handles, int ready)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)dup2(ready, 3);
	(void)close_range(4, ~0u, 0);
	for (unsigned int i = 4; i < n_handles; i++)
		if (dup(3) < 0)
			break;
	(void)dup2(0, 3); /* ready, when the last copy goes: */
	for (unsigned int i = 4; i < n_handles; i++)
		(void)dup2(0, (int)i);
	for (;;)
		(void)pause();
}

static pid_t start_victim(unsigned int n_handles)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		be_victim(n_handles, ready[1]);
	(void)close(ready[1]);
	(void)!read(ready[0], &byte, 1);
	(void)close(ready[0]);
	return pid;
}

static void end_victims(const pid_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] > 0)
			(void)kill(pids[i], SIGKILL);
	for (size_t i = 0; i < n; i++)
		if (pids[i] > 0)
			(void)waitpid(pids[i], NULL, 0);
}

/* --- contenders -------------------------------------------------------------------------- */

static int run_sample(void *param)
{
	const struct monitor_sample *sample;

	return monitor_sample(param, &sample);
}

#ifdef TENDRIL_BPF
static int run_bare(void *param)
{
	return source_bpf_read_bare(param) > 0 ? 0 : -1;
}
#endif

/* One enumeration, and one stat(2) a process. */
static int run_enumeration(void *param)
{
	pid_t *pids;
	size_t n;
	int r = proc_processes(&pids, &n);
	char path[64];
	struct stat st;

	(void)param;
	for (size_t i = 0; r == 0 && i < n; i++) {
		(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pids[i]);
		(void)stat(path, &st);
	}
	if (r == 0)
		free(pids);
	return r;
}

static int run_command(void *param)
{
	int status, null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	pid_t pid = fork();

	if (pid == 0) {
		(void)dup2(null, 1);
		(void)dup2(null, 2);
		(void)execl("/bin/sh", "sh", "-c", param, NULL);
		_exit(127);
	}
	(void)close(null);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -ENOENT : 0;
}

/* Least CPU time of a few runs; 0: it is not installed. */
static double bench_command(const char *command)
{
	double least_us = 0;

	for (int i = 0; i < PEER_ROUNDS; i++) {
		double begin_us = used_us(RUSAGE_CHILDREN), us;
		int64_t begin_ns = support_now_ns();

		if (run_command((void *)command) < 0) {
			printf("  %-52s not installed\n", command);
			return 0;
		}
		us = used_us(RUSAGE_CHILDREN) - begin_us;
		if (i == 0 || us < least_us)
			least_us = us;
		if (i == PEER_ROUNDS - 1)
			printf("  %-52s %11.1f %11.1f\n", command, least_us,
			       (double)(support_now_ns() - begin_ns) / 1000);
	}
	return least_us;
}

static struct monitor_sampler *new_sampler(enum monitor_source source, uint32_t wanted)
{
	struct monitor_options options = { .source = source, .wanted = wanted };
	struct monitor_sampler *sampler = NULL;

	if (monitor_sampler_new(&options, &sampler) < 0)
		return NULL;
	for (int i = 0; i < WARM_UP; i++)
		(void)run_sample(sampler);
	return sampler;
}

/* --- the comparisons --------------------------------------------------------------------- */

enum {
	two = 1u << MONITOR_HANDLES | 1u << MONITOR_THREADS,
	three = two | 1u << MONITOR_MAPPINGS,
};

/* Return: the CPU time of a full sample of ours. */
static double bench_bpf(void)
{
#ifdef TENDRIL_BPF
	static const struct source_request request = { .wanted = three };
	struct monitor_sampler *sampler = new_sampler(MONITOR_SOURCE_BPF, three);
	struct monitor_sampler *all = new_sampler(MONITOR_SOURCE_BPF, ALL_COUNTERS);
	struct series ours = series_new("bpf: handles, threads, mappings");
	struct series more = series_new("bpf: every counter");
	struct series bare = series_new("  peer: the bare read of the iterator");
	double ours_us, bare_us;
	void *state = NULL;

	if (sampler && all && source_bpf.open(&request, &state) == 0) {
		for (unsigned int i = 0; i < n_rounds; i++) {
			series_add(&ours, measure(run_sample, sampler));
			series_add(&bare, measure(run_bare, state));
			series_add(&more, measure(run_sample, all));
		}
		source_bpf.close(state);
		ours_us = series_end(&ours);
		(void)series_end(&more);
		bare_us = series_end(&bare);
		judge("full sample / bare read", ours_us / bare_us, BASE_GOAL, false);
		monitor_sampler_free(sampler);
		monitor_sampler_free(all);
		return ours_us;
	}
#endif
	printf("  no BPF here\n");
	return 0;
}

static double bench_stat(void)
{
	struct monitor_sampler *fast = new_sampler(MONITOR_SOURCE_STAT, two);
	struct monitor_sampler *full = new_sampler(MONITOR_SOURCE_STAT, three);
	struct series ours = series_new("stat: handles, threads");
	struct series more = series_new("stat: handles, threads, mappings");
	struct series peer = series_new("  peer: one enumeration, one stat(2) a process");
	double ours_us, peer_us;

	if (!fast || !full) {
		printf("  this kernel does not tell the number of handles\n");
		return 0;
	}
	for (unsigned int i = 0; i < n_rounds; i++) {
		series_add(&ours, measure(run_sample, fast));
		series_add(&peer, measure(run_enumeration, NULL));
		if (i % 10 == 0)
			series_add(&more, measure(run_sample, full));
	}
	ours_us = series_end(&ours);
	(void)series_end(&more);
	peer_us = series_end(&peer);
	judge("handles and threads / peer", ours_us / peer_us, BASE_GOAL, false);
	monitor_sampler_free(fast);
	monitor_sampler_free(full);
	return ours_us;
}

static double median_of_source(enum monitor_source source, const char *name)
{
	struct monitor_sampler *sampler = new_sampler(source, two);
	struct series series = series_new(name);
	double us = 0;

	for (unsigned int i = 0; sampler && i < n_rounds; i++)
		series_add(&series, measure(run_sample, sampler));
	if (sampler)
		us = series_end(&series);
	monitor_sampler_free(sampler);
	return us;
}

/* With the process of very many handles, and with one of few in its place. */
static void bench_many_handles(void)
{
	for (int kind = MONITOR_SOURCE_BPF; kind <= MONITOR_SOURCE_STAT; kind++) {
		pid_t victim = start_victim(HANDLES_EACH);
		double few = median_of_source((enum monitor_source)kind, "one more process of 20");
		double many;

		end_victims(&victim, 1);
		victim = start_victim(N_MANY);
		many = median_of_source((enum monitor_source)kind, "one more process of 19,000");
		end_victims(&victim, 1);
		if (few > 0 && many > 0)
			judge(kind == MONITOR_SOURCE_BPF ? "bpf: many handles / few" :
							   "stat: many handles / few",
			      many / few, HANDLES_GOAL, false);
	}
}

static void bench_peers(double best_us, bool is_bpf)
{
	double pidstat_us = bench_command("exec pidstat -v -p ALL");
	double lsof_us = bench_command("exec lsof -n");

	if (pidstat_us > 0 && best_us > 0)
		judge("pidstat / full sample", pidstat_us / best_us, is_bpf ? PIDSTAT_GOAL : 1, true);
	if (lsof_us > 0 && best_us > 0)
		judge("lsof / full sample", lsof_us / best_us, is_bpf ? LSOF_GOAL : 1, true);
}

static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: bench_monitor [--rounds N] [--processes N]\n");
	return 2;
}

int main(int argc, char **argv)
{
	pid_t *victims;
	double bpf_us, stat_us;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--rounds") == 0)
			n_rounds = (unsigned int)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--processes") == 0)
			n_processes = (unsigned int)strtoul(argv[i + 1], NULL, 10);
		else
			return usage();
	}
	if (argc % 2 == 0 || n_rounds < 5)
		return usage();
	raise_limit();
	victims = calloc(n_processes + 1, sizeof(*victims));
	if (!victims)
		return 1;
	for (unsigned int i = 0; i <= n_processes; i++)
		victims[i] = start_victim(i < n_processes ? HANDLES_EACH : N_MANY);
	printf("One sample of %u processes of %d handles and one of %d: %u interleaved rounds\n",
	       n_processes, HANDLES_EACH, N_MANY, n_rounds);
	printf("  %-52s %11s %11s  median us\n", "", "CPU", "wall");
	bpf_us = bench_bpf();
	stat_us = bench_stat();
	bench_peers(bpf_us > 0 ? bpf_us : stat_us, bpf_us > 0);
	end_victims(&victims[n_processes], 1);
	bench_many_handles();
	end_victims(victims, n_processes);
	free(victims);
	printf("\n%u goals missed\n", n_missed);
	return n_missed > 0;
}
