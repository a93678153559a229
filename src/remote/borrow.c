/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/borrow.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/fault.h"
#include "remote/guard.h"
#include "remote/reach.h"

#define HOME_TRIES 3

struct borrowed {
	struct tendril_target *target;
	struct tracee tracee;
	struct arch_way_home way;
	bool unmaps; /* on its way home, if we die */
	int64_t deadline_ns;
	enum safe_guess first;
	int (*work)(struct borrowed *borrowed, void *data, struct tendril_error *error);
	void *data;
	struct tendril_error *error;
	int result;
};

static int call_fails(const struct borrowed *borrowed, int code, const char *what,
		      struct tendril_error *error)
{
	const struct tendril_target *target = borrowed->target;

	if (target_has_ended(target))
		return fail(error, -ESRCH, TENDRIL_STAGE_PREPARE, TENDRIL_RULE_NO_PROCESS,
			    "process %d ended during the call", target->pid);
	if (!target_is_same_image(target))
		return fail(error, -ESRCH, TENDRIL_STAGE_PREPARE, TENDRIL_RULE_NO_PROCESS,
			    "process %d executed another program during the call", target->pid);
	return fail(error, code, TENDRIL_STAGE_PREPARE, TENDRIL_RULE_NONE, "process %d: %s: %s",
		    target->pid, what, strerror(-code));
}

/* A call that a filter does not let through could end the process. */
static int check_filters(struct borrowed *borrowed, long number, struct tendril_error *error)
{
	struct tendril_target *target = borrowed->target;
	uint64_t bit = 1ull << number % 64, *known = &target->permitted[number / 64 % 8];
	int r;

	if (seccomp_has_changed(&borrowed->tracee, &target->permitted_by))
		memset(target->permitted, 0, sizeof(target->permitted));
	if (*known & bit)
		return 0;
	r = seccomp_permits(&borrowed->tracee, (int)number);
	if (r == 0)
		*known |= bit;
	if (r == -EACCES)
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_SECCOMP,
			    "process %d has a seccomp filter, which only CAP_SYS_ADMIN may read: run as "
			    "root, so that it can be known not to kill the process",
			    target->pid);
	if (r == -EPERM)
		return fail(error, -EACCES, TENDRIL_STAGE_CHECK, TENDRIL_RULE_SECCOMP,
			    "the seccomp filter of process %d does not permit system call %ld, which "
			    "is needed",
			    target->pid, number);
	return r < 0 ? call_fails(borrowed, r, "reading its seccomp filter", error) : 0;
}

int borrowed_may_call(struct borrowed *borrowed, long number, struct tendril_error *error)
{
	return check_filters(borrowed, number, error);
}

static int lay_way_home(struct borrowed *borrowed, raddr_t address, uint64_t bytes)
{
	const struct arch_arena arena = { .address = address, .bytes = bytes };
	struct tracee *tracee = &borrowed->tracee;
	uint8_t text[ARCH_CALL_TEXT_BYTES] = { 0 };

	(void)tracee_read(tracee, arch_ip(&tracee->original) - ARCH_SYSCALL_BYTES - sizeof(text),
			  text, sizeof(text));
	arch_build_way_home(&borrowed->way, &tracee->original, text, &borrowed->target->gadgets,
			    &arena);
	return tracee_write(tracee, borrowed->way.address, borrowed->way.bytes,
			    borrowed->way.n_bytes);
}

int borrowed_unmap_if_we_die(struct borrowed *borrowed, raddr_t address, uint64_t bytes,
			     struct tendril_error *error)
{
	struct arch_state state = { .regs = borrowed->tracee.original.regs };
	int r = FAULT_POINT("promise to unmap");

	/* Home begins where it did, also for a thread that stands before it after a call. */
	if (r == 0)
		r = lay_way_home(borrowed, address, bytes);
	arch_set_signal_return(&state, &borrowed->target->gadgets, borrowed->way.unmap);
	if (r == 0)
		r = arch_write_registers(borrowed->tracee.tid, &state);
	if (r < 0)
		return call_fails(borrowed, r, "writing below the stack of a thread", error);
	borrowed->unmaps = true;
	return 0;
}

int borrowed_call(struct borrowed *borrowed, long number, const uint64_t arguments[6],
		  int64_t *ret_result, struct tendril_error *error)
{
	raddr_t sp = borrowed->unmaps ? borrowed->way.unmap : borrowed->way.home;
	int r = FAULT_POINT("borrowed call");

	if (r < 0)
		return call_fails(borrowed, r, "fault point", error);
	r = check_filters(borrowed, number, error);
	if (r < 0)
		return r;
	r = tracee_syscall(&borrowed->tracee, borrowed->target->gadgets.syscall_ret, sp, number,
			   arguments, borrowed->deadline_ns, ret_result);
	return r < 0 ? call_fails(borrowed, r, "making a system call", error) : 0;
}

