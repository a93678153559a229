/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_trend.c - leaks found and false alarms, over simulated and recorded processes, always the same ones
 *
 *     test_trend [long]      long: ten times as many, some minutes
 *
 * The load moves the count by +-20 % of its base.  Its kinds are those of servers: noise without a memory
 * and with one of 10 s to 2 minutes, cycles of 1 to 30 minutes and of 30 to 60, bursts of 10 s to 5 minutes
 * above an idle floor, a day's cycle with noise on it, and a pool of 20 workers that are busy for 10 s to
 * 5 minutes.  One kind is there to show where the end is: it wanders over 1 to 4 hours.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "monitor/trend.h"
#include "recorded_counts.h"

#include <cmocka.h> /* behind base.h: its macro fail() is not our function */

#define INTERVAL_S 10
#define DAY_S      86400

static const double bases[] = { 10, 100, 300, 1000 };
static unsigned times = 1;

/* Numbers that are random enough, and the same everywhere (xorshift64*). */

struct random {
	uint64_t state;
};

static struct random random_from(uint64_t seed)
{
	return (struct random){ seed * 0x9E3779B97F4A7C15 + 1 };
}

static double uniform(struct random *random)
{
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return (double)((random->state * 0x2545F4914F6CDD1D) >> 11) / 9007199254740992.0;
}

/* About normal: as far out as 3.5 standard deviations. */
static double normal(struct random *random)
{
	double sum = 0;

	for (int i = 0; i < 4; i++)
		sum += uniform(random);
	return (sum - 2) * sqrt(3);
}

static double between(struct random *random, double low, double high)
{
	return low * pow(high / low, uniform(random));
}

static double bounded(double value, double low, double high)
{
	return fmin(fmax(value, low), high);
}

/* Load, from -1 to 1 */

enum load {
	LOAD_NONE,
	LOAD_WHITE,
	LOAD_NOISE,
	LOAD_BREATH,
	LOAD_HOURLY,
	LOAD_BURST,
	LOAD_DAILY,
	LOAD_QUEUE,
	LOAD_WANDER,
	LOADS
};

static const char *const load_names[LOADS] = { "none", "white", "noise", "breathing", "hourly",
					       "bursts", "daily", "queue", "wander" };

struct source {
	enum load kind;
	struct random random;
	double noise, keep;         /* autoregressive, standard deviation 1 */
	double period_s, phase;
	double burst_chance, burst_left_s, burst_level;
	double change_chance;       /* of a worker, in an interval */
	unsigned n_busy;
};

static struct source source_new(enum load kind, uint64_t seed)
{
	struct source s = { .kind = kind, .random = random_from(seed), .n_busy = 10 };

	s.keep = exp(-INTERVAL_S / between(&s.random, 10, 120));
	if (kind == LOAD_WANDER)
		s.keep = exp(-INTERVAL_S / between(&s.random, 3600, 14400));
	if (kind == LOAD_WHITE)
		s.keep = 0;
	s.noise = normal(&s.random);
	s.period_s = between(&s.random, 60, 1800);
	if (kind == LOAD_HOURLY)
		s.period_s = between(&s.random, 1800, 3600);
	s.phase = uniform(&s.random);
	s.burst_chance = 1 - exp(-INTERVAL_S / between(&s.random, 60, 1800));
	s.change_chance = 1 - exp(-INTERVAL_S / between(&s.random, 10, 300));
	return s;
}

static double wave(const struct source *s, double t_s, double period_s)
{
	return sin(2 * M_PI * (t_s / period_s + s->phase));
}

static double burst_next(struct source *s)
{
	s->burst_left_s -= INTERVAL_S;
	if (s->burst_left_s <= 0 && uniform(&s->random) < s->burst_chance) {
		s->burst_left_s = between(&s->random, 10, 300);
		s->burst_level = 0.3 + 1.7 * uniform(&s->random);
	}
	return -1 + (s->burst_left_s > 0 ? s->burst_level : 0) + 0.1 * fabs(s->noise);
}

static double queue_next(struct source *s)
{
	unsigned n_busy = 0;

	for (unsigned i = 0; i < 20; i++) {
		bool is_busy = i < s->n_busy;

		if (uniform(&s->random) < s->change_chance)
			is_busy = uniform(&s->random) < 0.5;
		n_busy += is_busy;
	}
	s->n_busy = n_busy;
	return n_busy / 10.0 - 1;
}

