/* SPDX-License-Identifier: BSD-2-Clause */
/* store_private.h - what the files of the log share: store.c, store_write.c, store_read.c */
#ifndef MONITOR_STORE_PRIVATE_H
#define MONITOR_STORE_PRIVATE_H

#include <sqlite3.h>

#include "monitor/delta.h"
#include "monitor/store.h"

/* The end of the year 2099.  In nanoseconds there is room for it twice. */
#define STORE_LATEST_NS	    (4102444800LL * NS_PER_S - 1)
#define STORE_OFFSET_MS_MAX (STORE_LATEST_NS / NS_PER_MS) /* between the two clocks of a sample */

/* Values of is_key. */
enum store_key {
	STORE_STEP = 0,
	STORE_KEY,       /* needs none before it */
	STORE_KEY_START, /* and the log was begun or continued with it */
	STORE_KEYS,
};

/* A process that was there in the last sample, by its pid. */
struct store_live {
	uint64_t id;
	struct monitor_process process; /* without counters */
};

/* What only a writer has. */
struct store_writer {
	uint64_t boot;
	bool is_begun;               /* a sample was appended by us */
	int64_t last_ms, last_monotonic_ms;
	struct store_live *live;     /* in rising order of pid */
	size_t n_live;
	struct delta_state state;
	uint64_t key_bytes, bytes_since_key;
	unsigned samples_since_key;
};

struct store {
	sqlite3 *db;
	int lock_fd;
	struct store_options options;
	struct store_error problem;
	struct store_writer writer;
};

static inline void store_auto_finalize(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}

#define AUTO_STATEMENT __attribute__((cleanup(store_auto_finalize)))

/* Note what is wrong and return code. */
int store_fail(struct store *store, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for what SQLite said last; never 0. */
int store_sqlite_error(struct store *store);
int store_damaged(struct store *store, const char *what);

int store_run(struct store *store, const char *sql);
/* Prepare, and bind so many numbers. */
int store_prepare(struct store *store, sqlite3_stmt **ret_statement, const char *sql,
		  unsigned n_numbers, ...);
/* Return: 1 there is a row, 0 there is none, or a negative errno. */
int store_step(struct store *store, sqlite3_stmt *statement);
/* Run a statement without rows, once. */
int store_run_numbers(struct store *store, const char *sql, unsigned n_numbers, ...);
/* The one number that a query gives; NULL is missing. */
int store_number(struct store *store, const char *sql, int64_t missing, int64_t *ret_number);

/* End a transaction: commit when r is 0, otherwise roll back.  Return: r, or why it failed. */
int store_end(struct store *store, int r);

static inline int64_t store_ns(int64_t ms)
{
	return ms * NS_PER_MS;
}

/* The first millisecond at or behind from_ns, without an overflow. */
static inline int64_t store_ms_from(int64_t from_ns)
{
	return from_ns / NS_PER_MS + (from_ns > 0 && from_ns % NS_PER_MS != 0);
}

/* A process of the instance table; its columns begin at column: pid, start_ticks, uid, session,
 * name, container. */
#define STORE_PROCESS_COLUMNS "pid, start_ticks, uid, session, name, container"
int store_take_process(struct store *store, sqlite3_stmt *statement, int column,
		       struct monitor_process *ret_process);

/* Rows in the order of time, as states.  min and max are NULL for samples as they were taken. */
struct store_row {
	int64_t time_ms, end_ms, monotonic_ms;
	uint64_t n_samples;
	const struct delta_state *state, *min, *max;
	bool members_changed; /* since the row before, whether that was handed out or not */
	bool after_gap;
};
typedef int (*store_row_fn)(void *context, const struct store_row *row);

/* Walk through a window; only the wanted counters of the states are right.  Return: 0, or what the function returned below zero, or an error. */
int store_walk(struct store *store, int64_t from_ms, int64_t to_ms, uint32_t wanted,
	       store_row_fn take, void *context);
/* Only the samples that were not condensed yet; without a transaction of its own. */
int store_walk_samples(struct store *store, int64_t from_ms, int64_t to_ms, store_row_fn take,
		       void *context);

/* Condense or drop what is oldest until the file keeps its bound; *ret_crowded: it cannot before
 * there is another keyframe. */
int store_shrink(struct store *store, bool *ret_crowded);
/* Time of the first and of the last sample; 0, 0: there is none. */
int store_bounds(struct store *store, int64_t *ret_first_ms, int64_t *ret_last_ms);
/* Bytes of the file in use. */
int store_used(struct store *store, uint64_t *ret_bytes);

#endif /* MONITOR_STORE_PRIVATE_H */
