/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guide.c - one call of a function, gone through step by step
 *
 * The guide is a copy of the original at the function's entry.  Before each step that could fail it
 * waits, while copies of it see the step fail, each in another way, and return; so what comes
 * before the step is gone through once, not once a case.
 */
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "faults/errnos.h"
#include "faults/explorer.h"

#define SAME_STEPS_MAX 64
#define LATER_MAX      65536
#define QUICK_NS       (NS_PER_S / 2)
#define SHORT_CALL_NS  (5 * NS_PER_MS)
#define STAT_PROCESSOR 39
#define STAT_BYTES     4096

struct copy {
	bool busy;
	bool from_entry; /* it goes the whole way to its step */
	struct call call;
	struct plan plan;
};

struct guide {
	struct explorer *explorer;
	struct entry *entry;
	struct plan plan;  /* what has failed on the way here: with pairs */
	int64_t copies_ns; /* that were spent with copies */
	struct copy *copies;
	/* Cases that want to be judged where they came from, and those that crashed or hung. */
	struct plan *suspect;
	size_t n_suspects, suspects_room;
	struct ended {
		struct plan plan;
		enum outcome outcome;
		int status;
	} * ended;
	size_t n_ended;
	/* Steps made while other threads or processes of the call were under way: a copy would not
	 * have them, so that the call is made again, from its entry, for each. */
	struct plan *later;
	size_t n_later, later_room;
};

static void guide_done(struct guide *guide)
{
	free(guide->suspect);
	free(guide->ended);
	free(guide->later);
}

static void append(struct plan **plans, size_t *n, size_t *room, const struct plan *plan)
{
	if (*n == *room) {
		size_t wanted = *room * 2 + 16;
		struct plan *more =
			wanted > LATER_MAX ? NULL : realloc(*plans, wanted * sizeof(*more));

		if (!more)
			return;
		*plans = more;
		*room = wanted;
	}
	(*plans)[(*n)++] = *plan;
}

/* The step fails with the rank-th of its errors. */
static struct plan with_fault(const struct plan *plan, const struct fault *step,
			      const uint8_t *errors, unsigned int rank)
{
	struct plan longer = *plan;
	struct fault *fault = &longer.fault[longer.n++];

	*fault = *step;
	fault->error = errors[rank];
	fault->rank = rank;
	fault->injected = true;
	return longer;
}

static bool is_suspect(struct explorer *explorer, struct call *call, const struct plan *plan)
{
	struct leftovers left = {.n = 0};

	explorer->n_cases++;
	explorer->target[call->entry->function].cases++;
	switch (call->outcome) {
	case CALL_RETURNED:
	case CALL_THREW:
	case CALL_JUMPED:
		if (call_left(call, &left) < 0 || left.n == 0)
			return false;
		/* What a program leaves open when it ends is nobody's loss, unless it does not
		 * usually. */
		return (call_has_failed(call) && !call->whole) ||
		       left_is_unusual(call->entry, &left);
	default:
		return false;
	}
}

static bool is_bad_end(const struct call *call)
{
	return call->outcome == CALL_KILLED || call->outcome == CALL_HUNG;
}

static void note_end(struct guide *guide, const struct call *call, const struct plan *plan)
{
	struct ended *more = realloc(guide->ended, (guide->n_ended + 1) * sizeof(*more));

	if (!more)
		return;
	guide->ended = more;
	more[guide->n_ended++] =
		(struct ended){.plan = *plan, .outcome = call->outcome, .status = call->status};
}

static void note_case(struct guide *guide, struct call *call, const struct plan *plan)
{
	if (is_suspect(guide->explorer, call, plan))
		append(&guide->suspect, &guide->n_suspects, &guide->suspects_room, plan);
	else if (is_bad_end(call))
		note_end(guide, call, plan);
}

static void take_end(struct guide *guide, struct call *call, const struct plan *plan)
{
	/* Most that take long wait for what another copy has taken: alone, and with all its time.
	 */
	if (call->outcome == CALL_HUNG && guide->plan.n == 0) {
		append(&guide->later, &guide->n_later, &guide->later_room, plan);
		return;
	}
	note_case(guide, call, plan);
}

