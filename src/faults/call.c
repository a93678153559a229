/* SPDX-License-Identifier: BSD-2-Clause */
#include "faults/call.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "faults/explorer.h"
#include "faults/guard.h"

#define PATH_BELOW_SP 1024 /* there is no stack in use */

static int how_to_resume(const struct call *call, const struct task *task)
{
	return call->traced && task->ordinal != UNTRACED ? PTRACE_SYSCALL : PTRACE_CONT;
}

void call_resume(struct call *call, struct task *task, int signal)
{
	task_resume(task, how_to_resume(call, task), signal);
}

void call_end(struct call *call, enum outcome outcome)
{
	if (call->outcome == CALL_RUNS)
		call->outcome = outcome;
}

static void meet_child(struct call *call, struct stop *stop)
{
	if (stop->child) {
		call->n_tasks++;
		stop->child->ordinal = stop->task->ordinal == UNTRACED
					       ? UNTRACED
					       : ++call->n_children - call->n_children_before;
		if (call->n_children && call->n_children <= CHILDREN_MAX &&
		    stop->child->ordinal != UNTRACED)
			call->child[call->n_children - 1] = (struct call_child){
				.tid = stop->child->tid, .shares = stop->child_shares};
		call_note_opening(call, &(struct opening){.type = stop->child_shares
									  ? FAULTS_LEFT_THREAD
									  : FAULTS_LEFT_PROCESS,
							  .number = stop->child->tid,
							  .trail = call_trail(call, stop->task)});
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
	call_end(call, WIFSIGNALED(stop->status) ? CALL_KILLED : CALL_EXITED);
}

void call_take(struct call *call, struct stop *stop)
{
	struct task *task = stop->task;

	switch (stop->kind) {
	case STOP_SYSCALL:
		if (task->in_syscall)
			call_at_entry(call, task);
		else
			call_at_exit(call, task);
		return;
	case STOP_TRAP:
		call_at_trap(call, task);
		return;
	case STOP_CLONE:
		meet_child(call, stop);
		return;
	case STOP_EXEC:
		if (task == call->main) {
			call_end(call, CALL_EXITED);
			return;
		}
		task->ordinal = UNTRACED;
		break;
	case STOP_EXIT:
		if (task == call->main && call->whole) {
			call->status = stop->status;
			call_end(call, CALL_RETURNED);
			return;
		}
		break;
	case STOP_ENDED:
		note_end(call, stop);
		return;
	default:
		break;
	}
	call_resume(call, task, stop->signal);
}

void call_follow(struct call *call)
{
	struct explorer *explorer = call->entry->explorer;

	while (call->outcome == CALL_RUNS) {
		struct stop stop;
		int r = explorer_next(explorer, call->group, call->deadline_ns, &stop);

		if (r == 0)
			call_take(call, &stop);
		if (r == -ECANCELED || explorer->interrupted)
			call_end(call, CALL_GIVEN_UP);
		else if (r < 0 || now_ns() >= call->deadline_ns)
			call_end(call, CALL_HUNG);
	}
}

/* Beginning */

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
				 (uint64_t[6]){(uint64_t)AT_FDCWD, at, O_RDWR}, &null);
	if (r < 0 || null < 0)
		return r < 0 ? r : (int)null;
	for (size_t i = 0; i < baseline->n_handles && r == 0; i++)
		if (baseline->handle[i].replaced)
			r = task_syscall(
				tracer, task, &entry->state, how, SYS_dup2,
				(uint64_t[6]){(uint64_t)null, (uint64_t)baseline->handle[i].number},
				&result);
	if (r == 0)
		r = task_syscall(tracer, task, &entry->state, how, SYS_close,
				 (uint64_t[6]){(uint64_t)null}, &result);
	return r;
}

void call_leave_alone(struct task *task, void *except)
{
	if (task != except)
		task->ordinal = UNTRACED;
	task->in_syscall = false;
}

void call_init(struct call *call, struct entry *entry, struct group *group, struct task *task)
{
	struct explorer *explorer = entry->explorer;

	*call = (struct call){.entry = entry,
			      .group = group,
			      .main = task,
			      .traced = true,
			      .n_tasks = 1,
			      .whole = explorer->target[entry->function].whole,
			      .deadline_ns = now_ns() + explorer->case_ns};
	if (call->whole)
		trace_exits(task);
}

int call_begin(struct entry *entry, struct group *group, struct call *ret_call)
{
	struct explorer *explorer = entry->explorer;
	struct task *task;
	int r = task_copy(explorer->tracer, entry->original, &entry->state,
			  entry->image->syscall_at, &entry->state, group, &task);

	if (r == 0)
		r = task_set_signals(task, entry->signals);
	if (r < 0)
		return r;
	explorer->n_copies++;
	if (explorer->on_one_processor)
		(void)sched_setaffinity(task->tid, sizeof(explorer->processor),
					&explorer->processor);
	if (!task->ours && entry->n_copies < COPIES_MAX)
		entry->copy[entry->n_copies++] = task->tgid;
	if (explorer->options->memory_bytes) {
		struct rlimit limit = {explorer->options->memory_bytes,
				       explorer->options->memory_bytes};

		(void)prlimit(task->tgid, RLIMIT_AS, &limit, NULL);
	}
	r = guard_inject(explorer->tracer, task, &entry->state, entry->image->syscall_at);
	if (r == 0)
		r = silence(explorer->tracer, task, entry);
	if (r == 0)
		r = call_set_breakpoints(entry, task, &entry->state);
	if (r < 0) {
		task_drop(explorer->tracer, task);
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
