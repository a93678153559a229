/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/trend.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#define BUCKETS     24
#define BUCKETS_MIN 20 /* before that nothing is called a leak */
#define HOURS       96
#define EMPTY       UINT32_MAX

#define SHORT_NS (300 * NS_PER_S)      /* a window of 2 hours */
#define LONG_NS  (3 * 3600 * NS_PER_S) /* and of 3 days: each third of it is a whole day */
#define HOUR_NS  (3600 * NS_PER_S)

/* Chosen by experiment, see tests/test_trend.c: detection against false alarms. */
#define ASKED_PER_NS (1 / 60e9) /* the leak that must be found: one handle a minute */
#define Z_MISS       2.0  /* so seldom may its estimate be below what we demand */
#define Z_FIRST      1.4  /* in the first two hours, when nothing else is known ... */
#define Z_LATER      2.5  /* ... and when the load has been seen for longer */
#define Z_SURE       3.5  /* no more than that is demanded near, */
#define Z_FAR        5.0  /* and over days, where many samples make little noise */
#define Z_STILL      1.0  /* to stay with it */
#define RISE_NEAR_MIN 24.0 /* handles; at less than 12 an hour there is time for the far window */
#define RISE_NEAR    0.05 /* of the level, whatever the noise: a day's cycle rises too */
#define RISE_CALM    0.12 /* of the level, where the noise would allow to demand more */
#define RISE_NEW     0.3  /* the same in the first hours: what wanders has not shown its range */
#define NEW_NS       (6 * HOUR_NS)
#define RISE_FAR      0.15 /* the same over days: and so do weeks */
#define RISE_FAR_MIN  6.0
#define RISE_OTHER   0.2  /* of what the quieter one says; means and lows rise together */
#define STEP_RATIO   1.5  /* a line may fit so much worse than a step, */
#define STEP_WAVE    1.3  /* and a line with a wave, which fits more easily */
#define SETTLE_RATIO 0.45 /* the later part may rise so much less than the earlier one */
#define NOISE_TOLERANCE 1.8
#define NOISE_LEAST  0.3  /* handles: they are whole numbers */
#define FAR_OUT      3.0  /* standard deviations; what is farther out is brought back */
#define MAD_OF_NORMAL 0.6745
#define MEMORY_MOST  0.9  /* from one bucket to the next */
#define WAVE_LEAST   1.75 /* cycles in the window: fewer are not told from a line */
#define WAVE_STEP    0.25
#define WAVE_SHARE   0.9  /* of what the line leaves over, to be called one */
#define WAVE_WORTH   3.0  /* handles: a rise that is known better needs no wave taken out */
#define ARRIVALS     1.2  /* variance of the slope of what comes one by one, by n / T^2 */
#define Z_INTERVAL   1.645 /* nine in ten */
#define FAMILIAR     0.94 /* a floor so near to an earlier one is nothing new */
#define AGREE        6    /* evaluations in a row that have to say so; in the first two hours 1 */
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
	double error;   /* of the slope, one standard deviation */
	double z;
	double spans;   /* how many buckets it is about */
	double level;   /* at the beginning of the window */
	double rise;    /* over the window */
	bool is_steady; /* no step, no settling */
};

struct series {
	size_t n;
	double x[BUCKETS]; /* bucket number, from 0 */
	double y[BUCKETS];
	bool has_lost_wave;
};