/* A case that was followed by itself has ended. */
void case_is_over(struct explorer *explorer, struct call *call, const struct plan *plan)
{
	bool suspect = is_suspect(explorer, call, plan), bad = is_bad_end(call);
	enum outcome outcome = call->outcome;
	struct entry *entry = call->entry;
	int status = call->status;

	case_end(call);
	if (bad)
		judge_end(explorer, entry, plan, outcome, status);
	if (suspect)
		judge(explorer, entry, NULL, plan);
}

/* Copies */

static void finish_copy(struct guide *guide, struct copy *copy)
{
	if (!copy->from_entry)
		take_end(guide, &copy->call, &copy->plan);
	else if (copy->call.n_done == copy->plan.n)
		note_case(guide, &copy->call, &copy->plan);
	group_drop_of(guide->explorer->tracer, &guide->explorer->copies, copy);
	call_done(&copy->call);
	copy->busy = false;
}

static int64_t first_deadline(const struct guide *guide)
{
	int64_t first = INT64_MAX;

	for (unsigned int i = 0; i < guide->explorer->jobs; i++)
		if (guide->copies[i].busy && guide->copies[i].call.deadline_ns < first)
			first = guide->copies[i].call.deadline_ns;
	return first;
}

/* Wait for something to happen to the copies.  False: there are none. */
static bool attend(struct guide *guide)
{
	struct explorer *explorer = guide->explorer;
	struct stop stop;
	int r = explorer_next(explorer, &explorer->copies, first_deadline(guide), &stop);
	struct copy *copy;

	if (r == 0) {
		copy = stop.task->of;
		call_take(&copy->call, &stop);
		if (copy->call.outcome != CALL_RUNS)
			finish_copy(guide, copy);
		return true;
	}
	for (unsigned int i = 0; i < explorer->jobs; i++) {
		copy = &guide->copies[i];
		if (!copy->busy || (r == -ETIMEDOUT && copy->call.deadline_ns > now_ns()))
			continue;
		copy->call.outcome = r == -ECANCELED ? CALL_GIVEN_UP : CALL_HUNG;
		finish_copy(guide, copy);
	}
	return r == -ETIMEDOUT;
}

static struct copy *free_copy(struct guide *guide)
{
	for (;;) {
		for (unsigned int i = 0; i < guide->explorer->jobs; i++)
			if (!guide->copies[i].busy)
				return &guide->copies[i];
		(void)attend(guide);
	}
}

static void send_copy(struct guide *guide, const struct branch *branch, const struct plan *plan)
{
	struct explorer *explorer = guide->explorer;
	struct copy *copy = free_copy(guide);
	struct task *task;

	if (branch_copy(explorer, guide->entry, branch, plan->fault[plan->n - 1].error,
			&explorer->copies, &task) < 0) {
		explorer->n_not_made++;
		return;
	}
	task->of = copy;
	*copy = (struct copy){.busy = true, .plan = *plan};
	call_init(&copy->call, guide->entry, &explorer->copies, task);
	copy->call.traced = false;
	if (explorer->case_ns > QUICK_NS)
		copy->call.deadline_ns = now_ns() + QUICK_NS;
	call_unpatch(guide->entry, task, true);
	call_resume(&copy->call, task, 0);
}

/* Steps */

static void walk(struct guide *guide, struct call *call);

/* With pairs: the copy becomes a guide itself. */
static void send_guide(struct guide *guide, const struct branch *branch, const struct plan *plan)
{
	struct explorer *explorer = guide->explorer;
	struct guide further = {.explorer = explorer,
				.entry = guide->entry,
				.plan = *plan,
				.copies = guide->copies};
	struct group group;
	struct task *task;
	struct call call;

	group_init(&group);
	if (branch_copy(explorer, guide->entry, branch, plan->fault[plan->n - 1].error, &group,
			&task) < 0)
		return;
	call_init(&call, guide->entry, &group, task);
	call_inherit(&call, branch->guide);
	walk(&further, &call);
	take_end(guide, &call, plan);
	case_end(&call);
	guide_done(&further);
}

