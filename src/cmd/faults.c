/* SPDX-License-Identifier: BSD-2-Clause */
/* faults.c - tendril faults: make every step of a call fail, and show what stays behind */
#include <limits.h>
#include <string.h>

#include "cmd/faults_session.h"
#include "proc/proc.h"

enum { OPTION_FUNCTION, OPTION_LIBRARY, OPTION_MAIN, OPTION_FAILS_WHEN, OPTION_ALLOC, OPTION_PAIRS,
       OPTION_RERUN, OPTION_UNLIKELY, OPTION_JOBS, OPTION_CALLS, OPTION_CASE_TIMEOUT,
       OPTION_TIME_LIMIT, OPTION_MEMORY, OPTION_SANDBOX, OPTION_SUPPRESSIONS, OPTION_REPLAY,
       OPTION_DEBUGGER, OPTION_SARIF, OPTION_JUNIT, OPTION_ALL_FINDINGS, OPTION_TOP,
       OPTION_DEBUGINFOD };

static const struct cmd_option options[] = {
	[OPTION_FUNCTION] = { "function", 'f', "PATTERN", "explore calls of this: a name, "
							  "library!name, or a glob" },
	[OPTION_LIBRARY] = { "library", 'l', "NAME", "explore all that this library exports" },
	[OPTION_MAIN] = { "main", 'm', NULL, "the whole program (so without -f and -l)" },
	[OPTION_FAILS_WHEN] = { "fails-when", 0, "RULE", "ret<0, ret==0, ret!=0 or exit (default "
							 "by type)" },
	[OPTION_ALLOC] = { "alloc", 'a', NULL, "malloc, calloc and realloc fail, too" },
	[OPTION_PAIRS] = { "pairs", 'p', NULL, "two steps fail, too" },
	[OPTION_UNLIKELY] = { "unlikely", 0, NULL, "close, munmap and their like fail, too" },
	[OPTION_RERUN] = { "rerun", 0, NULL, "run the command again for each case" },
	[OPTION_SANDBOX] = { "sandbox", 0, NULL, "files and network of its own" },
	[OPTION_JOBS] = { "jobs", 'j', "N", "copies at once (default twice the processors)" },
	[OPTION_CALLS] = { "calls", 'c', "N", "calls from each place, or all (default 4)" },
	[OPTION_CASE_TIMEOUT] = { "case-timeout", 0, "S", "seconds for one case (default 5)" },
	[OPTION_TIME_LIMIT] = { "time-limit", 't', "S", "end after so many seconds" },
	[OPTION_MEMORY] = { "memory", 0, "SIZE", "address space of each copy: 500M, 2G" },
	[OPTION_SUPPRESSIONS] = { "suppressions", 's', "FILE", "what is accepted" },
	[OPTION_ALL_FINDINGS] = { "all-findings", 0, NULL, "what is kept once or closed later, too" },
	[OPTION_TOP] = { "top", 'n', "N", "only the N leaks that most cases lead to" },
	[OPTION_SARIF] = { "sarif", 0, "FILE", "write SARIF 2.1.0, too (-: to stdout)" },
	[OPTION_JUNIT] = { "junit", 0, "FILE", "write JUnit XML, too (-: to stdout)" },
	[OPTION_REPLAY] = { "replay", 'r', "ID", "only this case, each step told" },
	[OPTION_DEBUGGER] = { "debugger", 0, "PROGRAM", "at the step that fails (default gdb)",
			      .may_lack_value = true },
	[OPTION_DEBUGINFOD] = { "debuginfod", 0, NULL, "ask the servers of $DEBUGINFOD_URLS" },
};

static const char *const examples[] = {
	"tendril faults -f open_config -- ./server --test", "make each step of it fail",
	"tendril faults -f 'db_*' -f 'libfoo.so!*' --alloc -- ./test", "several, memory too",
	"tendril faults -l libfoo.so --junit faults.xml -- meson test", "a library under its tests",
	"tendril faults -- ./tool input", "a whole program",
	"tendril faults -f init --replay 'init#1/fstat@3=EIO' --debugger -- ./server",
	"one case, as a report has named it, in gdb",
	NULL,
};

#define JOBS_MAX	 1024
#define CALLS_MAX	 1000000
#define TOP_MAX		 1000000
#define MEMORY_MIN_BYTES (16u << 20)
#define TIME_MAX_MS	 (30 * 86400 * INT64_C(1000))

