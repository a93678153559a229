/* SPDX-License-Identifier: BSD-2-Clause */
/* leaks_session.h - what `tendril leaks` was asked for, and the time of watching */
#ifndef CMD_LEAKS_SESSION_H
#define CMD_LEAKS_SESSION_H

#include <signal.h>

#include "cmd/selection.h"
#include "leaks/report.h"

struct leaks_request {
	bool json, folded, all, follow, ptrace, tracepoint, debuginfod, by_process;
	int64_t duration_ms, every_ms; /* 0: until something else ends it; never */
	int64_t older_than_ns;         /* or REPORT_AGE_DEFAULT */
	size_t stack_bytes, top;
	bool has_top;
	const char *since, *save;
	struct cmd_selection selection;
	char **words; /* of COMMAND, NULL at the end */
	size_t n_words;
};

/* Watch pids or COMMAND, and report.  since may be NULL.  Return: a cmd_exit. */
int leaks_session(const struct leaks_request *request, const pid_t *pids, size_t n_pids,
		  const struct baseline *since, const char *boot_id);

/* leaks_output.c: the report to stdout as it was asked for; the document of --save to its file.
 * Return: a cmd_exit. */
int leaks_show(const struct leaks_request *request, const struct report *report,
	       const struct report_style *style);
int leaks_save(const struct leaks_request *request, const struct leaks_snapshot *snapshot,
	       const struct report_style *style);

/* leaks_child.c: COMMAND, which waits before its execve(2) until it is told to go. */
struct leaks_child {
	pid_t pid;
	int pidfd;  /* readable when it has ended */
	int go;     /* one byte lets it run; closed without, it ends */
	int failed; /* an errno comes when it could not be executed, else the end of file */
};
int leaks_child_start(struct leaks_child *child, char **words, const sigset_t *mask);
int leaks_child_go(struct leaks_child *child);
/* Return: the status of wait(2), -1: not known. */
int leaks_child_status(const struct leaks_child *child);
void leaks_child_done(struct leaks_child *child);

#endif /* CMD_LEAKS_SESSION_H */
