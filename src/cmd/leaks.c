/* SPDX-License-Identifier: BSD-2-Clause */
/* leaks.c - tendril leaks: who opened the handles that are never closed */
#include <fcntl.h>
#include <string.h>

#include "cmd/leaks_session.h"
#include "cmd/write_file.h"

enum { OPTION_DURATION, OPTION_FOLLOW, OPTION_ALL, OPTION_BY_PROCESS, OPTION_TOP,
       OPTION_OLDER_THAN, OPTION_EVERY, OPTION_SINCE, OPTION_SAVE, OPTION_FOLDED, OPTION_PTRACE,
       OPTION_TRACEPOINT, OPTION_STACK_SIZE, OPTION_DEBUGINFOD };

static const struct cmd_option options[] = {
	[OPTION_DURATION] = { "duration", 'd', "S", "end after so many seconds" },
	[OPTION_FOLLOW] = { "follow", 'f', NULL, "children, too" },
	[OPTION_ALL] = { "all", 'a', NULL, "every process" },
	[OPTION_BY_PROCESS] = { "by-process", 'p', NULL, "the same stack in each process apart" },
	[OPTION_TOP] = { "top", 'n', "N", "only the N stacks with the most handles" },
	[OPTION_OLDER_THAN] = { "older-than", 'o', "S", "leave out younger ones (default 5, in "
							"short runs less)" },
	[OPTION_EVERY] = { "every", 'e', "S", "show what is new each S seconds" },
	[OPTION_SINCE] = { "since", 's', "FILE", "only what is new since that was saved" },
	[OPTION_SAVE] = { "save", 'S', "FILE", "write what is open, for --since" },
	[OPTION_FOLDED] = { "folded", 0, NULL, "stacks in one line each, for flame graphs" },
	[OPTION_PTRACE] = { "ptrace", 0, NULL, "without BPF: slower, and slows the target down" },
	[OPTION_TRACEPOINT] = { "tracepoint", 0, NULL, "not by fentry, but at each system call's exit" },
	[OPTION_STACK_SIZE] = { "stack-size", 0, "SIZE", "of each stack at most so much "
							 "(default 64K)" },
	[OPTION_DEBUGINFOD] = { "debuginfod", 0, NULL, "ask the servers of $DEBUGINFOD_URLS" },
};

static const char *const examples[] = {
	"tendril leaks 1234", "watch a process until ^C, and tell where it leaks",
	"tendril leaks -- ./server --test", "what a program leaves open when it ends",
	"tendril leaks -f --duration 60 'nginx*'", "all of that name, and their children",
	"tendril leaks 1234 --every 10", "each ten seconds what is new",
	"tendril leaks 1234 -d 60 --folded | flamegraph.pl > leaks.svg", "a flame graph",
	NULL,
};

#define BOOT_ID_FILE    "/proc/sys/kernel/random/boot_id"
#define STACK_BYTES_MIN (1u << 10)
#define STACK_BYTES_MAX (1u << 20)

/* The command line */

static int take_time(const struct command *command, const char *text, const char *what,
		     int64_t *ret_ms)
{
	int r = cmd_take_seconds(command, text, ret_ms);

	if (r == 0 && *ret_ms < 1)
		return cmd_usage(command, "the %s is at least 0.001 seconds", what);
	return r;
}

static int take_age(const struct command *command, const char *text, int64_t *ret_ns)
{
	int64_t ms;
	int r = cmd_take_seconds(command, text, &ms);

	if (r == 0)
		*ret_ns = ms * NS_PER_MS;
	return r;
}

static int take_top(const struct command *command, const char *text, struct leaks_request *request)
{
	uint64_t top;
	const char *end = proc_scan(text, 10, &top);

	if (!end || *end || top == 0)
		return cmd_usage(command, "'%s' is no number of stacks", text);
	request->top = top;
	request->has_top = true;
	return 0;
}

static int take_stack_size(const struct command *command, const char *text, size_t *ret_bytes)
{
	uint64_t bytes;

	if (!cmd_scan_size(text, &bytes))
		return cmd_usage(command, "'%s' is no size: 16K, 1M", text);
	if (bytes > STACK_BYTES_MAX || bytes < STACK_BYTES_MIN)
		return cmd_usage(command, "a stack's copy has 1K to 1M, not %s", text);
	*ret_bytes = bytes;
	return 0;
}