static double load_next(struct source *s, double t_s)
{
	s->noise = s->keep * s->noise + sqrt(1 - s->keep * s->keep) * normal(&s->random);
	switch (s->kind) {
	case LOAD_WHITE:
	case LOAD_WANDER:
	case LOAD_NOISE:
		return bounded(0.35 * s->noise, -1, 1);
	case LOAD_HOURLY:
	case LOAD_BREATH:
		return bounded(0.85 * wave(s, t_s, s->period_s) + 0.1 * s->noise, -1, 1);
	case LOAD_BURST:
		return bounded(burst_next(s), -1, 1);
	case LOAD_DAILY:
		return bounded(0.25 * wave(s, t_s, DAY_S) + 0.35 * s->noise, -1, 1);
	case LOAD_QUEUE:
		return queue_next(s);
	default:
		return 0;
	}
}

static uint64_t to_count(double value)
{
	return value > 0 ? (uint64_t)(value + 0.5) : 0;
}

/* Detection */

/* Two hours of a process that loses 1 handle a minute; what is said when it is first called a leak. */
static bool is_found(enum load kind, double base, double per_minute, uint64_t seed)
{
	struct source source = source_new(kind, seed);
	struct trend *trend = trend_new();
	struct trend_verdict verdict = { 0 };
	double lost = 0;

	assert_non_null(trend);
	for (int t_s = 0; t_s <= 7200 && !verdict.is_leaking; t_s += INTERVAL_S) {
		double load = load_next(&source, t_s);

		lost += uniform(&source.random) < per_minute * INTERVAL_S / 60;
		trend_add(trend, t_s * NS_PER_S, to_count(base * (1 + 0.2 * load)) + (uint64_t)lost,
			  100000);
		trend_verdict(trend, &verdict);
	}
	trend_free(trend);
	return verdict.is_leaking;
}

static uint64_t seed_of(unsigned run, int kind, size_t base)
{
	return run * 1000 + (unsigned)kind * 10 + base;
}

/* Of each kind of load, on each base, 95 %.  But for load that wanders over hours as far as the leak
 * rises: see the next test. */
static void test_slow_leaks_are_found_within_two_hours(void **state)
{
	(void)state;
	for (size_t b = 0; b < ARRAY_SIZE(bases); b++) {
		const unsigned runs = (bases[b] < 300 ? 100 : 300) * times;

		for (int kind = LOAD_WHITE; kind < LOADS; kind++) {
			unsigned n = 0;

			for (unsigned run = 0; run < runs; run++)
				n += is_found((enum load)kind, bases[b], 1, seed_of(run, kind, b));
			printf("# base %4.0f, load %-9s: %5.1f %% found\n", bases[b], load_names[kind],
			       100.0 * n / runs);
			if (kind != LOAD_WANDER || bases[b] < 300)
				assert_true(n >= 0.95 * runs);
		}
	}
}

/* A day of load alone, then a leak of 1 a minute.  Return: is it found within so many hours? */
static bool is_found_later(enum load kind, double base, int hours, uint64_t seed)
{
	struct source source = source_new(kind, seed);
	struct trend *trend = trend_new();
	struct trend_verdict verdict = { 0 };
	double lost = 0;

	assert_non_null(trend);
	for (int t_s = 0; t_s <= DAY_S + hours * 3600; t_s += INTERVAL_S) {
		double load = load_next(&source, t_s);

		lost += t_s > DAY_S && uniform(&source.random) < INTERVAL_S / 60.0;
		trend_add(trend, t_s * NS_PER_S, to_count(base * (1 + 0.2 * load)) + (uint64_t)lost, 0);
		trend_verdict(trend, &verdict);
		if (t_s > DAY_S && verdict.is_leaking)
			break;
	}
	trend_free(trend);
	return verdict.is_leaking;
}

/* What has shown its range has to leave it. */
static void test_leaks_that_begin_later_are_found(void **state)
{
	static const int hours[] = { 2, 2, 3, 6 };
	const unsigned runs = 8 * times;

	(void)state;
	for (size_t b = 0; b < ARRAY_SIZE(bases); b++) {
		unsigned n = 0, all = 0;

		for (int kind = LOAD_WHITE; kind < LOAD_WANDER; kind++) {
			for (unsigned run = 0; run < runs; run++)
				n += is_found_later((enum load)kind, bases[b], hours[b],
						    seed_of(run, kind, b));
			all += runs;
		}
		printf("# base %4.0f: %5.1f %% found within %d hours after a quiet day\n", bases[b],
		       100.0 * n / all, hours[b]);
		assert_true(n >= 0.9 * all);
	}
}

/* The best detector that there can be: it knows what the load is like (its wave, how long its noise
 * remembers and how large it is), and only has to tell 1 a minute from 0.  Its likelihood ratio rises
 * with the slope of least squares over the whitened counts, in standard deviations. */
