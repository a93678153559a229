/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_serve.c - what a scrape of 1,000 processes costs, and whether many clients cost samples
 *
 *     bench_serve TENDRIL [--processes N] [--seconds N]
 *
 * Exit status 1 when a goal is missed.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemons.h"
#include "support.h"
#include "victims.h"

#define ROUNDS	   20
#define TURNS	   8
#define SCRAPE_MS  5
#define SCRAPERS   100
#define PAGES	   50
#define CLIENTS	   (SCRAPERS + PAGES)
#define TURN_MS	   100
#define INTERVAL_NS	   INT64_C(1000000000)
#define BETWEEN_SAMPLES_NS (INTERVAL_NS / 2)

static unsigned int n_processes = 1000, seconds = 10;
static const char *tendril;

/* One scrape */

/* Every text is made once a sample: what scrapers beyond the first one cost. */
static void bench_further(const char *option, const char *what)
{
	const char *const words[] = { "--interval", "3600", option, NULL };
	struct contender our = { "a scrape", run_scrape, NULL, CLOCK_OF_US, 5 };
	struct daemon daemon;
	double us;

	if (serve_start(tendril, words, &daemon) < 0) {
		measure_failed(what);
		return;
	}
	our.param = &daemon;
	our.clock = daemon.clock;
	us = measure_median(&our, ROUNDS);
	if (us < 0)
		measure_failed(what);
	else
		measure_limit(what, us / 1000, -1, "ms");
	daemon_end(&daemon);
}

/* us of CPU time of one turn, in which one sample is taken and one scrape answered. */
struct in_use {
	double ours, peer;
	double scrape; /* the part of ours that is the scrape */
};

/* A peer that samples while it is scraped comes by turns; NULL: none. */
static int run_in_use(const char *option, struct daemon *peer, struct in_use *ret_us)
{
	const char *const words[] = { "--interval", "1", option, NULL };
	struct in_use us = { 0 };
	struct daemon serve;
	int64_t begin_ns;
	int r = serve_start(tendril, words, &serve);

	if (r < 0)
		return r;
	begin_ns = support_now_ns() + BETWEEN_SAMPLES_NS;
	us.ours = -clock_us(&serve.clock);
	us.peer = peer ? -clock_us(&peer->clock) : 0;
	for (int i = 0; r == 0 && i < TURNS; i++) {
		while (support_now_ns() < begin_ns + i * INTERVAL_NS)
			(void)usleep(1000);
		us.scrape -= clock_us(&serve.clock);
		r = run_scrape(&serve);
		us.scrape += clock_us(&serve.clock);
		if (r == 0 && peer)
			r = run_scrape(peer);
	}
	us.ours += clock_us(&serve.clock);
	us.peer += peer ? clock_us(&peer->clock) : 0;
	*ret_us = (struct in_use){ us.ours / TURNS, us.peer / TURNS, us.scrape / TURNS };
	daemon_end(&serve);
	return r;
}

static void bench_scrape(const char *option, const char *what)
{
	struct in_use us;

	if (run_in_use(option, NULL, &us) < 0) {
		measure_failed(what);
		return;
	}
	measure_limit(what, us.scrape / 1000, SCRAPE_MS, "ms");
	measure_limit("  with the sample and its trends", us.ours / 1000, -1, "ms");
}

static void bench_exporter(bool is_lean)
{
	const struct goal goal = { is_lean ? "  the same without threads and smaps" :
					     "process-exporter's / a scrape and a sample", 0, true };
	struct daemon exporter;
	struct in_use us;

	if (exporter_start(is_lean, &exporter) < 0) {
		measure_absent(goal.what, "it", "prometheus-process-exporter");
		return;
	}
	if (run_in_use(NULL, &exporter, &us) < 0)
		measure_failed(goal.what);
	else
		measure_ratio(us.ours, us.peer, "us", &goal);
	daemon_end(&exporter);
}

