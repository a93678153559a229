/* SPDX-License-Identifier: BSD-2-Clause */
/* judge.c - is what a failing call leaves behind a leak, a cache, or somebody's to close later? */
#include <string.h>

#include "faults/explorer.h"

/* Of what is left, whatever its order, and however many a loop has opened. */
static uint64_t key_of(const struct suspect *suspect, bool failed)
{
	int how = failed ? 2 : suspect->plan.n ? 1 : 0;
	uint64_t key = hash_mix(suspect->function + 1, (uint64_t)how), seen[LEFT_MAX], sum = 0;
	size_t n = 0;

	for (size_t i = 0; i < suspect->left->n; i++) {
		const struct trail *opener = suspect->opener[i];
		uint64_t one = hash_mix(suspect->left->item[i].type + 1, opener ? opener->id : 0);
		bool known = false;

		for (size_t j = 0; j < n && !known; j++)
			known = seen[j] == one;
		if (!known)
			sum += seen[n++] = one;
	}
	return hash_mix(key, sum);
}

static const struct suspect *find_like(const struct explorer *explorer, uint64_t key)
{
	for (size_t i = 0; i < explorer->n_suspects; i++)
		if (explorer->suspect[i]->left_key == key)
			return explorer->suspect[i];
	return NULL;
}

static bool is_known(const struct explorer *explorer, uint64_t key)
{
	for (size_t i = 0; i < explorer->n_suspects; i++)
		if (explorer->suspect[i]->key == key)
			return true;
	return false;
}

static struct suspect *suspect_new(void)
{
	struct suspect *suspect = calloc(1, sizeof(*suspect));

	if (suspect)
		suspect->left = calloc(1, sizeof(*suspect->left));
	if (suspect && suspect->left)
		return suspect;
	free(suspect);
	return NULL;
}

void suspect_free(struct suspect *suspect)
{
	if (suspect)
		free(suspect->left);
	free(suspect);
}

static void keep(struct explorer *explorer, struct suspect *suspect)
{
	if (explorer->n_suspects == explorer->suspects_room) {
		size_t room = explorer->suspects_room * 2 + 16;
		struct suspect **more = realloc(explorer->suspect, room * sizeof(*more));

		if (!more) {
			suspect_free(suspect);
			return;
		}
		explorer->suspect = more;
		explorer->suspects_room = room;
	}
	if (suspect->verdict == FAULTS_LEAK && !is_known(explorer, suspect->key))
		explorer->n_leaks++;
	suspect->left = leftovers_shrink(suspect->left);
	suspect->sequence = explorer->n_suspects;
	explorer->suspect[explorer->n_suspects++] = suspect;
}

static void fill(struct suspect *suspect, const struct call *call, const struct plan *plan)
{
	suspect->plan = *plan;
	suspect->function = call->entry->function;
	suspect->call = call->entry->number;
	suspect->outcome = call->outcome;
	suspect->status = call->status;
	suspect->result = arch_call_result(&call->state);
	suspect->natural = call->natural;
	for (size_t i = 0; i < suspect->left->n; i++)
		suspect->opener[i] = call_opener(call, &suspect->left->item[i]);
}

/* As far as can be told before the end of the program has been seen. */
static enum faults_verdict decide(enum growth growth, bool handed, bool failed)
{
	if (growth == STAYS)
		return FAULTS_CACHED;
	if (handed)
		return FAULTS_HANDED;
	return failed ? FAULTS_LEAK : FAULTS_SUCCEEDED;
}

/* The number of the handle that it returned, so that this one is the caller's. */
static int64_t what_it_returned(const struct call *call, const struct plan *plan, bool failed)
{
	uint64_t result = arch_call_result(&call->state);

	if (failed || plan->n == 0)
		return failed ? FAILED : USUAL;
	if (!call_came_back(call) || call->outcome != CALL_RETURNED || call->whole)
		return NO_HANDLE;
	return result <= INT32_MAX ? (int64_t)result : NO_HANDLE;
}

/*
 * What copies share with each other (locks, what they write into files) can let one fail for a
 * reason that is not its own.  So a leak has to be there too when the call is made alone, from its
 * entry; if it comes to the step.
 */
static bool is_there_alone(struct explorer *explorer, struct entry *entry, const struct plan *plan,
			   const struct suspect *suspect)
{
	struct leftovers left = {.n = 0};
	struct group group;
	struct call call;
	bool there = true;

	if (case_begin(explorer, entry, NULL, plan, &group, &call) < 0)
		return true;
	case_follow(&call);
	if (call.n_done == plan->n && call_came_back(&call) && call_left(&call, &left) == 0) {
		left_keep_unusual(&call, &left, suspect->returned_number);
		there = left.n > 0;
	}
	case_end(&call);
	return there;
}

void judge(struct explorer *explorer, struct entry *entry, const struct branch *branch,
	   const struct plan *plan)
{
	struct suspect *suspect = suspect_new();
	const struct suspect *like;
	enum growth growth;
	struct group group;
	struct call call;
	bool whole = explorer->target[entry->function].whole, failed, handed;

	if (!suspect || case_begin(explorer, entry, branch, plan, &group, &call) < 0) {
		suspect_free(suspect);
		return;
	}
	case_follow(&call);
	failed = call_came_back(&call) && call_has_failed(&call);
	suspect->returned_number = what_it_returned(&call, plan, failed);
	if (call_came_back(&call) && (branch || call.n_done == plan->n) &&
	    call_left(&call, suspect->left) == 0)
		left_keep_unusual(&call, suspect->left, suspect->returned_number);
	if (suspect->left->n == 0) {
		suspect_free(suspect);
		case_end(&call);
		return;
	}
	fill(suspect, &call, plan);
	leftovers_describe(suspect->left, call.main->tgid);
	suspect->left_key = key_of(suspect, failed);
	like = find_like(explorer, suspect->left_key);
	if (like) {
		suspect->key = like->key;
		suspect->verdict = like->verdict;
		suspect->confirmed = like->confirmed;
		suspect->open_at_exit = like->open_at_exit;
	} else {
		handed = call_handed(&call);
		growth = trial_growth(&call, plan, suspect);
		suspect->key = key_of(suspect, failed);
	}
	case_end(&call);
	if (!like) {
		suspect->verdict = decide(growth, handed, failed);
		suspect->confirmed = growth == GROWS;
		/* With whole programs, that is when it was looked at. */
		suspect->open_at_exit = suspect->end_was_seen = whole;
		suspect->awaits_end = growth != STAYS && !whole;
	}
	if (!like && branch && suspect->verdict == FAULTS_LEAK &&
	    !is_there_alone(explorer, entry, plan, suspect))
		suspect_free(suspect);
	else
		keep(explorer, suspect);
}

void judge_end(struct explorer *explorer, const struct entry *entry, const struct plan *plan,
	       enum outcome outcome, int status)
{
	struct suspect *suspect = suspect_new();

	if (!suspect)
		return;
	*suspect = (struct suspect){
		.left = suspect->left,
		.plan = *plan,
		.function = entry->function,
		.call = entry->number,
		.outcome = outcome,
		.status = status,
		.verdict = outcome == CALL_HUNG ? FAULTS_HUNG : FAULTS_CRASHED,
	};
	suspect->key = suspect->left_key = hash_mix(
		hash_mix(entry->function + 1, suspect->verdict + 100u),
		plan->n && plan->fault[plan->n - 1].trail ? plan->fault[plan->n - 1].trail->id : 0);
	keep(explorer, suspect);
}