struct matched {
	double n, x, xx, y, xy;
};

static void matched_add(struct matched *m, double weight, double one, double x, double y)
{
	m->n += weight * one * one;
	m->x += weight * one * x;
	m->xx += weight * x * x;
	m->y += weight * one * y;
	m->xy += weight * x * y;
}

static double known_wave(enum load kind, const struct source *source, double t_s)
{
	if (kind == LOAD_DAILY)
		return 0.25 * wave(source, t_s, DAY_S);
	return kind == LOAD_BREATH || kind == LOAD_HOURLY ? 0.85 * wave(source, t_s, source->period_s) : 0;
}

static double matched_z(enum load kind, double base, double per_minute, uint64_t seed)
{
	struct source source = source_new(kind, seed), known = source;
	double keep = kind == LOAD_QUEUE ? 1 - source.change_chance : source.keep;
	double part = kind == LOAD_QUEUE ? sqrt(5) / 10 : kind == LOAD_BREATH || kind == LOAD_HOURLY ? 0.1 : 0.35;
	double noise = 0.2 * base * part, lost = 0, last = 0;
	double fresh = noise * noise * (1 - keep * keep) + 1 / 12.0;
	struct matched m = { 0 };

	for (int t_s = 0; t_s <= 7200; t_s += INTERVAL_S) {
		double load = load_next(&source, t_s), y;

		lost += uniform(&source.random) < per_minute * INTERVAL_S / 60;
		y = (double)to_count(base * (1 + 0.2 * load)) + floor(lost) -
		    0.2 * base * known_wave(kind, &known, t_s);
		if (t_s)
			matched_add(&m, 1 / fresh, 1 - keep, t_s - keep * (t_s - INTERVAL_S), y - keep * last);
		else
			matched_add(&m, 1 / (noise * noise), 1, 0, y);
		last = y;
	}
	return (m.n * m.xy - m.x * m.y) / (m.n * m.xx - m.x * m.x) / sqrt(m.n / (m.n * m.xx - m.x * m.x));
}

/* Is what we find near to what can be found?  On 1,000, where the noise is largest. */
static void test_no_detector_could_find_many_more(void **state)
{
	const unsigned runs = 300 * times;
	const size_t b = ARRAY_SIZE(bases) - 1;

	(void)state;
	for (int kind = LOAD_WHITE; kind < LOADS; kind++) {
		unsigned best = 0, best_strict = 0, ours = 0, cried = 0;

		if (kind == LOAD_BURST) /* it would only have to look at the idle floor */
			continue;
		for (unsigned run = 0; run < runs; run++) {
			double z = matched_z((enum load)kind, bases[b], 1, seed_of(run, kind, b));

			best += z > 1.645;       /* 1 of 20 innocent starts */
			best_strict += z > 3.14; /* 1 of 1,200 windows: 100 days without a memory */
			ours += is_found((enum load)kind, bases[b], 1, seed_of(run, kind, b));
			cried += is_found((enum load)kind, bases[b], 0, seed_of(run, kind, b));
		}
		printf("# base %.0f, load %-9s: %.1f %% found, of %.1f %% (%.1f %% at 1 in 1,200); "
		       "%.1f %% of innocent starts\n",
		       bases[b], load_names[kind], 100.0 * ours / runs, 100.0 * best / runs,
		       100.0 * best_strict / runs, 100.0 * cried / runs);
		assert_true(cried <= (kind == LOAD_WANDER ? 0.25 : 0.1) * runs);
		assert_true(ours >= 0.95 * best);
		assert_true((kind == LOAD_WANDER) == (best < 0.95 * runs));
	}
}

/* False alarms */

enum innocent {
	IS_LOAD = LOADS - 1, /* below: only load, of each kind */
	IS_STEP,             /* a new worker: 30 more, once */
	IS_WARMING,          /* rises at first, with a time constant of 1 to 30 minutes */
	IS_SAWTOOTH,         /* rises by 40 % and is collected, every 2 to 60 minutes */
	IS_WALK,             /* a random walk that a pool bounds */
	IS_RESTARTED,        /* every 10 minutes to a day, as the same process (exec), warming each time */
	IS_STEEP_DAY,        /* most of +-20 % is the day's cycle */
	INNOCENTS,
};

static const char *const innocent_names[] = { "step", "warm-up", "sawtooth", "walk", "restart",
					      "steep day" };

struct life {
	int kind;
	double base, stepped_s, warm_s, born_s, restart_s, period_s, pool, walk;
	struct source source;
};

static struct life life_new(int kind, double base, uint64_t seed)
{
	struct life life = { .kind = kind, .base = base };
	struct random random = random_from(seed * 31 + 7);

