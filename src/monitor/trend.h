/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trend.h - does a process lose handles, how fast, and how long until its limit?
 *
 * Pure logic: counts go in with the time they were taken at, a verdict comes out.  Any interval of up to
 * five minutes will do, also an irregular one; of up to three hours it takes two and a half days, and with
 * more than that nothing is found.
 *
 * What breathes with load comes back; what is lost does not.  So two windows of 24 spans (of 5 minutes:
 * 2 hours; of 3 hours: 3 days) keep the lowest count and the mean of each span.  Over the lows, and over
 * the means:
 *
 *   wave    a load with one rhythm is taken out first: the sinusoid that fits best beside a line, if it
 *           explains nine tenths of what the line leaves over (Lomb 1976, Scargle 1982).
 *   slope   median of the slopes between all pairs (Theil 1950, Sen 1968): a burst or a gap in the data
 *           does not move it, up to 29 % of the points being wrong.
 *   error   of that slope, from what the line leaves over: brought back where it is more than three
 *           times the median deviation out (Huber 1964, Hampel 1974), and widened by (1 + r) / (1 - r)
 *           for noise of which the part r is still there a span later (Bayley and Hammersley 1946; r
 *           corrected for what the fit took away, Marriott and Pope 1954).  Load comes in waves, and
 *           without that a wave passes for a trend.
 *   speaks  the one of both whose slope is known best, not the steeper one: choosing by the slope would
 *           choose chance.  Lows are better where the load leaves an idle floor (bursts), means where it
 *           never does (queues).  Both have to rise.
 *   shape   a line must fit about as well as the best single step does (a new worker is no leak), and
 *           the rise must go on (what warms up settles).
 *   size    24 handles, 5 % of the level, and as much as a leak of 1 a minute shows, to 98 %, in noise of
 *           that error; 30 % of the level is always enough, and from the sixth hour on 12 %.  So a calm
 *           process has to rise clearly, and a noisy one is not missed.
 *   memory  a floor that was about as high before the window began, within four days, is nothing new:
 *           that keeps slow cycles and random walks quiet once they have been seen.  In the first two
 *           hours there is none, so one clear evaluation is believed; later six in a row.
 *
 * By simulation (tests/test_trend.c), under +-20 % of load, 1 handle a minute, found in the first 2 hours,
 * in percent; in brackets what the best possible detector finds, a likelihood ratio that knows the load's
 * parameters and alarms at 1 of 20 innocent starts (at 1 of 1,200: as if there were no memory):
 *
 *   base    white  noise       breathing  hourly  bursts  daily       queue       wandering
 *   10      100    100         100        100     100     100         100         100
 *   100     100    100         100        100     100     100         100         100
 *   300     99     100         100        100     100     99          100         92
 *   1,000   100    96 (99; 84) 99         97      98      97 (99; 86) 96 (99; 92) 54 (45; 5)
 *
 * The thresholds were chosen on these.  On fresh ones it is the same within 1, but 93 for daily on 1,000.
 *
 * "Wandering" is load that remembers for 1 to 4 hours: on 1,000 it rises by more than the leak does, and
 * nobody could tell.  False alarms: below 1 in 100 process-days for each kind of load and for steps,
 * warming up, garbage collectors, random walks, restarts and days.  They come in the first hours of a
 * process: a rise of two hours that nothing before explains looks like a leak, whatever comes later.  On
 * 1,000 that is 0 to 9 % of starts (wandering: 15 %), on less next to none; so where processes of a
 * thousand handles live for hours only, there are more than 1 in 100 process-days.
 *
 * A leak that begins after a quiet day has to rise above what was seen: 2 to 3 hours up to 300, 3 to 6 on
 * 1,000 (in an hourly cycle more).
 * Less than 12 an hour is left to the long window, which needs 2.5 days.
 */
#ifndef MONITOR_TREND_H
#define MONITOR_TREND_H

#include "monitor/sample.h"

struct trend_verdict {
	bool is_known;          /* enough was seen to say anything: 40 minutes */
	bool is_leaking;
	double handles_per_hour; /* of the floor; 0 until it is known */
	double confidence;      /* 0 ... 1, that it rises, as the noise has it */
	double seconds_left;    /* until the limit, at that slope; INFINITY: never, or no limit known */
	int64_t since_ns;       /* CLOCK_MONOTONIC, when it was first called leaking; 0: it is not */
	double low_per_hour, high_per_hour; /* nine times in ten the true slope is between these */
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
