/* SPDX-License-Identifier: BSD-2-Clause */
/* steps.c - the system calls that a followed call makes: which could fail, what they have opened */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "faults/changes.h"
#include "faults/errnos.h"
#include "faults/explorer.h"
#include "faults/opens.h"

#define ANY_PLACE UINT64_MAX /* as the id of a stack */

static unsigned int count_occurrence(struct call *call, int step, unsigned int ordinal, uint64_t id)
{
	struct occurrence *more;

	for (size_t i = 0; i < call->n_occurrences; i++) {
		struct occurrence *known = &call->occurrence[i];

		if (known->step == step && known->ordinal == ordinal && known->id == id)
			return ++known->count;
	}
	if (call->n_occurrences == call->occurrences_room) {
		more = realloc(call->occurrence, (call->occurrences_room * 2 + 16) * sizeof(*more));
		if (!more)
			return 1;
		call->occurrence = more;
		call->occurrences_room = call->occurrences_room * 2 + 16;
	}
	call->occurrence[call->n_occurrences++] =
		(struct occurrence){.step = step, .ordinal = ordinal, .count = 1, .id = id};
	return 1;
}

/* To know where a step is costs more than the step: only where somebody asks for it. */
static bool is_looked_for(const struct call *call, const struct task *task, int step)
{
	for (size_t i = 0; call->plan && i < call->plan->n; i++)
		if (call->plan->fault[i].step == step &&
		    call->plan->fault[i].ordinal == task->ordinal)
			return true;
	return call->at_step != NULL;
}

struct fault call_make_step(struct call *call, struct task *task, int step,
			    const struct arch_state *state)
{
	struct fault fault = {.ordinal = task->ordinal, .step = step};

	/* Its number is that among its like: how often something else had to be tried again, or was
	 * read on, can be another in each run. */
	fault.index = count_occurrence(call, step, task->ordinal, ANY_PLACE);
	if (!is_looked_for(call, task, step))
		return fault;
	fault.trail = trail_of(call->entry, task, state, step);
	fault.occurrence =
		count_occurrence(call, step, task->ordinal, fault.trail ? fault.trail->id : 0);
	return fault;
}

/* Which error does the plan want here; 0: none. */
static int planned(struct call *call, const struct fault *here)
{
	const struct fault *next = call->plan && call->n_done < call->plan->n
					   ? &call->plan->fault[call->n_done]
					   : NULL;
	bool same_place;

	if (!next || next->step != here->step || next->ordinal != here->ordinal)
		return 0;
	same_place = next->trail ? here->trail && here->trail->id == next->trail->id &&
					   here->occurrence == next->occurrence
				 : here->index == next->index;
	if (!same_place)
		return 0;
	call->done[call->n_done] = *here;
	call->done[call->n_done].error = next->error;
	call->done[call->n_done++].injected = true;
	return next->error;
}

/* Return: the error to inject, 0, or negative: the call was given up. */
int call_decide(struct call *call, struct task *task, struct fault *here, const uint8_t *errors)
{
	if (!call->at_step)
		return planned(call, here);
	if (call->at_step(call, task, here, errors) < 0) {
		call_end(call, CALL_GIVEN_UP);
		return -ECANCELED;
	}
	return 0;
}

static bool device_holds_nothing(const char *path)
{
	static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
					      "/dev/urandom"};

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		if (strcmp(path, devices[i]) == 0)
			return true;
	return false;
}

/* A copy shares with the original where a file is read next, and what a pipe or socket holds. */
static bool is_shared(const struct baseline *baseline, int number)
{
	for (size_t i = 0; i < baseline->n_handles; i++) {
		const struct baseline_handle *handle = &baseline->handle[i];

		if (handle->number == number && !device_holds_nothing(handle->link))
			return !handle->replaced || number == 0;
	}
	return false;
}

/* NULL: the original would not notice that its copy has made this call. */
static const char *disturbs_original(struct call *call, const struct task *task)
{
	const struct task_step *step = &task->step;
	int handles[2];
	size_t n;

	if (!call->entry->original)
		return NULL; /* it is no copy */
	n = errnos_call_shared(step->number, step->arguments, handles);
	for (size_t i = 0; i < n; i++)
		if (is_shared(&call->entry->baseline, handles[i]))
			return "it uses what the program has open already: a copy would take it "
			       "away";
	if (changes_world(task, step->number, step->arguments))
		return "it makes or removes files, or uses System V objects: the program itself "
		       "could not, after a copy";
	return NULL;
}

void call_at_entry(struct call *call, struct task *task)
{
	const struct faults_options *options = call->entry->explorer->options;
	struct arch_state state;
	const uint8_t *errors;
	struct fault here;
	const char *why;
	int error;

	if (arch_read_registers(task->tid, &state) < 0)
		return;
	task->step = (struct task_step){.number = arch_syscall_number(&state)};
	for (unsigned int i = 0; i < 6; i++)
		task->step.arguments[i] = arch_syscall_argument(&state, i);
	why = disturbs_original(call, task);
	if (why) {
		call->why = why;
		call_end(call, CALL_GIVEN_UP);
		return;
	}
	errors = errnos_of(task->step.number, task->step.arguments, options->unlikely);
	if (errors && errors[0]) {
		here = call_make_step(call, task, (int)task->step.number, &state);
		task->step.trail = here.trail;
		task->step.fallible = true;
		error = call_decide(call, task, &here, errors);
		if (error < 0)
			return;
		if (error > 0) {
			if (!errnos_happens_all_the_same(task->step.number)) {
				arch_skip_syscall(&state);
				(void)arch_write_registers(task->tid, &state);
			}
			task->step.injected = error;
		}
	}
	call_resume(call, task, 0);
}

