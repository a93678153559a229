/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arm.h - the leaks engine for processes that are watched, in a thread
 *
 * One engine serves all that are armed, and is there only while one is.  Reading what was mapped and
 * unwinding can take a second, and keys must not wait for that.
 */
#ifndef CMD_WATCH_ARM_H
#define CMD_WATCH_ARM_H

#include "base/base.h"

#define ARM_MAX	       8
#define ARM_TEXT_BYTES 256

enum arm_state {
	ARM_FREE = 0,
	ARM_ASKED,    /* the thread will attach to it */
	ARM_ATTACHED,
	ARM_ENDED,    /* it ended */
	ARM_FAILED,   /* it could not be attached to: text says why */
};

struct arm_process {
	pid_t pid;
	uint64_t start_ticks;
	enum arm_state state;
	/* Of the site with the most handles, those that leak first; 0: nothing stays open yet. */
	uint64_t n_handles;
	double rate_per_hour;
	char text[ARM_TEXT_BYTES]; /* where the process's own code opens them, raw */
};

struct arm;

/* is_tried: tell at once when the kernel refuses, not when the first process is armed.
 * Return: 0 or a negative errno. */
int arm_new(bool is_tried, struct arm **ret_arm);
/* Whatever is armed is let go of. */
void arm_free(struct arm *arm);
/* Can be read from when there is something new; arm_take_notice() begins to wait anew. */
int arm_fd(const struct arm *arm);
void arm_take_notice(struct arm *arm);
/* Return: 0; -EEXIST; -ENOSPC (ARM_MAX are); -EPERM (the kernel refuses). */
int arm_add(struct arm *arm, pid_t pid, uint64_t start_ticks);
/* Return: 0, -ENOENT. */
int arm_remove(struct arm *arm, pid_t pid, uint64_t start_ticks);
/* A sample was taken: the engine's turn. */
void arm_step(struct arm *arm);
/* All that are armed, at most ARM_MAX. */
size_t arm_list(struct arm *arm, struct arm_process *ret_processes);
/* Take out one that ended or failed; false: there is none. */
bool arm_take_ended(struct arm *arm, struct arm_process *ret_process);
/* Why the kernel refuses, told once; false: it does not, or was told. */
bool arm_take_refusal(struct arm *arm, char *text, size_t room);
/* From now on make the report of that one; pid 0: of none. */
void arm_show(struct arm *arm, pid_t pid, uint64_t start_ticks);
/* The newest, which is the caller's to free; NULL: none since the last one. */
char *arm_take_report(struct arm *arm);

#endif /* CMD_WATCH_ARM_H */
