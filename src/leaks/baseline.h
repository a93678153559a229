/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * baseline.h - what an earlier look has told already, so that a later one shows what is new
 *
 * Made of a snapshot, or read from the JSON document that the report writes.  In the same process
 * (PID, start and boot) a handle is new when it was opened behind the baseline's horizon; of
 * another process of the same name, as another run of a program, counts are compared per stack.
 */
#ifndef LEAKS_BASELINE_H
#define LEAKS_BASELINE_H

#include "leaks/leaks.h"

#define BASELINE_VERSION   1
#define BASELINE_MAX_BYTES (256u << 20)
#define BOOT_ID_BYTES	   37 /* 36 characters */

struct baseline_process {
	pid_t pid;
	uint64_t start_ticks;
	char name[LEAKS_NAME_BYTES];
	bool ended;   /* all of it was told */
	int *numbers; /* of the handles that were open, in rising order */
	size_t n_numbers;
};

struct baseline_site {
	pid_t pid;
	uint64_t id;
	uint64_t count;
};

struct baseline {
	bool other_boot;    /* times and identities say nothing about ours */
	bool by_name;       /* of another run: processes of the same name are compared, too */
	int64_t horizon_ns; /* CLOCK_MONOTONIC: handles opened up to then were told */
	struct baseline_process *processes;
	size_t n_processes;
	struct baseline_site *sites;
	size_t n_sites;
};

/* Young handles, opened behind horizon_ns, are not told yet; of those that nobody saw being opened
 * the age is not known, and they are told at once. */
bool baseline_is_told(const struct leaks_handle *handle, int64_t horizon_ns);
int baseline_of_snapshot(const struct leaks_snapshot *snapshot, int64_t horizon_ns,
			 struct baseline **ret_baseline);

/*
 * From untrusted text, which has a NUL behind it.  boot_id is that of the running system.
 * Return: 0, -EINVAL (no such document: *error says why), -ENOMEM.
 */
int baseline_parse(const char *text, size_t bytes, const char *boot_id,
		   struct baseline **ret_baseline, struct tendril_error *error);
void baseline_free(struct baseline *baseline);

/* The same process, or NULL. */
const struct baseline_process *baseline_find(const struct baseline *baseline,
					     const struct leaks_process *process);
bool baseline_has_number(const struct baseline_process *process, int number);
/* Does it know any process of that name? */
bool baseline_knows_name(const struct baseline *baseline, const char *name);
/* The most handles that a process of that name had open of that stack. */
uint64_t baseline_count(const struct baseline *baseline, const char *name, uint64_t id);

#endif /* LEAKS_BASELINE_H */
