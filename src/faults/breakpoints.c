/* SPDX-License-Identifier: BSD-2-Clause */
/* breakpoints.c - where a followed call ends, jumps away, or allocates */
#include <signal.h>
#include <string.h>

#include "faults/explorer.h"

#define STEPS_TO_JUMP 400
#define HUGE_BYTES    (UINT64_MAX >> 1)

static const uint8_t no_memory[] = {ENOMEM, 0};

const struct patch *entry_find_patch(const struct entry *entry, raddr_t at)
{
	for (size_t i = 0; i < entry->n_patches; i++)
		if (entry->patch[i].at == at)
			return &entry->patch[i];
	return NULL;
}

void call_step_over(struct call *call, struct task *task, const struct arch_state *state,
		    const struct patch *patch)
{
	struct tracer *tracer = call->entry->explorer->tracer;
	struct arch_state here = *state;
	struct stop stop;
	int signal = 0, r;

	arch_set_ip(&here, patch->at);
	(void)arch_write_registers(task->tid, &here);
	(void)task_write(task, patch->at, patch->original, sizeof(patch->original));
	do {
		task_resume(task, PTRACE_SINGLESTEP, 0);
		r = task_next(tracer, task, now_ns() + NS_PER_S, &stop);
		if (r == 0 && stop.kind == STOP_SIGNAL)
			signal = stop.signal; /* a little later */
	} while (r == 0 && stop.kind != STOP_TRAP);
	if (r == -ESRCH && task == call->main) {
		call->status = stop.status;
		call->main = NULL;
		call_end(call, CALL_KILLED);
	}
	if (r < 0)
		return;
	(void)task_write(task, patch->at, arch_breakpoint, sizeof(arch_breakpoint));
	call_resume(call, task, signal);
}

static void finish(struct call *call, struct arch_state *state, raddr_t ip, enum outcome outcome)
{
	arch_set_ip(state, ip);
	call->state = *state;
	call_end(call, outcome);
}

/* It is about to jump, over who knows how many frames. */
static void follow_jump(struct call *call, struct task *task, struct arch_state *state,
			const struct patch *patch)
{
	struct tracer *tracer = call->entry->explorer->tracer;
	struct stop stop;
	int r;

	arch_set_ip(state, patch->at);
	(void)arch_write_registers(task->tid, state);
	(void)task_write(task, patch->at, patch->original, sizeof(patch->original));
	for (int i = 0; i < STEPS_TO_JUMP; i++) {
		task_resume(task, PTRACE_SINGLESTEP, 0);
		r = task_next(tracer, task, now_ns() + NS_PER_S, &stop);
		if (r == -ESRCH) {
			call->status = stop.status;
			call->main = NULL;
			call_end(call, CALL_KILLED);
			return;
		}
		if (r < 0 || arch_read_registers(task->tid, state) < 0)
			break;
		if (arch_sp(state) >= call->entry->frame) {
			(void)task_write(task, patch->at, arch_breakpoint, sizeof(arch_breakpoint));
			finish(call, state, arch_ip(state), CALL_JUMPED);
			return;
		}
	}
	(void)task_write(task, patch->at, arch_breakpoint, sizeof(arch_breakpoint));
	call_resume(call, task, 0);
}

void call_fail_allocation(struct arch_state *state, int step)
{
	/* The allocator itself refuses, and sets errno, when it is asked for more than there can
	 * be. */
	arch_set_call_argument(state, step == FAULTS_STEP_MALLOC ? 0 : 1, HUGE_BYTES);
	if (step == FAULTS_STEP_CALLOC)
		arch_set_call_argument(state, 0, 2);
}

static void at_allocator(struct call *call, struct task *task, struct arch_state *state,
			 const struct patch *patch)
{
	struct fault here;
	int error;

	arch_set_ip(state, patch->at);
	here = call_make_step(call, task, patch->step, state);
	error = call_decide(call, task, &here, no_memory);
	if (error < 0)
		return;
	if (error > 0)
		call_fail_allocation(state, patch->step);
	call_step_over(call, task, state, patch);
}

static void come_back(struct call *call, struct task *task, struct arch_state *state,
		      const struct patch *patch)
{
	call->came_back = true;
	if (call->whole)
		call_step_over(call, task, state, patch);
	else
		finish(call, state, patch->at, CALL_RETURNED);
}

