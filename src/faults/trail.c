/* SPDX-License-Identifier: BSD-2-Clause */
/* trail.c - call stacks of the stopped tasks, each kept once */
#include "faults/explorer.h"

#define STACK_BYTES_MAX	  (64u << 10)
#define STACK_BYTES_ABOVE 4096 /* of the function's callers: enough to show some of them */
#define FNV_BASIS	  0xcbf29ce484222325
#define FNV_PRIME	  0x100000001b3

uint64_t hash_mix(uint64_t hash, uint64_t value)
{
	for (int i = 0; i < 8; i++, value >>= 8)
		hash = (hash ^ (value & 0xff)) * FNV_PRIME;
	return hash;
}

/* Frames that are the function's own, and of what it called. */
static size_t frames_inside(const struct entry *entry, const struct unwound *unwound)
{
	for (size_t i = unwound->n; i-- > 0;)
		if (unwound->ip[i] == entry->return_address && unwound->is_return[i])
			return i;
	return unwound->n;
}

static int unwind(struct entry *entry, const struct task *task, const struct arch_state *state,
		  struct unwound *ret_unwound)
{
	static unsigned char bytes[STACK_BYTES_MAX];
	struct captured_stack stack = {.bytes = bytes};
	raddr_t sp = arch_sp(state);
	size_t want = STACK_BYTES_MAX;

	if (sp <= entry->frame && entry->frame - sp < STACK_BYTES_MAX - STACK_BYTES_ABOVE)
		want = entry->frame - sp + STACK_BYTES_ABOVE;
	arch_dwarf_registers(state, stack.registers);
	stack.n_bytes = task_read_some(task, sp, bytes, want);
	return space_unwind(entry->space, &stack, ret_unwound);
}

static const struct trail *keep(struct explorer *explorer, const struct trail *seen)
{
	struct trail **link = &explorer->trail[seen->id % TRAILS_BUCKETS], *trail;

	for (; *link; link = &(*link)->next)
		if ((*link)->id == seen->id)
			return *link;
	trail = malloc(sizeof(*trail));
	if (!trail)
		return NULL;
	*trail = *seen;
	trail->next = NULL;
	*link = trail;
	return trail;
}

/* The function has loaded a library that was not there before: look at the copy itself. */
static bool look_again(struct entry *entry, const struct task *task)
{
	struct explorer *explorer = entry->explorer;
	struct space *space, **more;

	if (entry->space != entry->image->space)
		return false;
	more = realloc(explorer->space, (explorer->n_spaces + 1) * sizeof(*more));
	if (!more)
		return false;
	explorer->space = more;
	if (space_of_process(explorer->symbolizer, task->tgid, &space) < 0)
		return false;
	explorer->space[explorer->n_spaces++] = space;
	entry->space = space;
	return true;
}

const struct trail *trail_of(struct entry *entry, const struct task *task,
			     const struct arch_state *state, int step)
{
	static struct trail seen;
	const struct trail *trail;

	if (unwind(entry, task, state, &seen.unwound) < 0)
		return NULL;
	if (seen.unwound.end == UNWIND_BROKEN && look_again(entry, task) &&
	    unwind(entry, task, state, &seen.unwound) < 0)
		return NULL;
	seen.space = entry->space;
	seen.n_inside = frames_inside(entry, &seen.unwound);
	seen.id = hash_mix(hash_mix(FNV_BASIS, entry->function), (uint64_t)step);
	/* Which of its instructions the C library calls the kernel with differs with the number of
	 * threads; from where it was called does not. */
	for (size_t i = seen.n_inside > 1; i < seen.n_inside; i++)
		seen.id = hash_mix(seen.id, space_place(entry->space, seen.unwound.ip[i]));
	trail = keep(entry->explorer, &seen);
	if (trail && trail->space == entry->image->space)
		entry->image->is_needed = true;
	return trail;
}
