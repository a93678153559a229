/* SPDX-License-Identifier: BSD-2-Clause */
/* trial.c - does more of it stay with each call, and does somebody close it later? */
#include "faults/explorer.h"

#define PATIENCE_NS (30 * NS_PER_S)

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
			uint64_t now = left.n == LEFT_MAX ? left.n_all[first->item[i].type]
							  : weigh_like(call, &left, &first->item[i],
								       suspect->opener[i]);

			rises[i] = rises[i] && now > before[i];
			before[i] = now;
		}
	}
	for (size_t i = 0; i < first->n; i++)
		any = any || rises[i];
	keep_growing(suspect, rises);
	return any ? GROWS : STAYS;
}

/* Patience: the command is run once more, comes back from the call with its failure, and goes on to
 * its end */

/* Is something of the finding there still? */
static bool is_open(const struct call *call, const struct leftovers *left,
		    const struct suspect *suspect, pid_t pid)
{
	for (size_t i = 0; i < left->n; i++) {
		const struct trail *opener = call_opener(call, &left->item[i]);

		for (size_t j = 0; j < suspect->left->n; j++)
			if (suspect->opener[j] == opener &&
			    suspect->left->item[j].type == left->item[i].type &&
			    left_is_there(&left->item[i], pid))
				return true;
	}
	return false;
}

static void run_on(struct explorer *explorer, struct call *call, const struct leftovers *left,
		   struct suspect *suspect)
{
	int64_t deadline = now_ns() + explorer->case_ns;
	struct stop stop;

	case_go_on(call);
	trace_exits(call->main);
	task_resume(call->main, PTRACE_CONT, 0);
	while (explorer_next(explorer, call->group, deadline, &stop) == 0) {
		bool is_main = stop.task == call->main;

		if (is_main && (stop.kind == STOP_EXIT || stop.kind == STOP_EXEC)) {
			suspect->open_at_exit = is_open(call, left, suspect, stop.task->tgid);
			suspect->end_was_seen = true;
			suspect->status = stop.status;
			return;
		}
		if (stop.kind == STOP_ENDED && is_main)
			return;
		if (stop.kind != STOP_ENDED)
			task_resume(stop.task, PTRACE_CONT, stop.signal);
	}
}

static void await_end(struct explorer *explorer, struct suspect *suspect)
{
	struct leftovers left = {.n = 0};
	struct group group;
	struct entry *entry = calloc(1, sizeof(*entry));
	struct call call;

	if (!entry)
		return;
	*entry = (struct entry){
		.explorer = explorer, .function = suspect->function, .number = suspect->call};
	if (case_begin(explorer, entry, NULL, &suspect->plan, &group, &call) == 0) {
		case_follow(&call);
		if (call_came_back(&call) && call.n_done == suspect->plan.n &&
		    call_left(&call, &left) == 0) {
			leftovers_note_links(&left, call.main->tgid);
			run_on(explorer, &call, &left, suspect);
		}
		case_end(&call);
	} else {
		group_kill(explorer->tracer, &group);
	}
	entry_done(entry);
	free(entry);
}

/* Others that are the same defect end in the same way. */
static void tell_others(struct explorer *explorer, const struct suspect *suspect)
{
	for (size_t i = 0; i < explorer->n_suspects; i++) {
		struct suspect *other = explorer->suspect[i];

		if (other->key != suspect->key)
			continue;
		other->verdict = suspect->verdict;
		other->open_at_exit = suspect->open_at_exit;
		other->end_was_seen = suspect->end_was_seen;
		other->awaits_end = false;
	}
}

void trial_await_ends(struct explorer *explorer)
{
	int64_t budget = PATIENCE_NS + 4 * explorer->run_ns, began = now_ns();

	for (size_t i = 0; i < explorer->n_suspects; i++) {
		struct suspect *suspect = explorer->suspect[i];
		const struct target *target = &explorer->target[suspect->function];

		if (!suspect->awaits_end || explorer->interrupted || now_ns() - began > budget)
			continue;
		await_end(explorer, suspect);
		if (suspect->end_was_seen && !suspect->open_at_exit)
			suspect->verdict = FAULTS_DEFERRED;
		else if (target->fails == FAULTS_FAILS_EXIT && suspect->verdict == FAULTS_LEAK &&
			 !(suspect->end_was_seen && suspect->status))
			suspect->verdict = FAULTS_SUCCEEDED;
		tell_others(explorer, suspect);
	}
}
