/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_monitor.c - what a sample of every process costs, beside its peers
 *
 *     bench_monitor [--rounds N] [--processes N]
 *
 * Of 1,000 processes of 20 handles each, and one of 19,000.  Exit status 1 when a goal is missed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemons.h"
#include "measure.h"
#include "monitor/sample.h"
#include "monitor/source.h"
#include "support.h"
#include "victims.h"

#define WARM_UP	     8
#define DEAR_ROUNDS  10
#define TURNS	     5
#define SAMPLES_EACH 20 /* of ours beside one turn of a peer that takes a thousand times as long */

static unsigned int n_rounds = 100, n_processes = 1000;

enum {
	two = 1u << MONITOR_HANDLES | 1u << MONITOR_THREADS,
	three = two | 1u << MONITOR_MAPPINGS,
	all = 0,
};

static int run_sample(void *sampler)
{
	const struct monitor_sample *sample;

	return monitor_sample(sampler, &sample);
}

/* One enumeration, and one stat(2) a process. */
static int run_enumeration(void *unused)
{
	pid_t *pids;
	size_t n;
	int r = proc_processes(&pids, &n);
	char path[64];
	struct stat st;

	(void)unused;
	for (size_t i = 0; r == 0 && i < n; i++) {
		(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pids[i]);
		(void)stat(path, &st);
	}
	if (r == 0)
		free(pids);
	return r;
}

/* NULL: that source is not to be had here. */
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

static struct contender ours(struct monitor_sampler *sampler)
{
	return (struct contender){ "a sample", run_sample, sampler, CLOCK_OF_US, 1 };
}

/* The iterator */

#ifdef TENDRIL_BPF
static int run_bare(void *state)
{
	return source_bpf_read_bare(state) > 0 ? 0 : -EIO;
}

static void against_bare_read(struct monitor_sampler *sampler, uint32_t wanted, const char *what)
{
	const struct source_request request = { .wanted = wanted };
	struct contender our = ours(sampler), peer = { "the iterator", run_bare, NULL, CLOCK_OF_US, 1 };

	if (source_bpf.open(&request, &peer.param) < 0)
		return;
	measure_pair(&our, &peer, n_rounds, &(struct goal){ what, 1.5, false });
	source_bpf.close(peer.param);
}
#endif

static void bench_bpf(void)
{
#ifdef TENDRIL_BPF
	struct monitor_sampler *full = new_sampler(MONITOR_SOURCE_BPF, three);
	struct monitor_sampler *more = new_sampler(MONITOR_SOURCE_BPF, all);

	if (full && more) {
		against_bare_read(full, three, "bpf: full sample / bare read");
		against_bare_read(more, (1u << MONITOR_COUNTERS) - 1,
				  "bpf: every counter / bare read with CPU time");
	} else {
		printf("bpf: not to be had here\n");
	}
	monitor_sampler_free(full);
	monitor_sampler_free(more);
#else
	printf("bpf: built without it\n");
#endif
}

/* stat(2) */

static void against_enumeration(uint32_t wanted, const char *what)
{
	struct monitor_sampler *sampler = new_sampler(MONITOR_SOURCE_STAT, wanted);
	struct contender our = ours(sampler);
	struct contender peer = { "stat(2)", run_enumeration, NULL, CLOCK_OF_US, 1 };

	if (sampler)
		measure_pair(&our, &peer, n_rounds, &(struct goal){ what, 1.5, false });
	else
		printf("stat: this kernel does not tell the number of handles\n");
	monitor_sampler_free(sampler);
}

/* Other people's */

static void against_command(struct monitor_sampler *sampler, const char **words, const char *package,
			    const struct goal *goal)
{
	const char *path = find_command(words[0]);
	struct contender our = ours(sampler);
	struct contender peer = { words[0], run_command, words, { .children = true }, 1 };
	char own[4096];

	if (!path) {
		measure_absent(goal->what, words[0], package);
		return;
	}
	(void)snprintf(own, sizeof(own), "%s", path);
	words[0] = own;
	our.times = SAMPLES_EACH;
	measure_pair(&our, &peer, DEAR_ROUNDS, goal);
}

