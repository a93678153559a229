/* SPDX-License-Identifier: BSD-2-Clause */
/* judge.c - is what a failing call leaves behind a leak, a cache, or somebody's to close later? */
#include <string.h>
#include <sys/wait.h>

#include "faults/explorer.h"

#define ERROR_MAX 4095

/* Instead of the number of the handle that a function has returned. */
#define NO_HANDLE (-1)
#define FAILED	  (-2)
#define USUAL	  (-3) /* nothing was made to fail */

enum growth { GROWS, STAYS, CANNOT_TELL };

/* Has it failed? */

static bool is_error(int64_t result)
{
	return result < 0 && result >= -ERROR_MAX;
}

/* Without its type: by what it returns when nothing fails. */
static bool differs_like_failure(const struct entry *entry, uint64_t result)
{
	int64_t whole = (int64_t)result;
	int32_t half = (int32_t)result;
	bool negative = is_error(whole) || (result <= UINT32_MAX && is_error(half));
	uint64_t usual = entry->usual_result;

	if (negative)
		return true;
	return (usual == 0) != (result == 0) && ((uint32_t)usual == 0 || result == 0);
}

static bool failed_by_type(const struct entry *entry, const struct target *target, uint64_t result)
{
	int64_t value = target->return_bytes == 4 ? (int32_t)result :
			target->return_bytes == 2 ? (int16_t)result :
			target->return_bytes == 1 ? (int8_t)result :
						    (int64_t)result;
	uint64_t mask = target->return_bytes && target->return_bytes < 8 ?
				(1ULL << target->return_bytes * 8) - 1 : UINT64_MAX;

	switch (target->returns) {
	case RETURNS_POINTER:
		return result == 0 || is_error((int64_t)result);
	case RETURNS_BOOL:
		return (result & 0xff) == 0;
	case RETURNS_SIGNED: /* or an error code, where none is 0 */
		return value < 0 || (value != 0 && (entry->usual_result & mask) == 0);
	case RETURNS_UNSIGNED:
		return ((result & mask) == 0) != ((entry->usual_result & mask) == 0);
	default:
		return differs_like_failure(entry, result);
	}
}

bool call_has_failed(const struct call *call)
{
	const struct entry *entry = call->entry;
	const struct target *target = &entry->explorer->target[entry->function];
	uint64_t result = arch_call_result(&call->state);
	int64_t value = target->return_bytes == 4 || (result <= UINT32_MAX && result > INT32_MAX) ?
				(int32_t)result : (int64_t)result;

	if (call->whole) /* or it has ended in the middle, and left it to the kernel to close */
		return call->came_back;
	if (call->outcome != CALL_RETURNED)
		return true;
	switch (target->fails) {
	case FAULTS_FAILS_NEGATIVE:
		return value < 0;
	case FAULTS_FAILS_ZERO:
		return target->return_bytes == 4 ? (uint32_t)result == 0 : result == 0;
	case FAULTS_FAILS_NONZERO:
		return target->return_bytes == 4 ? (uint32_t)result != 0 : result != 0;
	case FAULTS_FAILS_EXIT:
		return true; /* until its end has been seen */
	default:
		return failed_by_type(entry, target, result);
	}
}

/* How much is left */

struct weight {
	uint64_t of[FAULTS_LEFT_PROCESS + 1];
};

static struct weight weigh(const struct leftovers *left)
{
	struct weight weight = { { 0 } };

	for (size_t i = 0; i < left->n; i++)
		weight.of[left->item[i].type] += left->item[i].type == FAULTS_LEFT_MAPPING ?
							 left->item[i].high - left->item[i].low : 1;
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

/* Cases */

static int step_over_allocator(struct explorer *explorer, const struct entry *entry,
			       struct task *task, raddr_t at)
{
	const struct patch *patch = NULL;
	struct stop stop;
	int r;

