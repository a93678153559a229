/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * measure.h - CPU time of ours and of a peer, turn by turn, and a line that says who is cheaper
 *
 * What else the machine does meets two that run within the same moment alike.  So a round is a turn
 * of each, a ratio is that of one round, and what is printed is the median of those, with the tenth
 * from below and from above.  CPU time, for wall time is also that of others.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A CPU clock of whoever does the work, in us. */
struct clock_of {
	pid_t pid[4]; /* processes, 0 at the end of them */
	bool children; /* instead: those that were waited for */
};

/* No ids: this process. */
#define CLOCK_OF_US ((struct clock_of){ { 0 }, false })

double clock_us(const struct clock_of *clock);

struct contender {
	const char *name;
	int (*run)(void *param); /* a negative errno: it failed */
	void *param;
	struct clock_of clock;
	unsigned int times; /* turns in one round, whose median counts; 0: 1 */
};

struct goal {
	const char *what;  /* of the pair, for its line */
	double ratio;      /* 0: there is none, the ratio is only told */
	bool peer_is_dear; /* peer / ours is to be at least that; else ours / peer at most */
};

void measure_heading(void);
/* Run both by turns and print their line. */
void measure_pair(struct contender *ours, struct contender *peer, unsigned int rounds,
		  const struct goal *goal);
/* A value and its limit; limit below 0: there is none. */
void measure_limit(const char *what, double value, double limit, const char *unit);
/* A ratio of two figures that are known already. */
void measure_ratio(double ours, double peer, const char *unit, const struct goal *goal);
void measure_failed(const char *what);
void measure_absent(const char *what, const char *peer, const char *package);

/* CPU time of one turn, in us, without a line; negative: it failed. */
double measure_once(const struct contender *contender);
double measure_median(const struct contender *contender, unsigned int rounds);

/* "N goals missed"; the exit status. */
int measure_end(void);

#endif /* MEASURE_H */
