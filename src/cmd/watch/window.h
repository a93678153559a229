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

/* Begin.  The store is the reader's until window_end().  Return: 0 or a negative errno. */
int window_begin(struct store *store, int64_t from_ns, int64_t to_ns,
		 struct window_reader **ret_reader);
/* Can be read from when the reading has ended. */
int window_fd(const struct window_reader *reader);
unsigned window_percent(const struct window_reader *reader);
/* Ask it to end: it does so within one row of the log. */
void window_cancel(struct window_reader *reader);
/*
 * Wait until it has ended, and free it.
 * Return: 0 and the model; -ECANCELED, -EBADMSG, -ENOMEM, ...
 */
int window_end(struct window_reader *reader, struct model *ret_model);

#endif /* CMD_WATCH_WINDOW_H */