	life.stepped_s = uniform(&random) * 2 * DAY_S;
	life.warm_s = between(&random, 60, 1800);
	life.period_s = between(&random, 120, 3600);
	life.pool = between(&random, 10, fmax(20, 0.4 * base));
	life.walk = life.pool / 2;
	life.source = source_new(kind < LOADS ? (enum load)kind :
						(enum load)(1 + uniform(&random) * (LOADS - 1)), seed);
	return life;
}

static double walk_next(struct life *life)
{
	double to = uniform(&life->source.random);

	life->walk = bounded(life->walk + (to < 0.15) - (to > 0.85), 0, life->pool);
	return life->walk;
}

static double warmth(struct life *life, double t_s)
{
	return 1 - exp(-(t_s - life->born_s) / life->warm_s);
}

static void restart(struct life *life, double t_s)
{
	life->born_s = t_s;
	life->restart_s = t_s + between(&life->source.random, 600, DAY_S);
	life->warm_s = between(&life->source.random, 10, 600);
}

static double life_next(struct life *life, double t_s)
{
	double load = load_next(&life->source, t_s), base = life->base;

	switch (life->kind) {
	case IS_STEP:
		return base * (1 + 0.2 * load) + (t_s > life->stepped_s ? 30 : 0);
	case IS_WARMING:
		return base * (1 + 0.2 * load) * warmth(life, t_s);
	case IS_SAWTOOTH:
		return base * (1 + 0.4 * fmod(t_s / life->period_s + life->source.phase, 1) +
			       0.05 * load);
	case IS_WALK:
		return base + walk_next(life);
	case IS_RESTARTED:
		if (t_s >= life->restart_s)
			restart(life, t_s);
		return base * (1 + 0.2 * load) * warmth(life, t_s);
	case IS_STEEP_DAY:
		return base * (1 + 0.17 * wave(&life->source, t_s, DAY_S) + 0.03 * load);
	default:
		return base * (1 + 0.2 * load);
	}
}

static unsigned false_alarms(int kind, double base, unsigned days, uint64_t seed)
{
	struct life life = life_new(kind, base, seed);
	struct trend *trend = trend_new();
	struct trend_verdict verdict;
	unsigned alarms = 0;
	int64_t since_ns = 0;

	assert_non_null(trend);
	for (unsigned t_s = 0; t_s < days * DAY_S; t_s += INTERVAL_S) {
		trend_add(trend, t_s * NS_PER_S, to_count(life_next(&life, t_s)), 100000);
		trend_verdict(trend, &verdict);
		if (verdict.is_leaking && verdict.since_ns != since_ns)
			alarms++;
		since_ns = verdict.since_ns;
	}
	trend_free(trend);
	return alarms;
}

static void test_at_most_one_false_alarm_in_100_process_days(void **state)
{
	const unsigned processes = 12 * times, days = 10;
	unsigned alarms = 0, total_days = 0;

	(void)state;
	for (int kind = 0; kind < INNOCENTS; kind++) {
		unsigned n = 0;

		for (unsigned i = 0; i < processes; i++)
			n += false_alarms(kind, bases[i % ARRAY_SIZE(bases)], days,
					  i * 100 + (unsigned)kind + 1);
		printf("# %-9s: %u false alarms in %u process-days\n",
		       kind <= IS_LOAD ? load_names[kind] : innocent_names[kind - IS_STEP], n,
		       processes * days);
		assert_true(n * 100 <= processes * days);
		alarms += n;
		total_days += processes * days;
	}
	printf("# all: %.2f false alarms in 100 process-days (%u in %u)\n",
	       100.0 * alarms / total_days, alarms, total_days);
}

/* The guards, each alone */

/* How often is it called a leak in so many hours? */
static unsigned alarms_of(double (*count_at)(double t_s, double param), double param, double hours)
{
	struct trend *trend = trend_new();
	struct trend_verdict verdict;
	int64_t since_ns = 0;
	unsigned alarms = 0;

	assert_non_null(trend);
	for (int t_s = 0; t_s <= hours * 3600; t_s += INTERVAL_S) {
		trend_add(trend, t_s * NS_PER_S, to_count(count_at(t_s, param)), 0);
		trend_verdict(trend, &verdict);
		alarms += verdict.is_leaking && verdict.since_ns != since_ns;
		since_ns = verdict.since_ns;
	}
	trend_free(trend);
	return alarms;
}

static double warming(double t_s, double constant_s)
{
	return 100 + 200 * (1 - exp(-t_s / constant_s));
}

