/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * terminate.c - end any thread, where it holds nothing that libc would miss
 *
 * Never by a bare exit(2): libc's lists would go on to name the thread, whose memory is used for
 * something else.  One of ours returns from its function, though that has not; others call
 * pthread_exit().
 */
#include "remote/parked.h"
#include "remote/thread.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/fault.h"

#define MAILBOX_PATH "/memfd:tendril"
#define MAILBOX_TRIES  20
#define UNWINDER_BYTES                                                                             \
	(32ul * 1024) /* of stack, for pthread_exit() and the handlers that it calls */
#define UNWINDER "libgcc_s.so.1"

enum way_out {
	WAY_OUT,
	WAY_OUT_LATER,	 /* not here, or not yet */
	WAY_OUT_NO_ROOM, /* on a stack that we do not know */
};

struct ending {
	uint64_t value;
	raddr_t mailbox; /* of a thread of ours, in its own process; 0: it is none */
	raddr_t exit;	 /* pthread_exit() there; 0: it cannot be called */
};

/* --- what is looked up before anything is stopped ------------------------------------------ */

/* In its own PID namespace; 0: it has ended. */
static pid_t own_tid(const struct tendril_target *target, pid_t tid)
{
	struct proc_process thread;

	if (target->same_pid_namespace)
		return tid;
	if (proc_process_read(tid, &thread) < 0 || thread.n_ns_pids == 0)
		return 0;
	return thread.ns_pid[thread.n_ns_pids - 1];
}

/* Ours of another process's threads are mapped elsewhere than their own.  1, 0, or negative errno. */
static int is_mailbox_of(const struct tendril_target *target, raddr_t at, pid_t tid)
{
	struct mailbox box;
	const size_t bytes = offsetof(struct mailbox, text);
	ssize_t n = pread(target->mem, &box, bytes, (off_t)at);

	if (n != (ssize_t)bytes)
		return n < 0 ? -errno : -EIO;
	return box.tid == tid &&
	       box.park.mark == (PARK_MARK ^ (at + offsetof(struct mailbox, park)));
}

static int look_for_mailbox(const struct tendril_target *target, pid_t tid, raddr_t *ret_mailbox)
{
	struct proc_maps maps;
	pid_t own = own_tid(target, tid);
	int r = own ? proc_maps_read(target->pid, &maps) : -ESRCH;

	if (r < 0)
		return r;
	*ret_mailbox = 0;
	for (size_t i = 0; i < maps.n_maps && r == 0; i++) {
		const struct proc_map *map = &maps.map[i];

		if (!map->shared || !map->write || map->high - map->low != MAILBOX_BYTES ||
		    strncmp(map->path, MAILBOX_PATH, strlen(MAILBOX_PATH)) != 0)
			continue;
		r = is_mailbox_of(target, map->low, own);
		if (r == 1)
			*ret_mailbox = map->low;
	}
	proc_maps_done(&maps);
	return r < 0 ? r : 0;
}

/*
 * A thread that was made by whomever, with this library, has its mailbox among the mappings; 0: it was
 * not.  Never by mistake: it would be ended like a stranger, and its value be lost.
 */
static int find_mailbox(const struct tendril_target *target, pid_t tid, raddr_t *ret_mailbox)
{
	int r = -EIO;

	/* Another thread's may go between two looks. */
	for (int i = 0; r == -EIO && i < MAILBOX_TRIES; i++)
		r = look_for_mailbox(target, tid, ret_mailbox);
	return r;
}

/* glibc's pthread_exit() loads it, and ends the process when it cannot. */
static bool has_unwinder(const struct tendril_target *target)
{
	const struct elf_modules *modules = &target->modules;
	const char *directory = modules->libc_module->path;
	char path[512];
	int n;

	if (modules->libc == ELF_LIBC_MUSL || elf_find_module(modules, UNWINDER))
		return true;
	n = snprintf(path, sizeof(path), "/proc/%d/root%.*s" UNWINDER, target->pid,
		     (int)(modules->libc_module->name - directory), directory);
	return n > 0 && (size_t)n < sizeof(path) && access(path, R_OK) == 0;
}

static int look_up(struct tendril_target *target, pid_t tid, const struct tendril_thread *thread,
		   struct ending *ending, struct tendril_error *error)
{
	int r = 0;

	if (thread && thread->local)
		ending->mailbox = (uintptr_t)thread->box;
	else
		r = find_mailbox(target, tid, &ending->mailbox);
	if (r < 0)
		return target_explain(target, r, TENDRIL_STAGE_CHECK, error);
	if (!has_unwinder(target) ||
	    elf_lookup(&target->modules, "pthread_exit", &ending->exit, NULL) < 0)
		ending->exit = 0;
	return 0;
}

/* --- the stopped thread -------------------------------------------------------------------- */

/* Let go of a thread that goes its last way; of a suspended one, with the signals that it let in.
 */
static int set_out(struct seizure *s, const struct arch_state *state, const struct parked *parked)
{
	int r = FAULT_POINT("terminate");

	if (r == 0)
		r = arch_write_registers(s->tracee.tid, state);
	(void)FAULT_POINT("terminated");
	if (r == 0 && parked && parked->record.kind == PARK_FRAMES)
		r = tracee_set_signals(&s->tracee, parked->home.sigmask);
	return r < 0 ? r : tracee_detach(&s->tracee);
}

