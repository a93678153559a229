/* SPDX-License-Identifier: BSD-2-Clause */
/* thread.h - the caller's side of a remote thread */
#ifndef REMOTE_THREAD_H
#define REMOTE_THREAD_H

#include "remote/plan.h"

struct local_thread; /* local.c */

struct tendril_thread {
	int fd;              /* a pidfd of the thread; of the process where the kernel has no such */
	bool fd_is_process;
	pid_t pid, tid;
	bool same_pid_namespace;
	bool stays; /* suspended, when its handle is closed */
	raddr_t arena;
	struct mailbox *box; /* shared with the thread; for one of our own process, private */
	struct local_thread *local;
	int64_t begun_ns;    /* when it was told to run; 0: not by us, or suspended */
	int64_t end_seen_ns; /* atomic; 0: not so far */
	bool is_settled;     /* atomic: it has ended, and its stack is gone: for good */
	struct tendril_cost cost;
};

/* Make one remote thread, with target->lock not held. */
int remote_create(struct tendril_target *target, const struct plan_request *request,
		  struct tendril_thread **ret_thread, struct tendril_error *error);

/* The same in the own process. */
int local_create(struct tendril_target *target, const struct plan_request *request,
		 struct tendril_thread **ret_thread, struct tendril_error *error);
void local_release(struct local_thread *local);
/* What such threads do before their function; it may end them.  To be set before there are any. */
void local_set_first_call(void (*call)(void));
struct mailbox *local_own_mailbox(void); /* the calling thread's; NULL: it was not made so */

/* What the calling thread, which is about to end, would have returned; of one that was made from
 * here or from another process. */
void own_thread_set_value(uint64_t value);

/*
 * The public functions of the same names, for a thread whose descriptor somebody else keeps: several
 * handles of one thread have each their own.
 */
int thread_wait_by(struct tendril_thread *thread, int fd, int64_t timeout_ms);
bool thread_has_ended(const struct tendril_thread *thread, int fd);
/*
 * One that has just begun: stay awake for a moment, should it end at once.  Who cares how it went asks
 * afterwards.
 */
void thread_await_awake(const struct tendril_thread *thread, int fd, int64_t deadline_ns);
/*
 * One that has ended: is its stack gone, too?  Not later than until_ns: -ETIMEDOUT.  Who is kept from
 * giving it back for a second, by being stopped, is not waited for.
 */
int thread_settle(struct tendril_thread *thread, int64_t until_ns);
/* Has thread_settle() said so before? */
bool thread_is_settled(const struct tendril_thread *thread);
int thread_value_by(struct tendril_thread *thread, int fd, uint64_t *ret_value);
int thread_resume_by(struct tendril_thread *thread, int fd);
/* For a thread that was not made here: there is nothing but its ids.  NULL: out of memory. */
struct tendril_thread *thread_new_bare(pid_t pid, pid_t tid, bool fd_is_process);

/* The calling thread is suspended here, once, until somebody resumes it. */
void thread_suspend_own(void);

/* A descriptor that is readable when the thread has ended. */
int open_thread_fd(pid_t pid, pid_t tid, bool *ret_is_process);

/* Compare-and-swap of the verdict; what it is now. */
uint32_t thread_change_verdict(struct mailbox *box, uint32_t from, uint32_t to);
/* The thread may be asleep. */
void thread_wake(struct mailbox *box);
/* Both. */
uint32_t thread_decide(struct mailbox *box, uint32_t from, uint32_t to);


/* The verdict of a thread that waits for one: run, or be suspended once. */
bool thread_commit(struct mailbox *box, bool is_suspended);
/*
 * One that is suspended since its creation never runs its function.  It ends without a value, or with
 * *value.  What the verdict is now.
 */
uint32_t thread_dismiss_suspended(struct mailbox *box, const uint64_t *value);

#endif /* REMOTE_THREAD_H */
