/* SPDX-License-Identifier: BSD-2-Clause */
/* prepare.c - what the borrowed thread is given before it is set on its way */
#include "remote/operation.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/fault.h"
#include "tracee/seccomp.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define PLACES_TRIED 4
#define UNDO_TRIES   3
#define PARK_SPINS   100
#define ALONE_BYTES_MAX 4096 /* of arguments, which wait below the stack of the thread */

int undo_borrowing(void *data)
{
	struct operation *op = data;
	int r = -ESRCH;

	/* None of these can fail while the thread lives; but if one does, much depends on it. */
	for (int i = 0; i < UNDO_TRIES && op->tracee.seized; i++) {
		r = arch_write_extended(op->tracee.tid, &op->tracee.original);
		if (r == 0)
			r = tracee_restore(&op->tracee);
		if (r == 0)
			return 0;
	}
	return r;
}

int undo_mapping(void *data)
{
	struct operation *op = data;
	const uint64_t arguments[6] = { op->plan.arena, op->plan.arena_bytes };
	int64_t result;
	int r = tracee_syscall(&op->tracee, op->target->gadgets.syscall_ret, op->way.unmap,
			       SYS_munmap, arguments, op->deadline_ns + NS_PER_S, &result);

	return r < 0 ? r : (int)result;
}

static int call_refused(const struct operation *op, long number, struct tendril_error *error)
{
	return fail(error, -EACCES, TENDRIL_STAGE_CHECK, TENDRIL_RULE_SECCOMP,
		    "the seccomp filter of process %d does not permit system call %ld, which "
		    "is needed",
		    op->target->pid, number);
}

/* A file that may not be opened is dlopen()'s own answer, but not the end of the process. */
static int check_opening(struct operation *op, struct tendril_error *error)
{
	const long calls[] = {
		op->target->modules.libc == ELF_LIBC_MUSL ? SYS_open : SYS_openat,
		SYS_read, SYS_pread64, SYS_newfstatat,
	};

	for (size_t i = 0; op->request->opens_files && i < ARRAY_SIZE(calls); i++)
		if (seccomp_refuses(op->tracee.tid, (int)calls[i]))
			return call_refused(op, calls[i], error);
	return 0;
}

static int check_seccomp(struct operation *op, struct tendril_error *error)
{
	struct tendril_target *target = op->target;
	struct seccomp_verdict verdict;
	int r;

	if (!seccomp_has_changed(&op->tracee, &target->seccomp))
		return 0;
	r = seccomp_check(&op->tracee, &verdict);
	target->may_copy = r == 0 && verdict.may_copy;
	target->refuses_skip = r == 0 && !verdict.may_skip;
	if (r < 0)
		target->seccomp = (struct seccomp_state){ 0 };
	if (r == -EACCES)
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_SECCOMP,
			    "process %d has a seccomp filter, which only CAP_SYS_ADMIN may read: run as "
			    "root, so that it can be known not to kill the process",
			    target->pid);
	if (r == -EPERM)
		return call_refused(op, verdict.refused, error);
	if (r < 0)
		return stage_fails(op, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_SECCOMP, error,
				   "reading its seccomp filter");
	return 0;
}

/* Everything that the borrowed thread needs to put itself back, written below its stack. */
static int lay_way_home(struct operation *op)
{
	const struct arch_arena arena = {
		.address = op->plan.arena,
		.bytes = op->plan.arena_bytes,
		.left = op->plan.agent_at + offsetof(struct agent, left),
	};

	uint8_t text[ARCH_CALL_TEXT_BYTES] = { 0 };

	(void)tracee_read(&op->tracee,
			  arch_ip(&op->tracee.original) - ARCH_SYSCALL_BYTES - sizeof(text), text,
			  sizeof(text));
	arch_build_way_home(&op->way, &op->tracee.original, text, &op->target->gadgets, &arena);
	return tracee_write(&op->tracee, op->way.address, op->way.bytes, op->way.n_bytes);
}

static int map_arena(struct operation *op, struct tendril_error *error)
{
	int64_t result = -ENOMEM;
	int r = FAULT_POINT("map");

	for (int i = 0; r == 0 && i < PLACES_TRIED; i++) {
		uint64_t arguments[6] = { 0, op->plan.arena_bytes, PROT_READ | PROT_EXEC,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK |
						  MAP_FIXED_NOREPLACE,
					  (uint64_t)-1, 0 };

		r = plan_place(&op->plan, op->target, op->request);
		if (r == 0)
			r = lay_way_home(op);
		if (r < 0)
			break;
		arguments[0] = op->plan.arena;
		r = tracee_syscall(&op->tracee, op->target->gadgets.syscall_ret, op->way.unmap,
				   SYS_mmap, arguments, op->deadline_ns, &result);
		if (r < 0 || result != -EEXIST)
			break;
		(void)target_refresh_maps(op->target);
	}
	if (r == 0 && result == -EEXIST)
		r = -ENOMEM; /* so large that there is always something in the way */
	else if (r == 0 && result < 0 && result > -4096)
		r = (int)result;
	else if (r == 0 && (raddr_t)result != op->plan.arena)
		r = -EIO;
	if (r < 0)
		return stage_fails(op, r, TENDRIL_STAGE_PREPARE, TENDRIL_RULE_LIMIT, error,
				   "it may map no more memory");
	return 0;
}