/* Many clients */

struct crowd {
	int port;
	struct pollfd client[CLIENTS]; /* scrapers first, then pages */
	unsigned long scrapes, bytes, events, lost;
};

static const char *path_of(int i)
{
	return i < SCRAPERS ? "/metrics" : "/api/v1/events";
}

static void ask(struct crowd *crowd, int i)
{
	crowd->client[i] = (struct pollfd){ http_ask(crowd->port, path_of(i)), POLLIN, 0 };
	crowd->lost += crowd->client[i].fd < 0;
}

/* A scraper comes again at once; a page that is closed is lost. */
static void hear(struct crowd *crowd, int i)
{
	static char text[65536];
	ssize_t n = read(crowd->client[i].fd, text, sizeof(text));

	if (n > 0) {
		crowd->bytes += (unsigned long)n;
		crowd->events += i >= SCRAPERS && memmem(text, (size_t)n, "\ndata:", 6) != NULL;
		return;
	}
	(void)close(crowd->client[i].fd);
	crowd->scrapes += i < SCRAPERS && n == 0;
	crowd->lost += i >= SCRAPERS || n < 0;
	ask(crowd, i);
}

static void run_crowd(struct crowd *crowd)
{
	int64_t deadline_ns = deadline_in_ms(1000 * (int64_t)seconds);

	for (int i = 0; i < CLIENTS; i++)
		ask(crowd, i);
	while (support_now_ns() < deadline_ns) {
		if (poll(crowd->client, CLIENTS, TURN_MS) <= 0)
			continue;
		for (int i = 0; i < CLIENTS; i++)
			if (crowd->client[i].revents)
				hear(crowd, i);
	}
	for (int i = 0; i < CLIENTS; i++)
		if (crowd->client[i].fd >= 0)
			(void)close(crowd->client[i].fd);
}

static double missed_samples(int port)
{
	static const char name[] = "\ntendril_samples_missed_total ";
	char *text = NULL, *at;
	double missed = -1;

	if (http_get(port, "/metrics", &text) > 0 && (at = strstr(text, name)))
		missed = atof(at + sizeof(name) - 1);
	free(text);
	return missed;
}

static void bench_crowd(void)
{
	static const char what[] = "samples missed";
	const char *const words[] = { "--interval", "0.5", "--pids", NULL };
	struct crowd crowd = { 0 };
	struct daemon daemon;
	double missed;

	if (serve_start(tendril, words, &daemon) < 0) {
		measure_failed(what);
		return;
	}
	crowd.port = daemon.port;
	run_crowd(&crowd);
	missed = missed_samples(daemon.port);
	printf("%d scrapers without a pause and %d live pages for %u s, a sample each 0.5 s:\n",
	       SCRAPERS, PAGES, seconds);
	printf("  %lu scrapes, %lu events, %.0f MB; %.1f s of CPU time\n", crowd.scrapes, crowd.events,
	       (double)crowd.bytes / 1e6, clock_us(&daemon.clock) / 1e6);
	if (missed < 0 || crowd.scrapes == 0 || crowd.events == 0)
		measure_failed(what);
	else
		measure_limit(what, missed, 0, "");
	measure_limit("pages that were cut off, scrapes without answer", (double)crowd.lost, 0, "");
	daemon_end(&daemon);
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: bench_serve TENDRIL [--processes N] [--seconds N]\n");
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
	printf("tendril serve over %u processes; CPU time of the server\n", n_processes);
	measure_heading();
	bench_scrape(NULL, "a scrape of a new sample, by groups");
	bench_scrape("--pids", "a scrape of a new sample, each process");
	bench_further(NULL, "  a further scrape of that sample, by groups");
	bench_further("--pids", "  a further scrape of it, each process");
	bench_exporter(false);
	bench_exporter(true);
	bench_crowd();
	victims_end(victims, n_processes + 1);
	free(victims);
	return measure_end();
}
