/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/feed.h"

#include <pthread.h>
#include <string.h>

#define REAP_NS (200 * NS_PER_MS) /* between two looks at the commands that run */

struct monitor_feed {
	struct monitor_feed_options options;
	struct monitor_sampler *sampler;
	struct trend_table *trends;
	pthread_t thread;
	pthread_mutex_t lock; /* held for pointers and counts only, never while something is read */
	pthread_cond_t stop_asked;
	bool stop;
	uint64_t sequence, missed;
	struct monitor_snapshot *newest;
	struct alert_report *report; /* NULL: there are no alerts */
	struct monitor_moment **ring; /* options.history of them; the oldest at first */
	size_t first, n_moments, moment_bytes;
};

static void hold(unsigned *references)
{
	__atomic_add_fetch(references, 1, __ATOMIC_RELAXED);
}

static bool let_go(unsigned *references)
{
	return __atomic_sub_fetch(references, 1, __ATOMIC_ACQ_REL) == 0;
}

void monitor_snapshot_release(struct monitor_snapshot *snapshot)
{
	if (!snapshot || !let_go(&snapshot->references))
		return;
	free(snapshot->sample.process);
	free(snapshot->verdict);
	free(snapshot);
}

static void release_moment(struct monitor_moment *moment)
{
	if (moment && let_go(&moment->references))
		free(moment);
}

void monitor_moments_release(struct monitor_moment **moments, size_t n)
{
	for (size_t i = 0; i < n; i++)
		release_moment(moments[i]);
	free(moments);
}

