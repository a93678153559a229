/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trend.h - does a process lose handles, how fast, and how long until its limit?
 *
 * Pure logic: counts go in with the time they were taken at, a verdict comes out.  Any interval from a
 * second to a minute will do, also an irregular one; more than that works, only later.
 *
 * What breathes with load comes back; what is lost does not.  So two windows of 24 spans (of 5 minutes:
 * 2 hours; of 3 hours: 3 days) keep the lowest count and the mean of each span.  Over the lows, the lows
 * of three spans at a time, and the means:
 *
 *   slope   median of the slopes between all pairs (Theil 1950, Sen 1968): a burst or a gap in the data
 *           does not move it, up to 29 % of the points being wrong.
 *   test    Mann (1945) and Kendall (1975), by ranks, so whatever the noise is distributed like, with the
 *           variance widened for autocorrelation (Hamed and Rao 1998): load comes in waves, and without
 *           that a wave passes for a trend.
 *   shape   a line must fit about as well as the best single step does (a new worker is no leak), and
 *           the rise must go on (what warms up settles).
 *   size    8 % of the level over the window, and 24 handles (the long window: 15 %, 6 handles): less
 *           than that a day's cycle does.
 *   memory  a floor that was about as high before the window began, within four days, is nothing new:
 *           that keeps slow cycles and random walks quiet once they have been seen.
 *
 * The clearest of the three series speaks, and two evaluations in a row have to agree.  By experiment,
 * lows are better where the load leaves an idle floor (bursts), means where it never does (queues).
 *
 * What it cannot know: a rise of two hours that nothing before explains looks like a leak, whatever
 * comes later (the first tooth of a slow garbage collector, the first morning of a steep day).  And a
 * rise within the noise takes longer: of leaks of 60 handles an hour under +-20 % of load, all are found
 * within 2 hours on a base of 50 or 200, 81 to 100 % on one of 1,000 (tests/test_trend.c).  Less than 12
 * an hour is left to the long window, which needs 2.5 days.
 */
#ifndef MONITOR_TREND_H
#define MONITOR_TREND_H

#include "monitor/sample.h"

struct trend_verdict {
	bool is_known;          /* enough was seen to say anything: 40 minutes */
	bool is_leaking;
	double handles_per_hour; /* of the floor; 0 until it is known */
	double confidence;      /* 0 ... 1, that the floor rises and goes on rising */
	double seconds_left;    /* until the limit, at that slope; INFINITY: never, or no limit known */
	int64_t since_ns;       /* CLOCK_MONOTONIC, when it was first called leaking; 0: it is not */
};

/* One process.  A kilobyte at most, whatever happens. */
struct trend;
struct trend *trend_new(void); /* NULL: out of memory */
void trend_free(struct trend *trend);
/* limit 0: not known, or none.  A time before the one of the last call is ignored. */
void trend_add(struct trend *trend, int64_t monotonic_ns, uint64_t handles, uint64_t limit);
void trend_verdict(const struct trend *trend, struct trend_verdict *ret_verdict);

/* All processes of a sample, known by id and start. */
struct trend_table;
int trend_table_new(struct trend_table **ret_table);
void trend_table_free(struct trend_table *table);
/* Processes that are not in the sample are forgotten; one whose handles are unknown in it is kept as
 * it was.  Return: 0, -ENOMEM (the table is as before). */
int trend_table_feed(struct trend_table *table, const struct monitor_sample *sample);
/* Return: 0, -ESRCH (never fed). */
int trend_table_verdict(const struct trend_table *table, pid_t pid, uint64_t start_ticks,
			struct trend_verdict *ret_verdict);

#endif /* MONITOR_TREND_H */
