/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/trend.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#define BUCKETS     24
#define BUCKETS_MIN 20 /* before that nothing is called a leak */
#define MERGED      3
#define HOURS       96
#define EMPTY       UINT32_MAX

#define SHORT_NS (300 * NS_PER_S)      /* a window of 2 hours */
#define LONG_NS  (3 * 3600 * NS_PER_S) /* and of 3 days: each third of it is a whole day */
#define HOUR_NS  (3600 * NS_PER_S)

/* Chosen by experiment, see tests/test_trend.c: detection against false alarms. */
#define Z_LEAK       2.2  /* of Mann and Kendall, to begin with */
#define Z_STILL      1.5  /* to stay with it */
#define Z_MERGED     0.2  /* in favour of the fewest points: their z cannot be as high */
#define RISE_NEAR     0.08 /* of the level, over the window: a day's cycle rises too */
#define RISE_NEAR_MIN 24.0 /* handles; at less than 12 an hour there is time for the far window */
#define RISE_FAR      0.15 /* the same over days: and so do weeks */
#define RISE_FAR_MIN  6.0
#define RISE_OTHER   0.2  /* of what the clearest says; means and lows rise together */
#define STEP_RATIO   1.5  /* a line may fit so much worse than a step */
#define SETTLE_RATIO 0.45 /* the later half may rise so much less than the earlier one */
#define NOISE_TOLERANCE 1.3
#define FAMILIAR     0.9  /* a floor so near to an earlier one is nothing new */
#define AGREE        2    /* evaluations in a row that have to say so */
#define DISAGREE     6    /* and that have to say otherwise */

/* One window: a ring of what was seen in equal spans of time. */
struct window {
	int64_t width_ns;
	int64_t bucket;         /* number of the open one */
	uint32_t low[BUCKETS];  /* of bucket b at b % BUCKETS; EMPTY: nothing was seen */
	float mean[BUCKETS];
	uint32_t open_low, open_n;
	double open_sum;
};

struct trend {
	int64_t first_ns, last_ns;
	uint64_t limit;
	double now;             /* the count of last time */
	struct window near, far;
	uint32_t peak[HOURS];   /* for each hour: the highest floor of a third of the near window */
	int64_t peak_hour;
	uint8_t agree, disagree;
	bool is_far;            /* what says so is the far window */
	double flagged_floor;
	struct trend_verdict verdict;
};
_Static_assert(sizeof(struct trend) <= 1024, "a kilobyte for each process");

/* What a window says. */
struct evidence {
	size_t n;
	double slope;   /* per bucket */
	double z;
	double level;   /* at the beginning of the window */
	double rise;    /* over the window */
	bool is_steady; /* no step, no settling */
};

struct series {
	size_t n;
	double x[BUCKETS]; /* bucket number, from 0 */
	double y[BUCKETS];
};

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The lower one of an even number: the middle between both sides of a step is on neither. */
static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare_doubles);
	return values[(n - 1) / 2];
}

/* The median of the slopes between all pairs. */
static double theil_sen(const struct series *s)
{
	double slope[BUCKETS * (BUCKETS - 1) / 2];
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		for (size_t j = i + 1; j < s->n; j++)
			slope[n++] = (s->y[j] - s->y[i]) / (s->x[j] - s->x[i]);
	return n ? median(slope, n) : 0;
}

/* Ranks of what is left of the series when its trend is taken out, from their mean. */
static void detrended_ranks(const struct series *s, double slope, double *ret_rank)
{
	for (size_t i = 0; i < s->n; i++) {
		double own = s->y[i] - slope * s->x[i];

		ret_rank[i] = -((double)s->n / 2);
		for (size_t j = 0; j < s->n; j++) {
			double other = s->y[j] - slope * s->x[j];

			ret_rank[i] += (other < own) + 0.5 * (other == own);
		}
	}
}

