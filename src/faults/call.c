/* SPDX-License-Identifier: BSD-2-Clause */
#include "faults/call.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "faults/errnos.h"
#include "faults/explorer.h"
#include "faults/opens.h"

#define UNTRACED       UINT_MAX /* as an ordinal: a child that has become another program */
#define STEPS_TO_JUMP  400
#define LINGER_NS      (20 * NS_PER_MS)
#define HUGE_BYTES     (UINT64_MAX >> 1)
#define PATH_BELOW_SP  1024 /* there is no stack in use */

static const uint8_t no_memory[] = { ENOMEM, 0 };

static int how_to_resume(const struct call *call, const struct task *task)
{
	return call->traced && task->ordinal != UNTRACED ? PTRACE_SYSCALL : PTRACE_CONT;
}

void call_resume(struct call *call, struct task *task, int signal)
{
	task_resume(task, how_to_resume(call, task), signal);
}

static void end(struct call *call, enum outcome outcome)
{
	if (call->outcome == CALL_RUNS)
		call->outcome = outcome;
}

/* Steps */

static unsigned int count_occurrence(struct call *call, int step, unsigned int ordinal, uint64_t id)
{
	struct occurrence *more;

	for (size_t i = 0; i < call->n_occurrences; i++) {
		struct occurrence *known = &call->occurrence[i];

		if (known->step == step && known->ordinal == ordinal && known->id == id)
			return ++known->count;
	}
	if (call->n_occurrences == call->occurrences_room) {
		more = realloc(call->occurrence,
			       (call->occurrences_room * 2 + 16) * sizeof(*more));
		if (!more)
			return 1;
		call->occurrence = more;
		call->occurrences_room = call->occurrences_room * 2 + 16;
	}
	call->occurrence[call->n_occurrences++] =
		(struct occurrence){ .step = step, .ordinal = ordinal, .count = 1, .id = id };
	return 1;
}

static struct fault make_step(struct call *call, struct task *task, int step,
			      const struct arch_state *state)
{
	struct fault fault = { .ordinal = task->ordinal, .step = step, .index = ++task->n_steps };

	fault.trail = trail_of(call->entry, task, state);
	fault.occurrence = count_occurrence(call, step, task->ordinal,
					    fault.trail ? fault.trail->id : 0);
	return fault;
}

/* Which error does the plan want here; 0: none. */
static int planned(struct call *call, const struct fault *here)
{
	const struct fault *next = call->plan && call->n_done < call->plan->n ?
					   &call->plan->fault[call->n_done] : NULL;
	bool same_place;

	if (!next || next->step != here->step || next->ordinal != here->ordinal)
		return 0;
	same_place = next->trail ? here->trail && here->trail->id == next->trail->id &&
					   here->occurrence == next->occurrence :
				   here->index == next->index;
	if (!same_place)
		return 0;
	call->done[call->n_done] = *here;
	call->done[call->n_done].error = next->error;
	call->done[call->n_done++].injected = true;
	return next->error;
}

/* Return: the error to inject, 0, or negative: the call was given up. */
static int decide(struct call *call, struct task *task, struct fault *here, const uint8_t *errors)
{
	if (!call->at_step)
		return planned(call, here);
	if (call->at_step(call, task, here, errors) < 0) {
		end(call, CALL_GIVEN_UP);
		return -ECANCELED;
	}
	return 0;
}

/* A copy shares with the original where a file is read next, and what a pipe or socket holds. */
static bool is_shared(const struct baseline *baseline, int number)
{
	for (size_t i = 0; i < baseline->n_handles; i++) {
		const struct baseline_handle *handle = &baseline->handle[i];

		if (handle->number == number && strncmp(handle->link, "/dev/", 5) != 0)
			return !handle->replaced || number == 0;
	}
	return false;
}

static bool disturbs_original(struct call *call, long number, const uint64_t arguments[6])
{
	int handles[2];
	size_t n;

	if (!call->entry->original)
		return false; /* it is no copy */
	n = errnos_call_shared(number, arguments, handles);
	for (size_t i = 0; i < n; i++)
		if (is_shared(&call->entry->baseline, handles[i]))
			return true;
	return false;
}

