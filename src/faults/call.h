/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call.h - one call of a function, followed in an expendable process from its entry to its end
 *
 * Traced: each system call of its thread, and of the threads and processes that it starts, is looked
 * at, and can be made to fail.  Untraced: only its end is seen.
 */
#ifndef FAULTS_CALL_H
#define FAULTS_CALL_H

#include "faults/state.h"
#include "faults/trace.h"

#define PLAN_MAX      2
#define OPENINGS_MAX  65536
#define CHILDREN_MAX  64
#define JUMPS_MAX     4
#define UNTRACED      UINT32_MAX /* the ordinal of a task that is not, or no more, of the call */
#define ALLOCATORS    3 /* malloc, calloc, realloc */

/* A call stack, kept once. */
struct trail {
	uint64_t id; /* of its frames inside the function */
	struct space *space;
	struct unwound unwound;
	size_t n_inside; /* frames */
	struct trail *next;
};

/* One failure of one step of a call. */
struct fault {
	unsigned int ordinal;    /* of the thread that makes it: 0, or the n-th that the call started */
	unsigned int index;      /* among that thread's steps of the same number, from 1 */
	unsigned int occurrence; /* among those of the same number and stack, from 1 */
	int step, error;
	unsigned int rank;       /* of the error among those of the step */
	bool injected;
	const struct trail *trail;
};

struct plan {
	struct fault fault[PLAN_MAX];
	size_t n;
};

/* What is known of the program that a process runs. */
struct image;

#define ARGUMENTS_SEEN 6
#define SEEN_BYTES     256
#define COPIES_MAX     4096
#define PATCHES_MAX    (2 + JUMPS_MAX + ALLOCATORS)

enum patch_kind { PATCH_RETURN, PATCH_CATCH, PATCH_JUMP, PATCH_ALLOCATOR };

struct patch {
	raddr_t at;
	enum patch_kind kind;
	int step; /* of an allocator */
	uint8_t original[ARCH_BREAKPOINT_BYTES];
};

struct entry {
	struct explorer *explorer;
	struct image *image;
	size_t function;         /* of the explorer's */
	uint64_t number;         /* of the call: the how manieth of this function */
	struct task *original;   /* stopped at the entry; NULL: it does not wait there */
	struct arch_state state; /* at the function's first instruction */
	raddr_t return_address, frame;
	uint64_t signals;        /* that are blocked there */
	pid_t copy[COPIES_MAX];  /* children of the original, which has to reap them */
	size_t n_copies;
	struct baseline baseline;
	struct space *space;     /* of the process, to read stacks; the explorer's */
	struct seen_memory {     /* what the arguments lead to, as it was; the last is the stack's */
		raddr_t at;
		size_t bytes;
		unsigned char data[SEEN_BYTES];
	} seen[ARGUMENTS_SEEN + 1];
	struct patch patch[PATCHES_MAX]; /* in the copies */
	size_t n_patches;
	const char *why;                 /* no copy can stand for it */
	/* What the call does when nothing is made to fail. */
	bool usual_failed;
	uint64_t usual_result;
	struct leftovers usual_left;
	const struct trail *usual_opener[LEFT_MAX];
};

enum outcome {
	CALL_RUNS = 0,
	CALL_RETURNED,
	CALL_THREW,  /* left by an exception */
	CALL_JUMPED, /* or by longjmp() */
	CALL_EXITED, /* the process ended, or became another program */
	CALL_KILLED,
	CALL_HUNG,
	CALL_GIVEN_UP, /* by at_step() */
};

struct opening {
	enum faults_left_type type;
	int64_t number;
	raddr_t low, high;
	const struct trail *trail;
};

