/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mappings.h - what every process maps to execute, at the moment that it does
 *
 * A process may be gone before anybody can read its /proc/PID/maps.  The kernel's perf events tell of
 * each executable mapping and each execve(2), in our own pid namespace; they need CAP_PERFMON.
 */
#ifndef LEAKS_MAPPINGS_H
#define LEAKS_MAPPINGS_H

#include "symbolize/symbolize.h"

struct mapping_event {
	int64_t ns;          /* CLOCK_MONOTONIC */
	pid_t pid;
	bool executes;       /* a new program begins: nothing below is set */
	struct space_mapping mapping;
	char *path;          /* behind mapping.path */
	unsigned char build_id[20];
};

struct mappings;

int mappings_open(struct mappings **ret_mappings);
/* Everything told since the last time, by time.  Freed by mappings_free_events(). */
int mappings_take(struct mappings *mappings, struct mapping_event **ret_events, size_t *ret_n);
void mappings_free_events(struct mapping_event *events, size_t n);
/* Records that the kernel had no room for, ever. */
uint64_t mappings_lost(const struct mappings *mappings);
void mappings_close(struct mappings *mappings);

#endif /* LEAKS_MAPPINGS_H */