static void test_what_settles_is_no_leak(void **state)
{
	(void)state;
	for (double constant_s = 600; constant_s <= 2100; constant_s += 300)
		assert_int_equal(alarms_of(warming, constant_s, 12), 0);
}

/* Up by half in a minute, at any time of the window. */
static double step(double t_s, double at_s)
{
	return 200 + bounded((t_s - at_s) / 60, 0, 1) * 100 + 3 * sin(t_s / 7) + 3 * sin(t_s / 11);
}

static void test_a_step_is_no_leak(void **state)
{
	(void)state;
	for (double at_s = 600; at_s < 7200; at_s += 300)
		assert_int_equal(alarms_of(step, at_s, 8), 0);
}

struct rise {
	double level, per_hour, hours;
	unsigned alarms;
};

static struct rise rise_now;

static double rising(double t_s, double param)
{
	const struct rise *of = &rise_now;

	(void)param;
	return of->level + of->per_hour * t_s / 3600;
}

/* Just below and just above what is demanded of the rise, by handles and by the level. */
static void test_small_rises_take_longer_or_pass(void **state)
{
	static const struct rise rises[] = {
		{ 20, 10, 6, 0 },  { 20, 14, 2.1, 1 },    /* 24 handles */
		{ 300, 40, 2.1, 0 }, { 300, 50, 2.1, 1 }, /* 30 % in the first hours ... */
		{ 300, 30, 5.5, 0 }, { 300, 30, 8, 1 },   /* ... and then 12 % */
		{ 5000, 110, 4, 0 }, { 5000, 160, 2.1, 1 }, /* 5 % of many */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rises); i++) {
		rise_now = rises[i];
		assert_int_equal(alarms_of(rising, 0, rises[i].hours), rises[i].alarms);
	}
}

/* A cycle of six hours rises for three of them, every time; only the first one is news. */
static double slow_cycle(double t_s, double base)
{
	return base * (1 - 0.2 * cos(2 * M_PI * t_s / (6 * 3600)));
}

static void test_what_was_as_high_before_is_no_leak(void **state)
{
	(void)state;
	assert_true(alarms_of(slow_cycle, 400, 96) <= 1);
	assert_true(alarms_of(slow_cycle, 2000, 96) <= 1);
}

/* What is given back every five minutes, and ever more of it, is not lost. */
static double giving_back(double t_s, double base)
{
	return fmod(t_s, 300) >= 290 ? base / 2 - t_s / 120 : base + t_s / 60;
}

static void test_means_and_lows_must_rise_together(void **state)
{
	(void)state;
	assert_int_equal(alarms_of(giving_back, 400, 4), 0);
}

/* Noise that remembers for five minutes swings slowly, and the slope is known no better than that.  Were
 * a span's noise thought to know nothing of the last one's, 67 % would be inside instead of 88 %. */
static void test_the_memory_of_noise_counts(void **state)
{
	const unsigned runs = 300;
	const double keep = exp(-INTERVAL_S / 300.0);
	unsigned inside = 0;

	(void)state;
	for (unsigned run = 0; run < runs; run++) {
		struct random random = random_from(run + 1);
		struct trend *trend = trend_new();
		struct trend_verdict verdict;
		double noise = normal(&random);

		assert_non_null(trend);
		for (int t_s = 0; t_s <= 7200; t_s += INTERVAL_S) {
			noise = keep * noise + sqrt(1 - keep * keep) * normal(&random);
			trend_add(trend, t_s * NS_PER_S, to_count(500 + 35 * noise + t_s / 60.0), 0);
		}
		trend_verdict(trend, &verdict);
		inside += verdict.low_per_hour <= 60 && verdict.high_per_hour >= 60;
		trend_free(trend);
	}
	printf("# noise of 5 minutes: %.1f %% inside\n", 100.0 * inside / runs);
	assert_true(inside >= 0.83 * runs);
}

/* Recorded processes: two hours each, again and again */

struct recorded {
	const char *name;
	const uint16_t *runs; /* pairs: count, how often */
	size_t n_runs;
	size_t at, used;
};

#define RECORDED(name) { #name, recorded_##name, ARRAY_SIZE(recorded_##name), 0, 0 }

static uint64_t recorded_next(struct recorded *recorded)
{
	uint64_t count = recorded->runs[recorded->at];

	if (++recorded->used >= recorded->runs[recorded->at + 1]) {
		recorded->used = 0;
		recorded->at = (recorded->at + 2) % recorded->n_runs;
	}
	return count;
}

