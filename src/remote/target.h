/* SPDX-License-Identifier: BSD-2-Clause */
/* target.h - what is known of a target, gathered once, before anything is stopped */
#ifndef REMOTE_TARGET_H
#define REMOTE_TARGET_H

#include <pthread.h>

#include "remote/agent.h"
#include "tracee/safe_point.h"
#include "tracee/seccomp.h"

#define PAGE_BYTES 4096ul
#define round_up_page(n) (((n) + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1))

/* Functions of the target's own libc, as the rest of the target would find them. */
struct libc_functions {
	raddr_t attr_init, attr_setdetachstate, attr_setstack, attr_setstacksize;
	raddr_t create, getcpuclockid, cleanup_push, cleanup_pop, munmap;
};

struct tendril_target {
	pid_t pid;
	int pidfd;
	bool is_self;
	uint32_t timeout_ms;

	pthread_mutex_t lock; /* one call at a time makes a thread; guards all below */
	bool is_ready;
	int mem;                /* /proc/PID/mem, open during a call only: no handle is left */
	bool has_mark;
	raddr_t mark_at;        /* the 16 random bytes that execve(2) gives a program image */
	uint8_t mark[16];
	struct elf_modules modules;
	struct proc_maps maps;
	struct safe_rules rules;
	struct libc_functions libc;
	struct arch_gadgets gadgets;
	pid_t caller_pid;       /* ours, as the target sees it; 0: it does not */
	bool same_pid_namespace;
	pid_t own_pid;          /* the target's, as it sees itself; 0: not known */
	bool refuses_skip;      /* a filter would kill a thread that is borrowed at the entry of a call */
	bool may_copy;          /* it may use process_vm_writev(2) on itself */
	struct seccomp_state seccomp;
	struct seccomp_state permitted_by; /* whose filters were asked for the next */
	uint64_t permitted[8];             /* one bit a system call that they are known to permit */
	uint64_t default_stack_bytes;
	void *guard_stack; /* guard.h; NULL until it is needed */
	void *keeper;      /* of who keeps it between calls, and lends it a pidfd for each */
	pid_t caller_tid;  /* the thread whose call this is: a guard works in its name */
	struct target_tracer {
		pid_t tid;
		int64_t turns, since_ns; /* how often it had run, and has not since */
	} tracer; /* who kept us out */
};

/* Gather it, or find that what was gathered is still true.  With target->lock held. */
int target_prepare(struct tendril_target *target, struct tendril_error *error);
/* The end of a call: what was opened for it is closed. */
void target_settle(struct tendril_target *target);
/* Read the mappings again: a thread's stack was not among those known. */
int target_refresh_maps(struct tendril_target *target);
/* Forget it: the target has executed another program. */
void target_forget(struct tendril_target *target);

int refuse_without_libc(const struct tendril_target *target, const struct elf_modules *modules,
			struct tendril_error *error);
/* Why ptrace(2) or /proc refused: a sentence, or at least the errno. */
int target_explain(const struct tendril_target *target, int code, enum tendril_stage stage,
		   struct tendril_error *error);

/* Never 0, 1 or 2: a process that began with those closed would write its output there. */
int descriptor_above_stdio(int fd);

bool target_has_ended(const struct tendril_target *target);
/* The same for one whose threads are being killed: it is waited for. */
bool target_is_ending(const struct tendril_target *target);
/* Does it still run the program that target->mem belongs to? */
bool target_is_same_image(const struct tendril_target *target);

#endif /* REMOTE_TARGET_H */