/* By how much autocorrelation widens the variance; never narrows it. */
static double hamed_rao(const struct series *s, double slope)
{
	double rank[BUCKETS], square = 0, sum = 0, n = (double)s->n;

	detrended_ranks(s, slope, rank);
	for (size_t i = 0; i < s->n; i++)
		square += rank[i] * rank[i];
	for (size_t lag = 1; lag + 2 < s->n && square > 0; lag++) {
		double product = 0, left = n - (double)lag;

		for (size_t i = 0; i + lag < s->n; i++)
			product += rank[i] * rank[i + lag];
		if (fabs(product / square) > 1.96 / sqrt(n))
			sum += left * (left - 1) * (left - 2) * product / square;
	}
	return fmax(1, 1 + 2 * sum / (n * (n - 1) * (n - 2)));
}

static double mann_kendall(const struct series *s, double slope)
{
	double n = (double)s->n, sum = 0;

	for (size_t i = 0; i < s->n; i++)
		for (size_t j = i + 1; j < s->n; j++)
			sum += (s->y[j] > s->y[i]) - (s->y[j] < s->y[i]);
	sum -= (sum > 0) - (sum < 0);
	return sum / sqrt(n * (n - 1) * (2 * n + 5) / 18 * hamed_rao(s, slope));
}

static double square_error(const double *y, size_t from, size_t to)
{
	double sum = 0, error = 0;

	for (size_t i = from; i < to; i++)
		sum += y[i];
	for (size_t i = from; i < to; i++)
		error += (y[i] - sum / (double)(to - from)) * (y[i] - sum / (double)(to - from));
	return error;
}

/* What a straight line leaves over, squared. */
static double line_error(const struct series *s)
{
	double n = (double)s->n, sx = 0, sy = 0, sxx = 0, sxy = 0;

	for (size_t i = 0; i < s->n; i++) {
		sx += s->x[i];
		sy += s->y[i];
		sxx += s->x[i] * s->x[i];
		sxy += s->x[i] * s->y[i];
	}
	sxy -= sx * sy / n;
	sxx -= sx * sx / n;
	return fmax(0, square_error(s->y, 0, s->n) - (sxx > 0 ? sxy * sxy / sxx : 0));
}

/* What one step between two levels leaves over, at the best place for it. */
static double step_error(const struct series *s)
{
	double best = INFINITY;

	for (size_t i = 1; i < s->n; i++)
		best = fmin(best, square_error(s->y, 0, i) + square_error(s->y, i, s->n));
	return best;
}

static double part_median(const struct series *s, size_t from, size_t to)
{
	double part[BUCKETS];

	memcpy(part, s->y + from, (to - from) * sizeof(*part));
	return median(part, to - from);
}

/* From one bucket to the next, so that a bend in the series is no noise. */
static double noise_of(const struct series *s)
{
	double sum = 0;

	for (size_t i = 1; i < s->n; i++)
		sum += (s->y[i] - s->y[i - 1]) * (s->y[i] - s->y[i - 1]);
	return sqrt(sum / (2 * ((double)s->n - 1)));
}

/* A leak goes on as it began: a new worker is one step, and what warms up slows down. */
static bool is_steady(const struct series *s)
{
	size_t third = s->n / 3;
	double early = part_median(s, 0, third), late = part_median(s, s->n - third, s->n);
	double middle = part_median(s, third, s->n - third);
	double noise = NOISE_TOLERANCE * noise_of(s);

	if (line_error(s) > STEP_RATIO * step_error(s))
		return false;
	return late - middle > SETTLE_RATIO * (middle - early) - noise && late > middle - noise / 2 &&
	       middle > early - noise / 2;
}

static void weigh(const struct series *s, struct evidence *ret_evidence)
{
	struct evidence e = { .n = s->n, .slope = theil_sen(s) };
	double left[BUCKETS];

	e.z = mann_kendall(s, e.slope);
	for (size_t i = 0; i < s->n; i++)
		left[i] = s->y[i] - e.slope * s->x[i];
	e.level = fmax(1, median(left, s->n));
	e.rise = e.slope * (s->x[s->n - 1] - s->x[0] + s->x[1] - s->x[0]);
	e.is_steady = is_steady(s);
	*ret_evidence = e;
}