/* Values */

static int take_number(const struct command *command, const char *text, const char *what,
		       uint64_t max, uint64_t *ret_number)
{
	uint64_t number = 0;
	const char *end = *text >= '0' && *text <= '9' ? proc_scan(text, 10, &number) : NULL;

	if (!end || *end || number == 0 || number > max)
		return cmd_usage(command, "'%s' is no number of %s: 1 to %llu", text, what,
				 (unsigned long long)max);
	*ret_number = number;
	return 0;
}

static int take_count(const struct command *command, const char *text, const char *what,
		      unsigned int max, unsigned int *ret_count)
{
	uint64_t number = 0;
	int r = take_number(command, text, what, max, &number);

	if (r == 0)
		*ret_count = (unsigned int)number;
	return r;
}

static int take_calls(const struct command *command, const char *text, unsigned int *ret_calls)
{
	if (!strcmp(text, "all")) {
		*ret_calls = UINT_MAX;
		return 0;
	}
	return take_count(command, text, "calls (or 'all')", CALLS_MAX, ret_calls);
}

static int take_top(const struct command *command, const char *text, size_t *ret_top)
{
	unsigned int top = 0;
	int r = take_count(command, text, "leaks", TOP_MAX, &top);

	if (r == 0)
		*ret_top = top;
	return r;
}

static int take_time(const struct command *command, const char *text, int64_t *ret_ns)
{
	int64_t ms;
	int r = cmd_take_interval(command, text, 1, TIME_MAX_MS, &ms);

	if (r == 0)
		*ret_ns = ms * NS_PER_MS;
	return r;
}

static int take_memory(const struct command *command, const char *text, uint64_t *ret_bytes)
{
	uint64_t bytes;

	if (!cmd_scan_size(text, &bytes))
		return cmd_usage(command, "'%s' is no size: 500M, 2G", text);
	if (bytes < MEMORY_MIN_BYTES)
		return cmd_usage(command, "no program runs in %s: at least 16M", text);
	*ret_bytes = bytes;
	return 0;
}

static int take_rule(const struct command *command, const char *text, enum faults_fails *ret_fails)
{
	static const enum faults_fails rules[] = { FAULTS_FAILS_NEGATIVE, FAULTS_FAILS_ZERO,
						   FAULTS_FAILS_NONZERO, FAULTS_FAILS_EXIT };
	const char *names[ARRAY_SIZE(rules)];
	int index = 0, r;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		names[i] = faults_fails_name(rules[i]);
	r = cmd_take_name(command, "rule (ret<0, ret==0, ret!=0, exit)", text, names,
			  ARRAY_SIZE(names), &index);
	if (r == 0)
		*ret_fails = rules[index];
	return r;
}

static int take_word(const struct command *command, const char *text, const char *what,
		     const char **ret_word)
{
	if (!*text)
		return cmd_usage(command, "the %s is empty", what);
	*ret_word = text;
	return 0;
}

/* The command line */

static int take_value(const struct command *command, struct faults_request *request, int option,
		      const char *value)
{
	struct faults_options *how = &request->how;

	switch (option) {
	case OPTION_FUNCTION:
		return take_word(command, value, "name of the function",
				 &request->functions[how->n_functions++]);
	case OPTION_LIBRARY:
		return take_word(command, value, "name of the library",
				 &request->libraries[how->n_libraries++]);
	case OPTION_FAILS_WHEN:
		return take_rule(command, value, &how->fails);
	case OPTION_JOBS:
		return take_count(command, value, "copies", JOBS_MAX, &how->jobs);
	case OPTION_CALLS:
		return take_calls(command, value, &how->calls);
	case OPTION_CASE_TIMEOUT:
		return take_time(command, value, &how->case_ns);
	case OPTION_TIME_LIMIT:
		return take_time(command, value, &how->total_ns);
	case OPTION_MEMORY:
		return take_memory(command, value, &how->memory_bytes);
	case OPTION_SUPPRESSIONS:
		return take_word(command, value, "name of the file of --suppressions",
				 &request->suppressions);
	case OPTION_SARIF:
		return take_word(command, value, "name of the file of --sarif", &request->sarif);
	case OPTION_JUNIT:
		return take_word(command, value, "name of the file of --junit", &request->junit);
	case OPTION_REPLAY:
		return take_word(command, value, "number of the case", &how->replay);
	case OPTION_TOP:
		return take_top(command, value, &request->top);
	default: /* told when nothing else is wrong: --help may follow */
		if (!request->stray)
			request->stray = value;
		return 0;
	}
}