struct wave {
	double cycles; /* in BUCKETS */
	double cosine, sine;
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

static double square_error(const double *y, size_t from, size_t to)
{
	double sum = 0, error = 0;

	for (size_t i = from; i < to; i++)
		sum += y[i];
	for (size_t i = from; i < to; i++)
		error += (y[i] - sum / (double)(to - from)) * (y[i] - sum / (double)(to - from));
	return error;
}

/* Takes the straight line out that fits best (least squares). */
static void take_line_out(const struct series *s, double *values)
{
	double n = (double)s->n, sx = 0, sy = 0, sxx = 0, sxy = 0, slope;

	for (size_t i = 0; i < s->n; i++) {
		sx += s->x[i];
		sy += values[i];
		sxx += s->x[i] * s->x[i];
		sxy += s->x[i] * values[i];
	}
	slope = (sxy - sx * sy / n) / (sxx - sx * sx / n);
	for (size_t i = 0; i < s->n; i++)
		values[i] -= (sy - slope * sx) / n + slope * s->x[i];
}

static double product(const double *a, const double *b, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

/* What a straight line leaves over, squared. */
static double line_error(const struct series *s)
{
	double left[BUCKETS];

	memcpy(left, s->y, s->n * sizeof(*left));
	take_line_out(s, left);
	return product(left, left, s->n);
}

/* What one step between two levels leaves over, at the best place for it. */
static double step_error(const struct series *s)
{
	double best = INFINITY;

	for (size_t i = 1; i < s->n; i++)
		best = fmin(best, square_error(s->y, 0, i) + square_error(s->y, i, s->n));
	return best;
}

/* The wave of so many cycles that fits best beside a line, to what the line has left over.  Return: how
 * much of that it explains, squared. */
static double fit_wave(const struct series *s, const double *left, double cycles, struct wave *ret_wave)
{
	double cosine[BUCKETS], sine[BUCKETS], cc, ss, cs, cy, sy, apart;

	for (size_t i = 0; i < s->n; i++)
		sincos(2 * M_PI * cycles * s->x[i] / BUCKETS, &sine[i], &cosine[i]);
	take_line_out(s, cosine);
	take_line_out(s, sine);
	cc = product(cosine, cosine, s->n);
	ss = product(sine, sine, s->n);
	cs = product(cosine, sine, s->n);
	cy = product(cosine, left, s->n);
	sy = product(sine, left, s->n);
	apart = cc * ss - cs * cs;
	if (apart < 1e-6 * cc * ss || cc < 1e-6 || ss < 1e-6)
		return 0;
	*ret_wave = (struct wave){ cycles, (cy * ss - sy * cs) / apart, (sy * cc - cy * cs) / apart };
	return ret_wave->cosine * cy + ret_wave->sine * sy;
}

/* A load that comes and goes in one rhythm hides a line that is far smaller.  Return: it was one. */
static bool take_wave_out(struct series *s)
{
	struct wave wave = { 0 }, best = { 0 };
	double left[BUCKETS], most = 0;

	memcpy(left, s->y, s->n * sizeof(*left));
	take_line_out(s, left);
	for (double cycles = WAVE_LEAST; cycles < BUCKETS / 2.0; cycles += WAVE_STEP) {
		double explained = fit_wave(s, left, cycles, &wave);

		if (explained > most) {
			most = explained;
			best = wave;
		}
	}
	if (most < WAVE_SHARE * product(left, left, s->n))
		return false;
	for (size_t i = 0; i < s->n; i++) {
		double angle = 2 * M_PI * best.cycles * s->x[i] / BUCKETS;

		s->y[i] -= best.cosine * cos(angle) + best.sine * sin(angle);
	}
	s->has_lost_wave = true;
	return true;
}

/* What the line leaves over, from its median; what is far out is brought back: a burst tells little of
 * the noise between bursts. */
static void residuals(const struct series *s, double slope, double *ret_left)
{
	double sorted[BUCKETS], middle, reach;

	for (size_t i = 0; i < s->n; i++)
		sorted[i] = ret_left[i] = s->y[i] - slope * s->x[i];
	middle = median(sorted, s->n);
	for (size_t i = 0; i < s->n; i++) {
		ret_left[i] -= middle;
		sorted[i] = fabs(ret_left[i]);
	}
	reach = FAR_OUT * fmax(NOISE_LEAST, median(sorted, s->n) / MAD_OF_NORMAL);
	for (size_t i = 0; i < s->n; i++)
		ret_left[i] = fmax(-reach, fmin(reach, ret_left[i]));
}

/* How much of a bucket's noise is in the next one.  The line (and the wave) took a part of that away. */
static double memory_of(const double *left, double n, double n_fitted)
{
	double square = product(left, left, (size_t)n);
	double seen = square > 0 ? product(left, left + 1, (size_t)n - 1) / square : 0;

	return fmax(0, fmin(MEMORY_MOST, (seen + n_fitted / n) / (1 - (n_fitted + 2) / n)));
}

/* The standard error of the slope. */
static double error_of(const struct series *s, double slope)
{
	double left[BUCKETS], n = (double)s->n, n_fitted = s->has_lost_wave ? 5 : 2;
	double sx = 0, variance, memory;

	residuals(s, slope, left);
	memory = memory_of(left, n, n_fitted);
	for (size_t i = 0; i < s->n; i++)
		sx += s->x[i];
	variance = fmax(NOISE_LEAST * NOISE_LEAST, product(left, left, s->n) / (n - n_fitted));
	return sqrt(variance * (1 + memory) / (1 - memory) / (product(s->x, s->x, s->n) - sx * sx / n));
}

static double part_median(const struct series *s, size_t from, size_t to)
{
	double part[BUCKETS];

	memcpy(part, s->y + from, (to - from) * sizeof(*part));
	return median(part, to - from);
}

/* Of three buckets in a row, so that neither a rise nor a bend in it is noise. */
static double noise_of(const struct series *s)
{
	double sum = 0;

	for (size_t i = 2; i < s->n; i++) {
		double bend = s->y[i] - 2 * s->y[i - 1] + s->y[i - 2];

		sum += bend * bend;
	}
	return sqrt(sum / (6 * ((double)s->n - 2)));
}

/* What warms up slows down; a leak goes on as it began. */
static bool goes_on(const struct series *s)
{
	size_t third = s->n / 3;
	double early = part_median(s, 0, third), late = part_median(s, s->n - third, s->n);
	double middle = part_median(s, third, s->n - third);
	double noise = NOISE_TOLERANCE * noise_of(s);

	return late - middle > SETTLE_RATIO * (middle - early) - noise && late > middle - noise / 2 &&
	       middle > early - noise / 2;
}

static void measure(const struct series *s, struct evidence *evidence)
{
	double left[BUCKETS];

	evidence->slope = theil_sen(s);
	evidence->error = error_of(s, evidence->slope);
	evidence->z = evidence->slope / evidence->error;
	evidence->rise = evidence->slope * evidence->spans;
	for (size_t i = 0; i < s->n; i++)
		left[i] = s->y[i] - evidence->slope * s->x[i];
	evidence->level = fmax(1, median(left, s->n));
}

static void weigh(struct series *s, struct evidence *ret_evidence)
{
	struct evidence e = { .n = s->n, .spans = s->x[s->n - 1] - s->x[0] + 1 };
	double step = step_error(s);

	measure(s, &e);
	e.is_steady = line_error(s) <= STEP_RATIO * step; /* a new worker is one step */
	if (e.error * e.spans > WAVE_WORTH && s->n >= BUCKETS_MIN && take_wave_out(s)) {
		measure(s, &e);
		e.is_steady = e.is_steady || line_error(s) <= STEP_WAVE * step;
	}
	e.is_steady = e.is_steady && goes_on(s);
	*ret_evidence = e;
}

/* The closed buckets in which something was seen, oldest first. */
static void take_lows(const struct window *w, struct series *ret_series)
{
	int64_t begin = w->bucket - BUCKETS;

	*ret_series = (struct series){ 0 };
	for (int part = 0; part < BUCKETS; part++) {
		size_t i = (size_t)((begin + part + BUCKETS) % BUCKETS);

		if (begin + part < 0 || w->low[i] == EMPTY)
			continue;
		ret_series->x[ret_series->n] = part;
		ret_series->y[ret_series->n++] = w->low[i];
	}
}

static void take_means(const struct window *w, struct series *ret_series)
{
	int64_t begin = w->bucket - BUCKETS;

	*ret_series = (struct series){ 0 };
	for (int part = 0; part < BUCKETS; part++) {
		size_t i = (size_t)((begin + part + BUCKETS) % BUCKETS);

		if (begin + part < 0 || w->low[i] == EMPTY)
			continue;
		ret_series->x[ret_series->n] = part;
		ret_series->y[ret_series->n++] = (double)w->mean[i];
	}
}

/*
 * Where the load leaves an idle floor the lowest counts tell most; where it never stands still the means
 * do.  The one whose slope is known best speaks: choosing by the slope itself would choose chance.
 * Return: enough was seen, and nothing speaks against a leak but its size.
 */
static bool weigh_window(const struct window *w, struct evidence *ret_evidence)
{
	struct evidence low, mean, quieter;
	struct series series;

	take_lows(w, &series);
	*ret_evidence = (struct evidence){ .n = series.n };
	if (series.n < BUCKETS / 3)
		return false;
	weigh(&series, &low);
	take_means(w, &series);
	weigh(&series, &mean);
	quieter = low.error < mean.error ? low : mean;
	*ret_evidence = quieter;
	return low.n >= BUCKETS_MIN && quieter.is_steady && quieter.rise > 0 &&
	       fmin(low.rise, mean.rise) >= RISE_OTHER * quieter.rise;
}

/*
 * As much is demanded as the leak that must be found nearly always shows in that noise: little noise, and
 * it has to show nearly all of its rise; much, and a clear rise is enough.
 */
static bool judge_near(const struct window *w, struct evidence *ret_evidence)
{
	bool may_be = weigh_window(w, ret_evidence);
	const struct evidence *e = ret_evidence;
	bool is_new = w->bucket * w->width_ns < NEW_NS;
	double asked = e->spans * (double)w->width_ns * ASKED_PER_NS, error = e->error * e->spans;
	double shown = asked - Z_MISS * sqrt(error * error + ARRIVALS * asked);
	double calm = (is_new ? RISE_NEW : RISE_CALM) * e->level;
	double z_least = w->bucket <= BUCKETS ? Z_FIRST : Z_LATER;

	return may_be && e->rise >= fmax(RISE_NEAR_MIN, RISE_NEAR * e->level) &&
	       e->rise >= fmin(calm, shown) && e->z >= fmin(Z_SURE, fmax(z_least, shown / error));
}

static bool judge_far(const struct window *w, struct evidence *ret_evidence)
{
	return weigh_window(w, ret_evidence) && ret_evidence->z >= Z_FAR &&
	       ret_evidence->rise >= fmax(RISE_FAR_MIN, RISE_FAR * ret_evidence->level);
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
	int needed = trend->near.bucket <= BUCKETS ? 1 : AGREE;

	trend->agree = suspected ? trend->agree + (trend->agree < AGREE) : 0;
	if (verdict->is_leaking || trend->agree < needed)
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

/* The slope, and between what it is: what comes one by one is never even, so that however calm the
 * process is, its slope is known no better than its handles can be counted. */
static void describe_slope(struct trend_verdict *verdict, const struct evidence *e, double width_ns)
{
	double per_hour = (double)HOUR_NS / width_ns;
	double arrivals = e->spans > 0 ? ARRIVALS * fmax(0, e->rise) / (e->spans * e->spans) : 0;
	double reach = Z_INTERVAL * sqrt(e->error * e->error + arrivals) * per_hour;

	verdict->handles_per_hour = e->slope * per_hour;
	verdict->low_per_hour = verdict->handles_per_hour - reach;
	verdict->high_per_hour = verdict->handles_per_hour + reach;
}

static void describe(struct trend *trend, const struct evidence *evidence, double width_ns)
{
	struct trend_verdict *verdict = &trend->verdict;
	double sure = 0.5 * erfc(-evidence->z / M_SQRT2);

	verdict->is_known = evidence->n >= BUCKETS / 3;
	describe_slope(verdict, evidence, width_ns);
	/* Not called a leak: whatever the slope, no more than even odds. */
	verdict->confidence = verdict->is_leaking ? fmax(0.5, sure) : fmax(0, sure - 0.5);
	verdict->seconds_left = INFINITY;
	if (trend->limit && verdict->handles_per_hour > 0)
		verdict->seconds_left = fmax(0, (double)trend->limit - trend->now) /
					verdict->handles_per_hour * 3600;
}

static void evaluate(struct trend *trend)
{
	struct evidence near, far;
	uint32_t floor = recent_floor(&trend->near);
	bool is_near = judge_near(&trend->near, &near) && !is_familiar(trend, floor);
	bool is_far = judge_far(&trend->far, &far);

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
