/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.h - what tendril watch knows: each process, and what its counters were of late
 *
 * Draws nothing.  A process is kept while it lives, and after that while a line of the chart holds
 * it (pins).
 */
#ifndef CMD_WATCH_MODEL_H
#define CMD_WATCH_MODEL_H

#include "monitor/sample.h"
#include "monitor/trend.h"
#include "monitor/users.h"

/* How many samples back.  Two dots of Braille a cell: the width of a usual terminal. */
#define MODEL_POINTS 240

/* What can be charted. */
enum model_series {
	MODEL_HANDLES = 0,
	MODEL_THREADS,
	MODEL_MAPPINGS,
	MODEL_RESIDENT,
	MODEL_CPU,     /* percent of one processor */
	MODEL_STORED,  /* those before are remembered, the others follow from them */
	MODEL_PERCENT = MODEL_STORED, /* handles, of the process's own limit */
	MODEL_SERIES,
};

/* Several samples of a log can share a point. */
enum model_part { MODEL_AVERAGE, MODEL_LEAST, MODEL_MOST };

extern const char *const model_series_names[MODEL_SERIES]; /* "handles" */
extern const char *const model_series_titles[MODEL_SERIES]; /* "Handle Count" */

/* What the samples were that share a point; without it, a point is one sample. */
struct model_shared {
	float least[MODEL_STORED][MODEL_POINTS], most[MODEL_STORED][MODEL_POINTS];
	float last[MODEL_STORED];
	double weight[MODEL_STORED]; /* samples in the newest point */
};

struct model_entry {
	struct monitor_process now; /* its last sample */
	char user[MONITOR_USER_BYTES];
	bool is_alive;
	unsigned pins;
	bool is_left_alone; /* by --leaks: it was disarmed, or could not be armed */
	bool has_first;
	uint64_t first_handles;     /* when it was first seen */
	float point[MODEL_STORED][MODEL_POINTS]; /* rings; NAN is unknown */
	struct model_shared *shared; /* NULL where the model does not share points */
};

struct model {
	struct model_entry **entry; /* in rising order of pid, then of start */
	size_t n_entries, n_alive, n_unreadable;
	uint64_t handles;           /* of all that are readable */
	int64_t time_ns[MODEL_POINTS]; /* of the first sample in it */
	int64_t last_ns;
	int64_t last_monotonic_ns;
	bool shares_points;
	bool is_left_out[MODEL_POINTS]; /* the log has no sample for it */
	bool after_gap[MODEL_POINTS];   /* no line is drawn to it */
	size_t max_ended;           /* so many that have ended are kept nevertheless */
	uint64_t n_samples;
	struct monitor_users users;
	struct trend_table *trends; /* of a log: by its own clock; NULL for what is live */
};

/* A sample; of a log also the average of several, with their extremes. */
struct model_input {
	const struct monitor_sample *sample, *min, *max; /* the extremes may be NULL */
	uint64_t n_samples;
	bool stays;     /* it shares the point of the one before; only where the model shares points */
	bool after_gap;
};

/* Return: 0, -ENOMEM. */
int model_take(struct model *model, const struct model_input *input);
/* So many points have no sample; time_ns is that of the next one. */
void model_leave_out(struct model *model, size_t points, int64_t time_ns);
struct model_entry *model_find(const struct model *model, pid_t pid, uint64_t start_ticks);
/* Its value of age samples ago; NAN when it is not known. */
double model_value(const struct model *model, const struct model_entry *entry,
		   enum model_series series, size_t age);
/* Where samples share a point: their average or an extreme.  (model_value() of age 0 is the last.) */
double model_part(const struct model *model, const struct model_entry *entry,
		  enum model_series series, size_t age, enum model_part part);
bool model_is_left_out(const struct model *model, size_t age);
/* The log was stopped before it. */
bool model_is_after_gap(const struct model *model, size_t age);
/* How many samples back there are. */
size_t model_depth(const struct model *model);
/* When the sample of that age was taken, by the clock of the wall. */
int64_t model_time_ns(const struct model *model, size_t age);
/* The rise of its handles since it was first seen; false when that is not known. */
bool model_change(const struct model_entry *entry, int64_t *ret_change);
void model_done(struct model *model);

#endif /* CMD_WATCH_MODEL_H */