/* The closed buckets in which something was seen, oldest first, the lows of `merged` buckets as one. */
static void take_lows(const struct window *w, int merged, struct series *ret_series)
{
	int64_t begin = w->bucket - BUCKETS;

	ret_series->n = 0;
	for (int part = 0; part < BUCKETS; part += merged) {
		uint32_t low = EMPTY;

		for (int64_t b = begin + part; b < begin + part + merged; b++)
			if (b >= 0 && w->low[b % BUCKETS] < low)
				low = w->low[b % BUCKETS];
		if (low == EMPTY)
			continue;
		ret_series->x[ret_series->n] = part;
		ret_series->y[ret_series->n++] = low;
	}
}

static void take_means(const struct window *w, struct series *ret_series)
{
	int64_t begin = w->bucket - BUCKETS;

	ret_series->n = 0;
	for (int part = 0; part < BUCKETS; part++) {
		size_t i = (size_t)((begin + part + BUCKETS) % BUCKETS);

		if (begin + part < 0 || w->low[i] == EMPTY)
			continue;
		ret_series->x[ret_series->n] = part;
		ret_series->y[ret_series->n++] = (double)w->mean[i];
	}
}

/*
 * Where the load leaves an idle floor the lowest counts tell most, those of longer spans when it
 * breathes slowly; where it never stands still the means do.  Whichever is clearest speaks, and means
 * and lows must not contradict each other.
 */
static bool judge(const struct window *w, double fewest, double part_of_level,
		  struct evidence *ret_evidence)
{
	struct evidence low, merged, mean, clearest;
	struct series series;

	take_lows(w, 1, &series);
	*ret_evidence = (struct evidence){ .n = series.n };
	if (series.n < BUCKETS / 3)
		return false;
	weigh(&series, &low);
	take_means(w, &series);
	weigh(&series, &mean);
	take_lows(w, MERGED, &series);
	weigh(&series, &merged);
	merged.n = low.n;
	clearest = low.z > mean.z ? low : mean;
	if (merged.z + Z_MERGED > clearest.z)
		clearest = merged;
	*ret_evidence = clearest;
	return low.n >= BUCKETS_MIN && clearest.z >= Z_LEAK && clearest.is_steady &&
	       fmin(low.rise, mean.rise) >= RISE_OTHER * clearest.rise &&
	       clearest.rise >= fmax(fewest, part_of_level * clearest.level);
}

/* Return: a bucket was closed. */
static bool window_add(struct window *w, int64_t since_ns, uint32_t count)
{
	int64_t bucket = since_ns / w->width_ns;
	bool has_closed = bucket > w->bucket;

	if (has_closed) {
		size_t i = (size_t)(w->bucket % BUCKETS);

		w->low[i] = w->open_n ? w->open_low : EMPTY;
		w->mean[i] = w->open_n ? (float)(w->open_sum / w->open_n) : 0;
		for (int64_t b = w->bucket + 1; b < bucket && b <= w->bucket + BUCKETS; b++)
			w->low[b % BUCKETS] = EMPTY;
		w->bucket = bucket;
		w->open_n = 0;
		w->open_sum = 0;
		w->open_low = EMPTY;
	}
	if (count < w->open_low)
		w->open_low = count;
	w->open_n++;
	w->open_sum += count;
	return has_closed;
}

static void window_init(struct window *w, int64_t width_ns)
{
	*w = (struct window){ .width_ns = width_ns, .open_low = EMPTY };
	memset(w->low, 0xff, sizeof(w->low));
}

/* The lowest count of the last third of the near window. */
static uint32_t recent_floor(const struct window *w)
{
	uint32_t lowest = EMPTY;

	for (int64_t b = w->bucket - BUCKETS / 3 > 0 ? w->bucket - BUCKETS / 3 : 0; b < w->bucket; b++)
		if (w->low[b % BUCKETS] < lowest)
			lowest = w->low[b % BUCKETS];
	return lowest;
}

