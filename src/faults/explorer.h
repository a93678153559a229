/* SPDX-License-Identifier: BSD-2-Clause */
/* explorer.h - what the files of this room share */
#ifndef FAULTS_EXPLORER_H
#define FAULTS_EXPLORER_H

#include <sched.h>

#include "faults/call.h"

#define SPOTS_MAX    65536
#define TRAILS_BUCKETS 1024

enum spot_kind { SPOT_PROGRAM, SPOT_LOADER, SPOT_START, SPOT_FUNCTION };

/* A breakpoint in the original. */
struct spot {
	raddr_t at;
	uint8_t original[ARCH_BREAKPOINT_BYTES];
	enum spot_kind kind;
	size_t function;
};

/* A program that one or more of the original's processes run. */
struct image {
	struct image *next;
	struct space *space;
	raddr_t syscall_at;
	struct spot *spot; /* in rising order of address */
	size_t n_spots;
	bool is_needed;            /* stacks point into its space */
	raddr_t catches;           /* __cxa_begin_catch() */
	raddr_t jump[JUMPS_MAX];   /* longjmp() and kin */
	raddr_t allocator[ALLOCATORS];
};

struct caller {
	struct caller *next;
	size_t function;
	uint64_t id;
	unsigned int n;
};

/* A function asked for, in one file. */
struct target {
	char *name, *module;
	char *file; /* NULL: not known */
	unsigned int line;
	enum faults_fails fails;
	enum function_returns returns;
	bool whole; /* to the end of the process */
	unsigned int return_bytes; /* 0: not known */
	unsigned int writes;       /* through which parameters, as struct function has it */
	uint64_t calls, explored, cases;
	bool rerun;
	/* The call that was explored last, and which the original makes now. */
	pid_t outer_tid;
	raddr_t outer_frame, outer_slot;
	uint64_t outer_return;
	bool is_short; /* its calls take little time */
	bool usual_is_judged; /* what it leaves when it succeeds */
	const char *why;
};

/* One case that left something behind, or ended in a way worth telling. */
struct suspect {
	size_t sequence;
	struct plan plan;
	size_t function;
	uint64_t call;
	enum faults_verdict verdict;
	enum outcome outcome;
	int status;
	uint64_t result;
	bool confirmed, open_at_exit, end_was_seen;
	bool awaits_end; /* whether it is closed later is not known yet */
	int64_t returned_number;
	struct leftovers *left; /* no more room than for what there is */
	const struct trail *opener[LEFT_MAX];
	struct fault natural; /* what failed by itself, when nothing was made to */
	uint64_t left_key; /* the same for cases that leave the same behind */
	uint64_t key;	   /* the same for cases that are one defect: of what grows */
};

struct explorer {
	const struct faults_options *options;
	struct tracer *tracer;
	struct symbolizer *symbolizer;
	struct group originals, copies;
	struct image *images;
	struct target *target;
	size_t n_targets, targets_room;
	struct trail *trail[TRAILS_BUCKETS];
	struct space **space; /* all that were made: trails point into them */
	size_t n_spaces;
	struct caller *callers[TRAILS_BUCKETS];
	struct suspect **suspect;
	size_t n_suspects, suspects_room;
	int wait_status;
	uint64_t n_cases, n_copies, n_leaks, n_stops;
	uint64_t n_left_out; /* steps of loops */
	uint64_t n_not_made; /* copies, for want of processes or memory */
	int64_t began_ns, told_ns;
	int64_t run_ns;   /* that the command has run by itself */
	int64_t explored_ns;
	unsigned int jobs;
	bool on_one_processor; /* this one, with all copies that are made */
	cpu_set_t processor;
	int64_t case_ns;
	bool stop;        /* nothing more is gone through */
	bool interrupted; /* nor is the command waited for */
	bool has_enough;  /* the command need not go on */
	const char *note;
	char near[512]; /* names like those that were not found */
	bool *matched;  /* each of the functions and libraries asked for */
	/* of a replay */
	char *replay_function;
	uint64_t replay_number;
	struct plan replay_plan;
	bool came_to_replay, replayed, replay_reruns;
	size_t replay_target;
	pid_t stopped;
};

/* image.c: what a process runs, and the breakpoints in it */
int image_new(struct explorer *explorer, struct task *task, struct image **ret_image);
/* The loader has done something: find functions that were not there before. */
void image_resolve(struct explorer *explorer, struct image *image, struct task *task);
/* main() is about to be called, with its address as the first argument. */
void image_meet_start(struct explorer *explorer, struct image *image, struct task *task,
		      const struct arch_state *state);
struct spot *image_spot(const struct image *image, raddr_t at);
/* Those that nothing needs any more, when no process runs them. */
void images_free(struct explorer *explorer, bool all);

/* program.c: a run of the command, with breakpoints at the functions asked for */
struct program {
	struct explorer *explorer;
	struct group *group;
	int wait_status;
	bool is_users; /* it is the run that the user has asked for: its calls count */
	int64_t deadline_ns; /* 0: there is none */
	/* A task has entered a function.  Return: true: go on; false: it is the caller's now, and the
	 * task stays where it is. */
	bool (*on_call)(struct program *program, struct task *task, struct image *image,
			size_t function, const struct arch_state *state);
	void *data;
};

