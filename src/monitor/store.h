/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.h - a log: samples in one SQLite file
 *
 * A sample is one row that holds what changed since the one before; every so often a row holds all of
 * it (a keyframe), so that a time window is read without reading the rest.  Old samples become
 * averages, with their extremes, when the file would grow over its bound.  Times are kept in whole
 * milliseconds, and rise: where the clock was set back, the log goes on by the monotonic one.
 *
 * A file is somebody else's work until it has been looked at: all of it is checked while it is read,
 * and damage is -EBADMSG.
 */
#ifndef MONITOR_STORE_H
#define MONITOR_STORE_H

#include "monitor/sample.h"

struct store;

enum store_mode {
	STORE_READ = 0, /* the log need not be writable; a running one may be read */
	STORE_APPEND,   /* made when there is none, continued when there is; one such user at a time */
	STORE_MARK,     /* for store_mark() alone, in a log that exists and may be running */
};

struct store_options {
	enum store_mode mode;
	uint64_t max_bytes; /* STORE_APPEND: bound of the file; 0: none */
	uint32_t counters;  /* STORE_APPEND: which are kept, as bits; 0: all */
};

/* Smaller bounds are refused: the newest samples are never given up. */
#define STORE_MIN_BYTES (1u << 20)

/* What went wrong, without the file's name; raw where it quotes. */
struct store_error {
	char text[192];
};

/*
 * Return: 0, -ENOENT, -EACCES, -EBUSY (somebody logs to it), -EBADMSG (no log, or a damaged one),
 * -ENOTSUP (of a newer version), -EINVAL, -ENOMEM, -EIO, ...; *error (may be NULL) then says why.
 */
int store_open(const char *path, const struct store_options *options, struct store **ret_store,
	       struct store_error *error);
/* Closes; a log that was written is one file again.  NULL is allowed. */
void store_close(struct store *store);
/* From any thread: what is being done with the store ends soon, with -EINTR. */
void store_interrupt(struct store *store);
/* Why the last call failed, as a sentence without an end; "" when none has. */
const char *store_problem(const struct store *store);

/* Writing.  Each is one transaction: done wholly, or, when we are killed, not at all. */

/* Return: 0, -EINVAL (ids do not rise), -ENOSPC, -EIO, -ENOMEM, ... */
int store_append(struct store *store, const struct monitor_sample *sample);
/* A bookmark; time_ns 0: now.  Text is cut at STORE_MARK_BYTES - 1. */
int store_mark(struct store *store, int64_t time_ns, const char *text);

/* What there is */

struct store_range {
	int64_t first_ns, last_ns; /* 0, 0: nothing was logged yet */
	uint64_t n_samples;        /* that were taken */
	uint64_t n_kept;           /* rows that stand for them */
	uint64_t n_bytes;          /* of the file in use */
};
int store_range(struct store *store, struct store_range *ret_range);

#define STORE_MARK_BYTES 256

struct store_bookmark {
	int64_t time_ns;
	char text[STORE_MARK_BYTES]; /* raw */
};
/* In the order of time; to be freed by the caller. */
int store_bookmarks(struct store *store, struct store_bookmark **ret_bookmarks, size_t *ret_n);

/* A process as the log knows it: known and value of it are not set. */
struct store_instance {
	uint64_t id;        /* of this log, never used again; in the order of being seen first */
	uint64_t boot;      /* which boot it ran in, counted by the log: start_ticks are of that */
	unsigned reuse;     /* how many before it in this log had its pid */
	int64_t first_ns, last_ns;
	struct monitor_process process;
};
/* Those that were there between from_ns and to_ns, in rising order of id; to be freed. */
int store_instances(struct store *store, int64_t from_ns, int64_t to_ns,
		    struct store_instance **ret_instances, size_t *ret_n);

/* Reading.  A window is [from_ns, to_ns]; INT64_MIN and INT64_MAX are no bound. */

struct store_reading {
	const struct monitor_sample *sample; /* of an average: the averages, at its first sample's time */
	const uint64_t *instance;            /* ids, beside sample->process */
	const struct monitor_sample *min, *max; /* NULL for a sample as it was taken */
	uint64_t n_samples;                  /* that it stands for */
	int64_t end_ns;                      /* time of the last of them */
	bool after_gap;                      /* the log was stopped before it: draw no line to it */
};

/* Return: 0 go on, 1 enough, negative: an error, which store_read() returns.
 * In an average two processes can have the same pid, one after the other.
 * All that reading points to is good until it returns.  It must not use the store. */
typedef int (*store_read_fn)(void *context, const struct store_reading *reading);

/* In the order of time.  Return: 0 (also when told that it is enough), -EBADMSG, -ENOMEM, ... */
int store_read(struct store *store, int64_t from_ns, int64_t to_ns, store_read_fn read,
	       void *context);

struct store_point {
	int64_t time_ns;    /* of the first sample in it */
	int64_t end_ns;     /* of the last */
	uint64_t n_samples;
	uint64_t min, max, last;
	double average;
	bool after_gap;
};

struct store_line {
	uint64_t instance;
	enum monitor_counter counter;
	struct store_point *points; /* set by store_series(), to be freed; those with nothing left out */
	size_t n_points;
};

/*
 * Several lines of a chart in one pass: at most max_points (2 or more) for each, all of the same
 * width in time between the first and the last sample in the window.
 * Return: 0, -EBADMSG, -ENOMEM, ...; then no line has points.
 */
int store_series(struct store *store, int64_t from_ns, int64_t to_ns, size_t max_points,
		 struct store_line *lines, size_t n_lines);

#endif /* MONITOR_STORE_H */