static void note_peak(struct trend *trend, uint32_t floor)
{
	int64_t hour = (trend->last_ns - trend->first_ns) / HOUR_NS;

	for (int64_t h = trend->peak_hour + 1; h <= hour && h <= trend->peak_hour + HOURS; h++)
		trend->peak[h % HOURS] = 0;
	trend->peak_hour = hour;
	if (floor != EMPTY && floor > trend->peak[hour % HOURS])
		trend->peak[hour % HOURS] = floor;
}

/* Has the floor been as high before the near window began?  Then it breathes, only slower. */
static bool is_familiar(const struct trend *trend, uint32_t floor)
{
	for (int64_t h = trend->peak_hour - 3; h >= 0 && h > trend->peak_hour - HOURS; h--)
		if (trend->peak[h % HOURS] >= floor * FAMILIAR)
			return true;
	return false;
}

static void flag(struct trend *trend, bool suspected)
{
	struct trend_verdict *verdict = &trend->verdict;

	trend->agree = suspected ? trend->agree + (trend->agree < AGREE) : 0;
	if (verdict->is_leaking || trend->agree < AGREE)
		return;
	verdict->is_leaking = true;
	verdict->since_ns = trend->last_ns;
	trend->disagree = 0;
	trend->flagged_floor = recent_floor(&trend->near);
}

/* Calm again: the floor fell, or has stopped to rise for a while. */
static void unflag(struct trend *trend, const struct evidence *evidence, uint32_t floor)
{
	bool holds = evidence->z >= Z_STILL && evidence->rise >= RISE_FAR_MIN / 2;

	if (!trend->verdict.is_leaking)
		return;
	trend->disagree = holds ? 0 : trend->disagree + 1;
	if (trend->disagree < DISAGREE && floor >= trend->flagged_floor - evidence->rise / 2)
		return;
	trend->verdict.is_leaking = false;
	trend->verdict.since_ns = 0;
	trend->agree = 0;
}

static void describe(struct trend *trend, const struct evidence *evidence, double width_ns)
{
	struct trend_verdict *verdict = &trend->verdict;
	double sure = erf(fmax(0, evidence->z) / M_SQRT2);

	verdict->is_known = evidence->n >= BUCKETS / 3;
	verdict->handles_per_hour = evidence->slope * ((double)HOUR_NS / width_ns);
	/* Not called a leak: whatever the slope, no more than even odds. */
	verdict->confidence = verdict->is_leaking ? fmax(0.5, sure) : 0.5 * sure;
	verdict->seconds_left = INFINITY;
	if (trend->limit && verdict->handles_per_hour > 0)
		verdict->seconds_left = fmax(0, (double)trend->limit - trend->now) /
					verdict->handles_per_hour * 3600;
}

static void evaluate(struct trend *trend)
{
	struct evidence near, far;
	uint32_t floor = recent_floor(&trend->near);
	bool is_near = judge(&trend->near, RISE_NEAR_MIN, RISE_NEAR, &near) && !is_familiar(trend, floor);
	bool is_far = judge(&trend->far, RISE_FAR_MIN, RISE_FAR, &far);

	note_peak(trend, floor);
	if (!trend->verdict.is_leaking)
		trend->is_far = is_far && !is_near;
	flag(trend, is_near || is_far);
	unflag(trend, trend->is_far ? &far : &near, floor);
	if (trend->verdict.is_leaking && trend->is_far)
		describe(trend, &far, LONG_NS);
	else
		describe(trend, &near, SHORT_NS);
}

struct trend *trend_new(void)
{
	struct trend *trend = calloc(1, sizeof(*trend));

	if (!trend)
		return NULL;
	window_init(&trend->near, SHORT_NS);
	window_init(&trend->far, LONG_NS);
	trend->first_ns = INT64_MIN;
	trend->verdict.seconds_left = INFINITY;
	return trend;
}

void trend_free(struct trend *trend)
{
	free(trend);
}

