/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * undo.h - effects on the target, noted the moment they exist, taken back newest first
 *
 * A step that cannot be undone does not keep the older ones from being undone; the first such
 * step is what undo_run() returns.
 */
#ifndef TRACEE_UNDO_H
#define TRACEE_UNDO_H

#include <stddef.h>

#define UNDO_STEPS_MAX 8

struct undo_step {
	const char *name;
	int (*undo)(void *data); /* 0, or negative errno; -ESRCH: the target has ended, so all is */
	void *data;
};

struct undo_log {
	struct undo_step step[UNDO_STEPS_MAX];
	size_t n_steps;
};

void undo_note(struct undo_log *log, const char *name, int (*undo)(void *), void *data);
/* The newest effect has become somebody else's to end. */
void undo_forget(struct undo_log *log);
/* Returns 0, or the error of the first step that could not be undone, named in *ret_name. */
int undo_run(struct undo_log *log, const char **ret_name);

#endif /* TRACEE_UNDO_H */