static int take_file(const struct command *command, const char *path, const char *option,
		     const char **ret_path)
{
	if (!*path)
		return cmd_usage(command, "the name of the file of --%s is empty", option);
	*ret_path = path;
	return 0;
}

static int take_value(const struct command *command, struct leaks_request *request, int option,
		      const char *value)
{
	switch (option) {
	case OPTION_DURATION:
		return take_time(command, value, "duration", &request->duration_ms);
	case OPTION_EVERY:
		return take_time(command, value, "interval", &request->every_ms);
	case OPTION_OLDER_THAN:
		return take_age(command, value, &request->older_than_ns);
	case OPTION_TOP:
		return take_top(command, value, request);
	case OPTION_STACK_SIZE:
		return take_stack_size(command, value, &request->stack_bytes);
	case OPTION_SINCE:
		return take_file(command, value, "since", &request->since);
	case OPTION_SAVE:
		return take_file(command, value, "save", &request->save);
	default:
		return cmd_take_selector(command, &request->selection, value);
	}
}

static int take(const struct command *command, void *state, int option, const char *value)
{
	struct leaks_request *request = state;

	switch (option) {
	case CMD_JSON:
		request->json = true;
		return 0;
	case OPTION_FOLLOW:
		request->follow = true;
		return 0;
	case OPTION_ALL:
		request->all = true;
		return 0;
	case OPTION_BY_PROCESS:
		request->by_process = true;
		return 0;
	case OPTION_FOLDED:
		request->folded = true;
		return 0;
	case OPTION_PTRACE:
		request->ptrace = true;
		return 0;
	case OPTION_TRACEPOINT:
		request->tracepoint = true;
		return 0;
	case OPTION_DEBUGINFOD:
		request->debuginfod = true;
		return 0;
	case CMD_REST:
		request->words[request->n_words++] = (char *)value;
		return 0;
	default:
		return take_value(command, request, option, value);
	}
}

static int check(const struct command *command, const struct leaks_request *request)
{
	size_t n = request->selection.n_selectors;

	if (n == 0 && !request->all && request->n_words == 0)
		return cmd_usage(command, "which process? give a PID, --all, or -- COMMAND");
	if (request->n_words && (n || request->all))
		return cmd_usage(command, "either processes or -- COMMAND, not both");
	if (request->all && n)
		return cmd_usage(command, "--all is every process: '%s' is among them",
				 request->selection.words[0]);
	if (request->all && request->ptrace)
		return cmd_usage(command, "--ptrace would slow down every process of --all: "
				 "name those that you mean");
	if (request->ptrace && request->tracepoint)
		return cmd_usage(command, "either --ptrace or --tracepoint, not both");
	if (request->json && request->folded)
		return cmd_usage(command, "either --json or --folded, not both");
	if (request->every_ms && request->folded)
		return cmd_usage(command, "--every is for text and --json: folded stacks have no time");
	return request->debuginfod ? cmd_check_debuginfod(command) : 0;
}

/* Which processes */

struct pids {
	pid_t *pid;
	size_t n;
};

static int add_pid(struct pids *pids, pid_t pid)
{
	pid_t *larger;

	for (size_t i = 0; i < pids->n; i++)
		if (pids->pid[i] == pid)
			return 0;
	larger = reallocarray(pids->pid, pids->n + 1, sizeof(pid_t));
	if (!larger)
		return -ENOMEM;
	pids->pid = larger;
	pids->pid[pids->n++] = pid;
	return 0;
}

/* A PID is taken as it is: whether there is such a process, leaks_open() knows. */
static int add_named(struct cmd_selection *selection, struct pids *pids)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < selection->n_selectors; i++) {
		if (selection->selectors[i].kind != PROC_SELECT_PID)
			continue;
		selection->matched[i] = true;
		r = add_pid(pids, selection->selectors[i].id);
	}
	return r;
}

static int add_matching(struct cmd_selection *selection, struct pids *pids, pid_t pid)
{
	struct proc_process process;
	int r = 0;

	if (pid == getpid() || proc_process_read(pid, &process) < 0) /* it has ended, or is hidden */
		return 0;
	for (size_t i = 0; r == 0 && i < selection->n_selectors; i++) {
		if (selection->selectors[i].kind == PROC_SELECT_PID ||
		    !proc_selector_match(&selection->selectors[i], &process))
			continue;
		selection->matched[i] = true;
		r = add_pid(pids, pid);
	}
	return r;
}

