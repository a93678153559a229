/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * support.h - victims to start and ask, and what a process looks like from outside
 *
 * Nothing here waits for a while: it waits for an event, and a deadline makes that an error.
 */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define WHY_BYTES	512

/* In a cmocka test: say why, and skip.  The reason is for tests/summary.py. */
#define SKIP_BECAUSE(...)                                                                          \
	do {                                                                                       \
		printf("# skipped: %s: ", __func__);                                               \
		printf(__VA_ARGS__);                                                               \
		printf("\n");                                                                      \
		fflush(stdout);                                                                    \
		skip();                                                                            \
	} while (0)

static inline int64_t support_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* One turn of a loop that waits for what the kernel has no event for; false after deadline_ns. */
bool support_again(int64_t deadline_ns);
static inline int64_t deadline_in_ms(int64_t ms)
{
	return support_now_ns() + ms * 1000000;
}

/* --- victims ----------------------------------------------------------------------------- */

struct target {
	pid_t pid;    /* the victim itself */
	pid_t child;  /* what was forked: the same, or a wrapper such as unshare(1) */
	int in, out;  /* its stdin and stdout, ours to use */
	bool collected; /* by the test itself: only the pipes are left to close */
	char mode[64];
	char pending[512];
	size_t n_pending;
};

/* Where the victims were built; from TENDRIL_TARGETS, or set by support_set_targets(). */
const char *support_targets(void);
void support_set_targets(const char *directory);
/* The path of one, in a buffer of the caller's; false when it was not built. */
bool support_find(const char *name, char path[4096]);

/* How a victim is started; zero means default. */
struct target_start {
	const char *program;	       /* of the targets' directory; "victim" */
	const char *mode;	       /* NULL: no argument */
	unsigned int threads;	       /* 0: 1 */
	const char *const *wrapper;    /* argv before it, NULL at the end: unshare, setpriv, ... */
	bool inner;		       /* the victim is the wrapper's child, not the wrapper */
	int (*in_child)(void *param);  /* run in the child before exec; 0 when good */
	void *param;
};

/* 0, or a negative errno: -ENOENT when it was not built, -ETIMEDOUT when it never became ready. */
int target_start(struct target *target, const struct target_start *how);
/* The usual one. */
int target_start_victim(struct target *target, const char *mode, unsigned int threads);

/* Send a line, get a line; 0, -ETIMEDOUT (hung), -EPIPE (died). */
int target_ask(struct target *target, const char *command, char *answer, size_t bytes);
/* As a number, or a negative errno. */
long target_ask_number(struct target *target, const char *command);
/* The victim's own check; why (WHY_BYTES) says what it said, or that it hung or died. */
bool target_is_well(struct target *target, char *why);
bool target_is_alive(const struct target *target);
/* Kill it and collect it; allowed twice. */
void target_end(struct target *target);

/* --- what a process looks like ----------------------------------------------------------- */

enum snapshot_flags {
	/* Of a process that changes by itself: only what could be ours. */
	SNAPSHOT_BUSY = 1,
	/* Where each thread sleeps: call, arguments, stack pointer, instruction pointer. */
	SNAPSHOT_SLEEPERS = 2,
	/* Its handles come and go by its own doing. */
	SNAPSHOT_NO_HANDLES = 4,
	/* Its threads come and go by its own doing. */
	SNAPSHOT_NO_THREADS = 8,
	/* Its runtime maps memory as it likes. */
	SNAPSHOT_NO_MAPPINGS = 16,
};

struct snapshot;

/* Memory comes from mmap at once, so that taking one leaves the own heap as it is. */
struct snapshot *snapshot_new(void);
void snapshot_free(struct snapshot *snapshot);
/* 0, -ESRCH */
int snapshot_take(struct snapshot *snapshot, pid_t pid, unsigned int flags);
/* As it is when it comes to rest: two in a row are the same, and nobody is on the way to sleep.
 * 0, -ESRCH, -ETIMEDOUT */
int snapshot_settle(struct snapshot *settled, struct snapshot *scratch, pid_t pid,
		    unsigned int flags);
/* What fits a victim of that mode. */
unsigned int snapshot_flags_of(const char *mode);

bool same_target(const struct snapshot *before, const struct snapshot *after, char *why);
/* Take `after` again and again until it is the same, or ms have passed. */
bool becomes_same(const struct snapshot *before, struct snapshot *after, pid_t pid,
		  unsigned int flags, int64_t ms, char *why);

/* --- small things ------------------------------------------------------------------------ */

/* A value of /proc/PID/status, or -1. */
long status_number(pid_t pid, const char *field);
/* Whether the value of a field of /proc/PID/status begins with this letter. */
bool status_is(pid_t pid, const char *field, char letter);
int count_handles(pid_t pid);
int count_threads(pid_t pid);

void sort_doubles(double *values, size_t n);
/* values sorted; 0 <= q <= 1 */
double quantile(const double *values, size_t n, double q);

#endif /* SUPPORT_H */
