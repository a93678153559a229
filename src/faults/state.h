/* SPDX-License-Identifier: BSD-2-Clause */
/* state.h - what a process has at one moment, and what it has more at another */
#ifndef FAULTS_STATE_H
#define FAULTS_STATE_H

#include "faults/faults.h"
#include "proc/handles.h"
#include "proc/proc.h"

#define LEFT_MAX       64
#define LEFT_WHAT_BYTES 256

struct left {
	enum faults_left_type type;
	int64_t number;      /* a handle's; of a thread or process its id */
	raddr_t low, high;   /* a mapping's */
	const char *kind;
	char what[LEFT_WHAT_BYTES]; /* raw */
	uint64_t link;       /* a hash of what it leads to; 0: not noted */
};

struct leftovers {
	size_t n;
	uint64_t n_all[FAULTS_LEFT_PROCESS + 1]; /* of each type, those among them that had no room */
	struct left item[LEFT_MAX];
};

/* A process at the entry of the function.  Where it still stands there, handles are compared with its
 * own, so that one that was closed and opened again is seen. */
struct baseline {
	pid_t pid;
	bool stands;         /* pid is stopped there for as long as this is used */
	struct baseline_handle {
		int number;
		bool replaced; /* in the copies, by /dev/null */
		char *link;
	} *handle;           /* in rising order */
	size_t n_handles;
	struct proc_maps maps;
	uint64_t pages;
};

int baseline_take(pid_t pid, bool stands, struct baseline *ret_baseline);
void baseline_done(struct baseline *baseline);
bool baseline_has(const struct baseline *baseline, int number);

/*
 * What process pid has that the baseline has not: handles and mappings; what was written into
 * *ret_left before is kept.  Costs little when there is nothing.
 */
int state_compare(const struct baseline *baseline, pid_t pid, struct leftovers *left);
void leftovers_add(struct leftovers *left, const struct left *item);
/* Give back the room that is not used: nothing can be added any more. */
struct leftovers *leftovers_shrink(struct leftovers *left);
/* Fill in the kind and the text of what was found. */
void leftovers_describe(struct leftovers *left, pid_t pid);
/* What each handle leads to now, so that another one with its number is known later. */
void leftovers_note_links(struct leftovers *left, pid_t pid);
/* Does pid have it still? */
bool left_is_there(const struct left *item, pid_t pid);

/*
 * What a copy of pid would share with it of a handle: the position in a file, which can be told and set
 * back; or something else (what a pipe holds), which cannot.
 */
enum sharing { SHARES_NOTHING, SHARES_POSITION, SHARES_CONTENT };
enum sharing state_sharing(pid_t pid, int number, uint64_t *ret_position);

#endif /* FAULTS_STATE_H */
