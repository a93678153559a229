/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rerun.c - the command once more for each case
 *
 * The way for calls of which a copy cannot stand for the original: made by one of several threads,
 * or using a socket, pipe or file position that a copy would share.
 */
#include <string.h>

#include "faults/errnos.h"
#include "faults/explorer.h"

#define STEPS_MAX 65536

/* A run that goes up to one call. */
struct search {
	size_t function;
	uint64_t call;
	uint64_t seen;
	struct task *task;
	struct image *image;
	struct arch_state state;
};

static bool on_call(struct program *program, struct task *task, struct image *image,
		    size_t function, const struct arch_state *state)
{
	struct search *search = program->data;

	if (function != search->function || ++search->seen != search->call)
		return true;
	search->task = task;
	search->image = image;
	search->state = *state;
	return false;
}

int rerun_begin(struct explorer *explorer, struct entry *entry, struct group *group,
		struct call *ret_call)
{
	struct search search = {.function = entry->function, .call = entry->number};
	struct program program = {
		.explorer = explorer, .group = group, .on_call = on_call, .data = &search};
	uint64_t calls = explorer->target[entry->function].calls;
	struct entry here;
	int r = program_start(&program, true, NULL);

	program.deadline_ns = now_ns() + explorer->case_ns + 2 * explorer->run_ns;
	if (r == 0)
		program_follow(&program);
	explorer->target[entry->function].calls = calls;
	explorer->n_copies++;
	if (r < 0 || !search.task)
		return r < 0 ? r : -ENOENT;
	r = entry_take(explorer, search.task, search.image, entry->function, &search.state, false,
		       &here);
	if (r < 0)
		return r;
	/* What was learned of the call stays. */
	here.number = entry->number;
	here.usual_failed = entry->usual_failed;
	here.usual_result = entry->usual_result;
	here.usual_left = entry->usual_left;
	memcpy(here.usual_opener, entry->usual_opener, sizeof(here.usual_opener));
	entry_done(entry);
	*entry = here;
	tracer_each(explorer->tracer, group, call_leave_alone, search.task);
	call_init(ret_call, entry, group, search.task);
	ret_call->only_own = true;
	return call_set_breakpoints(entry, search.task, &search.state);
}

struct steps {
	struct plan *plan;
	size_t n, room;
};

/* Cases of one call: all its steps, with all their errors. */
static int note_step(struct call *call, struct task *task, const struct fault *step,
		     const uint8_t *errors)
{
	struct steps *steps = call->data;

	for (size_t i = 0; errors[i]; i++) {
		if (steps->n == steps->room) {
			size_t room = steps->room * 2 + 64;
			struct plan *more = room > STEPS_MAX
						    ? NULL
						    : realloc(steps->plan, room * sizeof(*more));

			if (!more)
				return 0;
			steps->plan = more;
			steps->room = room;
		}
		steps->plan[steps->n] = (struct plan){.n = 1, .fault = {*step}};
		steps->plan[steps->n].fault[0].error = errors[i];
		steps->plan[steps->n++].fault[0].injected = true;
	}
	return 0;
}

static int see_usual(struct explorer *explorer, struct entry *entry, struct steps *steps)
{
	struct plan nothing = {.n = 0};
	struct group group;
	struct call call;
	int r;

	group_init(&group);
	r = rerun_begin(explorer, entry, &group, &call);
	if (r == 0) {
		call.at_step = note_step;
		call.data = steps;
		call_resume(&call, call.main, 0);
		call_follow(&call);
		if (call_came_back(&call))
			entry_note_usual(entry, &call);
		else
			r = -ECHILD;
		case_end(&call);
	} else {
		group_kill(explorer->tracer, &group);
	}
	if (r == 0 && entry->usual_left.n && !explorer->target[entry->function].whole &&
	    !explorer->options->replay)
		judge(explorer, entry, NULL, &nothing);
	return r;
}

int rerun_see_usual(struct explorer *explorer, struct entry *entry)
{
	struct steps steps = {.n = 0};
	int r = see_usual(explorer, entry, &steps);

	free(steps.plan);
	return r;
}

static void make_case(struct explorer *explorer, struct entry *entry, const struct plan *plan)
{
	struct group group;
	struct call call;

	group_init(&group);
	if (rerun_begin(explorer, entry, &group, &call) < 0) {
		group_kill(explorer->tracer, &group);
		return;
	}
	call.plan = plan;
	case_follow(&call);
	if (call.n_done == plan->n)
		case_is_over(explorer, &call, plan);
	else
		case_end(&call);
}

void rerun_function(struct explorer *explorer, size_t function)
{
	unsigned int limit = explorer->options->calls ? explorer->options->calls : 1;
	uint64_t seen = explorer->target[function].calls;

	for (uint64_t call = 1; call <= seen && call <= limit && explorer_goes_on(explorer);
	     call++) {
		struct entry *entry = calloc(1, sizeof(*entry));
		struct steps steps = {.n = 0};

		if (!entry)
			return;
		*entry = (struct entry){.explorer = explorer, .function = function, .number = call};
		if (see_usual(explorer, entry, &steps) == 0)
			explorer->target[function].explored++;
		else
			explorer->target[function].why =
				"run again, the command did not come back from it";
		for (size_t i = 0; i < steps.n && explorer_goes_on(explorer); i++)
			make_case(explorer, entry, &steps.plan[i]);
		free(steps.plan);
		entry_done(entry);
		free(entry);
	}
}
