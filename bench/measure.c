/* SPDX-License-Identifier: BSD-2-Clause */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "support.h"

#define WARM_UP	  2
#define TIMES_MAX 32
#define LINE	  "%-46s %12s %12s %9s %17s %10s  %s\n"

static unsigned int n_missed;

/* Clocks */

static double children_us(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_CHILDREN, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static double us_of(clockid_t id)
{
	struct timespec now = { 0 };

	(void)clock_gettime(id, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

double clock_us(const struct clock_of *clock)
{
	double us = 0;
	clockid_t id;

	if (clock->children)
		return children_us();
	if (clock->pid[0] == 0)
		return us_of(CLOCK_PROCESS_CPUTIME_ID);
	for (size_t i = 0; i < ARRAY_LENGTH(clock->pid) && clock->pid[i]; i++)
		if (clock_getcpuclockid(clock->pid[i], &id) == 0)
			us += us_of(id);
	return us;
}

/* Turns */

double measure_once(const struct contender *contender)
{
	unsigned int times = contender->times ? contender->times : 1;
	double us[TIMES_MAX];

	times = times < TIMES_MAX ? times : TIMES_MAX;
	for (unsigned int i = 0; i < times; i++) {
		double begin_us = clock_us(&contender->clock);
		int r = contender->run(contender->param);

		if (r < 0) {
			(void)fprintf(stderr, "%s: %s\n", contender->name, strerror(-r));
			return -1;
		}
		us[i] = clock_us(&contender->clock) - begin_us;
	}
	sort_doubles(us, times);
	return quantile(us, times, 0.5);
}

double measure_median(const struct contender *contender, unsigned int rounds)
{
	double *us = calloc(rounds, sizeof(*us)), median = -1;
	unsigned int n = 0;

	while (us && n < rounds && (us[n] = measure_once(contender)) >= 0)
		n++;
	if (us && n == rounds) {
		sort_doubles(us, n);
		median = quantile(us, n, 0.5);
	}
	free(us);
	return median;
}

/* Lines */

static void amount(char *text, size_t bytes, double value, const char *unit)
{
	if (!strcmp(unit, "us") && value >= 10000)
		(void)snprintf(text, bytes, "%.1f ms", value / 1000);
	else
		(void)snprintf(text, bytes, value < 10 ? "%.3f %s" : "%.1f %s", value, unit);
}

void measure_heading(void)
{
	printf(LINE, "", "ours", "peer", "ratio", "10 %..90 %", "goal", "");
}

static const char *judge(double ratio, const struct goal *goal)
{
	bool missed = goal->peer_is_dear ? ratio < goal->ratio : ratio > goal->ratio;

	if (goal->ratio <= 0)
		return "";
	n_missed += missed;
	return missed ? "MISSED" : "met";
}

static void print_line(double ours, double peer, const char *unit, const double ratio[3],
		       const struct goal *goal)
{
	char a[32], b[32], times[32], spread[48] = "", wanted[32] = "";

	amount(a, sizeof(a), ours, unit);
	amount(b, sizeof(b), peer, unit);
	(void)snprintf(times, sizeof(times), ratio[1] < 100 ? "%.2f x" : "%.0f x", ratio[1]);
	if (ratio[0] > 0)
		(void)snprintf(spread, sizeof(spread), ratio[1] < 100 ? "%.2f..%.2f" : "%.0f..%.0f",
			       ratio[0], ratio[2]);
	if (goal->ratio > 0)
		(void)snprintf(wanted, sizeof(wanted), "%s %g x", goal->peer_is_dear ? ">=" : "<=",
			       goal->ratio);
	printf(LINE, goal->what, a, b, times, spread, wanted, judge(ratio[1], goal));
	(void)fflush(stdout);
}

static double ratio_of(double ours, double peer, const struct goal *goal)
{
	double above = goal->peer_is_dear ? peer : ours, below = goal->peer_is_dear ? ours : peer;

	return below > 0 ? above / below : 0;
}

void measure_ratio(double ours, double peer, const char *unit, const struct goal *goal)
{
	print_line(ours, peer, unit, (double[]){ 0, ratio_of(ours, peer, goal), 0 }, goal);
}

void measure_limit(const char *what, double value, double limit, const char *unit)
{
	char ours[32], most[32];
	bool missed = limit >= 0 && value > limit;

	amount(ours, sizeof(ours), value, unit);
	if (limit >= 0)
		(void)snprintf(most, sizeof(most), "<= %g %s", limit, unit);
	else
		most[0] = '\0';
	printf(LINE, what, ours, "", "", "", most, limit < 0 ? "" : missed ? "MISSED" : "met");
	(void)fflush(stdout);
	n_missed += missed;
}

void measure_failed(const char *what)
{
	printf("%-46s FAILED\n", what);
	n_missed++;
}

void measure_absent(const char *what, const char *peer, const char *package)
{
	printf("%-46s not measured: %s is not here (package %s)\n", what, peer, package);
}

/* Pairs */

static double middle(double *values, unsigned int n)
{
	sort_doubles(values, n);
	return quantile(values, n, 0.5);
}

/* Who comes first changes from round to round. */
static bool run_round(const struct contender *ours, const struct contender *peer, bool ours_first,
		      double *ret_ours, double *ret_peer)
{
	double first = measure_once(ours_first ? ours : peer);
	double second = first < 0 ? -1 : measure_once(ours_first ? peer : ours);

	*ret_ours = ours_first ? first : second;
	*ret_peer = ours_first ? second : first;
	return first >= 0 && second >= 0;
}

void measure_pair(struct contender *ours, struct contender *peer, unsigned int rounds,
		  const struct goal *goal)
{
	double *a = calloc(rounds, sizeof(*a)), *b = calloc(rounds, sizeof(*b));
	double *ratio = calloc(rounds, sizeof(*ratio)), unused[2];
	bool good = a && b && ratio;
	unsigned int n = 0;

	for (int i = 0; good && i < WARM_UP; i++)
		good = run_round(ours, peer, true, &unused[0], &unused[1]);
	for (; good && n < rounds; n++) {
		good = run_round(ours, peer, n % 2, &a[n], &b[n]);
		ratio[n] = ratio_of(a[n], b[n], goal);
	}
	if (good) {
		double median = middle(ratio, n);

		print_line(middle(a, n), middle(b, n), "us",
			   (double[]){ quantile(ratio, n, 0.1), median, quantile(ratio, n, 0.9) }, goal);
	} else {
		measure_failed(goal->what);
	}
	free(a);
	free(b);
	free(ratio);
}

int measure_end(void)
{
	printf("%u goals missed\n", n_missed);
	return n_missed > 0;
}
