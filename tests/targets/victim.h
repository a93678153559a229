/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * victim.h - a process to make threads in, which notices what was done to it
 *
 * A mode is one thing that a program may be doing; each of its rounds checks what it can: values
 * in registers, patterns in the heap, how long a sleep took, that no call failed with EINTR, that
 * no signal was lost.  Rounds of worker 0 run on the main thread, so that with one worker the
 * process is single-threaded in the C library's eyes too.
 *
 * Commands come on stdin; SIGUSR1 says that one is there, so that a thread which sleeps in the
 * call under test need not look for it.
 */
#ifndef VICTIM_H
#define VICTIM_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define VICTIM_WORKERS_MAX 16

struct worker {
	unsigned int index;
	pthread_t thread;
	atomic_ulong rounds;
	void *own; /* the mode's */
};

enum mode_kind {
	MODE_BUSY,  /* every worker's rounds advance by themselves */
	MODE_SLEEPS /* rounds may last for ever */
};

struct mode {
	const char *name;
	enum mode_kind kind;
	void (*prepare)(void); /* once, before any worker; may be NULL */
	void (*round)(struct worker *worker);
	void (*check)(void); /* by the main thread, between rounds; may be NULL */
};

extern const struct mode idle_modes[], busy_modes[], signal_modes[], spin_modes[];

/* The first thing that went wrong is kept, and told by every later check. */
void victim_bad(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether a command is waiting: then a call of this worker may end early. */
bool victim_is_told(const struct worker *worker);

/* Complain of a call that ended with EINTR though no command is waiting. */
void victim_interrupted(const struct worker *worker, const char *call);

int64_t victim_now_ns(void);

/* Complain when a sleep of asked_ms that began at begin_ns was cut short or began anew. */
void victim_slept(const struct worker *worker, const char *call, int64_t begin_ns, int asked_ms);

/* Where the victim itself is, for the files that belong to it. */
const char *victim_directory(void);

#endif /* VICTIM_H */