/* From a task that is about to make a system call to one that stands before the instruction. */
static int stand_before(struct explorer *explorer, struct task *task, const struct fault *step,
			struct branch *branch)
{
	int r = arch_read_registers(task->tid, &branch->state);

	branch->at = task;
	branch->step = step->step;
	if (r == 0 && step->step < 0)
		arch_set_ip(&branch->state, arch_breakpoint_hit(&branch->state));
	if (r < 0 || step->step < 0)
		return r;
	arch_skip_syscall(&branch->state);
	r = arch_write_registers(task->tid, &branch->state);
	if (r == 0)
		r = task_run_to(explorer->tracer, task, PTRACE_SYSCALL, STOP_SYSCALL, NULL);
	if (r == 0)
		r = arch_read_registers(task->tid, &branch->state);
	arch_rewind_to_syscall(&branch->state, step->step);
	branch->syscall_at = arch_ip(&branch->state);
	return r;
}

static int enter_again(struct explorer *explorer, const struct branch *branch)
{
	int r = arch_write_registers(branch->at->tid, &branch->state);

	if (r < 0 || branch->step < 0)
		return r;
	return task_run_to(explorer->tracer, branch->at, PTRACE_SYSCALL, STOP_SYSCALL, NULL);
}

static int compare_plans(const void *a, const void *b)
{
	const struct plan *x = a, *y = b;
	unsigned int first = x->fault[x->n - 1].rank, second = y->fault[y->n - 1].rank;

	return (first > second) - (first < second);
}

static int compare_ended(const void *a, const void *b)
{
	const struct ended *x = a, *y = b;

	return compare_plans(&x->plan, &y->plan);
}

/* Copies end in any order; what is told of them should not depend on it. */
static void judge_suspects(struct guide *guide, const struct branch *branch)
{
	if (guide->n_suspects)
		qsort(guide->suspect, guide->n_suspects, sizeof(*guide->suspect), compare_plans);
	if (guide->n_ended)
		qsort(guide->ended, guide->n_ended, sizeof(*guide->ended), compare_ended);
	for (size_t i = 0; i < guide->n_ended; i++)
		judge_end(guide->explorer, guide->entry, &guide->ended[i].plan,
			  guide->ended[i].outcome, guide->ended[i].status);
	for (size_t i = 0; i < guide->n_suspects; i++)
		judge(guide->explorer, guide->entry, branch, &guide->suspect[i]);
	guide->n_suspects = 0;
	guide->n_ended = 0;
}

static void defer(struct guide *guide, const struct fault *step, const uint8_t *errors)
{
	for (unsigned int i = 0; errors[i]; i++) {
		struct plan plan = with_fault(&guide->plan, step, errors, i);

		append(&guide->later, &guide->n_later, &guide->later_room, &plan);
	}
}

/* Would a copy lack something that the guide has: threads, processes to be waited for or that it
 * traces?  (What the guide is doing to a process that it traces, a copy would undo.) */
static bool has_company(const struct call *call)
{
	if (call->n_tasks > 1 || call->n_traced > 0)
		return true;
	/* One that has ended is there until it was waited for. */
	for (unsigned int i = 0; i < call->n_children && i < CHILDREN_MAX; i++)
		if (!call->child[i].shares && kill(call->child[i].tid, 0) == 0)
			return true;
	return false;
}

static void attend_all(struct guide *guide)
{
	while (guide->explorer->copies.n_tasks && attend(guide))
		;
}