bool breakpoint_is_gone(const struct task *task, struct arch_state *state)
{
	uint8_t text[ARCH_BREAKPOINT_BYTES];
	raddr_t at = arch_breakpoint_hit(state);

	if (task_read(task, at, text, sizeof(text)) < 0 ||
	    memcmp(text, arch_breakpoint, sizeof(text)) == 0)
		return false; /* it is the program's own */
	arch_set_ip(state, at);
	return arch_write_registers(task->tid, state) == 0;
}

void call_at_trap(struct call *call, struct task *task)
{
	const struct patch *patch;
	struct arch_state state;
	bool outside;

	if (arch_read_registers(task->tid, &state) < 0)
		return;
	patch = entry_find_patch(call->entry, arch_breakpoint_hit(&state));
	if (!patch) {
		call_resume(call, task, breakpoint_is_gone(task, &state) ? 0 : SIGTRAP);
		return;
	}
	outside = task == call->main && arch_sp(&state) == call->entry->frame;
	if (patch->kind == PATCH_RETURN && outside)
		come_back(call, task, &state, patch);
	else if (patch->kind == PATCH_CATCH && task == call->main &&
		 arch_call_frame(&state) >= call->entry->frame)
		finish(call, &state, patch->at, CALL_THREW);
	else if (patch->kind == PATCH_JUMP && task == call->main)
		follow_jump(call, task, &state, patch);
	else if (patch->kind == PATCH_ALLOCATOR && call->traced)
		at_allocator(call, task, &state, patch);
	else
		call_step_over(call, task, &state, patch);
}

/* Where they are */

static void add_patch(struct entry *entry, const struct task *task, raddr_t at,
		      enum patch_kind kind, int step)
{
	struct patch *patch = &entry->patch[entry->n_patches];

	if (!at || entry_find_patch(entry, at) || entry->n_patches == PATCHES_MAX)
		return;
	*patch = (struct patch){.at = at, .kind = kind, .step = step};
	if (task_read(task, at, patch->original, sizeof(patch->original)) == 0)
		entry->n_patches++;
}

void entry_patch(struct entry *entry, const struct task *task)
{
	static const int steps[ALLOCATORS] = {FAULTS_STEP_MALLOC, FAULTS_STEP_CALLOC,
					      FAULTS_STEP_REALLOC};
	const struct image *image = entry->image;

	add_patch(entry, task, entry->return_address, PATCH_RETURN, 0);
	add_patch(entry, task, image->catches, PATCH_CATCH, 0);
	for (size_t i = 0; i < JUMPS_MAX; i++)
		add_patch(entry, task, image->jump[i], PATCH_JUMP, 0);
	for (size_t i = 0; i < ALLOCATORS && entry->explorer->options->alloc; i++)
		add_patch(entry, task, image->allocator[i], PATCH_ALLOCATOR, steps[i]);
	/* Where the original has a breakpoint of its own, it is not that which was there. */
	for (size_t i = 0; i < entry->n_patches; i++) {
		const struct spot *spot = image_spot(image, entry->patch[i].at);

		if (spot)
			memcpy(entry->patch[i].original, spot->original, sizeof(spot->original));
	}
}

int call_set_breakpoints(const struct entry *entry, const struct task *task,
			 const struct arch_state *state)
{
	const struct image *image = entry->image;
	int r = arch_write_registers(task->tid, state);

	for (size_t i = 0; i < image->n_spots && r == 0; i++)
		r = task_write(task, image->spot[i].at, image->spot[i].original,
			       sizeof(image->spot[i].original));
	for (size_t i = 0; i < entry->n_patches && r == 0; i++)
		r = task_write(task, entry->patch[i].at, arch_breakpoint, sizeof(arch_breakpoint));
	return r;
}

void call_unpatch(const struct entry *entry, const struct task *task, bool only_allocators)
{
	for (size_t i = 0; i < entry->n_patches; i++) {
		const struct patch *patch = &entry->patch[i];

		if (!only_allocators || patch->kind == PATCH_ALLOCATOR)
			(void)task_write(task, patch->at, patch->original, sizeof(patch->original));
	}
}
