/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.h - a snapshot -> which stacks leak, for people, programs and flame graphs
 *
 * report_new() groups and judges, the others write.  All text of the snapshot is raw: it is escaped
 * here.
 */
#ifndef LEAKS_REPORT_H
#define LEAKS_REPORT_H

#include <stdio.h>

#include "leaks/baseline.h"

#define REPORT_EXAMPLES	   3
#define REPORT_AGE_DEFAULT INT64_MIN
/* Without an order: a tenth of the time watched, at most so much.  What is younger is most likely in
 * use: few requests last longer. */
#define REPORT_AGE_MAX_NS  (5 * NS_PER_S)
#define REPORT_TEXT_TOP	   10

struct report_options {
	const struct baseline *since; /* only what is new since then; NULL: everything */
	int64_t older_than_ns;        /* younger handles are not shown; or REPORT_AGE_DEFAULT */
	bool by_process;              /* the same stack in two processes is two sites */
	/* Nobody asked for the processes that have ended meanwhile: most programs leave something
	 * open when they end.  Of these only what was growing until then is told. */
	bool ended_by_the_way;
};

/* A stack, and what it opened that is open still: in one process, or in all that have it. */
struct report_site {
	const struct leaks_process *process; /* the first of them */
	size_t n_processes;
	const pid_t *pids;
	const struct leaks_site *site;       /* the first process's: its frames are everybody's */
	enum leaks_origin origin;
	const struct leaks_handle **handles; /* oldest first */
	size_t n_handles;
	size_t n_new;                        /* since the baseline; without one, all of them */
	uint64_t closed;                     /* seen open by an earlier look, and closed since */
	double rate_per_hour;
	bool growing, is_leak;
	size_t look_at;                      /* the frame to look at; n_frames: not known */
};

/* Those that nobody opened while we watched, and of which no stack tells. */
struct report_rest {
	enum leaks_origin origin;
	const struct leaks_handle **handles;
	size_t n_handles;
};

/* The n_new youngest: what is new was opened last. */
static inline const struct leaks_handle *const *report_new_handles(const struct report_site *site)
{
	return (const struct leaks_handle *const *)site->handles + (site->n_handles - site->n_new);
}

struct report {
	const struct leaks_snapshot *snapshot;
	const struct baseline *since;
	bool ended_by_the_way;
	int64_t older_than_ns, horizon_ns; /* what was opened behind the horizon is too young */
	struct report_site *sites;         /* most (new) handles first; without a stack, and inherited, last */
	size_t n_sites;
	struct report_rest *rests;         /* by origin */
	size_t n_rests;
	uint64_t n_young, n_leaks, n_leaked; /* n_leaked: (new) handles of the leaks */
	const struct leaks_handle **handles; /* what the others point into */
	pid_t *pids;
};

int report_new(const struct leaks_snapshot *snapshot, const struct report_options *options,
	       struct report **ret_report);
void report_free(struct report *report);
/* How the watched child has ended, as wait(2) tells it. */
struct report_style;
int report_wait_status(const struct report_style *style, const struct leaks_process *process);
int64_t report_age(const struct leaks_snapshot *snapshot, int64_t older_than_ns);

struct report_style {
	bool colour;
	size_t width;   /* of the terminal; 0: lines are not cut */
	size_t top;     /* sites; 0: all */
	pid_t child;    /* that one's exit status is known */
	int wait_status; /* of wait(2); -1: as the snapshot has it */
	double since_s; /* of a difference: seconds since the look before; 0: it is none */
	const char *boot_id;
};

/* Return: 0, -ENOMEM, -EIO. */
int report_print_text(const struct report *report, const struct report_style *style, FILE *out);
/* One document, on one line. */
int report_print_json(const struct report *report, const struct report_style *style, FILE *out);
/* One line a site: its functions, outermost first, and how many handles. */
int report_print_folded(const struct report *report, const struct report_style *style, FILE *out);

const char *report_origin_name(enum leaks_origin origin);
/* Of a call that opens handles; NULL: it is none, or not known. */
const char *report_syscall_name(int number);
/* The kind that most of the handles are of; how many of each, with the most first. */
struct report_kind {
	const char *name;
	uint64_t count;
};
size_t report_kinds(const struct leaks_handle *const *handles, size_t n, struct report_kind *kinds,
		    size_t max);

#endif /* LEAKS_REPORT_H */
