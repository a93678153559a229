/* SPDX-License-Identifier: BSD-2-Clause */
/* faults_session.h - what `tendril faults` was asked for, and the time of exploring */
#ifndef CMD_FAULTS_SESSION_H
#define CMD_FAULTS_SESSION_H

#include "cmd/cmd.h"
#include "faults/report.h"

#define FAULTS_TEXT_TOP 10

struct faults_request {
	struct faults_options how; /* its strings are those of the command line */
	const char **functions, **libraries;
	char **words; /* of COMMAND, NULL at the end */
	size_t n_words;
	const char *stray; /* a word before "--"; NULL: there is none */
	bool json, all_findings, sandbox;
	const char *sarif, *junit; /* files, or "-" */
	const char *suppressions;
	const char *debugger; /* NULL: none */
	size_t top;           /* leaks of the text; 0: all */
};

/* Explore, and report.  Return: a cmd_exit. */
int faults_session(const struct faults_request *request);

/* faults_output.c: to stdout and to the files, as it was asked for.  Return: a cmd_exit. */
int faults_show(const struct faults_request *request, const struct faults_options *how,
		const struct faults_result *result);
/* Could the files be written?  Return: CMD_DONE, or another after a line was said. */
int faults_check_files(const struct faults_request *request);

/* faults_debugger.c: run it on the process that a replay has left stopped, which then is ended.
 * Return: a cmd_exit. */
int faults_debug(const struct faults_request *request, pid_t pid);

static inline bool faults_is_stdout(const char *path)
{
	return path && path[0] == '-' && !path[1];
}

#endif /* CMD_FAULTS_SESSION_H */
