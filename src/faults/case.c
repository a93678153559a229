/* SPDX-License-Identifier: BSD-2-Clause */
/* case.c - one case, as often as it is wanted */
#include "faults/explorer.h"

static int step_over_allocator(struct explorer *explorer, const struct entry *entry,
			       struct task *task, raddr_t at)
{
	const struct patch *patch = entry_find_patch(entry, at);
	int r;

	if (!patch)
		return 0;
	r = task_write(task, at, patch->original, sizeof(patch->original));
	if (r == 0)
		r = task_run_to(explorer->tracer, task, PTRACE_SINGLESTEP, STOP_TRAP, NULL);
	return r < 0 ? r : task_write(task, at, arch_breakpoint, sizeof(arch_breakpoint));
}

int branch_copy(struct explorer *explorer, struct entry *entry, const struct branch *branch,
		int error, struct group *group, struct task **ret_copy)
{
	struct arch_state failed = branch->state;
	struct task *copy;
	int r;

	if (branch->step < 0)
		call_fail_allocation(&failed, branch->step);
	else
		arch_fail_syscall(&failed, error);
	r = task_copy(explorer->tracer, branch->at, &branch->state, branch->syscall_at, &failed,
		      group, &copy);
	if (r < 0)
		return r;
	explorer->n_copies++;
	if (branch->step < 0)
		r = step_over_allocator(explorer, entry, copy, arch_ip(&failed));
	if (r < 0) {
		if (r != -ESRCH)
			task_drop(explorer->tracer, copy);
		return r;
	}
	*ret_copy = copy;
	return 0;
}

int case_begin(struct explorer *explorer, struct entry *entry, const struct branch *branch,
	       const struct plan *plan, struct group *group, struct call *ret_call)
{
	struct task *task;
	int r;

	group_init(group);
	if (!branch) {
		r = entry->original ? call_begin(entry, group, ret_call)
				    : rerun_begin(explorer, entry, group, ret_call);
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

void case_follow(struct call *call)
{
	call_resume(call, call->main, 0);
	call_follow(call);
}

bool call_came_back(const struct call *call)
{
	return call->main && (call->outcome == CALL_RETURNED || call->outcome == CALL_THREW ||
			      call->outcome == CALL_JUMPED);
}

void case_go_on(struct call *call)
{
	call_unpatch(call->entry, call->main, false);
	(void)arch_write_registers(call->main->tid, &call->state);
	call->goes_on = true;
}

/* The command, run again, may have files to remove that would be in the way of its next run. */
static void let_end(struct call *call)
{
	struct explorer *explorer = call->entry->explorer;
	int64_t deadline = now_ns() + explorer->case_ns;
	struct stop stop;

	if (!call->goes_on)
		case_go_on(call);
	task_resume(call->main, PTRACE_CONT, 0);
	while (explorer_next(explorer, call->group, deadline, &stop) == 0)
		if (stop.kind != STOP_ENDED)
			task_resume(stop.task, PTRACE_CONT, stop.signal);
}

void case_end(struct call *call)
{
	if (!call->entry->original && call_came_back(call) && !call->whole)
		let_end(call);
	group_kill(call->entry->explorer->tracer, call->group);
	call_done(call);
	if (!call->entry->original)
		images_free(call->entry->explorer, false);
}
