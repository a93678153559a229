/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * faults.h - make each step of a call fail, and tell what stays behind
 *
 * faults_explore() runs a command under our eyes.  Where it enters one of the functions asked for, a
 * copy of it (a fork(2) made by a system call that we inject) goes through the function, and at each
 * call inside it that could fail, copies of the copy see it fail in each plausible way, and return.
 * What they have open then, and had not at the entry, is a suspect; it is a leak when the same fault
 * in two further calls leaves more, and nothing closes it before the program ends.  The original
 * waits meanwhile, and then makes the call itself, unharmed.
 */
#ifndef FAULTS_FAULTS_H
#define FAULTS_FAULTS_H

#include "base/base.h"
#include "symbolize/symbolize.h"

/* Steps of a call that can be made to fail: a system call's number, or one of these. */
#define FAULTS_STEP_NONE    (-1)
#define FAULTS_STEP_MALLOC  (-2)
#define FAULTS_STEP_CALLOC  (-3)
#define FAULTS_STEP_REALLOC (-4)

/* When has a function failed? */
enum faults_fails {
	FAULTS_FAILS_BY_TYPE = 0, /* as its type says; without debug information, as it returns else */
	FAULTS_FAILS_NEGATIVE,    /* ret<0 */
	FAULTS_FAILS_ZERO,        /* ret==0 */
	FAULTS_FAILS_NONZERO,     /* ret!=0 */
	FAULTS_FAILS_EXIT,        /* when the process then ends otherwise than with status 0 */
};

enum faults_verdict {
	FAULTS_LEAK,      /* the function failed, and this stays for ever */
	FAULTS_SUCCEEDED, /* it stays, and grows, though the function did not fail */
	FAULTS_DEFERRED,  /* closed later, before the program ended */
	FAULTS_HANDED,    /* the function has put it where its caller finds it */
	FAULTS_CACHED,    /* further calls do not add to it */
	FAULTS_CRASHED,   /* the step's failure killed the process by a signal */
	FAULTS_HUNG,      /* or it did not return in time */
	FAULTS_VERDICTS,
};

enum faults_left_type { FAULTS_LEFT_HANDLE, FAULTS_LEFT_MAPPING, FAULTS_LEFT_THREAD, FAULTS_LEFT_PROCESS };

/* Innermost first, the inlined ones among them; none: not known. */
struct faults_stack {
	const struct frame *frames;
	size_t n_frames;
	enum unwind_end end;
	uint64_t id; /* the same for the same stack, in every run */
	size_t n_inside; /* frames inside of the function, its own among them; 0: not known */
};

struct faults_step {
	int step;  /* number of the system call, or FAULTS_STEP_... */
	int error; /* errno, positive */
	pid_t child; /* 0: by the thread that called the function; n: by the n-th that it started */
	bool injected; /* false: it failed by itself */
	struct faults_stack stack;
};

struct faults_left {
	enum faults_left_type type;
	const char *kind;  /* of a handle: as proc/handles.h names it; else "mapping", "thread", "process" */
	int64_t number;    /* the handle's, or the thread's or process's id; of a mapping its bytes */
	const char *what;  /* path, peer; raw; may be NULL */
	struct faults_stack stack; /* of its opening */
};

struct faults_case {
	struct faults_step failed[2]; /* what was made to fail (two with pairs) */
	size_t n_failed;              /* 0: nothing: the function's own way */
	const char *id;               /* for --replay */
};

/* One defect: all the cases that leave the same behind. */
struct faults_finding {
	enum faults_verdict verdict;
	bool suppressed;      /* a line of the suppression file takes it; which: */
	size_t suppression;
	const char *function; /* as the program's symbols name it, demangled, raw */
	const char *module;   /* the path of the file that has it */
	const char *file;     /* of its source; NULL: not known */
	unsigned int line;
	const struct faults_case *cases; /* the first is the one that is told in full */
	size_t n_cases;
	const char *returned; /* "-1", "NULL", "0x55...", "threw", "exit status 1", "killed by SIGSEGV" */
	int error;            /* errno when the function came back; 0: not known */
	const struct faults_left *left;
	size_t n_left;
	bool confirmed;       /* by growth; false: the function could not be called again */
	bool open_at_exit;    /* it was, when the program ended; false: it did not end in time */
};

struct faults_function {
	const char *function, *module; /* raw */
	enum faults_fails fails;       /* by which rule, when that could be told */
	uint64_t calls, explored;      /* seen, and gone through step by step */
	uint64_t cases;
	bool rerun;        /* by running the command again for each case: */
	const char *why;   /* because of this; one line */
};

struct faults_result {
	const struct faults_finding *findings; /* leaks first, those with the most cases first */
	size_t n_findings;
	const struct faults_function *functions;
	size_t n_functions;
	uint64_t calls, cases, copies;
	int64_t elapsed_ns;
	int wait_status;   /* of the command itself, as wait(2) tells it */
	bool complete;     /* false: a limit ended it, or the user */
	const char *note;  /* which; or NULL */
	pid_t stopped;     /* of a replay with debug: the process that waits for the debugger; 0: none */
	uint64_t signals_held_back; /* that copies would have sent to processes of others */
};

struct faults_progress {
	uint64_t calls, cases, leaks;
	const char *function; /* the one at work; raw; may be NULL */
};

struct faults_suppressions;

struct faults_options {
	char *const *argv;             /* the command, found by the PATH, NULL at its end */
	const char *const *functions;  /* `symbol`, `library!symbol`, globs of these */
	size_t n_functions;
	const char *const *libraries;  /* all that these export, called from outside */
	size_t n_libraries;
	bool whole_program;            /* from main() to the end of the process */
	enum faults_fails fails;
	bool alloc;                    /* malloc(), calloc(), realloc() too */
	bool pairs;                    /* two faults */
	bool rerun;                    /* always run the command again for each case */
	bool unlikely;                 /* close(2), munmap(2) and the like, too */
	unsigned int jobs;             /* copies at once; 0: twice the processors */
	unsigned int calls;            /* gone through from each place that calls; 0: 4 */
	int64_t case_ns;               /* for one case; 0: 5 s */
	int64_t total_ns;              /* for all; 0: no limit */
	uint64_t memory_bytes;         /* RLIMIT_AS of the copies; 0: as it is */
	bool debuginfod;
	const struct faults_suppressions *suppressions; /* or NULL */
	const char *replay;            /* only this case; NULL: all */
	/* Of a replay: each system call of the function as it happens, one line; raw. */
	void (*told)(void *data, const char *line);
	bool debug;                    /* stop the replay where the step has failed; pid in the result */
	/* Called now and then; false: end. */
	bool (*progress)(void *data, const struct faults_progress *progress);
	void *data;
	/* In the child, before exec: 0 or negative errno.  For the sandbox. */
	int (*prepare)(void *data, struct tendril_error *error);
};

/*
 * Return: 0; -ENOENT (no such command, no such function: *error names the nearest), -EPERM (ptrace is
 * not permitted), -ENOEXEC (not a program that we can follow), -EINVAL (a replay that does not fit), ...
 */
int faults_explore(const struct faults_options *options, struct faults_result **ret_result,
		   struct tendril_error *error);
void faults_result_free(struct faults_result *result);

const char *faults_verdict_name(enum faults_verdict verdict);
/* "openat", "malloc"; "syscall 999" is NULL. */
const char *faults_step_name(int step);
int faults_step_named(const char *name); /* FAULTS_STEP_NONE: there is none */

#endif /* FAULTS_FAULTS_H */
