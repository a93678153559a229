/* SPDX-License-Identifier: BSD-2-Clause */
/* trial.c - does more of it stay with each call, and does somebody close it later? */
#include "faults/explorer.h"

/* How much is left of what was opened where this item was. */
static uint64_t weigh_like(const struct call *call, const struct leftovers *left,
			   const struct left *item, const struct trail *opener)
{
	uint64_t weight = 0;

	for (size_t i = 0; i < left->n; i++) {
		const struct left *other = &left->item[i];

		if (other->type == item->type && call_opener(call, other) == opener)
			weight += other->type == FAULTS_LEFT_MAPPING ? other->high - other->low : 1;
	}
	return weight;
}

/* Keep of what is left that which has become more. */
static void keep_growing(struct suspect *suspect, const bool *rises)
{
	size_t n = 0;

	for (size_t i = 0; i < suspect->left->n; i++) {
		if (!rises[i])
			continue;
		suspect->left->item[n] = suspect->left->item[i];
		suspect->opener[n++] = suspect->opener[i];
	}
	if (n)
		suspect->left->n = n;
}

/* The same fault in two further calls of the function must leave more, each time. */
enum growth trial_growth(struct call *call, const struct plan *plan, struct suspect *suspect)
{
	const struct leftovers *first = suspect->left;
	uint64_t before[LEFT_MAX];
	bool rises[LEFT_MAX], any = false;

	if (call->whole)
		return CANNOT_TELL;
	for (size_t i = 0; i < first->n; i++) {
		before[i] = weigh_like(call, first, &first->item[i], suspect->opener[i]);
		rises[i] = true;
	}
	call->plan = plan;
	for (int round = 0; round < 2; round++) {
		struct leftovers left = {.n = 0};

		if (call_again(call) < 0)
			return CANNOT_TELL;
		call_follow(call);
		if (!call_came_back(call) || call_left(call, &left) < 0)
			return CANNOT_TELL;
		/* It fails earlier now, because of the files that the first call has made. */
		if (!call->entry->original && call->n_done < plan->n && call_has_failed(call))
			return CANNOT_TELL;
		for (size_t i = 0; i < first->n; i++) {
			uint64_t now = weigh_like(call, &left, &first->item[i], suspect->opener[i]);

			rises[i] = rises[i] && now > before[i];
			before[i] = now;
		}
	}
	for (size_t i = 0; i < first->n; i++)
		any = any || rises[i];
	keep_growing(suspect, rises);
	return any ? GROWS : STAYS;
}

/* Patience */

static bool any_is_there(const struct leftovers *left, pid_t pid)
{
	for (size_t i = 0; i < left->n; i++)
		if (left_is_there(&left->item[i], pid))
			return true;
	return false;
}

/* The program goes on with the failed call's result, to its end. */
static void run_on(struct explorer *explorer, struct call *call, const struct leftovers *left,
		   struct suspect *suspect, bool *ret_ended)
{
	int64_t deadline = now_ns() + explorer->case_ns;
	struct stop stop;

	case_go_on(call);
	trace_exits(call->main);
	task_resume(call->main, PTRACE_CONT, 0);
	while (explorer_next(explorer, call->group, deadline, &stop) == 0) {
		bool is_main = stop.task == call->main;

		if (is_main && (stop.kind == STOP_EXIT || stop.kind == STOP_EXEC)) {
			suspect->open_at_exit = any_is_there(left, stop.task->tgid);
			suspect->status = stop.status;
			*ret_ended = true;
			return;
		}
		if (stop.kind == STOP_ENDED && is_main)
			return;
		if (stop.kind != STOP_ENDED)
			task_resume(stop.task, PTRACE_CONT,
				    stop.kind == STOP_SIGNAL ? stop.signal : 0);
	}
}

/* Is it closed later?  What is still open when our patience ends counts as never closed. */
bool trial_is_closed_later(struct explorer *explorer, struct entry *entry,
			   const struct branch *branch, const struct plan *plan,
			   struct suspect *suspect)
{
	struct leftovers left = {.n = 0};
	bool ended = false;
	struct group group;
	struct call call;

	if (case_begin(explorer, entry, branch, plan, &group, &call) < 0)
		return false;
	case_follow(&call);
	if (call_came_back(&call) && !call.whole && call_left(&call, &left) == 0) {
		left_keep_unusual(&call, &left, suspect->returned_number);
		run_on(explorer, &call, &left, suspect, &ended);
	}
	case_end(&call);
	return ended && !suspect->open_at_exit;
}