static void note_ways(struct operation *op)
{
	struct agent *agent = &op->plan.agent;

	agent->home_unmap = op->way.unmap;
	agent->home_leave = op->way.leave;
	agent->fetch = op->tracee.interrupted ? op->target->gadgets.syscall_ret : 0;
	/* Where the target is busy, the new thread may have the processor that we wait for. */
	agent->park_spins = op->tracee.interrupted ? PARK_SPINS : 0;
}

static int fill_arena(struct operation *op, struct tendril_error *error)
{
	struct agent *agent = &op->plan.agent;
	int r = FAULT_POINT("fill");

	note_ways(op);
	if (r == 0)
		r = tracee_write(&op->tracee, op->plan.arena, __start_tendril_agent,
				 (size_t)(__stop_tendril_agent - __start_tendril_agent));
	if (r == 0)
		r = tracee_write(&op->tracee, op->plan.agent_at, agent, sizeof(*agent));
	if (r == 0 && op->plan.data_bytes)
		r = tracee_write(&op->tracee,
				 plan_data_at(&op->plan),
				 op->plan.data, op->plan.data_bytes);
	if (r < 0)
		return stage_fails(op, r, TENDRIL_STAGE_PREPARE, TENDRIL_RULE_NONE, error,
				   "writing to what was mapped");
	return 0;
}

/*
 * Can the thread map and fill the arena by itself, so that it need be stopped only once?  It does so
 * by signal returns, which a call that is to be restarted with the time it has left does not survive.
 */
static bool can_go_alone(const struct operation *op)
{
	const struct tendril_target *target = op->target;

	return !op->must_be_led && target->gadgets.store.at && target->may_copy &&
	       target->own_pid > 0 && op->plan.data_bytes <= ALONE_BYTES_MAX &&
	       !arch_keeps_time(&op->tracee.original) && !safe_is_parked(&op->tracee) &&
	       FAULT_POINT("alone") == 0;
}

static int lay_way_in(struct operation *op)
{
	struct plan *plan = &op->plan;
	struct arch_entry entry = {
		.piece = { { 0, __start_tendril_agent,
			     (size_t)(__stop_tendril_agent - __start_tendril_agent) },
			   { 0, &plan->agent, sizeof(plan->agent) },
			   { 0, plan->data, plan->data_bytes } },
		.n_pieces = plan->data_bytes ? 3 : 2,
		.arena_bytes = plan->arena_bytes,
		.code_bytes = plan->code_bytes,
		.pid = op->target->own_pid,
		.waits = op->tracee.interrupted,
		.patience_ns = plan->agent.patience.ns,
	};
	int r = plan_place(plan, op->target, op->request);

	if (r == 0)
		r = lay_way_home(op);
	if (r < 0)
		return r;
	note_ways(op);
	plan->agent.rest_bytes = 0; /* it is writable from the beginning */
	entry.arena = plan->arena;
	entry.piece[0].to = plan->arena;
	entry.piece[1].to = plan->agent_at;
	entry.piece[2].to = plan_data_at(plan);
	entry.ip = plan_entry(plan);
	entry.sp = plan->scratch_top;
	entry.argument = plan->agent_at;
	if (!arch_build_way_in(&op->way_in, &op->way, &op->target->gadgets, &entry))
		return -E2BIG;
	return tracee_write(&op->tracee, op->way_in.address, op->way_in.bytes,
			    op->way_in.n_bytes);
}

static int prepare_alone(struct operation *op, struct tendril_error *error)
{
	int r = FAULT_POINT("way in");

	if (r == 0)
		r = lay_way_in(op);
	if (r < 0)
		return stage_fails(op, r, TENDRIL_STAGE_PREPARE, TENDRIL_RULE_NONE, error,
				   "writing below the stack of a thread");
	return 0;
}

int operation_prepare(struct operation *op, struct tendril_error *error)
{
	int r = check_seccomp(op, error);

	if (r == 0)
		r = check_opening(op, error);
	if (r < 0)
		return r;
	if (op->tracee.at_entry && op->target->refuses_skip) {
		undo_forget(&op->undo);
		(void)tracee_detach(&op->tracee); /* unchanged: it makes its call */
		return OPERATION_AGAIN;
	}
	if (op->tracee.at_entry)
		arch_rewind_entry(&op->tracee.original);
	r = FAULT_POINT("save");
	if (r == 0)
		r = arch_read_extended(op->tracee.tid, &op->tracee.original);
	if (r < 0)
		return stage_fails(op, r, TENDRIL_STAGE_PREPARE, TENDRIL_RULE_NONE, error,
				   "saving the state of a thread");
	op->goes_alone = can_go_alone(op);
	if (op->goes_alone)
		return prepare_alone(op, error);
	r = map_arena(op, error);
	if (r < 0)
		return r;
	undo_note(&op->undo, "unmap the arena", undo_mapping, op);
	return fill_arena(op, error);
}