	for (size_t i = 0; i < entry->n_patches; i++)
		if (entry->patch[i].at == at)
			patch = &entry->patch[i];
	if (!patch)
		return 0;
	r = task_write(task, at, patch->original, sizeof(patch->original));
	if (r == 0)
		task_resume(task, PTRACE_SINGLESTEP, 0);
	if (r == 0)
		r = task_next(explorer->tracer, task, now_ns() + NS_PER_S, &stop);
	return r < 0 ? r : task_write(task, at, arch_breakpoint, sizeof(arch_breakpoint));
}

int branch_copy(struct explorer *explorer, struct entry *entry, const struct branch *branch,
		int error, struct group *group, struct task **ret_copy)
{
	struct arch_state state = branch->state;
	struct task *copy;
	int r = task_copy(explorer->tracer, branch->at, &state, branch->syscall_at, group, &copy);

	if (r < 0)
		return r;
	explorer->n_copies++;
	if (branch->step < 0)
		call_fail_allocation(&state, branch->step);
	else
		arch_fail_syscall(&state, error);
	r = arch_write_registers(copy->tid, &state);
	if (r == 0 && branch->step < 0)
		r = step_over_allocator(explorer, entry, copy, arch_ip(&state));
	if (r < 0)
		return r;
	*ret_copy = copy;
	return 0;
}

static int begin_case(struct explorer *explorer, struct entry *entry, const struct branch *branch,
		      const struct plan *plan, struct group *group, struct call *ret_call)
{
	struct task *task;
	int r;

	group_init(group);
	if (!branch) {
		r = entry->original ? call_begin(entry, group, ret_call) :
				      rerun_begin(explorer, entry, group, ret_call);
		if (r == 0)
			ret_call->plan = plan;
		return r;
	}
	r = branch_copy(explorer, entry, branch, plan->fault[plan->n - 1].error, group, &task);
	if (r < 0)
		return r;
	call_init(ret_call, entry, group, task);
	call_inherit(ret_call, branch->guide);
	return 0;
}

static void follow(struct call *call)
{
	call_resume(call, call->main, 0);
	call_follow(call);
}

static bool came_back(const struct call *call)
{
	return call->main && (call->outcome == CALL_RETURNED || call->outcome == CALL_THREW ||
			      call->outcome == CALL_JUMPED);
}

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

	for (size_t i = 0; i < suspect->left.n; i++) {
		if (!rises[i])
			continue;
		suspect->left.item[n] = suspect->left.item[i];
		suspect->opener[n++] = suspect->opener[i];
	}
	if (n)
		suspect->left.n = n;
}

/* The same fault in two further calls of the function must leave more, each time. */
static enum growth look_for_growth(struct call *call, const struct plan *plan, struct suspect *suspect)
{
	const struct leftovers *first = &suspect->left;
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
		struct leftovers left = { .n = 0 };