struct call {
	struct entry *entry;
	struct group *group;
	struct task *main;
	bool traced;
	bool whole;      /* it ends with the process: a STOP_EXIT is its return */
	bool came_back;  /* before that, the function has returned */
	bool goes_on;    /* nobody waits for a return of it any more */
	size_t n_tasks;
	int64_t deadline_ns;
	const struct plan *plan; /* to be followed; or NULL */
	struct fault done[PLAN_MAX]; /* of its faults */
	size_t n_done;
	bool stops_at_fault;     /* given up when the last one has been injected */
	/* Instead of a plan: called at each fallible step, before it is made, with the task at the entry of
	 * the system call, or at the allocator's.  Negative: give up. */
	int (*at_step)(struct call *call, struct task *task, const struct fault *step,
		       const uint8_t *errors);
	void *data;
	enum outcome outcome;
	int status;              /* of wait(2) */
	struct arch_state state; /* at its end, when it returned */
	struct call_child {
		pid_t tid;
		bool shares, ended;
	} child[CHILDREN_MAX];
	unsigned int n_children, n_children_before; /* of the call before this one in the same process */
	const char *why; /* it was given up */
	struct opening *opened;
	size_t n_opened, opened_room;
	struct occurrence {
		int step;
		unsigned int ordinal, count;
		uint64_t id;
	} *occurrence;
	size_t n_occurrences, occurrences_room;
	struct fault natural; /* the last system call that failed by itself; error 0: none */
	unsigned int n_traced; /* processes that it traces itself: its copies do not */
	bool told;            /* to the user, line by line */
	bool only_own;        /* other threads of the process go their own way: what is left counts only
				 when this call has opened it */
};

/* A process that stands at the entry; breakpoints that end the call are made in it. */
void call_init(struct call *call, struct entry *entry, struct group *group, struct task *task);
int call_begin(struct entry *entry, struct group *group, struct call *ret_call);
/* Where in the copies breakpoints have to be. */
void entry_patch(struct entry *entry, const struct task *task);
/* NULL: there is none. */
const struct patch *entry_find_patch(const struct entry *entry, raddr_t at);
/* Take up one stop of one of its tasks.  Afterwards ->outcome tells whether it has ended. */
void call_take(struct call *call, struct stop *stop);
/* Follow it to its end.  The task is stopped at the entry, or at a step made to fail. */
void call_follow(struct call *call);
/* What was seen of a call so far, for a copy of its process that goes on from here. */
void call_inherit(struct call *call, const struct call *from);
void call_end(struct call *call, enum outcome outcome);
/* steps.c */
void call_at_entry(struct call *call, struct task *task);
void call_at_exit(struct call *call, struct task *task);
/* Where a task is that is in a step. */
const struct trail *call_trail(struct call *call, struct task *task);
void call_note_opening(struct call *call, const struct opening *opening);
struct fault call_make_step(struct call *call, struct task *task, int step,
			    const struct arch_state *state);
/* Return: the error to inject, 0, or negative: the call was given up. */
int call_decide(struct call *call, struct task *task, struct fault *here, const uint8_t *errors);
/* breakpoints.c */
/* Has one that a thread has hit been taken away since?  Then it is set back before it. */
bool breakpoint_is_gone(const struct task *task, struct arch_state *state);
void call_at_trap(struct call *call, struct task *task);
/* Let its task go on. */
void call_resume(struct call *call, struct task *task, int signal);
/* Step over the breakpoint that a task stands at, and go on. */
void call_step_over(struct call *call, struct task *task, const struct arch_state *state,
		    const struct patch *patch);
/* Begin the same call once more, in the process in which it has ended. */
int call_again(struct call *call);
void call_done(struct call *call);
/* What its process has more than at the entry. */
int call_left(struct call *call, struct leftovers *left);
/* Which stack has opened it; NULL: not known. */
const struct trail *call_opener(const struct call *call, const struct left *left);
/* Has it put a new object where an argument leads: with all that this holds? */
bool call_handed(const struct call *call);

int call_set_breakpoints(const struct entry *entry, const struct task *task,
			 const struct arch_state *state);
/* A task that is none of the call's; for tracer_each(), with its thread as except. */
void call_leave_alone(struct task *task, void *except);

/* Make an allocator's call fail, with the task at its first instruction. */
void call_fail_allocation(struct arch_state *state, int step);
/* Take the breakpoints of these kinds out of a copy. */
void call_unpatch(const struct entry *entry, const struct task *task, bool only_allocators);

/* The stack of a stopped task, in this step. */
const struct trail *trail_of(struct entry *entry, const struct task *task,
			     const struct arch_state *state, int step);

#endif /* FAULTS_CALL_H */