void trend_add(struct trend *trend, int64_t monotonic_ns, uint64_t handles, uint64_t limit)
{
	uint32_t count = handles < EMPTY ? (uint32_t)handles : EMPTY - 1;

	if (trend->first_ns == INT64_MIN)
		trend->first_ns = trend->last_ns = monotonic_ns;
	if (monotonic_ns < trend->last_ns)
		return;
	trend->last_ns = monotonic_ns;
	trend->limit = limit;
	trend->now = count;
	(void)window_add(&trend->far, monotonic_ns - trend->first_ns, count);
	if (window_add(&trend->near, monotonic_ns - trend->first_ns, count))
		evaluate(trend);
}

void trend_verdict(const struct trend *trend, struct trend_verdict *ret_verdict)
{
	*ret_verdict = trend->verdict;
}

/* The table */

struct entry {
	pid_t pid;
	uint64_t start_ticks;
	struct trend *trend;
};

struct trend_table {
	struct entry *entry; /* in rising order of pid, as samples are */
	size_t n_entries;
};

int trend_table_new(struct trend_table **ret_table)
{
	struct trend_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	*ret_table = table;
	return 0;
}

void trend_table_free(struct trend_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_entries; i++)
		trend_free(table->entry[i].trend);
	free(table->entry);
	free(table);
}

/* Where pid is, or would be. */
static size_t find_entry(const struct trend_table *table, pid_t pid)
{
	size_t low = 0, high = table->n_entries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->entry[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct entry *find_same(const struct trend_table *table, pid_t pid, uint64_t start_ticks)
{
	size_t at = find_entry(table, pid);

	if (at == table->n_entries || table->entry[at].pid != pid ||
	    (start_ticks && table->entry[at].start_ticks != start_ticks))
		return NULL;
	return &table->entry[at];
}

/* One entry for each process of the sample: those that are known, and new ones.  -ENOMEM: those that
 * are new are freed again. */
static int make_entries(const struct trend_table *table, const struct monitor_sample *sample,
			struct entry *entries)
{
	for (size_t i = 0; i < sample->n_processes; i++) {
		const struct monitor_process *process = &sample->process[i];
		const struct entry *known = find_same(table, process->pid, process->start_ticks);

		entries[i] = (struct entry){ process->pid, process->start_ticks,
					     known ? known->trend : trend_new() };
		if (entries[i].trend)
			continue;
		while (i-- > 0)
			if (!find_same(table, entries[i].pid, entries[i].start_ticks))
				trend_free(entries[i].trend);
		return -ENOMEM;
	}
	return 0;
}

static void forget_ended(struct trend_table *table, const struct monitor_sample *sample)
{
	for (size_t i = 0; i < table->n_entries; i++) {
		const struct entry *entry = &table->entry[i];

		if (!monitor_find(sample, entry->pid, entry->start_ticks))
			trend_free(entry->trend);
	}
}

int trend_table_feed(struct trend_table *table, const struct monitor_sample *sample)
{
	struct entry *entries = calloc(sample->n_processes + 1, sizeof(*entries));
	int r = entries ? make_entries(table, sample, entries) : -ENOMEM;

	if (r < 0) {
		free(entries);
		return r;
	}
	forget_ended(table, sample);
	free(table->entry);
	table->entry = entries;
	table->n_entries = sample->n_processes;
	for (size_t i = 0; i < table->n_entries; i++) {
		const struct monitor_process *process = &sample->process[i];
		bool has_limit = monitor_is_known(process, MONITOR_HANDLE_LIMIT);

		if (monitor_is_known(process, MONITOR_HANDLES))
			trend_add(entries[i].trend, sample->monotonic_ns,
				  process->value[MONITOR_HANDLES],
				  has_limit ? process->value[MONITOR_HANDLE_LIMIT] : 0);
	}
	return 0;
}

int trend_table_verdict(const struct trend_table *table, pid_t pid, uint64_t start_ticks,
			struct trend_verdict *ret_verdict)
{
	const struct entry *entry = find_same(table, pid, start_ticks);

	if (!entry)
		return -ESRCH;
	trend_verdict(entry->trend, ret_verdict);
	return 0;
}