		if (call_again(call) < 0)
			return CANNOT_TELL;
		call_follow(call);
		if (!came_back(call) || call_left(call, &left) < 0)
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

/* What is part of the function's usual work is not left behind */

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

/* Does the function usually leave one that was opened at the same place, which none has stood for yet? */
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
static void keep_unusual(const struct call *call, struct leftovers *left, int64_t returned)
{
	bool taken[LEFT_MAX] = { false };
	size_t n = 0;

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

	call_unpatch(call->entry, call->main, false);
	(void)arch_write_registers(call->main->tid, &call->state);
	trace_exits(call->main);
	task_resume(call->main, PTRACE_CONT, 0);
	while (tracer_next(explorer->tracer, call->group, deadline, &stop) == 0) {
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
static bool is_closed_later(struct explorer *explorer, struct entry *entry,
			    const struct branch *branch, const struct plan *plan,
			    struct suspect *suspect)
{
	struct leftovers left = { .n = 0 };
	bool ended = false;
	struct group group;
	struct call call;

	if (begin_case(explorer, entry, branch, plan, &group, &call) < 0)
		return false;
	follow(&call);
	if (came_back(&call) && !call.whole && call_left(&call, &left) == 0) {
		keep_unusual(&call, &left, suspect->returned_number);
		run_on(explorer, &call, &left, suspect, &ended);
	}
	group_kill(explorer->tracer, &group);
	call_done(&call);
	return ended && !suspect->open_at_exit;
}

/* Verdicts */

static uint64_t mix(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * 0x9e3779b97f4a7c15 + (hash >> 29);
}

/* Of what is left, whatever its order, and however many a loop has opened. */
static uint64_t key_of(const struct suspect *suspect, bool failed)
{
	uint64_t key = mix(suspect->function + 1, failed), seen[LEFT_MAX], sum = 0;
	size_t n = 0;

	for (size_t i = 0; i < suspect->left.n; i++) {
		const struct trail *opener = suspect->opener[i];
		uint64_t one = mix(suspect->left.item[i].type + 1, opener ? opener->id : 0);
		bool known = false;

		for (size_t j = 0; j < n && !known; j++)
			known = seen[j] == one;
		if (!known)
			sum += seen[n++] = one;
	}
	return mix(key, sum);
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

static void keep(struct explorer *explorer, struct suspect *suspect)
{
	if (explorer->n_suspects == explorer->suspects_room) {
		size_t room = explorer->suspects_room * 2 + 16;
		struct suspect **more = realloc(explorer->suspect, room * sizeof(*more));

		if (!more) {
			free(suspect);
			return;
		}
		explorer->suspect = more;
		explorer->suspects_room = room;
	}
	if (suspect->verdict == FAULTS_LEAK && !is_known(explorer, suspect->key))
		explorer->n_leaks++;
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
	for (size_t i = 0; i < suspect->left.n; i++)
		suspect->opener[i] = call_opener(call, &suspect->left.item[i]);
}

static enum faults_verdict decide(struct explorer *explorer, struct entry *entry,
				  const struct branch *branch, const struct plan *plan,
				  struct suspect *suspect, enum growth growth, bool handed, bool failed)
{
	bool closed = growth != STAYS &&
		      is_closed_later(explorer, entry, branch, plan, suspect);

	suspect->confirmed = growth == GROWS;
	if (explorer->target[entry->function].whole)
		suspect->open_at_exit = true; /* that is when it was looked at */
	if (explorer->target[entry->function].fails == FAULTS_FAILS_EXIT)
		failed = suspect->status != 0;
	if (growth == STAYS)
		return FAULTS_CACHED;
	if (closed)
		return FAULTS_DEFERRED;
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
	if (!came_back(call) || call->outcome != CALL_RETURNED || call->whole)
		return NO_HANDLE;
	return result <= INT32_MAX ? (int64_t)result : NO_HANDLE;
}

/*
 * What copies share with each other (locks, what they write into files) can let one fail for a reason
 * that is not its own.  So a leak has to be there too when the call is made alone, from its entry; if
 * it comes to the step.
 */
static bool is_there_alone(struct explorer *explorer, struct entry *entry, const struct plan *plan,
			   const struct suspect *suspect)
{
	struct leftovers left = { .n = 0 };
	struct group group;
	struct call call;
	bool there = true;

	if (begin_case(explorer, entry, NULL, plan, &group, &call) < 0)
		return true;
	follow(&call);
	if (call.n_done == plan->n && came_back(&call) && call_left(&call, &left) == 0) {
		keep_unusual(&call, &left, suspect->returned_number);
		there = left.n > 0;
	}
	group_kill(explorer->tracer, &group);
	call_done(&call);
	return there;
}

void judge(struct explorer *explorer, struct entry *entry, const struct branch *branch,
	   const struct plan *plan)
{
	struct suspect *suspect = calloc(1, sizeof(*suspect));
	const struct suspect *like;
	enum growth growth;
	struct group group;
	struct call call;
	bool failed, handed;

	if (!suspect || begin_case(explorer, entry, branch, plan, &group, &call) < 0) {
		free(suspect);
		return;
	}
	follow(&call);
	failed = came_back(&call) && call_has_failed(&call);
	suspect->returned_number = what_it_returned(&call, plan, failed);
	if (came_back(&call) && call_left(&call, &suspect->left) == 0)
		keep_unusual(&call, &suspect->left, suspect->returned_number);
	if (suspect->left.n == 0) {
		free(suspect);
		group_kill(explorer->tracer, &group);
		call_done(&call);
		return;
	}
	fill(suspect, &call, plan);
	suspect->left_key = key_of(suspect, failed);
	like = find_like(explorer, suspect->left_key);
	if (like) {
		suspect->key = like->key;
		suspect->verdict = like->verdict;
		suspect->confirmed = like->confirmed;
		suspect->open_at_exit = like->open_at_exit;
	} else {
		leftovers_describe(&suspect->left, call.main->tgid);
		handed = call_handed(&call);
		growth = look_for_growth(&call, plan, suspect);
		suspect->key = key_of(suspect, failed);
	}
	group_kill(explorer->tracer, &group);
	call_done(&call);
	if (!like)
		suspect->verdict = decide(explorer, entry, branch, plan, suspect, growth, handed,
					  failed);
	if (!like && branch && suspect->verdict == FAULTS_LEAK &&
	    !is_there_alone(explorer, entry, plan, suspect))
		free(suspect);
	else
		keep(explorer, suspect);
}

void judge_end(struct explorer *explorer, const struct entry *entry, const struct plan *plan,
	       enum outcome outcome, int status)
{
	struct suspect *suspect = calloc(1, sizeof(*suspect));

	if (!suspect)
		return;
	*suspect = (struct suspect){
		.plan = *plan, .function = entry->function, .call = entry->number,
		.outcome = outcome, .status = status,
		.verdict = outcome == CALL_HUNG ? FAULTS_HUNG : FAULTS_CRASHED,
	};
	suspect->key = suspect->left_key =
		mix(mix(entry->function + 1, suspect->verdict + 100u), plan->n && plan->fault[plan->n - 1].trail ?
				   plan->fault[plan->n - 1].trail->id : 0);
	keep(explorer, suspect);
}