/* Return: when it was first called a leak, in seconds; -1: never. */
static int recorded_leaks_at(struct recorded recorded, int hours, double per_minute)
{
	struct trend *trend = trend_new();
	struct trend_verdict verdict = { 0 };
	int t_s;

	assert_non_null(trend);
	for (t_s = 0; t_s <= hours * 3600 && !verdict.is_leaking; t_s += INTERVAL_S) {
		trend_add(trend, t_s * NS_PER_S,
			  recorded_next(&recorded) + (uint64_t)(per_minute * t_s / 60), 65536);
		trend_verdict(trend, &verdict);
	}
	trend_free(trend);
	return verdict.is_leaking ? t_s : -1;
}

static void test_recorded_processes(void **state)
{
	static const struct recorded innocent[] = { RECORDED(nginx), RECORDED(redis), RECORDED(postgres),
						    RECORDED(chromium) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(innocent); i++) {
		int found_s = recorded_leaks_at(innocent[i], 2, 1);

		printf("# %s, leaking 1 a minute: found after %d s\n", innocent[i].name, found_s);
		assert_true(found_s > 0);
		assert_int_equal(recorded_leaks_at(innocent[i], 240, 0), -1);
	}
}

static void test_a_recorded_leak(void **state)
{
	struct recorded leak = RECORDED(leak);
	struct trend *trend = trend_new();
	struct trend_verdict verdict;

	(void)state;
	for (int t_s = 0; t_s <= 7200; t_s += INTERVAL_S)
		trend_add(trend, t_s * NS_PER_S, recorded_next(&leak), 1024);
	trend_verdict(trend, &verdict);
	assert_true(verdict.is_leaking);
	assert_true(verdict.low_per_hour < 60 && verdict.high_per_hour > 60);
	assert_true(verdict.high_per_hour - verdict.low_per_hour < 40);
	trend_free(trend);
}

/* What is said */

static void feed(struct trend *trend, int64_t *t_s, int seconds, int interval_s, double start,
		 double per_hour)
{
	int64_t begin_s = *t_s;

	for (; *t_s < begin_s + seconds; *t_s += interval_s)
		trend_add(trend, *t_s * NS_PER_S,
			  to_count(start + per_hour * (double)(*t_s - begin_s) / 3600), 1024);
}

static void test_slope_and_time_left(void **state)
{
	struct trend *trend = trend_new();
	struct trend_verdict verdict;
	int64_t t_s = 1000000;

	(void)state;
	feed(trend, &t_s, 1800, 10, 100, 120);
	trend_verdict(trend, &verdict);
	assert_false(verdict.is_known); /* half an hour says nothing */
	assert_false(verdict.is_leaking);
	feed(trend, &t_s, 7200 + 10, 10, 160, 120);
	trend_verdict(trend, &verdict);
	assert_true(verdict.is_known);
	assert_true(verdict.is_leaking);
	assert_true(verdict.since_ns > 1000000 * NS_PER_S);
	assert_true(fabs(verdict.handles_per_hour - 120) < 3);
	assert_true(verdict.confidence > 0.99 && verdict.confidence <= 1);
	assert_true(fabs(verdict.seconds_left - (1024 - 400) / 120.0 * 3600) < 600);
	trend_free(trend);
}

/* What is said after two hours of a leak of 60 an hour; false when it is not called one. */
static bool said_of_leak(enum load kind, double base, uint64_t seed, struct trend_verdict *ret_verdict)
{
	struct source source = source_new(kind, seed);
	struct trend *trend = trend_new();
	double lost = 0;

	assert_non_null(trend);
	for (int t_s = 0; t_s <= 7200; t_s += INTERVAL_S) {
		double load = load_next(&source, t_s);

		lost += uniform(&source.random) < INTERVAL_S / 60.0;
		trend_add(trend, t_s * NS_PER_S, to_count(base * (1 + 0.2 * load)) + (uint64_t)lost,
			  (uint64_t)base + 720);
	}
	trend_verdict(trend, ret_verdict);
	trend_free(trend);
	return ret_verdict->is_leaking;
}

/* Of what is called a leak, nine in ten times the true slope is where it is said to be.  It is a little
 * less, because what chance has made steep is called a leak sooner. */