int program_start(struct program *program, bool silent, struct tendril_error *error);
/* Until all of it has ended, or on_call() took over. */
void program_follow(struct program *program);
/* entry.c: what a task at a function's entry has, and where it will return to */
int entry_take(struct explorer *explorer, struct task *task, struct image *image, size_t function,
	       const struct arch_state *state, bool stands, struct entry *ret_entry);
void entry_done(struct entry *entry);
/* What the call does when nothing is made to fail. */
void entry_note_usual(struct entry *entry, struct call *call);

/* guide.c: one call, gone through step by step */
void guide_explore(struct explorer *explorer, struct entry *entry);
/* See what the call does when nothing fails.  False: no copy can stand for it. */
bool guide_knows_usual(struct explorer *explorer, struct entry *entry);
/* A case that was followed by itself has ended. */
void case_is_over(struct explorer *explorer, struct call *call, const struct plan *plan);

/* case.c: one case, as often as it is wanted */
/* Where a case can be had again: from a process that stands before the failing step; or, with at NULL,
 * from the entry. */
struct branch {
	struct task *at;
	struct arch_state state;
	raddr_t syscall_at;
	int step;
	const struct call *guide; /* whose task it is */
};

/* A copy that stands behind the step, which has failed. */
int branch_copy(struct explorer *explorer, struct entry *entry, const struct branch *branch,
		int error, struct group *group, struct task **ret_copy);
int case_begin(struct explorer *explorer, struct entry *entry, const struct branch *branch,
	       const struct plan *plan, struct group *group, struct call *ret_call);
void case_follow(struct call *call);
/* Let the process go on behind the call, as if nobody looked; the caller resumes it. */
void case_go_on(struct call *call);
/* The end of its processes.  Copies are killed; the command, when it was run again, may end by itself. */
void case_end(struct call *call);
/* It is over, and the process is still there. */
bool call_came_back(const struct call *call);

/* failed.c */
bool call_has_failed(const struct call *call);

/* left.c */
/* Has it more than the call usually leaves? */
bool left_is_unusual(const struct entry *entry, const struct leftovers *left);
/* Instead of the number of the handle that a function has returned. */
#define NO_HANDLE (-1)
#define FAILED	  (-2)
#define USUAL	  (-3) /* nothing was made to fail */
/*
 * Keep of what is left that which counts: not what the loader maps; and when the function has not
 * failed, not what it leaves when nothing fails, nor the handle that it returns.
 */
void left_keep_unusual(const struct call *call, struct leftovers *left, int64_t returned);

/* trial.c */
enum growth { GROWS, STAYS, CANNOT_TELL };
/* The same fault in two further calls of the function must leave more, each time. */
enum growth trial_growth(struct call *call, const struct plan *plan, struct suspect *suspect);
/* When the command has ended: is what counts as left closed later by the program? */
void trial_await_ends(struct explorer *explorer);

/* positions.c: where in its files a guide is, which its copies share with it */
#define POSITIONS_MAX 64

struct positions {
	struct {
		int number;
		uint64_t at;
	} of[POSITIONS_MAX];
	size_t n;
};

/* False: it has opened something that cannot be set back, such as a pipe. */
bool positions_note(const struct call *call, struct positions *positions);
/* Have the copies moved one?  Then it is set back. */
bool positions_set_back(struct explorer *explorer, const struct branch *branch,
			const struct positions *positions);

/* judge.c */
/* plan: the faults of the case; the last of them is the branch's. */
void judge(struct explorer *explorer, struct entry *entry, const struct branch *branch,
	   const struct plan *plan);
void suspect_free(struct suspect *suspect);
/* It crashed, or hung. */
void judge_end(struct explorer *explorer, const struct entry *entry, const struct plan *plan,
	       enum outcome outcome, int status);

/* rerun.c: the command once more for each case */
void rerun_function(struct explorer *explorer, size_t function);
int rerun_see_usual(struct explorer *explorer, struct entry *entry);
/* Run the command up to the entry's call, which is then as a copy that stands there. */
int rerun_begin(struct explorer *explorer, struct entry *entry, struct group *group,
		struct call *ret_call);

/* replay.c */
int replay_parse(const char *text, char **ret_function, uint64_t *ret_call, struct plan *ret_plan,
		 struct tendril_error *error);
void replay_call(struct explorer *explorer, struct entry *entry);
/* The same, where no copy can stand for the call. */
void replay_rerun(struct explorer *explorer, size_t function);

/* trail.c */
uint64_t hash_mix(uint64_t hash, uint64_t value);

/* explore.c */
bool explorer_goes_on(struct explorer *explorer);
/* As tracer_next(), with a look now and then whether the user has ended it: -ECANCELED. */
int explorer_next(struct explorer *explorer, struct group *group, int64_t deadline_ns,
		  struct stop *ret_stop);
void explorer_free(struct explorer *explorer);

/* result.c */
int result_make(struct explorer *explorer, struct faults_result **ret_result);

#endif /* FAULTS_EXPLORER_H */
