/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_watch.c - what `tendril watch` costs at a second's interval over 1,000 processes
 *
 *     bench_watch TENDRIL [--processes N] [--seconds N]
 *
 * On a terminal of 80x24 and of 200x50 that takes all that is drawn.  Exit status 1 when a goal is
 * missed.
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"
#include "monitor/sample.h"
#include "support.h"
#include "victims.h"

#define SAMPLING_PERCENT 0.2
#define SCREEN_PERCENT	 1
#define RESIDENT_MB	 20
#define BEGIN_SECONDS	 3 /* what it takes to start is not what it takes to run */

static unsigned int n_processes = 1000, seconds = 10;
static const char *tendril;

/* Percent of one core: a sample, a second, a sample. */
static void bench_sampling(void)
{
	struct monitor_options options = { .source = MONITOR_SOURCE_BEST };
	const struct monitor_sample *sample;
	struct monitor_sampler *sampler;
	double begin_us;
	int r = monitor_sampler_new(&options, &sampler);

	if (r == 0)
		r = monitor_sample(sampler, &sample);
	begin_us = clock_us(&CLOCK_OF_US);
	for (unsigned int i = 0; r == 0 && i < seconds; i++) {
		(void)sleep(1);
		r = monitor_sample(sampler, &sample);
	}
	if (r < 0)
		measure_failed("sampling once a second");
	else
		measure_limit("sampling once a second, every counter",
			      (clock_us(&CLOCK_OF_US) - begin_us) / (1e4 * seconds), SAMPLING_PERCENT,
			      "%");
}

/* Take what is drawn, for so long.  Return: bytes; -1: it has ended. */
static long drain(int terminal, unsigned int for_seconds)
{
	int64_t deadline_ns = deadline_in_ms(1000 * (int64_t)for_seconds);
	struct pollfd wait = { terminal, POLLIN, 0 };
	static char text[65536];
	long bytes = 0;

	while (support_now_ns() < deadline_ns) {
		ssize_t n;

		if (poll(&wait, 1, 50) <= 0)
			continue;
		n = read(terminal, text, sizeof(text));
		if (n <= 0)
			return -1;
		bytes += n;
	}
	return bytes;
}

static double peak_resident_mb(pid_t pid)
{
	char path[64], line[256];
	double kb = -1;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && kb < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmHWM: %lf", &kb) != 1)
			kb = -1;
	if (file)
		(void)fclose(file);
	return kb / 1024;
}

static void bench_view(const char *view, unsigned short columns, unsigned short rows)
{
	struct winsize size = { .ws_col = columns, .ws_row = rows };
	struct clock_of clock = { { 0 }, false };
	char what[64];
	double begin_us;
	int terminal;
	long bytes;

	(void)snprintf(what, sizeof(what), "watch, %s in %ux%u", view, columns, rows);
	clock.pid[0] = forkpty(&terminal, NULL, NULL, &size);
	if (clock.pid[0] == 0) {
		(void)setenv("TERM", "xterm-256color", 1);
		(void)setenv("LC_ALL", "C.UTF-8", 1);
		(void)execl(tendril, tendril, "watch", "--interval", "1", "--view", view, (char *)NULL);
		_exit(127);
	}
	if (clock.pid[0] < 0 || drain(terminal, BEGIN_SECONDS) <= 0) {
		measure_failed(what);
		return;
	}
	begin_us = clock_us(&clock);
	bytes = drain(terminal, seconds);
	if (bytes <= 0) {
		measure_failed(what);
	} else {
		measure_limit(what, (clock_us(&clock) - begin_us) / (1e4 * seconds), SCREEN_PERCENT, "%");
		measure_limit("  its resident memory, at most", peak_resident_mb(clock.pid[0]),
			      RESIDENT_MB, "MB");
		measure_limit("  drawn in a second", (double)bytes / seconds, -1, "bytes");
	}
	(void)kill(clock.pid[0], SIGTERM);
	(void)drain(terminal, 1);
	(void)close(terminal);
	(void)waitpid(clock.pid[0], NULL, 0);
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: bench_watch TENDRIL [--processes N] [--seconds N]\n");
	return 2;
}

int main(int argc, char **argv)
{
	pid_t *victims;

	for (int i = 2; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--processes") == 0)
			n_processes = (unsigned int)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seconds") == 0)
			seconds = (unsigned int)strtoul(argv[i + 1], NULL, 10);
		else
			return usage();
	}
	if (argc % 2 || seconds == 0)
		return usage();
	tendril = argv[1];
	raise_handle_limit();
	if (victims_start(n_processes, &victims) < 0)
		return 1;
	printf("tendril watch every second over %u processes; percent of one core\n", n_processes);
	measure_heading();
	bench_sampling();
	bench_view("report", 80, 24);
	bench_view("chart", 80, 24);
	bench_view("report", 200, 50);
	victims_end(victims, n_processes + 1);
	free(victims);
	return measure_end();
}
