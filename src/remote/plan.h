/* SPDX-License-Identifier: BSD-2-Clause */
/* plan.h - one remote thread: what is to run, and where everything goes in its arena */
#ifndef REMOTE_PLAN_H
#define REMOTE_PLAN_H

#include "remote/target.h"

#define SCRATCH_BYTES (64 * 1024) /* the borrowed thread's stack while it calls pthread_create() */
#define MAILBOX_BYTES PAGE_BYTES

/* What the new thread runs. */
struct plan_request {
	raddr_t function;
	uint64_t arguments[TENDRIL_ARGUMENTS_MAX];
	const struct tendril_argument *copies; /* those of kind TENDRIL_BYTES are copied, their
						  addresses put in arguments[] */
	size_t n_copies;
	raddr_t follow;
	enum agent_follow follow_when;
	enum agent_value value; /* in the own process: AGENT_VALUE_RESULT or _CLOSED */
	uint64_t stack_bytes;
	bool is_suspended;
	bool stays; /* suspended, whatever becomes of the caller */
	bool opens_files;      /* the function is dlopen() */
	struct elf_loader_lock loader;
};

struct plan {
	raddr_t arena;
	uint64_t arena_bytes;
	raddr_t agent_at, mailbox_at, scratch_top;
	uint64_t code_bytes;
	struct agent agent;
	uint8_t *data; /* the argument bytes that follow struct agent */
	size_t data_bytes;
};

/* What is called there, arguments aside. */
void plan_fill_call(struct agent *agent, const struct plan_request *request);

/* Work out everything but the address.  0, -E2BIG, -EINVAL, -ENOMEM. */
int plan_make(struct plan *plan, const struct tendril_target *target,
	      const struct plan_request *request, struct tendril_error *error);
/* Choose a free address (again) and fill in what depends on it. */
int plan_place(struct plan *plan, const struct tendril_target *target,
	       const struct plan_request *request);
/* Where the borrowed thread begins. */
raddr_t plan_entry(const struct plan *plan);
/* Where the arguments' bytes belong. */
raddr_t plan_data_at(const struct plan *plan);
void plan_done(struct plan *plan);

#endif /* REMOTE_PLAN_H */
