/* SPDX-License-Identifier: BSD-2-Clause */
#include "tracee/undo.h"

#include <assert.h>
#include <errno.h>

void undo_note(struct undo_log *log, const char *name, int (*undo)(void *), void *data)
{
	assert(log->n_steps < UNDO_STEPS_MAX);
	log->step[log->n_steps++] = (struct undo_step){ name, undo, data };
}

void undo_forget(struct undo_log *log)
{
	assert(log->n_steps > 0);
	log->n_steps--;
}

int undo_run(struct undo_log *log, const char **ret_name)
{
	int first = 0;

	while (log->n_steps > 0) {
		const struct undo_step *step = &log->step[--log->n_steps];
		int r = step->undo(step->data);

		if (r < 0 && r != -ESRCH && first == 0) {
			first = r;
			*ret_name = step->name;
		}
	}
	return first;
}
