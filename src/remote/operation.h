/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * operation.h - one transaction under way, and its stages
 *
 * create.c drives them: reach, prepare, create, attach, commit.  Each stage either succeeds, and
 * has noted in the undo log how it is taken back, or fails and has left nothing.
 */
#ifndef REMOTE_OPERATION_H
#define REMOTE_OPERATION_H

#include "remote/thread.h"
#include "tracee/undo.h"

struct operation {
	struct tendril_target *target;
	const struct plan_request *request;
	struct plan plan;
	struct tracee tracee;
	struct arch_way_home way;
	struct arch_way_in way_in;
	bool goes_alone;     /* by the way in: it maps and fills the arena itself */
	bool must_be_led;    /* it has tried, and could not */
	bool has_seen_arena;
	int mailbox_result;  /* of taking the mailbox; MAILBOX_UNTRIED */
	struct undo_log undo;
	int64_t deadline_ns;
	bool has_departed;
	enum safe_guess first;
	struct tendril_thread *thread; /* being made */
	struct tendril_error *error;
	int64_t decided_ns;
	int result;
	struct {
		uint64_t mark;
		uint32_t created;
		int32_t create_result;
		int32_t tid;
		int32_t memfd;
		struct agent_time left;
		int32_t gone, pad;
	} seen; /* the end of struct agent, which the target writes */
};

/* The seized and stopped thread gets everything it needs: the way home, the arena and its content. */
int operation_prepare(struct operation *op, struct tendril_error *error);
/* It is set on its way, and a new thread exists, which waits for its verdict.  OPERATION_AGAIN: it could not map
 * or fill the arena by itself, is home, and has to be reached again, to be led. */
#define OPERATION_AGAIN (-ECHILD)
int operation_create(struct operation *op, struct tendril_error *error);
/* As before the first attempt: nobody is on the way, nothing was seen, no mailbox is held. */
void operation_forget_attempt(struct operation *op);
/* The page that the caller and the thread share, as soon as it is there; what came of it is noted. */
#define MAILBOX_UNTRIED 1
void operation_take_mailbox(struct operation *op);
/* The caller takes a handle to that thread. */
int operation_attach(struct operation *op, struct tendril_error *error);

/*
 * The borrowed thread was in the middle of a system call: take it home ourselves, since only at a
 * ptrace stop does the kernel take the call up again as if nothing had been, with the time it had
 * left, and with EINTR if a signal has really come meanwhile.
 * Return: 1: it is home; 0: it was let go on its way; negative errno.
 */
int operation_fetch(struct operation *op);

/* Whoever made the call is gone: the thread is told to leave, if it has not been told to run.
 * Return: 1: it runs; 0: it has left, or will by itself. */
int operation_dismiss(struct operation *op);

/* Undo steps: the borrowed thread's own state; the arena. */
int undo_borrowing(void *op);
int undo_mapping(void *op);

/* What went wrong at a stage; or else that the target has ended. */
int stage_fails(struct operation *op, int code, enum tendril_stage stage, enum tendril_rule rule,
		struct tendril_error *error, const char *what);

#endif /* REMOTE_OPERATION_H */