static void at_entry(struct call *call, struct task *task)
{
	const struct faults_options *options = call->entry->explorer->options;
	struct arch_state state;
	const uint8_t *errors;
	struct fault here;
	int error;

	if (arch_read_registers(task->tid, &state) < 0)
		return;
	task->step = (struct task_step){ .number = arch_syscall_number(&state) };
	for (unsigned int i = 0; i < 6; i++)
		task->step.arguments[i] = arch_syscall_argument(&state, i);
	if (disturbs_original(call, task->step.number, task->step.arguments)) {
		call->why = "it uses what the program has open already: a copy would take it away from it";
		end(call, CALL_GIVEN_UP);
		return;
	}
	errors = errnos_of(task->step.number, task->step.arguments, options->unlikely);
	if (errors && errors[0]) {
		here = make_step(call, task, (int)task->step.number, &state);
		task->step.trail = here.trail;
		error = decide(call, task, &here, errors);
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

static void note_opening(struct call *call, const struct opening *opening)
{
	if (call->n_opened == call->opened_room) {
		size_t room = call->opened_room * 2 + 16;
		struct opening *more = room > OPENINGS_MAX ?
					       NULL : realloc(call->opened, room * sizeof(*more));

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
		note_opening(call, &from->opened[i]);
	for (size_t i = 0; i < from->n_occurrences; i++) {
		const struct occurrence *seen = &from->occurrence[i];

		for (unsigned int n = 0; n < seen->count; n++)
			(void)count_occurrence(call, seen->step, seen->ordinal, seen->id);
	}
	call->main->n_steps = from->main->n_steps;
}

static bool is_noted(const struct call *call, int number)
{
	for (size_t i = 0; i < call->n_opened; i++)
		if (call->opened[i].type == FAULTS_LEFT_HANDLE && call->opened[i].number == number)
			return true;
	return false;
}

/* Handles come with messages, and no result tells. */
static void note_received(struct call *call, const struct task *task)
{
	struct leftovers left = { .n = 0 };

	if (state_compare(&call->entry->baseline, task->tgid, &left) < 0)
		return;
	for (size_t i = 0; i < left.n; i++)
		if (left.item[i].type == FAULTS_LEFT_HANDLE &&
		    !is_noted(call, (int)left.item[i].number))
			note_opening(call, &(struct opening){ .number = left.item[i].number,
							      .trail = task->step.trail });
}

static void note_result(struct call *call, struct task *task, int64_t result)
{
	const struct task_step *step = &task->step;
	int numbers[OPENS_MAX];
	size_t n = opens_what(task, step->number, step->arguments, result, numbers);

	for (size_t i = 0; i < n; i++)
		note_opening(call, &(struct opening){ .number = numbers[i], .trail = step->trail });
	if (step->number == SYS_mmap && result > 0)
		note_opening(call, &(struct opening){ .type = FAULTS_LEFT_MAPPING,
						      .low = (raddr_t)result,
						      .high = (raddr_t)result + step->arguments[1],
						      .trail = step->trail });
	if (step->number == SYS_recvmsg || step->number == SYS_recvmmsg)
		note_received(call, task);
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

static void at_exit(struct call *call, struct task *task)
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
	if (result >= 0) {
		note_tracing(call, &task->step);
		note_result(call, task, result);
	} else if (result > -512 && task->ordinal == 0 && task->step.trail && !task->step.injected) {
		call->natural = (struct fault){ .step = (int)task->step.number,
						.error = (int)-result,
						.trail = task->step.trail };
	}
	task->step.injected = 0;
	if (call->stops_at_fault && call->n_done == call->plan->n && task == call->main)
		end(call, CALL_GIVEN_UP);
	else
		call_resume(call, task, 0);
}

/* Breakpoints */

static const struct patch *find_patch(const struct entry *entry, raddr_t at)
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
		end(call, CALL_KILLED);
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
	end(call, outcome);
}

/* It is about to jump, over who knows how many frames. */
static void follow_jump(struct call *call, struct task *task, struct arch_state *state,
			const struct patch *patch)
{
	struct tracer *tracer = call->entry->explorer->tracer;
	struct stop stop;

	arch_set_ip(state, patch->at);
	(void)arch_write_registers(task->tid, state);
	(void)task_write(task, patch->at, patch->original, sizeof(patch->original));
	for (int i = 0; i < STEPS_TO_JUMP; i++) {
		task_resume(task, PTRACE_SINGLESTEP, 0);
		if (task_next(tracer, task, now_ns() + NS_PER_S, &stop) < 0 ||
		    arch_read_registers(task->tid, state) < 0)
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
	/* The allocator itself refuses, and sets errno, when it is asked for more than there can be. */
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
	here = make_step(call, task, patch->step, state);
	error = decide(call, task, &here, no_memory);
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

static void at_trap(struct call *call, struct task *task)
{
	const struct patch *patch;
	struct arch_state state;
	bool outside;

	if (arch_read_registers(task->tid, &state) < 0)
		return;
	patch = find_patch(call->entry, arch_breakpoint_hit(&state));
	if (!patch) {
		call_resume(call, task, SIGTRAP); /* the program's own */
		return;
	}
	outside = task == call->main && arch_sp(&state) >= call->entry->frame;
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

/* Stops */

static void meet_child(struct call *call, struct stop *stop)
{
	if (stop->child) {
		call->n_tasks++;
		stop->child->ordinal = stop->task->ordinal == UNTRACED ?
					       UNTRACED : ++call->n_children - call->n_children_before;
		if (call->n_children && call->n_children <= CHILDREN_MAX &&
		    stop->child->ordinal != UNTRACED)
			call->child[call->n_children - 1] = (struct call_child){
				.tid = stop->child->tid, .shares = stop->child_shares
			};
		note_opening(call, &(struct opening){
			.type = stop->child_shares ? FAULTS_LEFT_THREAD : FAULTS_LEFT_PROCESS,
			.number = stop->child->tid, .trail = stop->task->step.trail });
	}
	call_resume(call, stop->task, 0);
}

static void note_end(struct call *call, const struct stop *stop)
{
	call->n_tasks--;
	for (unsigned int i = 0; i < call->n_children && i < CHILDREN_MAX; i++)
		if (call->child[i].tid == stop->task->tid)
			call->child[i].ended = true;
	if (stop->task != call->main)
		return;
	call->main = NULL;
	call->status = stop->status;
	end(call, WIFSIGNALED(stop->status) ? CALL_KILLED : CALL_EXITED);
}

void call_take(struct call *call, struct stop *stop)
{
	struct task *task = stop->task;

	switch (stop->kind) {
	case STOP_SYSCALL:
		if (task->in_syscall)
			at_entry(call, task);
		else
			at_exit(call, task);
		return;
	case STOP_TRAP:
		at_trap(call, task);
		return;
	case STOP_CLONE:
		meet_child(call, stop);
		return;
	case STOP_EXEC:
		if (task == call->main) {
			end(call, CALL_EXITED);
			return;
		}
		task->ordinal = UNTRACED;
		break;
	case STOP_EXIT:
		if (task == call->main && call->whole) {
			call->status = stop->status;
			end(call, CALL_RETURNED);
			return;
		}
		break;
	case STOP_ENDED:
		note_end(call, stop);
		return;
	default:
		break;
	}
	call_resume(call, task, stop->kind == STOP_SIGNAL ? stop->signal : 0);
}

void call_follow(struct call *call)
{
	struct tracer *tracer = call->entry->explorer->tracer;
	struct stop stop;

	while (call->outcome == CALL_RUNS) {
		int r = tracer_next(tracer, call->group, call->deadline_ns, &stop);

		if (r == -EINTR)
			continue;
		if (r < 0)
			end(call, CALL_HUNG);
		else
			call_take(call, &stop);
	}
}

/* Beginning */

static void add_patch(struct entry *entry, const struct task *task, raddr_t at, enum patch_kind kind, int step)
{
	struct patch *patch = &entry->patch[entry->n_patches];

	if (!at || find_patch(entry, at) || entry->n_patches == PATCHES_MAX)
		return;
	*patch = (struct patch){ .at = at, .kind = kind, .step = step };
	if (task_read(task, at, patch->original, sizeof(patch->original)) == 0)
		entry->n_patches++;
}

void entry_patch(struct entry *entry, const struct task *task)
{
	static const int steps[ALLOCATORS] = { FAULTS_STEP_MALLOC, FAULTS_STEP_CALLOC,
					       FAULTS_STEP_REALLOC };
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

/* What is written to the terminal would come once for each copy. */
static int silence(struct tracer *tracer, struct task *task, const struct entry *entry)
{
	static const char path[16] = "/dev/null";
	raddr_t at = (arch_sp(&entry->state) - PATH_BELOW_SP) & ~(raddr_t)15;
	raddr_t how = entry->image->syscall_at;
	const struct baseline *baseline = &entry->baseline;
	int64_t null, result;
	int r = task_write(task, at, path, sizeof(path));

	if (r == 0)
		r = task_syscall(tracer, task, &entry->state, how, SYS_openat,
				 (uint64_t[6]){ (uint64_t)AT_FDCWD, at, O_RDWR }, &null);
	if (r < 0 || null < 0)
		return r < 0 ? r : (int)null;
	for (size_t i = 0; i < baseline->n_handles && r == 0; i++)
		if (baseline->handle[i].replaced)
			r = task_syscall(tracer, task, &entry->state, how, SYS_dup2,
					 (uint64_t[6]){ (uint64_t)null,
							(uint64_t)baseline->handle[i].number },
					 &result);
	if (r == 0)
		r = task_syscall(tracer, task, &entry->state, how, SYS_close,
				 (uint64_t[6]){ (uint64_t)null }, &result);
	return r;
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

void call_leave_alone(struct task *task, void *except)
{
	if (task != except)
		task->ordinal = UNTRACED;
	task->n_steps = 0;
	task->in_syscall = false;
}

void call_unpatch(const struct entry *entry, const struct task *task, bool only_allocators)
{
	for (size_t i = 0; i < entry->n_patches; i++) {
		const struct patch *patch = &entry->patch[i];

		if (!only_allocators || patch->kind == PATCH_ALLOCATOR)
			(void)task_write(task, patch->at, patch->original, sizeof(patch->original));
	}
}

void call_init(struct call *call, struct entry *entry, struct group *group, struct task *task)
{
	struct explorer *explorer = entry->explorer;

	*call = (struct call){ .entry = entry, .group = group, .main = task, .traced = true,
			       .n_tasks = 1, .whole = explorer->target[entry->function].whole,
			       .deadline_ns = now_ns() + explorer->case_ns };
	if (call->whole)
		trace_exits(task);
}

int call_begin(struct entry *entry, struct group *group, struct call *ret_call)
{
	struct explorer *explorer = entry->explorer;
	struct task *task;
	int r = task_copy(explorer->tracer, entry->original, &entry->state,
			  entry->image->syscall_at, group, &task);

	if (r < 0)
		return r;
	explorer->n_copies++;
	if (explorer->options->memory_bytes) {
		struct rlimit limit = { explorer->options->memory_bytes,
					explorer->options->memory_bytes };

		(void)prlimit(task->tgid, RLIMIT_AS, &limit, NULL);
	}
	r = silence(explorer->tracer, task, entry);
	if (r == 0)
		r = call_set_breakpoints(entry, task, &entry->state);
	if (r < 0) {
		group_drop_of(explorer->tracer, group, task->of);
		return r;
	}
	call_init(ret_call, entry, group, task);
	return 0;
}

int call_again(struct call *call)
{
	const struct entry *entry = call->entry;
	const struct seen_memory *stack = &entry->seen[ARGUMENTS_SEEN];
	int r;

	if (!call->main)
		return -ESRCH;
	r = task_write(call->main, stack->at, stack->data, stack->bytes);
	if (r == 0)
		r = arch_write_registers(call->main->tid, &entry->state);
	if (r < 0)
		return r;
	call->outcome = CALL_RUNS;
	call->n_done = 0;
	call->n_occurrences = 0;
	call->n_children_before = call->n_children;
	call->main->n_steps = 0;
	call->main->in_syscall = false;
	call->deadline_ns = now_ns() + entry->explorer->case_ns;
	call_resume(call, call->main, 0);
	return 0;
}

void call_done(struct call *call)
{
	free(call->opened);
	free(call->occurrence);
	call->opened = NULL;
	call->occurrence = NULL;
}

/* What it has left */

/* A thread that was joined can still be on its last way. */
static void let_children_end(struct call *call)
{
	int64_t deadline = now_ns() + LINGER_NS;
	struct stop stop;

	for (unsigned int i = 0; i < call->n_children && i < CHILDREN_MAX; i++)
		while (call->child[i].shares && !call->child[i].ended &&
		       tracer_next(call->entry->explorer->tracer, call->group, deadline, &stop) == 0) {
			enum outcome outcome = call->outcome;

			call_take(call, &stop);
			call->outcome = outcome;
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
		struct left item = { .type = call->child[i].shares ? FAULTS_LEFT_THREAD :
								     FAULTS_LEFT_PROCESS,
				     .number = call->child[i].tid };

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
		if (left->type == FAULTS_LEFT_MAPPING ?
			    opening->low < left->high && left->low < opening->high :
			    opening->number == left->number)
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