static void test_the_slope_is_where_it_is_said_to_be(void **state)
{
	const unsigned runs = 120 * times;
	unsigned inside_all = 0, all = 0;

	(void)state;
	for (size_t b = 0; b < ARRAY_SIZE(bases); b++) {
		for (int kind = LOAD_WHITE; kind < LOAD_WANDER; kind++) {
			unsigned inside = 0, n = 0;
			double error = 0, left = 0;

			for (unsigned run = 0; run < runs; run++) {
				struct trend_verdict v;

				if (!said_of_leak((enum load)kind, bases[b], seed_of(run, kind, b), &v))
					continue;
				n++;
				inside += v.low_per_hour <= 60 && v.high_per_hour >= 60;
				error += v.handles_per_hour - 60;
				left += v.seconds_left / 36000; /* 600 are left */
			}
			printf("# base %4.0f, load %-9s: %5.1f %% inside, on average %+.1f an hour, %.2f of the time left\n",
			       bases[b], load_names[kind], 100.0 * inside / n, error / n, left / n);
			/* A day's cycle has a slope of its own, up to 13 an hour on 1,000. */
			assert_true(inside >= (kind == LOAD_DAILY ? 0.65 : 0.85) * n);
			assert_true(fabs(error / n) < 6);
			assert_true(left / n > 0.8 && left / n < 1.3);
			inside_all += inside;
			all += n;
		}
	}
	printf("# all: %.1f %% inside\n", 100.0 * inside_all / all);
	assert_true(inside_all >= 0.87 * all && inside_all <= 0.98 * all);
}

static void test_every_interval_will_do(void **state)
{
	static const int intervals_s[] = { 1, 7, 30, 60, 300 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(intervals_s); i++) {
		struct trend *trend = trend_new();
		struct trend_verdict verdict;
		int64_t t_s = 0;

		feed(trend, &t_s, 7201, intervals_s[i], 100, 60);
		trend_verdict(trend, &verdict);
		assert_true(verdict.is_leaking);
		assert_true(fabs(verdict.handles_per_hour - 60) < 3);
		trend_free(trend);
	}
}

static void test_long_intervals_take_days(void **state)
{
	static const int intervals_s[] = { 600, 3600, 3 * 3600 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(intervals_s); i++) {
		struct trend *trend = trend_new();
		struct trend_verdict verdict;
		int64_t t_s = 0;

		feed(trend, &t_s, DAY_S, intervals_s[i], 100, 60);
		trend_verdict(trend, &verdict);
		assert_false(verdict.is_leaking);
		feed(trend, &t_s, 3 * DAY_S, intervals_s[i], 100 + 24 * 60, 60);
		trend_verdict(trend, &verdict);
		assert_true(verdict.is_leaking);
		trend_free(trend);
	}
}

/* Samples that come when they like, and none at all for 20 minutes. */
static void test_irregular_samples_with_a_gap(void **state)
{
	struct random random = random_from(5);
	struct trend *trend = trend_new();
	struct trend_verdict verdict;
	int64_t t_ns = 0;

	(void)state;
	while (t_ns < 8000 * NS_PER_S) {
		trend_add(trend, t_ns, to_count(200 + (double)t_ns / 6e10), 0);
		t_ns += (int64_t)((1 + 59 * uniform(&random)) * 1e9);
		if (t_ns > 3000 * NS_PER_S && t_ns < 4200 * NS_PER_S)
			t_ns = 4200 * NS_PER_S;
	}
	trend_verdict(trend, &verdict);
	assert_true(verdict.is_leaking);
	assert_true(fabs(verdict.handles_per_hour - 60) < 3);
	assert_true(isinf(verdict.seconds_left)); /* no limit is known */
	trend_free(trend);
}

static void test_a_leak_that_is_mended_is_forgotten(void **state)
{
	struct trend *trend = trend_new();
	struct trend_verdict verdict;
	int64_t t_s = 0;

	(void)state;
	feed(trend, &t_s, 7500, 10, 100, 60);
	trend_verdict(trend, &verdict);
	assert_true(verdict.is_leaking);
	trend_add(trend, (t_s - 400) * NS_PER_S, 0, 1024); /* too late: ignored */
	feed(trend, &t_s, 310, 10, 225, 60);
	trend_verdict(trend, &verdict);
	assert_true(verdict.is_leaking);
	feed(trend, &t_s, 700, 10, 50, 0); /* as exec(2) does it */
	trend_verdict(trend, &verdict);
	assert_false(verdict.is_leaking);
	assert_int_equal(verdict.since_ns, 0);
	trend_free(trend);
}

/* Over days: 1 in an hour, on 100, below what two hours could show. */
static void test_very_slow_leaks_are_found_within_days(void **state)
{
	struct source source = source_new(LOAD_DAILY, 3);
	struct trend *trend = trend_new();
	struct trend_verdict verdict = { 0 };
	int64_t t_s = 0;

	(void)state;
	for (; t_s < 5 * DAY_S && !verdict.is_leaking; t_s += 60) {
		double load = load_next(&source, (double)t_s);

		trend_add(trend, t_s * NS_PER_S, to_count(100 * (1 + 0.2 * load) + (double)t_s / 3600),
			  1024);
		trend_verdict(trend, &verdict);
	}
	assert_true(verdict.is_leaking);
	assert_true(t_s > DAY_S);
	assert_true(verdict.handles_per_hour > 0.5 && verdict.handles_per_hour < 1.5);
	trend_free(trend);
}

