/* SPDX-License-Identifier: BSD-2-Clause */
/* run.c - tendril run: call a function in a live process, on a new thread of its own */
#include <inttypes.h>
#include <string.h>

#include "cmd/cmd.h"
#include "proc/proc.h"

enum { OPTION_STRING, OPTION_INTEGER, OPTION_TIMEOUT, OPTION_HEX, OPTION_SIGNED, OPTION_INT };

static const struct cmd_option options[] = {
	[OPTION_STRING] = { "string", 's', "TEXT", "an ARG that is a string, though it looks like "
						   "a number" },
	[OPTION_INTEGER] = { "integer", 'i', "N", "an ARG that must be a number" },
	[OPTION_TIMEOUT] = { "timeout", 't', "S", "wait at most S seconds for the function to "
						  "return" },
	[OPTION_HEX] = { "hex", 'x', NULL, "show what it returned in hexadecimal" },
	[OPTION_SIGNED] = { "signed", 0, NULL, "it returns a signed 64-bit number" },
	[OPTION_INT] = { "int", 0, NULL, "it returns an int: the low 32 bits, signed" },
};

static const char *const examples[] = {
	"tendril run 1234 getpid", "call getpid() in process 1234",
	"tendril run 1234 'libc!setenv' DEBUG --string 1 1", "strings are copied into the target",
	"tendril run 1234 --int close 17", "close its handle 17; -1 when that failed",
	"tendril run 1234 'myprog!dump_state+0x10' 0x7f2300001000", "any code, any address",
	NULL,
};

enum format { FORMAT_UNSIGNED, FORMAT_HEX, FORMAT_SIGNED, FORMAT_INT };

struct request {
	bool json;
	enum format format;
	int64_t timeout_ms; /* negative: no limit */
	pid_t pid;
	const char *function;
	struct tendril_argument arguments[TENDRIL_ARGUMENTS_MAX];
	size_t n_arguments;
};

struct result {
	pid_t tid;
	uint64_t value;
	struct tendril_cost cost;
};