/* Return: where what the option switches on is kept; NULL: it is none of these. */
static bool *find_switch(struct faults_request *request, int option)
{
	switch (option) {
	case CMD_JSON:
		return &request->json;
	case OPTION_MAIN:
		return &request->how.whole_program;
	case OPTION_ALLOC:
		return &request->how.alloc;
	case OPTION_PAIRS:
		return &request->how.pairs;
	case OPTION_RERUN:
		return &request->how.rerun;
	case OPTION_UNLIKELY:
		return &request->how.unlikely;
	case OPTION_DEBUGINFOD:
		return &request->how.debuginfod;
	case OPTION_SANDBOX:
		return &request->sandbox;
	case OPTION_ALL_FINDINGS:
		return &request->all_findings;
	default:
		return NULL;
	}
}

static int take(const struct command *command, void *state, int option, const char *value)
{
	struct faults_request *request = state;
	bool *is_on = find_switch(request, option);

	if (is_on) {
		*is_on = true;
		return 0;
	}
	if (option == CMD_REST) {
		request->words[request->n_words++] = (char *)value;
		return 0;
	}
	if (option == OPTION_DEBUGGER)
		return take_word(command, value ? value : "gdb", "name of the debugger",
				 &request->debugger);
	return take_value(command, request, option, value);
}

static int check_outputs(const struct command *command, const struct faults_request *request)
{
	int n = request->json + faults_is_stdout(request->sarif) + faults_is_stdout(request->junit);

	if (n > 1)
		return cmd_usage(command, "only one of --json, --sarif - and --junit - can have "
				 "stdout");
	if (request->sarif && request->junit && !strcmp(request->sarif, request->junit))
		return cmd_usage(command, "--sarif and --junit name the same file");
	if (request->debugger && n)
		return cmd_usage(command, "--debugger needs stdout for itself");
	return 0;
}

static int check(const struct command *command, struct faults_request *request)
{
	struct faults_options *how = &request->how;
	bool has_names = how->n_functions || how->n_libraries;

	if (request->stray)
		return cmd_usage(command, "the command stands behind --: -- %s ...",
				 request->stray);
	if (request->n_words == 0)
		return cmd_usage(command, "which command? give it behind --");
	if (!*request->words[0])
		return cmd_usage(command, "the name of the command is empty");
	if (how->whole_program && has_names)
		return cmd_usage(command, "either --main or functions, not both");
	if (request->debugger && !how->replay)
		return cmd_usage(command, "--debugger needs --replay ID: which case?");
	how->whole_program = !has_names;
	how->functions = request->functions;
	how->libraries = request->libraries;
	how->argv = request->words;
	how->debug = request->debugger != NULL;
	if (how->debuginfod && cmd_check_debuginfod(command))
		return CMD_USAGE;
	return check_outputs(command, request);
}

static int run(const struct command *command, int argc, char **argv)
{
	size_t n = (size_t)argc + 1;
	AUTO_FREE char **words = calloc(n, sizeof(*words));
	AUTO_FREE const char **functions = calloc(n, sizeof(*functions));
	AUTO_FREE const char **libraries = calloc(n, sizeof(*libraries));
	struct faults_request request = { .words = words,
					  .functions = functions,
					  .libraries = libraries,
					  .top = FAULTS_TEXT_TOP };
	int r;

	if (!words || !functions || !libraries)
		return cmd_fail_code(false, -ENOMEM, "faults");
	if (!cmd_parse(command, argc, argv, take, &request, &r))
		return r;
	r = check(command, &request);
	return r ? r : faults_session(&request);
}

const struct command cmd_faults = {
	.name = "faults",
	.synopsis = "[-f FUNCTION]... [OPTION...] -- COMMAND [ARGUMENT...]",
	.summary = "make every step of a call fail; show what stays behind",
	.text = "Runs COMMAND, and where it enters one of the functions, lets copies of it go\n"
		"through the call, in each of which one step fails: a system call, with each\n"
		"error that it may have.  What a copy has open when the function came back, and\n"
		"never closes, is a leak.  The command itself goes on unharmed; what the copies\n"
		"do to files and to the network is done (see the manual, and --sandbox).\n"
		"The exit status is 1 when a leak was found.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.examples = examples,
	.run = run,
};