void call_note_opening(struct call *call, const struct opening *opening)
{
	if (call->n_opened == call->opened_room) {
		size_t room = call->opened_room * 2 + 16;
		struct opening *more =
			room > OPENINGS_MAX ? NULL : realloc(call->opened, room * sizeof(*more));

		if (!more)
			return;
		call->opened = more;
		call->opened_room = room;
	}
	call->opened[call->n_opened++] = *opening;
}

void call_inherit(struct call *call, const struct call *from)
{
	for (size_t i = 0; i < from->n_opened; i++)
		call_note_opening(call, &from->opened[i]);
	for (size_t i = 0; i < from->n_occurrences; i++) {
		const struct occurrence *seen = &from->occurrence[i];

		for (unsigned int n = 0; n < seen->count; n++)
			(void)count_occurrence(call, seen->step, seen->ordinal, seen->id);
	}
}

const struct trail *call_trail(struct call *call, struct task *task)
{
	struct arch_state state;

	if (!task->step.trail && arch_read_registers(task->tid, &state) == 0)
		task->step.trail = trail_of(call->entry, task, &state, (int)task->step.number);
	return task->step.trail;
}

static bool is_noted(const struct call *call, int number)
{
	for (size_t i = 0; i < call->n_opened; i++)
		if (call->opened[i].type == FAULTS_LEFT_HANDLE && call->opened[i].number == number)
			return true;
	return false;
}

/* Handles come with messages, and no result tells. */
static void note_received(struct call *call, struct task *task)
{
	struct leftovers left = {.n = 0};

	if (state_compare(&call->entry->baseline, task->tgid, &left) < 0)
		return;
	for (size_t i = 0; i < left.n; i++)
		if (left.item[i].type == FAULTS_LEFT_HANDLE &&
		    !is_noted(call, (int)left.item[i].number))
			call_note_opening(call, &(struct opening){.number = left.item[i].number,
								  .trail = call_trail(call, task)});
}

static void note_tracing(struct call *call, const struct task_step *step)
{
	if (step->number != SYS_ptrace)
		return;
	if (step->arguments[0] == PTRACE_ATTACH || step->arguments[0] == PTRACE_SEIZE)
		call->n_traced++;
	else if (step->arguments[0] == PTRACE_DETACH && call->n_traced > 0)
		call->n_traced--;
}

static void forget_opening(struct call *call, int number)
{
	size_t n = 0;

	for (size_t i = 0; i < call->n_opened; i++)
		if (call->opened[i].type != FAULTS_LEFT_HANDLE || call->opened[i].number != number)
			call->opened[n++] = call->opened[i];
	call->n_opened = n;
}

static void note_result(struct call *call, struct task *task, int64_t result)
{
	const struct task_step *step = &task->step;
	int numbers[OPENS_MAX];
	size_t n = opens_what(task, step->number, step->arguments, result, numbers);

	note_tracing(call, step);
	if (step->number == SYS_close)
		forget_opening(call, (int)step->arguments[0]);
	for (size_t i = 0; i < n; i++)
		call_note_opening(call, &(struct opening){.number = numbers[i],
							  .trail = call_trail(call, task)});
	if (step->number == SYS_mmap && result > 0)
		call_note_opening(call,
				  &(struct opening){.type = FAULTS_LEFT_MAPPING,
						    .low = (raddr_t)result,
						    .high = (raddr_t)result + step->arguments[1],
						    .trail = call_trail(call, task)});
	if (step->number == SYS_recvmsg || step->number == SYS_recvmmsg)
		note_received(call, task);
}

static void tell(const struct call *call, const struct task *task, int64_t result)
{
	const struct faults_options *options = call->entry->explorer->options;
	const char *name = errnos_call_name(task->step.number);
	const char *error = result < 0 ? errnos_name((int)-result) : NULL;
	char line[256], who[32] = "", number[32];

	if (!call->told || !options->told)
		return;
	if (task->ordinal)
		snprintf(who, sizeof(who), "child %u: ", task->ordinal);
	snprintf(number, sizeof(number), "system call %ld", task->step.number);
	snprintf(line, sizeof(line), "%s%s(%#llx, %#llx, %#llx) = %lld%s%s%s", who,
		 name ? name : number, (unsigned long long)task->step.arguments[0],
		 (unsigned long long)task->step.arguments[1],
		 (unsigned long long)task->step.arguments[2],
		 (long long)(result < 0 && result > -4096 ? -1 : result), error ? " " : "",
		 error ? error : "", task->step.injected ? "  <- made to fail" : "");
	options->told(options->data, line);
}

void call_at_exit(struct call *call, struct task *task)
{
	struct arch_state state;
	int64_t result;

	if (arch_read_registers(task->tid, &state) < 0)
		return;
	if (task->step.injected) {
		arch_set_syscall_result(&state, -task->step.injected);
		(void)arch_write_registers(task->tid, &state);
	}
	result = arch_syscall_result(&state);
	tell(call, task, result);
	if (result >= 0)
		note_result(call, task, result);
	else if (result > -512 && task->ordinal == 0 && task->step.fallible && !task->step.injected)
		call->natural = (struct fault){.step = (int)task->step.number,
					       .error = (int)-result,
					       .trail = call_trail(call, task)};
	task->step.injected = 0;
	if (call->stops_at_fault && call->n_done == call->plan->n && task == call->main)
		call_end(call, CALL_GIVEN_UP);
	else
		call_resume(call, task, 0);
}