const struct monitor_point *monitor_moment_find(const struct monitor_moment *moment, pid_t pid,
						uint64_t start_ticks)
{
	size_t low = 0, high = moment->n_points;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (moment->point[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == moment->n_points || moment->point[low].pid != pid)
		return NULL;
	return start_ticks && moment->point[low].start_ticks != start_ticks ? NULL :
									      &moment->point[low];
}

/* Making what is handed out */

static uint32_t keep(const struct monitor_process *process, enum monitor_counter counter,
		     unsigned shift)
{
	uint64_t value = process->value[counter] >> shift;

	if (!monitor_is_known(process, counter))
		return MONITOR_KEPT_UNKNOWN;
	return value < MONITOR_KEPT_UNKNOWN ? (uint32_t)value : MONITOR_KEPT_UNKNOWN - 1;
}

static size_t bytes_of_moment(size_t n_points)
{
	return sizeof(struct monitor_moment) + n_points * sizeof(struct monitor_point);
}

static struct monitor_moment *moment_of(const struct monitor_sample *sample)
{
	struct monitor_moment *moment = malloc(bytes_of_moment(sample->n_processes));

	if (!moment)
		return NULL;
	moment->references = 1;
	moment->time_ns = sample->time_ns;
	moment->n_points = sample->n_processes;
	for (size_t i = 0; i < sample->n_processes; i++) {
		const struct monitor_process *from = &sample->process[i];
		struct monitor_point *point = &moment->point[i];

		point->pid = from->pid;
		point->start_ticks = from->start_ticks;
		point->value[MONITOR_KEPT_HANDLES] = keep(from, MONITOR_HANDLES, 0);
		point->value[MONITOR_KEPT_THREADS] = keep(from, MONITOR_THREADS, 0);
		point->value[MONITOR_KEPT_MAPPINGS] = keep(from, MONITOR_MAPPINGS, 0);
		point->value[MONITOR_KEPT_RESIDENT_KIB] = keep(from, MONITOR_RESIDENT_BYTES, 10);
	}
	return moment;
}

/* A process that the table does not know is one that nothing can be said of. */
static void add_verdicts(struct monitor_snapshot *snapshot, const struct trend_table *trends)
{
	for (size_t i = 0; i < snapshot->sample.n_processes; i++) {
		const struct monitor_process *process = &snapshot->sample.process[i];

		(void)trend_table_verdict(trends, process->pid, process->start_ticks,
					  &snapshot->verdict[i]);
	}
}

static struct monitor_snapshot *snapshot_of(const struct monitor_sample *sample,
					    const struct trend_table *trends)
{
	struct monitor_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	size_t bytes = sample->n_processes * sizeof(*sample->process);

	if (!snapshot)
		return NULL;
	snapshot->references = 1;
	snapshot->sample = *sample;
	snapshot->sample.process = malloc(bytes + 1);
	snapshot->verdict = calloc(sample->n_processes + 1, sizeof(*snapshot->verdict));
	if (!snapshot->sample.process || !snapshot->verdict) {
		monitor_snapshot_release(snapshot);
		return NULL;
	}
	if (bytes)
		memcpy(snapshot->sample.process, sample->process, bytes);
	add_verdicts(snapshot, trends);
	return snapshot;
}

/* The lock is held. */
static void drop_oldest(struct monitor_feed *feed)
{
	struct monitor_moment *oldest = feed->ring[feed->first];

	feed->moment_bytes -= bytes_of_moment(oldest->n_points);
	release_moment(oldest);
	feed->first = (feed->first + 1) % feed->options.history;
	feed->n_moments--;
}

/* The lock is held; moment is taken over. */
static void add_moment(struct monitor_feed *feed, struct monitor_moment *moment)
{
	size_t bytes = bytes_of_moment(moment->n_points);

	while (feed->n_moments == feed->options.history ||
	       (feed->n_moments && feed->moment_bytes + bytes > feed->options.history_bytes))
		drop_oldest(feed);
	feed->ring[(feed->first + feed->n_moments) % feed->options.history] = moment;
	feed->n_moments++;
	feed->moment_bytes += bytes;
}

/* Sampling */

static void publish(struct monitor_feed *feed, struct monitor_snapshot *snapshot,
		    struct monitor_moment *moment)
{
	struct monitor_snapshot *old;

	pthread_mutex_lock(&feed->lock);
	snapshot->sequence = ++feed->sequence;
	snapshot->missed = feed->missed;
	old = feed->newest;
	feed->newest = snapshot;
	add_moment(feed, moment);
	pthread_mutex_unlock(&feed->lock);
	monitor_snapshot_release(old);
}

/* Return: true when there was something new.  Without memory it is published with the next. */
static bool publish_alerts(struct monitor_feed *feed)
{
	struct alert_report *old = feed->report, *report;

	if (old && old->version == alert_set_version(feed->options.alerts))
		return false;
	report = alert_report_new(feed->options.alerts);
	if (!report)
		return false;
	pthread_mutex_lock(&feed->lock);
	feed->report = report;
	pthread_mutex_unlock(&feed->lock);
	alert_report_release(old);
	return true;
}

static int judge(struct monitor_feed *feed, const struct monitor_sample *sample)
{
	int r;

	if (!feed->options.alerts)
		return 0;
	r = alert_set_feed(feed->options.alerts, sample, feed->trends);
	(void)publish_alerts(feed);
	return r < 0 ? r : 0;
}

static int take_sample(struct monitor_feed *feed)
{
	const struct monitor_sample *sample;
	struct monitor_snapshot *snapshot;
	struct monitor_moment *moment;
	int64_t begin_ns = now_ns(), cost_ns;
	int r = monitor_sample(feed->sampler, &sample);

	if (r < 0)
		return r;
	r = trend_table_feed(feed->trends, sample);
	cost_ns = now_ns() - begin_ns; /* what alerts start is no part of it */
	if (r == 0)
		r = judge(feed, sample);
	if (r < 0)
		return r;
	snapshot = snapshot_of(sample, feed->trends);
	moment = snapshot ? moment_of(sample) : NULL;
	if (!moment) {
		monitor_snapshot_release(snapshot);
		return -ENOMEM;
	}
	snapshot->cost_ns = cost_ns;
	publish(feed, snapshot, moment);
	return 0;
}

/* Return: true when it is time, false when the feed is to stop. */
static bool wait_until(struct monitor_feed *feed, int64_t due_ns)
{
	struct timespec due = { .tv_sec = due_ns / NS_PER_S, .tv_nsec = due_ns % NS_PER_S };
	bool stop;
	int r = 0;

	pthread_mutex_lock(&feed->lock);
	while (!feed->stop && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&feed->stop_asked, &feed->lock, &due);
	stop = feed->stop;
	pthread_mutex_unlock(&feed->lock);
	return !stop;
}

static void tell_readers(struct monitor_feed *feed)
{
	if (feed->options.on_sample)
		feed->options.on_sample(feed->options.param);
}

static bool has_commands(const struct monitor_feed *feed)
{
	const struct alert_report *report = feed->report;

	return report && (report->counts.running || report->counts.waiting);
}

/* The same; meanwhile commands of alerts are collected as they end, started and ended. */
static bool wait_with_commands(struct monitor_feed *feed, int64_t due_ns)
{
	while (has_commands(feed) && now_ns() + REAP_NS < due_ns) {
		if (!wait_until(feed, now_ns() + REAP_NS))
			return false;
		alert_set_reap(feed->options.alerts);
		if (publish_alerts(feed))
			tell_readers(feed);
	}
	return wait_until(feed, due_ns);
}

/* One that failed is a missed one, as is one whose time passed while the one before was taken. */
static void *sample_for_ever(void *param)
{
	struct monitor_feed *feed = param;
	int64_t interval_ns = feed->options.interval_ms * NS_PER_MS;
	int64_t due_ns = now_ns() + interval_ns;

	while (wait_with_commands(feed, due_ns)) {
		if (take_sample(feed) < 0)
			feed->missed++;
		else
			tell_readers(feed);
		for (due_ns += interval_ns; due_ns <= now_ns(); due_ns += interval_ns)
			feed->missed++;
	}
	return NULL;
}

static void feed_free(struct monitor_feed *feed)
{
	while (feed->n_moments)
		drop_oldest(feed);
	monitor_snapshot_release(feed->newest);
	alert_report_release(feed->report);
	monitor_sampler_free(feed->sampler);
	trend_table_free(feed->trends);
	pthread_cond_destroy(&feed->stop_asked);
	pthread_mutex_destroy(&feed->lock);
	free(feed->ring);
	free(feed);
}

static struct monitor_feed *feed_new(const struct monitor_feed_options *options)
{
	struct monitor_feed *feed = calloc(1, sizeof(*feed));
	pthread_condattr_t attributes;

	if (!feed)
		return NULL;
	feed->options = *options;
	feed->ring = calloc(options->history, sizeof(*feed->ring));
	pthread_mutex_init(&feed->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&feed->stop_asked, &attributes);
	pthread_condattr_destroy(&attributes);
	return feed;
}

int monitor_feed_start(const struct monitor_feed_options *options, struct monitor_feed **ret_feed)
{
	struct monitor_feed *feed;
	int r;

	if (options->history == 0 || options->interval_ms <= 0)
		return -EINVAL;
	feed = feed_new(options);
	if (!feed)
		return -ENOMEM;
	r = feed->ring ? monitor_sampler_new(&options->sampling, &feed->sampler) : -ENOMEM;
	if (r == 0)
		r = trend_table_new(&feed->trends);
	if (r == 0)
		r = take_sample(feed);
	if (r == 0)
		r = -pthread_create(&feed->thread, NULL, sample_for_ever, feed);
	if (r < 0) {
		feed_free(feed);
		return r;
	}
	*ret_feed = feed;
	return 0;
}

enum monitor_source monitor_feed_source(const struct monitor_feed *feed)
{
	return monitor_sampler_source(feed->sampler);
}

void monitor_feed_stop(struct monitor_feed *feed)
{
	if (!feed)
		return;
	pthread_mutex_lock(&feed->lock);
	feed->stop = true;
	pthread_cond_signal(&feed->stop_asked);
	pthread_mutex_unlock(&feed->lock);
	pthread_join(feed->thread, NULL);
	feed_free(feed);
}

/* Reading */

struct monitor_snapshot *monitor_feed_take(struct monitor_feed *feed)
{
	struct monitor_snapshot *snapshot;

	pthread_mutex_lock(&feed->lock);
	snapshot = feed->newest;
	hold(&snapshot->references);
	pthread_mutex_unlock(&feed->lock);
	return snapshot;
}

struct alert_report *monitor_feed_alerts(struct monitor_feed *feed)
{
	struct alert_report *report;

	pthread_mutex_lock(&feed->lock);
	report = feed->report ? alert_report_hold(feed->report) : NULL;
	pthread_mutex_unlock(&feed->lock);
	return report;
}

/* Room for all is made before the lock is taken. */
int monitor_feed_moments(struct monitor_feed *feed, struct monitor_moment ***ret_moments,
			 size_t *ret_n)
{
	struct monitor_moment **moments = calloc(feed->options.history, sizeof(struct monitor_moment *));

	if (!moments)
		return -ENOMEM;
	pthread_mutex_lock(&feed->lock);
	for (size_t i = 0; i < feed->n_moments; i++) {
		moments[i] = feed->ring[(feed->first + i) % feed->options.history];
		hold(&moments[i]->references);
	}
	*ret_n = feed->n_moments;
	pthread_mutex_unlock(&feed->lock);
	*ret_moments = moments;
	return 0;
}