/* The step fails in all its ways; together, or one after the other. */
static void send_all(struct guide *guide, const struct branch *branch, const struct fault *step,
		     const uint8_t *errors, const struct positions *one_by_one)
{
	struct explorer *explorer = guide->explorer;
	bool last = guide->plan.n + 1 == (explorer->options->pairs ? PLAN_MAX : 1);

	for (unsigned int i = 0; errors[i] && explorer_goes_on(explorer); i++) {
		struct plan plan = with_fault(&guide->plan, step, errors, i);

		if (last)
			send_copy(guide, branch, &plan);
		else
			send_guide(guide, branch, &plan);
		if (!one_by_one)
			continue;
		attend_all(guide);
		(void)positions_set_back(explorer, branch, one_by_one);
	}
	attend_all(guide);
}

/* A loop makes the same step at the same place again and again: after so many, only some of them.
 */
static bool is_left_out(const struct fault *step)
{
	return step->occurrence > SAME_STEPS_MAX && (step->occurrence & (step->occurrence - 1));
}

static int at_step(struct call *call, struct task *task, const struct fault *step,
		   const uint8_t *errors)
{
	struct guide *guide = call->data;
	struct explorer *explorer = guide->explorer;
	struct target *target = &explorer->target[guide->entry->function];
	struct branch branch = {.syscall_at = guide->entry->image->syscall_at, .guide = call};
	uint64_t cases = explorer->n_cases, own_cases = target->cases;
	struct positions positions;
	int64_t began = now_ns();
	int r;

	if (is_left_out(step)) {
		explorer->n_left_out++;
		return 0;
	}

	if (step->ordinal != 0 || errnos_happens_all_the_same(step->step) || has_company(call) ||
	    !positions_note(call, &positions)) {
		defer(guide, step, errors);
		return 0;
	}
	r = stand_before(explorer, task, step, &branch);
	if (r < 0)
		return r;
	send_all(guide, &branch, step, errors, NULL);
	if (positions_set_back(explorer, &branch, &positions)) {
		/* Each one has disturbed the others: once more. */
		guide->n_suspects = guide->n_ended = 0;
		explorer->n_cases = cases;
		target->cases = own_cases;
		send_all(guide, &branch, step, errors, &positions);
	}
	judge_suspects(guide, &branch);
	(void)positions_set_back(explorer, &branch, &positions);
	guide->copies_ns += now_ns() - began;
	return enter_again(explorer, &branch);
}

static void walk(struct guide *guide, struct call *call)
{
	struct explorer *explorer = guide->explorer;
	int64_t began = now_ns();

	call->data = guide;
	call->at_step = at_step;
	call->deadline_ns = INT64_MAX;
	call_resume(call, call->main, 0);
	while (call->outcome == CALL_RUNS) {
		/* What its copies take is not the guide's own time. */
		int64_t deadline = began + explorer->case_ns + guide->copies_ns;
		struct stop stop;
		int r = explorer_next(explorer, call->group, deadline, &stop);

		if (r == 0)
			call_take(call, &stop);
		if (r == -ECANCELED || explorer->interrupted)
			call_end(call, CALL_GIVEN_UP);
		else if (r < 0 || now_ns() >= began + explorer->case_ns + guide->copies_ns)
			call_end(call, CALL_HUNG);
	}
}

/* The whole call, from its entry, for each of these cases. */
static void make_later(struct guide *guide)
{
	struct explorer *explorer = guide->explorer;

	for (size_t i = 0; i < guide->n_later && explorer_goes_on(explorer); i++) {
		struct copy *copy = free_copy(guide);

		*copy = (struct copy){.plan = guide->later[i]};
		if (call_begin(guide->entry, &explorer->copies, &copy->call) < 0) {
			explorer->n_not_made++;
			continue;
		}
		copy->busy = copy->from_entry = true;
		copy->call.plan = &copy->plan;
		copy->call.main->of = copy;
		call_resume(&copy->call, copy->call.main, 0);
	}
	attend_all(guide);
	judge_suspects(guide, NULL);
}

/* What it does when nothing fails. */
static enum outcome see_usual(struct guide *guide)
{
	struct explorer *explorer = guide->explorer;
	struct entry *entry = guide->entry;
	struct target *target = &explorer->target[entry->function];
	struct plan nothing = {.n = 0};
	enum outcome outcome;
	struct group group;
	struct call call;