/* Its function seems to return. */
static int return_early(struct seizure *s, const struct parked *parked)
{
	const struct ending *ending = s->data;
	struct arch_state state = {.regs = s->tracee.original.regs};
	uint64_t home[2]; /* home_sp, home_ip */

	_Static_assert(offsetof(struct mailbox, home_ip) == offsetof(struct mailbox, home_sp) + 8,
		       "read in one piece");
	if (tracee_read(&s->tracee, ending->mailbox + offsetof(struct mailbox, home_sp), home,
			sizeof(home)) < 0 ||
	    home[0] == 0)
		return WAY_OUT_LATER; /* about to begin, or at its end already */
	arch_set_return(&state, home[1], home[0], ending->value);
	return set_out(s, &state, parked);
}

static int call_exit(struct seizure *s, const struct parked *parked)
{
	const struct ending *ending = s->data;
	struct arch_state state = {.regs = s->tracee.original.regs};
	const uint64_t nowhere = 0; /* where an unwinder ends */
	int r;

	if (!ending->exit)
		return fail(s->error, -ENOEXEC, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NO_LIBC,
			    "process %d has no " UNWINDER
			    ", without which its pthread_exit() would end "
			    "all of it",
			    s->target->pid);
	if (!safe_stack_room(&s->target->rules, &s->tracee, UNWINDER_BYTES))
		return WAY_OUT_NO_ROOM;
	arch_set_call(&state, ending->exit, ending->value);
	r = tracee_write(&s->tracee, arch_sp(&state), &nowhere, sizeof(nowhere));
	return r < 0 ? r : set_out(s, &state, parked);
}

static int go_out(struct seizure *s, const struct parked *parked)
{
	const struct ending *ending = s->data;

	return ending->mailbox ? return_early(s, parked) : call_exit(s, parked);
}

/* It waits for its first resumption: all that it hears is to leave. */
static int dismiss(struct seizure *s, const struct parked *parked)
{
	const struct ending *ending = s->data;
	const uint32_t end = AGENT_RETURNED, leave = AGENT_VERDICT_LEAVE;
	raddr_t box = parked->at - offsetof(struct mailbox, park);
	int r = tracee_write(&s->tracee, box + offsetof(struct mailbox, value), &ending->value,
			     sizeof(ending->value));

	if (r == 0)
		r = tracee_write(&s->tracee, box + offsetof(struct mailbox, end), &end,
				 sizeof(end));
	if (r == 0)
		r = tracee_write(&s->tracee, box + offsetof(struct mailbox, verdict), &leave,
				 sizeof(leave));
	return r < 0 ? r : parked_end(&s->tracee, parked);
}

/* What it was in the middle of, when it was suspended, says whether it may end. */
static int end_parked(struct seizure *s, const struct parked *parked)
{
	const struct arch_state waiting = { .regs = s->tracee.original.regs };
	int r = WAY_OUT_LATER;

	if (parked->record.kind == PARK_MAILBOX)
		return dismiss(s, parked);
	if (parked->record.kind == PARK_FRAMES)
		s->tracee.original.regs = parked->home.regs;
	if (parked->record.word == SAFE_PARKED_VALUE)
		r = go_out(s, parked);
	s->tracee.original.regs = waiting.regs;
	if (r != WAY_OUT_LATER)
		return r;
	r = parked_end(&s->tracee, parked);
	return r < 0 ? r : WAY_OUT_LATER;
}

static int end_stopped(struct seizure *s)
{
	struct parked parked;

	if (parked_find(&s->tracee, &parked))
		return end_parked(s, &parked);
	if (!safe_to_end(&s->target->rules, &s->tracee))
		return WAY_OUT_LATER;
	return go_out(s, NULL);
}

static int no_way_out(struct seizure *s)
{
	return fail(s->error, -EBUSY, TENDRIL_STAGE_REACH, TENDRIL_RULE_NO_SAFE_POINT,
		    "thread %d of process %d was inside libc, its loader or its allocator whenever "
		    "it was "
		    "looked at, or on no stack that is known to be its own",
		    s->tid, s->target->pid);
}

static int terminate(struct seizure *s)
{
	int r = seizure_stop(s);

	while (r == 0) {
		r = end_stopped(s);
		if (r == WAY_OUT)
			return 0;
		if (r < 0 || now_ns() > s->deadline_ns)
			break;
		if (!s->tracee.seized)
			r = seizure_stop(s); /* it has been resumed, to come to a better place */
		else
			r = r == WAY_OUT_NO_ROOM && !s->has_fresh_maps ? seizure_refresh_maps(s)
								       : seizure_run_a_moment(s);
	}
	if (s->tracee.seized)
		(void)tracee_restore(&s->tracee);
	return r < 0 ? r : no_way_out(s);
}

/* --- the calls ----------------------------------------------------------------------------- */

static int terminate_in(struct tendril_target *target, pid_t tid,
			const struct tendril_thread *thread, uint64_t value,
			struct tendril_error *error)
{
	struct ending ending = {.value = value};
	int r;

	if (target->is_self && tid == gettid()) {
		own_thread_set_value(value);
		pthread_exit((void *)(uintptr_t)value);
	}
	(void)pthread_mutex_lock(&target->lock);
	r = target_prepare(target, error);
	if (r == 0)
		r = look_up(target, tid, thread, &ending, error);
	if (r == 0)
		r = seizure_run(target, tid, terminate, &ending, error);
	target_settle(target);
	(void)pthread_mutex_unlock(&target->lock);
	return r;
}

int tendril_terminate(struct tendril_target *target, pid_t tid, uint64_t value,
		      struct tendril_error *error)
{
	return terminate_in(target, tid, NULL, value, error);
}

int tendril_thread_terminate(struct tendril_target *target, struct tendril_thread *thread,
			     uint64_t value, struct tendril_error *error)
{
	if (thread->box && thread_dismiss_suspended(thread->box, &value) == AGENT_VERDICT_LEAVE)
		return 0;
	return terminate_in(target, thread->tid, thread, value, error);
}
