/* SPDX-License-Identifier: BSD-2-Clause */
/* entry.c - what a task at a function's entry has, and where it will return to */
#include <string.h>

#include "faults/explorer.h"

#define STACK_BELOW (1u << 20)

/* Output of copies is not wanted: where a standard handle is open, copies have another. */
static void mark_replaced(struct baseline *baseline)
{
	for (size_t i = 0; i < baseline->n_handles; i++)
		baseline->handle[i].replaced = baseline->stands && baseline->handle[i].number < 3;
}

static void see(struct task *task, raddr_t at, struct seen_memory *seen)
{
	seen->at = at;
	seen->bytes = at > 0xffff ? task_read_some(task, at, seen->data, SEEN_BYTES) : 0;
}

int entry_take(struct explorer *explorer, struct task *task, struct image *image, size_t function,
	       const struct arch_state *state, bool stands, struct entry *ret_entry)
{
	struct entry *entry = ret_entry;
	uint64_t word;
	int r;

	*entry = (struct entry){.explorer = explorer,
				.image = image,
				.function = function,
				.original = stands ? task : NULL,
				.state = *state,
				.frame = arch_call_frame(state),
				.space = image->space,
				.number = explorer->target[function].calls};
	r = task_read(task, arch_call_return_slot(state), &word, sizeof(word));
	if (r == 0)
		r = baseline_take(task->tgid, stands, &entry->baseline);
	if (r < 0)
		return r;
	entry->return_address = word;
	mark_replaced(&entry->baseline);
	for (unsigned int i = 0; i < ARGUMENTS_SEEN; i++) {
		raddr_t at = arch_call_argument(state, i);

		/* Below the stack pointer is what a register happens to hold, no argument. */
		if ((explorer->target[function].writes >> i & 1) &&
		    (at >= entry->frame || at < entry->frame - STACK_BELOW))
			see(task, at, &entry->seen[i]);
	}
	see(task, arch_call_return_slot(state), &entry->seen[ARGUMENTS_SEEN]);
	entry_patch(entry, task);
	return 0;
}

void entry_done(struct entry *entry)
{
	baseline_done(&entry->baseline);
}

void entry_note_usual(struct entry *entry, struct call *call)
{
	entry->usual_result = arch_call_result(&call->state);
	entry->usual_failed = call_has_failed(call);
	entry->usual_left.n = 0;
	(void)call_left(call, &entry->usual_left);
	for (size_t i = 0; i < entry->usual_left.n; i++)
		entry->usual_opener[i] = call_opener(call, &entry->usual_left.item[i]);
}