static int find_pids(struct cmd_selection *selection, struct pids *pids)
{
	AUTO_FREE pid_t *all = NULL;
	size_t n = 0;
	int r = add_named(selection, pids);

	if (r == 0 && pids->n < selection->n_selectors)
		r = proc_processes(&all, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_matching(selection, pids, all[i]);
	return r;
}

/* --since */

static int read_boot_id(char ret_id[BOOT_ID_BYTES])
{
	AUTO_FREE char *text = NULL;
	size_t bytes;
	int r = proc_read_file(AT_FDCWD, BOOT_ID_FILE, 4096, &text, &bytes);

	if (r < 0)
		return r;
	(void)snprintf(ret_id, BOOT_ID_BYTES, "%.*s", (int)strcspn(text, "\n"), text);
	return 0;
}

static int read_since(const struct leaks_request *request, const char *boot_id,
		      struct baseline **ret_baseline)
{
	struct tendril_error error = { 0 }, shown = { 0 };
	AUTO_FREE char *text = NULL;
	size_t bytes = 0;
	int r = proc_read_file(AT_FDCWD, request->since, BASELINE_MAX_BYTES, &text, &bytes);

	if (r == 0)
		r = baseline_parse(text, bytes, boot_id, ret_baseline, &error);
	if (r == 0)
		return CMD_DONE;
	if (r == -ESRCH) /* of files below /proc that means a process */
		r = -ENOENT;
	(void)fail(&shown, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE, "%s: %s", request->since,
		   error.text[0] ? error.text : strerror(-r));
	return cmd_fail(request->json, &shown);
}

static int watch_pids(struct leaks_request *request, const struct baseline *since,
		      const char *boot_id)
{
	struct pids pids = { 0 };
	int r = find_pids(&request->selection, &pids);

	if (r < 0)
		r = cmd_fail_code(request->json, r, "/proc");
	else
		r = cmd_selection_unmatched(&request->selection, "");
	if (r == CMD_DONE)
		r = leaks_session(request, pids.pid, pids.n, since, boot_id);
	free(pids.pid);
	return r;
}

static int leaks(struct leaks_request *request)
{
	char boot_id[BOOT_ID_BYTES] = "";
	struct baseline *since = NULL;
	int r = read_boot_id(boot_id);

	if (r < 0)
		return cmd_fail_code(request->json, r, BOOT_ID_FILE);
	r = request->save ? cmd_check_file(request->save) : 0;
	if (r < 0)
		return cmd_fail_code(request->json, r, request->save);
	r = request->since ? read_since(request, boot_id, &since) : CMD_DONE;
	if (r == CMD_DONE)
		r = watch_pids(request, since, boot_id);
	baseline_free(since);
	return r;
}

static int run(const struct command *command, int argc, char **argv)
{
	AUTO_FREE char **words = calloc((size_t)argc + 1, sizeof(*words));
	struct leaks_request request = { .words = words, .older_than_ns = REPORT_AGE_DEFAULT };
	int r;

	if (!words || cmd_selection_new(&request.selection, argc) < 0)
		r = cmd_fail_code(false, -ENOMEM, "leaks");
	else if (cmd_parse(command, argc, argv, take, &request, &r) &&
		 (r = check(command, &request)) == 0)
		r = leaks(&request);
	cmd_selection_done(&request.selection);
	return r;
}

const struct command cmd_leaks = {
	.name = "leaks",
	.synopsis = "SELECTOR... | --all | -- COMMAND [ARGUMENT...]",
	.summary = "who opened the handles that are never closed",
	.text = "Watches running processes, or starts COMMAND, until the time is over, they end,\n"
		"or SIGINT, SIGTERM or SIGHUP comes; then tells which call stacks opened the\n"
		"handles that are still open.  SIGUSR1 (on a terminal also Enter) shows what is\n"
		"new since the last time.  SELECTOR is a PID or one of those of `tendril ps`.\n"
		"The exit status is 1 when a leak was found.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.examples = examples,
	.run = run,
};
