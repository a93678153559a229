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

extern const char *const model_series_names[MODEL_SERIES]; /* "handles" */
extern const char *const model_series_titles[MODEL_SERIES]; /* "Handle Count" */

struct model_entry {
	struct monitor_process now; /* its last sample */
	char user[MONITOR_USER_BYTES];
	bool is_alive;
	unsigned pins;
	bool has_first;
	uint64_t first_handles;     /* when it was first seen */
	float point[MODEL_STORED][MODEL_POINTS]; /* rings; NAN is unknown */
};

struct model {
	struct model_entry **entry; /* in rising order of pid, then of start */
	size_t n_entries, n_alive, n_unreadable;
	uint64_t handles;           /* of all that are readable */
	int64_t time_ns[MODEL_POINTS];
	int64_t last_monotonic_ns;
	bool stays;                 /* the next sample shares the last one's point: the most counts */
	size_t max_ended;           /* so many that have ended are kept nevertheless */
	uint64_t n_samples;
	struct monitor_users users;
};

/* Return: 0, -ENOMEM. */
int model_take(struct model *model, const struct monitor_sample *sample);
struct model_entry *model_find(const struct model *model, pid_t pid, uint64_t start_ticks);
/* Its value of age samples ago; NAN when it is not known. */
double model_value(const struct model *model, const struct model_entry *entry,
		   enum model_series series, size_t age);
/* How many samples back there are. */
size_t model_depth(const struct model *model);
/* When the sample of that age was taken, by the clock of the wall. */
int64_t model_time_ns(const struct model *model, size_t age);
/* The rise of its handles since it was first seen; false when that is not known. */
bool model_change(const struct model_entry *entry, int64_t *ret_change);
void model_done(struct model *model);

#endif /* CMD_WATCH_MODEL_H */