static void against_daemon(struct monitor_sampler *sampler, struct daemon *daemon,
			   int (*run)(void *param), const struct goal *goal)
{
	struct contender our = ours(sampler), peer = { goal->what, run, daemon, daemon->clock, 1 };

	our.times = SAMPLES_EACH;
	measure_pair(&our, &peer, DEAR_ROUNDS, goal);
	daemon_end(daemon);
}

static void bench_others(void)
{
	static const char *pidstat[] = { "pidstat", "-v", "-p", "ALL", NULL };
	static const char *lsof[] = { "lsof", "-n", NULL };
	struct monitor_sampler *sampler = new_sampler(MONITOR_SOURCE_BEST, three);
	bool is_bpf = sampler && monitor_sampler_source(sampler) == MONITOR_SOURCE_BPF;
	double hundred = is_bpf ? 100 : 1, thousand = is_bpf ? 1000 : 1;
	struct daemon daemon;

	if (!sampler)
		return;
	against_command(sampler, pidstat, "sysstat",
			&(struct goal){ "pidstat -v -p ALL / full sample", hundred, true });
	if (pcp_start(&daemon) == 0)
		against_daemon(sampler, &daemon, run_pmprobe,
			       &(struct goal){ "PCP proc.fd.count / full sample", hundred, true });
	else
		measure_absent("PCP proc.fd.count / full sample", "pmcd as root", "pcp");
	against_command(sampler, lsof, "lsof",
			&(struct goal){ "lsof -n / full sample", thousand, true });
	for (int is_lean = 0; is_lean <= 1; is_lean++) {
		const struct goal goal = { is_lean ? "  the same without threads and smaps" :
						     "process-exporter's scrape / full sample",
					   is_lean ? 0 : thousand, true };

		if (exporter_start(is_lean, &daemon) == 0)
			against_daemon(sampler, &daemon, run_scrape, &goal);
		else
			measure_absent(goal.what, "it", "prometheus-process-exporter");
	}
	monitor_sampler_free(sampler);
}

/* Many handles */

static double with_victim(struct contender *our, unsigned int n_handles)
{
	pid_t victim = victim_start(0, n_handles);
	double us;

	for (int i = 0; i < WARM_UP; i++)
		(void)run_sample(our->param);
	us = measure_median(our, n_rounds / TURNS + 1);
	victims_end(&victim, 1);
	return us;
}

/* Only one of both is there at a time, so that there are as many processes: some turns of each. */
static void bench_many_handles(enum monitor_source source, const char *what)
{
	struct monitor_sampler *sampler = new_sampler(source, three);
	struct contender our = ours(sampler);
	double few[TURNS], many[TURNS];

	if (!sampler)
		return;
	for (int i = 0; i < TURNS; i++) {
		few[i] = with_victim(&our, VICTIM_HANDLES);
		many[i] = with_victim(&our, VICTIM_MANY);
	}
	sort_doubles(few, TURNS);
	sort_doubles(many, TURNS);
	measure_ratio(quantile(many, TURNS, 0.5), quantile(few, TURNS, 0.5), "us",
		      &(struct goal){ what, 1.5, false });
	monitor_sampler_free(sampler);
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: bench_monitor [--rounds N] [--processes N]\n");
	return 2;
}

int main(int argc, char **argv)
{
	pid_t *victims;

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
	raise_handle_limit();
	if (victims_start(n_processes, &victims) < 0)
		return 1;
	printf("One sample of %u processes of %d handles and one of %d; CPU time\n", n_processes,
	       VICTIM_HANDLES, VICTIM_MANY);
	measure_heading();
	bench_bpf();
	against_enumeration(two, "stat: handles, threads / stat a process");
	against_enumeration(three, "stat: full sample / stat a process");
	bench_others();
	victims_end(&victims[n_processes], 1);
	bench_many_handles(MONITOR_SOURCE_BPF, "bpf: one of 19,000 handles / one of 20");
	bench_many_handles(MONITOR_SOURCE_STAT, "stat: one of 19,000 handles / one of 20");
	victims_end(victims, n_processes);
	free(victims);
	return measure_end();
}
