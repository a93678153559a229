/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window.h - a window of a log becomes a model, in a thread
 *
 * A large window takes seconds to read, and keys must not wait for that.
 */
#ifndef CMD_WATCH_WINDOW_H
#define CMD_WATCH_WINDOW_H

#include "cmd/watch/model.h"
#include "monitor/store.h"

struct window_reader;

/* What was read. */
struct window {
	struct model model;
	struct store_range range; /* of the log */
	int64_t from_ns, to_ns;
};

/* Move and cut it to what the log has. */
void window_keep_in_range(const struct store_range *range, int64_t *from_ns, int64_t *to_ns);
/*
 * Begin.  The store is the reader's until window_end().  The window is kept in the log's range.  range NULL: it is not known yet, which takes as long as reading does; from_ns and to_ns then
 * count from the log's end.
 * Return: 0 or a negative errno.
 */
int window_begin(struct store *store, const struct store_range *range, int64_t from_ns,
		 int64_t to_ns, struct window_reader **ret_reader);
/* Can be read from when the reading has ended. */
int window_fd(const struct window_reader *reader);
unsigned window_percent(const struct window_reader *reader);
/* Ask it to end: it does so at once. */
void window_cancel(struct window_reader *reader);
/*
 * Wait until it has ended, and free it.
 * Return: 0 and what was read, whose model is the caller's; -EINTR, -EBADMSG, -ENOMEM, ...
 */
int window_end(struct window_reader *reader, struct window *ret_window);

#endif /* CMD_WATCH_WINDOW_H */
