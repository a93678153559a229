/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * feed.h - one thread that samples, and any number of readers that never make it wait
 *
 * What it hands out does not change any more and is counted by references, so a reader that takes
 * its time holds memory, but no lock.  The newest sample is there whole; of the older ones, up to
 * a bound, the counters are kept.
 */
#ifndef MONITOR_FEED_H
#define MONITOR_FEED_H

#include "monitor/alert_report.h"
#include "monitor/sample.h"
#include "monitor/trend.h"

struct monitor_snapshot {
	unsigned references;  /* use monitor_snapshot_release() */
	uint64_t sequence;    /* 1 is the first */
	uint64_t missed;      /* samples that were due and not taken, until now */
	int64_t cost_ns;      /* how long it took */
	struct monitor_sample sample;
	struct trend_verdict *verdict; /* for each process of the sample */
};

/* What is kept of a process in an older sample. */
enum monitor_kept {
	MONITOR_KEPT_HANDLES = 0,
	MONITOR_KEPT_THREADS,
	MONITOR_KEPT_MAPPINGS,
	MONITOR_KEPT_RESIDENT_KIB,
	MONITOR_KEPT,
};

#define MONITOR_KEPT_UNKNOWN UINT32_MAX /* larger values are shown as one less */

struct monitor_point {
	uint64_t start_ticks;
	pid_t pid;
	uint32_t value[MONITOR_KEPT];
};

struct monitor_moment {
	unsigned references; /* use monitor_moments_release() */
	int64_t time_ns;     /* CLOCK_REALTIME */
	size_t n_points;
	struct monitor_point point[]; /* in rising order of pid */
};

/* The point of that identity, or NULL; start_ticks 0: whoever has the id. */
const struct monitor_point *monitor_moment_find(const struct monitor_moment *moment, pid_t pid,
						uint64_t start_ticks);

struct monitor_feed_options {
	struct monitor_options sampling;
	int64_t interval_ms;
	size_t history;       /* samples to keep */
	size_t history_bytes; /* and no more than that many bytes of them */
	void (*on_sample)(void *param); /* on the sampling thread: must return at once; may be NULL */
	void *param;
	/* Judged on the sampling thread, which alone touches it until the feed has stopped; NULL: none.
	 * on_sample is called too when only an outcome is new. */
	struct alert_set *alerts;
};

struct monitor_feed;

/* Take the first sample, then one at each interval.  Return: 0, -ENOMEM, -EAGAIN, ... */
int monitor_feed_start(const struct monitor_feed_options *options, struct monitor_feed **ret_feed);
enum monitor_source monitor_feed_source(const struct monitor_feed *feed);
/* The newest, to be released by the caller. */
struct monitor_snapshot *monitor_feed_take(struct monitor_feed *feed);
void monitor_snapshot_release(struct monitor_snapshot *snapshot);

/* The older ones and the newest, oldest first.  Return: 0, -ENOMEM. */
int monitor_feed_moments(struct monitor_feed *feed, struct monitor_moment ***ret_moments,
			 size_t *ret_n);
void monitor_moments_release(struct monitor_moment **moments, size_t n);

/* What the alerts said last, to be released by the caller; NULL: there are none. */
struct alert_report *monitor_feed_alerts(struct monitor_feed *feed);

/* Snapshots, reports and moments that were taken stay good. */
void monitor_feed_stop(struct monitor_feed *feed);

#endif /* MONITOR_FEED_H */