	group_init(&group);
	if (call_begin(entry, &group, &call) < 0)
		return CALL_GIVEN_UP;
	call_resume(&call, call.main, 0);
	call_follow(&call);
	outcome = call.outcome;
	entry->why = call.why;
	if (outcome == CALL_RETURNED || outcome == CALL_THREW || outcome == CALL_JUMPED)
		entry_note_usual(entry, &call);
	case_end(&call);
	if (entry->usual_left.n && !target->whole && !explorer->options->replay &&
	    (entry->usual_failed || !target->usual_is_judged)) {
		target->usual_is_judged = !entry->usual_failed;
		judge(explorer, entry, NULL, &nothing);
	}
	return outcome;
}

bool guide_knows_usual(struct explorer *explorer, struct entry *entry)
{
	struct target *target = &explorer->target[entry->function];
	struct guide guide = {.explorer = explorer, .entry = entry};

	switch (see_usual(&guide)) {
	case CALL_HUNG:
		target->why = "a copy of it did not return in time";
		return false;
	case CALL_GIVEN_UP:
		target->rerun = true;
		target->why = entry->why ? entry->why : "no copy of it could be made";
		return false;
	default:
		return true;
	}
}

/* The processor that a process was on when it stopped (proc_pid_stat(5)); -1: not known. */
static int processor_of(pid_t pid)
{
	AUTO_CLOSE int dir = proc_open(pid);
	AUTO_FREE char *text = NULL;
	uint64_t number;
	const char *at;
	size_t bytes;

	if (dir < 0 || proc_read_file(dir, "stat", STAT_BYTES, &text, &bytes) < 0)
		return -1;
	at = strrchr(text, ')'); /* the name before may have blanks */
	for (int field = 2; at && field < STAT_PROCESSOR; field++)
		at = strchr(at + 1, ' ');
	return at && proc_scan(at, 10, &number) && number < CPU_SETSIZE ? (int)number : -1;
}

/*
 * A short call is gone through twice as fast when its copies run where we do, and where the
 * original has run: each stop is a wait for the other side, and to wake another processor for it
 * takes longer than what is to be done there.
 */
static void stay_on_one_processor(struct explorer *explorer, pid_t original, cpu_set_t *ret_before)
{
	int processor = processor_of(original);

	if (processor < 0 || sched_getaffinity(0, sizeof(*ret_before), ret_before) < 0)
		return;
	CPU_ZERO(&explorer->processor);
	CPU_SET((unsigned int)processor, &explorer->processor);
	explorer->on_one_processor =
		sched_setaffinity(0, sizeof(explorer->processor), &explorer->processor) == 0;
}

static void leave_processor(struct explorer *explorer, const cpu_set_t *before)
{
	if (explorer->on_one_processor)
		(void)sched_setaffinity(0, sizeof(*before), before);
	explorer->on_one_processor = false;
}

static void go_through(struct guide *guide, struct target *target)
{
	struct group group;
	struct call call;

	group_init(&group);
	if (call_begin(guide->entry, &group, &call) == 0) {
		walk(guide, &call);
		if (call.outcome == CALL_GIVEN_UP && call.why) {
			target->rerun = true; /* what went well before does not now */
			target->why = call.why;
		}
		case_end(&call);
	}
	if (!target->rerun)
		make_later(guide);
	target->explored++;
}

void guide_explore(struct explorer *explorer, struct entry *entry)
{
	struct target *target = &explorer->target[entry->function];
	struct guide guide = {.explorer = explorer, .entry = entry};
	int64_t began = now_ns();
	cpu_set_t before;

	guide.copies = calloc(explorer->jobs, sizeof(*guide.copies));
	if (target->is_short)
		stay_on_one_processor(explorer, entry->original->tgid, &before);
	if (guide.copies && guide_knows_usual(explorer, entry)) {
		target->is_short = now_ns() - began < SHORT_CALL_NS;
		go_through(&guide, target);
	}
	leave_processor(explorer, &before);
	guide_done(&guide);
	free(guide.copies);
}
