/* SPDX-License-Identifier: BSD-2-Clause */
/* load.c - tendril load and unload: a shared library into a live process, and out again */
#include <inttypes.h>
#include <string.h>

#include "cmd/cmd.h"

enum { OPTION_TIMEOUT };

static const struct cmd_option options[] = {
	[OPTION_TIMEOUT] = { "timeout", 't', "S", "wait at most S seconds for its loader" },
};

struct request {
	bool json;
	int64_t timeout_ms; /* negative: no limit */
	pid_t pid;
	const char *library;
};

static int take(const struct command *command, void *state, int option, const char *value)
{
	struct request *request = state;

	if (option == CMD_JSON) {
		request->json = true;
		return 0;
	}
	if (option == OPTION_TIMEOUT)
		return cmd_take_seconds(command, value, &request->timeout_ms);
	if (!request->pid)
		return cmd_take_pid(command, value, &request->pid);
	if (request->library)
		return cmd_usage(command, "'%s' is too much: one LIBRARY at a time", value);
	if (!*value)
		return cmd_usage(command, "LIBRARY is empty");
	request->library = value;
	return 0;
}

/*
 * An absolute path is the target's business: its root may be another one.  A relative one can only
 * be meant from here.  Return: 0 with the path in allocated memory, negative errno.
 */
static int absolute_path(const char *library, char **ret_path)
{
	*ret_path = library[0] == '/' ? strdup(library) : realpath(library, NULL);
	return *ret_path ? 0 : -errno;
}

/* Parse, check, and make the path absolute.  Return: true when the command may go on. */
static bool prepare(const struct command *command, int argc, char **argv, struct request *request,
		    int *ret_exit)
{
	if (!cmd_parse(command, argc, argv, take, request, ret_exit))
		return false;
	if (request->library)
		return true;
	*ret_exit = cmd_usage(command, request->pid ? "LIBRARY is missing" :
						      "PID and LIBRARY are missing");
	return false;
}

static void print_json(const struct request *request, const char *path, const uint64_t *handle,
		       int64_t started_ns)
{
	struct json json = { .out = stdout };

	json_object(&json, NULL);
	json_signed(&json, "pid", request->pid);
	json_text(&json, "library", path);
	if (handle)
		json_unsigned(&json, "handle", *handle);
	json_real(&json, "latency_us", (double)(now_ns() - started_ns) / NS_PER_US);
	json_end_object(&json);
}

static int fail_with(const struct request *request, int code, struct tendril_error *error)
{
	error->code = code;
	return cmd_fail(request->json, error);
}

static int run_load(const struct command *command, int argc, char **argv)
{
	struct request request = { .timeout_ms = -1 };
	struct tendril_target *target = NULL;
	struct tendril_error error = { 0 };
	AUTO_FREE char *path = NULL;
	int64_t started_ns = now_ns();
	uint64_t handle = 0;
	int r;

	if (!prepare(command, argc, argv, &request, &r))
		return r;
	r = absolute_path(request.library, &path);
	if (r < 0)
		return cmd_fail_code(request.json, r, request.library);
	r = tendril_open(request.pid, NULL, &target, &error);
	if (r == 0)
		r = tendril_load(target, path, request.timeout_ms, &handle, &error);
	tendril_close(target);
	if (r < 0)
		return fail_with(&request, r, &error);
	if (request.json)
		print_json(&request, path, &handle, started_ns);
	else
		printf("0x%" PRIx64 "\n", handle);
	return CMD_DONE;
}

static int run_unload(const struct command *command, int argc, char **argv)
{
	struct request request = { .timeout_ms = -1 };
	struct tendril_target *target = NULL;
	struct tendril_error error = { 0 };
	AUTO_FREE char *path = NULL;
	int64_t started_ns = now_ns();
	int r;

	if (!prepare(command, argc, argv, &request, &r))
		return r;
	/* A file that is deleted by now, or a bare name, is looked up in the target as it is. */
	if (!strchr(request.library, '/') || absolute_path(request.library, &path) < 0)
		path = strdup(request.library);
	if (!path)
		return cmd_fail_code(request.json, -ENOMEM, request.library);
	r = tendril_open(request.pid, NULL, &target, &error);
	if (r == 0)
		r = tendril_unload(target, path, request.timeout_ms, &error);
	tendril_close(target);
	if (r < 0)
		return fail_with(&request, r, &error);
	if (request.json)
		print_json(&request, path, NULL, started_ns);
	return CMD_DONE;
}

static const char *const load_examples[] = {
	"tendril load 1234 ./probe.so", "load probe.so of this directory into process 1234",
	"tendril load 1234 /opt/probe.so --timeout 5", "a path as the target sees it",
	NULL,
};

static const char *const unload_examples[] = {
	"tendril unload 1234 probe.so", "take it out again, by its file name",
	NULL,
};

const struct command cmd_load = {
	.name = "load",
	.synopsis = "PID LIBRARY",
	.summary = "load a shared library into a live process",
	.text = "LIBRARY is a path: an absolute one as the target sees it, a relative one from\n"
		"here.  The handle that dlopen() returned there is printed.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.examples = load_examples,
	.run = run_load,
};

const struct command cmd_unload = {
	.name = "unload",
	.synopsis = "PID LIBRARY",
	.summary = "take a library out again that was loaded",
	.text = "LIBRARY is the path that was given to `tendril load`, or its file name.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.examples = unload_examples,
	.run = run_unload,
};