static void test_hostile_numbers(void **state)
{
	struct trend *trend = trend_new();
	struct trend_verdict verdict;

	(void)state;
	trend_add(trend, 0, UINT64_MAX, UINT64_MAX);
	trend_add(trend, -5 * NS_PER_S, 0, 0); /* a clock that runs backwards is ignored */
	trend_add(trend, INT64_MAX, 0, 1);
	for (int i = 0; i < 100; i++)
		trend_add(trend, INT64_MAX, UINT64_MAX, 1);
	trend_verdict(trend, &verdict);
	assert_false(verdict.is_leaking);
	assert_true(isfinite(verdict.handles_per_hour) && isfinite(verdict.confidence));
	trend_free(trend);
	trend_free(NULL);
}

/* The table */

static struct monitor_process process(pid_t pid, uint64_t start_ticks, uint64_t handles)
{
	struct monitor_process made = { .pid = pid, .start_ticks = start_ticks,
					.known = 1u << MONITOR_HANDLES | 1u << MONITOR_HANDLE_LIMIT };

	made.value[MONITOR_HANDLES] = handles;
	made.value[MONITOR_HANDLE_LIMIT] = 1024;
	return made;
}

static void test_table_goes_by_id_and_start(void **state)
{
	struct trend_table *table;
	struct trend_verdict verdict;

	(void)state;
	assert_int_equal(trend_table_new(&table), 0);
	for (int t_s = 0; t_s <= 7300; t_s += 10) {
		uint64_t lost = (uint64_t)t_s / 60;
		struct monitor_process list[] = { process(5, 50, 100 + lost), process(7, 70, 100),
						  process(9, 90, 100 + lost) };
		struct monitor_sample sample = { .monotonic_ns = t_s * NS_PER_S, .process = list,
						 .n_processes = 3 };

		if (t_s > 3600)
			list[2].start_ticks = 91; /* another one was given the id */
		if (t_s % 100 == 0)
			list[0].known = 0; /* sometimes it cannot be read */
		assert_int_equal(trend_table_feed(table, &sample), 0);
	}
	assert_int_equal(trend_table_verdict(table, 5, 50, &verdict), 0);
	assert_true(verdict.is_leaking);
	assert_int_equal(trend_table_verdict(table, 7, 0, &verdict), 0);
	assert_false(verdict.is_leaking);
	assert_true(verdict.is_known);
	assert_int_equal(trend_table_verdict(table, 9, 90, &verdict), -ESRCH);
	assert_int_equal(trend_table_verdict(table, 9, 91, &verdict), 0);
	assert_false(verdict.is_leaking); /* an hour of it is not enough */
	assert_int_equal(trend_table_verdict(table, 6, 0, &verdict), -ESRCH);
	trend_table_free(table);
	trend_table_free(NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slope_and_time_left),
		cmocka_unit_test(test_every_interval_will_do),
		cmocka_unit_test(test_long_intervals_take_days),
		cmocka_unit_test(test_irregular_samples_with_a_gap),
		cmocka_unit_test(test_a_leak_that_is_mended_is_forgotten),
		cmocka_unit_test(test_very_slow_leaks_are_found_within_days),
		cmocka_unit_test(test_hostile_numbers),
		cmocka_unit_test(test_table_goes_by_id_and_start),
		cmocka_unit_test(test_what_settles_is_no_leak),
		cmocka_unit_test(test_a_step_is_no_leak),
		cmocka_unit_test(test_small_rises_take_longer_or_pass),
		cmocka_unit_test(test_what_was_as_high_before_is_no_leak),
		cmocka_unit_test(test_means_and_lows_must_rise_together),
		cmocka_unit_test(test_the_memory_of_noise_counts),
		cmocka_unit_test(test_recorded_processes),
		cmocka_unit_test(test_a_recorded_leak),
		cmocka_unit_test(test_the_slope_is_where_it_is_said_to_be),
		cmocka_unit_test(test_leaks_that_begin_later_are_found),
		cmocka_unit_test(test_no_detector_could_find_many_more),
		cmocka_unit_test(test_slow_leaks_are_found_within_two_hours),
		cmocka_unit_test(test_at_most_one_false_alarm_in_100_process_days),
	};

	if (argc > 1 && !strcmp(argv[1], "long"))
		times = 10;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