/* "12", "-12" or "0x1f".  Return: 0, -EINVAL (no number at all), -ERANGE (not in 64 bits). */
static int parse_integer(const char *text, uint64_t *ret_value)
{
	bool negative = text[0] == '-';
	const char *digits = text + negative;
	bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
	uint64_t value;

	if (hex)
		digits += 2;
	if (!digits[0] || digits[strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789")])
		return -EINVAL;
	errno = 0;
	value = strtoull(digits, NULL, hex ? 16 : 10);
	if (errno || (negative && value > (uint64_t)INT64_MAX + 1))
		return -ERANGE;
	*ret_value = negative ? 0 - value : value;
	return 0;
}

static int add_argument(const struct command *command, struct request *request,
			struct tendril_argument argument)
{
	if (request->n_arguments == TENDRIL_ARGUMENTS_MAX)
		return cmd_usage(command, "more than %d arguments cannot be passed",
				 TENDRIL_ARGUMENTS_MAX);
	request->arguments[request->n_arguments++] = argument;
	return 0;
}

static int add_string(const struct command *command, struct request *request, const char *text)
{
	return add_argument(command, request, (struct tendril_argument){
		.kind = TENDRIL_BYTES, .data = text, .bytes = strlen(text) + 1 });
}

static int add_integer(const struct command *command, struct request *request, const char *text)
{
	struct tendril_argument argument = { .kind = TENDRIL_INTEGER };
	int r = parse_integer(text, &argument.value);

	if (r == -ERANGE)
		return cmd_usage(command, "%s does not fit in 64 bits: is it a --string?", text);
	if (r < 0)
		return cmd_usage(command, "'%s' is no integer", text);
	return add_argument(command, request, argument);
}

static int take_operand(const struct command *command, struct request *request, const char *text)
{
	uint64_t value;

	if (!request->pid)
		return cmd_take_pid(command, text, &request->pid);
	if (!request->function) {
		request->function = text;
		return 0;
	}
	if (parse_integer(text, &value) == -EINVAL)
		return add_string(command, request, text);
	return add_integer(command, request, text);
}

/* An argument among the options needs its place behind the function. */
static int take_argument(const struct command *command, struct request *request, int option,
			 const char *value)
{
	if (!request->function)
		return cmd_usage(command, "--%s belongs behind FUNCTION", options[option].name);
	return option == OPTION_STRING ? add_string(command, request, value) :
					 add_integer(command, request, value);
}

static int take(const struct command *command, void *state, int option, const char *value)
{
	struct request *request = state;

	switch (option) {
	case CMD_JSON:
		request->json = true;
		return 0;
	case OPTION_STRING:
	case OPTION_INTEGER:
		return take_argument(command, request, option, value);
	case OPTION_TIMEOUT:
		return cmd_take_seconds(command, value, &request->timeout_ms);
	case OPTION_HEX:
		request->format = FORMAT_HEX;
		return 0;
	case OPTION_SIGNED:
		request->format = FORMAT_SIGNED;
		return 0;
	case OPTION_INT:
		request->format = FORMAT_INT;
		return 0;
	default:
		return take_operand(command, request, value);
	}
}

/* A jump to where no code is would end the target: a mistyped address must not. */
static int check_code(pid_t pid, const char *function, raddr_t address,
		      struct tendril_error *error)
{
	const struct proc_map *map;
	struct proc_maps maps;
	bool found;
	int r = proc_maps_read(pid, &maps);

	if (r < 0)
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "the mappings of PID %d cannot be read", (int)pid);
	map = proc_maps_find(&maps, address);
	found = map && map->execute;
	proc_maps_done(&maps);
	if (found)
		return 0;
	return fail(error, -EFAULT, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
		    "PID %d has no code at %s: its memory there cannot be executed", (int)pid,
		    function);
}

static int wait_for(const struct request *request, struct tendril_thread *thread,
		    struct result *result, struct tendril_error *error)
{
	int r = tendril_thread_wait(thread, request->timeout_ms);

	result->tid = tendril_thread_tid(thread);
	if (r == -ETIMEDOUT)
		return fail(error, r, TENDRIL_STAGE_WAIT, TENDRIL_RULE_NONE,
			    "%s has not returned in time: it goes on in thread %d, and cleans up "
			    "when it returns", request->function, (int)result->tid);
	if (r == 0)
		r = tendril_thread_value(thread, &result->value);
	if (r < 0)
		return fail(error, r, TENDRIL_STAGE_WAIT, TENDRIL_RULE_NONE,
			    "PID %d: its process or its thread ended before %s had returned",
			    (int)request->pid, request->function);
	result->cost.size = sizeof(result->cost);
	return tendril_thread_cost(thread, &result->cost);
}

static int call(const struct request *request, struct tendril_target *target,
		struct result *result, struct tendril_error *error)
{
	struct tendril_thread *thread = NULL;
	uint64_t function;
	int r = tendril_resolve_function(target, request->function, request->timeout_ms, &function,
					 error);

	if (r == 0)
		r = check_code(request->pid, request->function, function, error);
	if (r == 0)
		r = tendril_call_start(target, function, request->arguments, request->n_arguments,
				       NULL, &thread, error);
	if (r == 0)
		r = wait_for(request, thread, result, error);
	tendril_thread_close(thread);
	return r;
}

static void print_json(const struct request *request, const struct result *result)
{
	struct json json = { .out = stdout };

	json_object(&json, NULL);
	json_signed(&json, "pid", request->pid);
	json_signed(&json, "tid", result->tid);
	if (request->format == FORMAT_INT)
		json_signed(&json, "return", (int32_t)(uint32_t)result->value);
	else if (request->format == FORMAT_SIGNED)
		json_signed(&json, "return", (int64_t)result->value);
	else
		json_unsigned(&json, "return", result->value);
	json_real(&json, "latency_us", result->cost.latency_us);
	json_real(&json, "stopped_us", result->cost.stopped_us);
	json_end_object(&json);
}

static void print_value(enum format format, uint64_t value)
{
	if (format == FORMAT_HEX)
		printf("0x%" PRIx64 "\n", value);
	else if (format == FORMAT_SIGNED)
		printf("%" PRId64 "\n", (int64_t)value);
	else if (format == FORMAT_INT)
		printf("%" PRId32 "\n", (int32_t)(uint32_t)value);
	else
		printf("%" PRIu64 "\n", value);
}

static int run(const struct command *command, int argc, char **argv)
{
	struct request request = { .timeout_ms = -1 };
	struct tendril_target *target = NULL;
	struct tendril_error error = { 0 };
	struct result result = { 0 };
	int r;

	if (!cmd_parse(command, argc, argv, take, &request, &r))
		return r;
	if (!request.pid)
		return cmd_usage(command, "PID and FUNCTION are missing");
	if (!request.function)
		return cmd_usage(command, "FUNCTION is missing");
	r = tendril_open(request.pid, NULL, &target, &error);
	if (r == 0)
		r = call(&request, target, &result, &error);
	tendril_close(target);
	if (r < 0) {
		error.code = r;
		return cmd_fail(request.json, &error);
	}
	if (request.json)
		print_json(&request, &result);
	else
		print_value(request.format, result.value);
	return CMD_DONE;
}

const struct command cmd_run = {
	.name = "run",
	.synopsis = "PID FUNCTION [ARG...]",
	.summary = "call a function in a live process, on a new thread of its own",
	.text = "FUNCTION is symbol, library!symbol, symbol+0x10 or an address.  ARG, of which\n"
		"there can be six, is an integer (decimal or 0x...) or else a string, copied\n"
		"into the target for the duration of the call.  What the function returned is\n"
		"printed, as an unsigned 64-bit number.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.examples = examples,
	.run = run,
};
