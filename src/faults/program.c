/* SPDX-License-Identifier: BSD-2-Clause */
/* program.c - a run of the command, with breakpoints at the functions asked for */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "faults/explorer.h"

#define LET_GO_NS (2 * NS_PER_S)

static void become(struct program *program, struct task *task)
{
	struct image *image;

	/* What we cannot follow (a 32-bit program) runs as ever. */
	task->of = image_new(program->explorer, task, &image) == 0 ? image : NULL;
}

/* Go on behind a breakpoint.  A signal must not come in between: it waits, with all that it tells.
 */
static void step_over(struct program *program, struct task *task, const struct arch_state *state,
		      const struct spot *spot)
{
	struct tracer *tracer = program->explorer->tracer;
	struct spot here = *spot;
	uint64_t mask;
	int r = task_hold_signals(task, &mask);

	(void)arch_write_registers(task->tid, state);
	(void)task_write(task, here.at, here.original, sizeof(here.original));
	if (r == 0)
		r = task_run_to(tracer, task, PTRACE_SINGLESTEP, STOP_TRAP, NULL);
	if (r < 0)
		return;
	if (here.kind != SPOT_PROGRAM)
		(void)task_write(task, here.at, arch_breakpoint, sizeof(arch_breakpoint));
	(void)task_set_signals(task, mask);
	task_resume(task, PTRACE_CONT, 0);
}

/* Return: false: the caller has taken over. */
static bool at_trap(struct program *program, struct task *task)
{
	struct explorer *explorer = program->explorer;
	struct image *image = task->of;
	struct arch_state state;
	struct spot *spot = NULL;
	pid_t tid = task->tid;

	if (arch_read_registers(task->tid, &state) == 0 && image)
		spot = image_spot(image, arch_breakpoint_hit(&state));
	if (!spot) {
		task_resume(task, PTRACE_CONT, breakpoint_is_gone(task, &state) ? 0 : SIGTRAP);
		return true;
	}
	arch_set_ip(&state, spot->at);
	if (spot->kind == SPOT_FUNCTION) {
		explorer->target[spot->function].calls += program->is_users;
		if (!program->on_call(program, task, image, spot->function, &state))
			return false;
	} else if (spot->kind == SPOT_START) {
		image_meet_start(explorer, image, task, &state);
	} else {
		image_resolve(explorer, image, task);
	}
	/* It may have ended meanwhile; and the table may have moved. */
	if (tracer_find(explorer->tracer, tid) != task)
		return true;
	spot = image_spot(image, arch_ip(&state));
	if (spot)
		step_over(program, task, &state, spot);
	return true;
}

static bool take(struct program *program, const struct stop *stop)
{
	struct task *task = stop->task;

	switch (stop->kind) {
	case STOP_TRAP:
		return at_trap(program, task);
	case STOP_EXEC:
		become(program, task);
		break;
	case STOP_GROUP:
		task_resume(task, PTRACE_LISTEN, 0);
		return true;
	case STOP_ENDED:
		return true;
	default:
		break;
	}
	task_resume(task, PTRACE_CONT, stop->signal);
	return true;
}

int program_start(struct program *program, bool silent, struct tendril_error *error)
{
	struct explorer *explorer = program->explorer;
	const struct faults_options *options = explorer->options;
	struct task *task;
	int r = tracer_start(explorer->tracer, options->argv, silent, options->prepare,
			     options->data, program->group, &task, error);

	if (r < 0)
		return r;
	if (program->is_users) /* who runs it again does not stay until its end */
		task->ret_status = &program->wait_status;
	become(program, task);
	if (!task->of)
		return fail(
			error, -ENOEXEC, TENDRIL_STAGE_CHECK, TENDRIL_RULE_ARCHITECTURE,
			"%s is no program that can be followed here (64-bit, of this processor)",
			options->argv[0]);
	task_resume(task, PTRACE_CONT, 0);
	return 0;
}

/* What the command has left to itself (a daemon) goes its own way, without our breakpoints. */
static void let_go(struct tracer *tracer, struct task *task)
{
	const struct image *image = task->of;
	struct arch_state state;

	for (size_t i = 0; image && i < image->n_spots; i++)
		(void)task_write(task, image->spot[i].at, image->spot[i].original,
				 sizeof(image->spot[i].original));
	/* It may have hit one. */
	if (image && arch_read_registers(task->tid, &state) == 0 &&
	    image_spot(image, arch_breakpoint_hit(&state)))
		(void)breakpoint_is_gone(task, &state);
	task_release(tracer, task, false);
}

static void interrupt(struct task *task, void *data)
{
	(void)ptrace(PTRACE_INTERRUPT, task->tid, NULL, NULL);
}

static void let_all_go(struct program *program)
{
	struct explorer *explorer = program->explorer;
	int64_t deadline = now_ns() + LET_GO_NS;
	struct stop stop;

	tracer_each(explorer->tracer, program->group, interrupt, NULL);
	while (tracer_next(explorer->tracer, program->group, deadline, &stop) != -ECHILD &&
	       now_ns() < deadline) {
		bool is_signal = stop.kind == STOP_SIGNAL;

		if (stop.kind == STOP_ENDED)
			continue;
		if (stop.kind == STOP_CLONE && stop.child)
			(void)ptrace(PTRACE_INTERRUPT, stop.child->tid, NULL, NULL);
		if (is_signal) /* it is delivered first */
			task_resume(stop.task, PTRACE_CONT, stop.signal);
		else
			let_go(explorer->tracer, stop.task);
	}
}

void program_follow(struct program *program)
{
	struct explorer *explorer = program->explorer;
	bool goes_on = true;

	while (goes_on && !explorer->interrupted && !explorer->has_enough) {
		struct stop stop;
		int r = explorer_next(explorer, program->group,
				      program->deadline_ns ? program->deadline_ns : INT64_MAX,
				      &stop);

		if (r == -ECHILD || r == -ETIMEDOUT)
			return;
		if (r == 0)
			goes_on = take(program, &stop);
		if (program->is_users && program->wait_status != -1) {
			let_all_go(program);
			return;
		}
	}
}