int borrowed_write(const struct borrowed *borrowed, raddr_t address, const void *data, size_t bytes)
{
	return tracee_write(&borrowed->tracee, address, data, bytes);
}

int borrowed_read(const struct borrowed *borrowed, raddr_t address, void *data, size_t bytes)
{
	return tracee_read(&borrowed->tracee, address, data, bytes);
}

static int take_home(struct borrowed *borrowed)
{
	int r = -ESRCH;

	/* None of these can fail while the thread lives; but if one does, much depends on it. */
	for (int i = 0; i < HOME_TRIES && borrowed->tracee.seized; i++) {
		r = arch_write_extended(borrowed->tracee.tid, &borrowed->tracee.original);
		if (r == 0)
			r = tracee_restore(&borrowed->tracee);
		if (r == 0)
			return 0;
	}
	return r;
}

static int prepare(struct borrowed *borrowed, struct tendril_error *error)
{
	int r = check_filters(borrowed, SYS_rt_sigreturn, error);

	if (r < 0)
		return r;
	r = FAULT_POINT("borrow");
	if (r == 0)
		r = arch_read_extended(borrowed->tracee.tid, &borrowed->tracee.original);
	if (r == 0)
		r = lay_way_home(borrowed, 0, 0);
	return r < 0 ? call_fails(borrowed, r, "saving the state of a thread", error) : 0;
}

static int borrow_and_work(struct borrowed *borrowed)
{
	size_t room = sizeof(borrowed->way.bytes) + ARCH_RED_ZONE_BYTES;
	int r = reach_anywhere(borrowed->target, borrowed->first, room, borrowed->deadline_ns,
			       &borrowed->tracee, borrowed->error);

	if (r < 0)
		return r;
	r = prepare(borrowed, borrowed->error);
	if (r == 0)
		r = borrowed->work(borrowed, borrowed->data, borrowed->error);
	if (take_home(borrowed) < 0 && !target_is_ending(borrowed->target) && borrowed->error)
		borrowed->error->left = TENDRIL_LEFT_CHANGED;
	return r;
}

/* With naps that are as short as they are meant to be. */
static int run(void *data)
{
	struct borrowed *borrowed = data;
	int slack_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);

	(void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	borrowed->result = borrow_and_work(borrowed);
	if (slack_ns > 0)
		(void)prctl(PR_SET_TIMERSLACK, slack_ns, 0, 0, 0);
	return 0;
}

static bool run_guarded(struct borrowed *borrowed)
{
	struct tendril_target *target = borrowed->target;

	if (!reach_needs_guard(target, borrowed->first))
		return false;
	if (!target->guard_stack)
		target->guard_stack = malloc(GUARD_STACK_BYTES);
	if (!target->guard_stack)
		return false;
	borrowed->result = fail(borrowed->error, -ECANCELED, TENDRIL_STAGE_PREPARE,
				TENDRIL_RULE_NONE,
				"the process that made the call on our behalf was killed");
	if (guard_run(target->guard_stack, run, borrowed) < 0)
		return false;
	/* Yama lets only an ancestor trace, which the guard is not. */
	return borrowed->result != -EACCES;
}

int remote_borrow(struct tendril_target *target,
		  int (*work)(struct borrowed *borrowed, void *data, struct tendril_error *error),
		  void *data, struct tendril_error *error)
{
	AUTO_FREE struct borrowed *borrowed = malloc(sizeof(*borrowed));
	int r;

	if (!borrowed)
		return fail(error, -ENOMEM, TENDRIL_STAGE_CHECK, TENDRIL_RULE_LIMIT, "out of memory");
	(void)pthread_mutex_lock(&target->lock);
	r = target_prepare(target, error);
	if (r == 0) {
		/* Not zeroed as a whole: most of it is room for register contents. */
		borrowed->target = target;
		borrowed->unmaps = false;
		borrowed->deadline_ns = now_ns() + target->timeout_ms * (int64_t)NS_PER_MS;
		borrowed->first = reach_guess(target);
		borrowed->work = work;
		borrowed->data = data;
		borrowed->error = error;
		tracee_init(&borrowed->tracee, target->pid, 0, target->mem);
		if (!run_guarded(borrowed))
			(void)run(borrowed);
		r = borrowed->result;
	}
	target_settle(target);
	(void)pthread_mutex_unlock(&target->lock);
	return r;
}

struct single_call {
	long number;
	const uint64_t *arguments;
	int64_t result;
};

static int make_single_call(struct borrowed *borrowed, void *data, struct tendril_error *error)
{
	struct single_call *call = data;

	return borrowed_call(borrowed, call->number, call->arguments, &call->result, error);
}

int remote_syscall(struct tendril_target *target, long number, const uint64_t arguments[6],
		   int64_t *ret_result, struct tendril_error *error)
{
	struct single_call call = { .number = number, .arguments = arguments };
	int r = remote_borrow(target, make_single_call, &call, error);

	if (r == 0)
		*ret_result = call.result;
	return r;
}
