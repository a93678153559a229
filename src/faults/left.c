/* SPDX-License-Identifier: BSD-2-Clause */
/* left.c - what a call has left behind, and which of it counts */
#include <string.h>

#include "faults/explorer.h"

#define LINGER_NS (20 * NS_PER_MS)

/* A thread that was joined can still be on its last way. */
static void let_children_end(struct call *call)
{
	struct tracer *tracer = call->entry->explorer->tracer;
	int64_t deadline = now_ns() + LINGER_NS;
	struct stop stop;

	for (unsigned int i = 0; i < call->n_children && i < CHILDREN_MAX; i++) {
		struct call_child *child = &call->child[i];
		struct task *task;

		while (child->shares && !child->ended && (task = tracer_find(tracer, child->tid))) {
			enum outcome outcome = call->outcome;
			int r = task_next(tracer, task, deadline, &stop);

			if (r < 0 && r != -ESRCH)
				return;
			call_take(call, &stop);
			call->outcome = outcome;
		}
	}
}

static void keep_own(const struct call *call, struct leftovers *left)
{
	size_t n = 0;

	for (size_t i = 0; i < left->n; i++)
		if (left->item[i].type > FAULTS_LEFT_MAPPING || call_opener(call, &left->item[i]))
			left->item[n++] = left->item[i];
	left->n = n;
}

int call_left(struct call *call, struct leftovers *left)
{
	int r;

	if (!call->main)
		return 0;
	if (call->traced)
		let_children_end(call);
	for (unsigned int i = 0; i < call->n_children && i < CHILDREN_MAX; i++) {
		struct left item = {.type = call->child[i].shares ? FAULTS_LEFT_THREAD
								  : FAULTS_LEFT_PROCESS,
				    .number = call->child[i].tid};

		if (!(call->child[i].shares && call->child[i].ended) &&
		    left_is_there(&item, call->main->tgid))
			leftovers_add(left, &item);
	}
	r = state_compare(&call->entry->baseline, call->main->tgid, left);
	if (r == 0 && call->only_own)
		keep_own(call, left);
	return r;
}

const struct trail *call_opener(const struct call *call, const struct left *left)
{
	for (size_t i = call->n_opened; i-- > 0;) {
		const struct opening *opening = &call->opened[i];

		if (opening->type != left->type)
			continue;
		if (left->type == FAULTS_LEFT_MAPPING
			    ? opening->low < left->high && left->low < opening->high
			    : opening->number == left->number)
			return opening->trail;
	}
	return NULL;
}

/* Has a pointer been put where none was? */
static bool is_object(const struct call *call, const struct seen_memory *seen)
{
	uint64_t former, pointer;
	char byte;

	if (seen->bytes < sizeof(pointer) ||
	    task_read(call->main, seen->at, &pointer, sizeof(pointer)) < 0)
		return false;
	memcpy(&former, seen->data, sizeof(former));
	return former == 0 && pointer > 0xffff && task_read(call->main, pointer, &byte, 1) == 0;
}

bool call_handed(const struct call *call)
{
	for (unsigned int i = 0; i < ARGUMENTS_SEEN && call->main; i++)
		if (is_object(call, &call->entry->seen[i]))
			return true;
	return false;
}

/* Which of it counts */

struct weight {
	uint64_t of[FAULTS_LEFT_PROCESS + 1];
};

static struct weight weigh(const struct leftovers *left)
{
	struct weight weight = {{0}};

	for (size_t i = 0; i < left->n; i++)
		weight.of[left->item[i].type] += left->item[i].type == FAULTS_LEFT_MAPPING
							 ? left->item[i].high - left->item[i].low
							 : 1;
	return weight;
}

bool left_is_unusual(const struct entry *entry, const struct leftovers *left)
{
	struct weight usual = weigh(&entry->usual_left), now = weigh(left);

	for (size_t i = 0; i < ARRAY_SIZE(now.of); i++)
		if (now.of[i] > usual.of[i])
			return true;
	return false;
}

static bool is_loaders(const struct trail *trail)
{
	struct frame frame;
	const char *name;

	if (!trail || trail->unwound.n == 0 ||
	    space_describe(trail->space, trail->unwound.ip[0], false, &frame, 1) == 0)
		return false;
	name = frame.module ? strrchr(frame.module, '/') : NULL;
	return (name && strncmp(name, "/ld-linux", 9) == 0) ||
	       (frame.function && strncmp(frame.function, "_dl_", 4) == 0);
}

/* Does the function usually leave one that was opened at the same place, which none has stood for
 * yet? */
static bool is_usual(const struct entry *entry, const struct left *item, const struct trail *opener,
		     bool *taken)
{
	for (size_t i = 0; i < entry->usual_left.n; i++)
		if (!taken[i] && entry->usual_left.item[i].type == item->type &&
		    entry->usual_opener[i] == opener) {
			taken[i] = true;
			return true;
		}
	return false;
}

/*
 * Keep of what is left that which counts: not what the loader maps; and when the function has not
 * failed, not what it leaves when nothing fails, nor the handle that it returns.
 */
/* The handle that it returns stands for the one that it usually returns. */
static void take_returned(const struct entry *entry, const struct leftovers *left, int64_t returned,
			  bool *taken)
{
	for (size_t i = 0; i < left->n; i++)
		for (size_t j = 0; j < entry->usual_left.n; j++) {
			const struct left *usual = &entry->usual_left.item[j];

			if (left->item[i].type == FAULTS_LEFT_HANDLE &&
			    left->item[i].number == returned && usual->type == FAULTS_LEFT_HANDLE &&
			    usual->number == (int64_t)(uint32_t)entry->usual_result)
				taken[j] = true;
		}
}

void left_keep_unusual(const struct call *call, struct leftovers *left, int64_t returned)
{
	bool taken[LEFT_MAX] = {false};
	size_t n = 0;

	if (returned >= 0)
		take_returned(call->entry, left, returned, taken);

	for (size_t i = 0; i < left->n; i++) {
		const struct trail *opener = call_opener(call, &left->item[i]);

		if (is_loaders(opener) ||
		    (left->item[i].type == FAULTS_LEFT_HANDLE &&
		     left->item[i].number == returned) ||
		    (returned >= NO_HANDLE && is_usual(call->entry, &left->item[i], opener, taken)))
			continue;
		left->item[n++] = left->item[i];
	}
	left->n = n;
}
