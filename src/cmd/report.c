/* SPDX-License-Identifier: BSD-2-Clause */
/* report.c - how the program says that something went wrong */
#include "cmd/cmd.h"

#include <string.h>
#include <sys/ioctl.h>

#include "proc/proc.h"

#define LINE_BYTES 1024

/* Words of the command line and names of processes come in here: whatever they hold, one line
 * goes out. */
static void __attribute__((format(printf, 1, 0))) say(const char *format, va_list args)
{
	char raw[LINE_BYTES], line[4 * LINE_BYTES];

	(void)vsnprintf(raw, sizeof(raw), format, args);
	escape_text(raw, line, sizeof(line));
	(void)fprintf(stderr, "tendril: %s\n", line);
}

void cmd_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

int cmd_usage(const struct command *command, const char *format, ...)
{
	char text[LINE_BYTES - 128];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cmd_say("%s (see `tendril %s%s--help`)", text, command ? command->name : "",
		command ? " " : "");
	return CMD_USAGE;
}

static const char *code_name(int code)
{
	static const struct {
		int code;
		const char *name;
	} names[] = {
		{ E2BIG, "E2BIG" }, { EACCES, "EACCES" }, { EAGAIN, "EAGAIN" },
		{ EALREADY, "EALREADY" }, { EBUSY, "EBUSY" }, { EFAULT, "EFAULT" },
		{ EFBIG, "EFBIG" }, { EINVAL, "EINVAL" }, { EIO, "EIO" },
		{ ELIBACC, "ELIBACC" }, { EMFILE, "EMFILE" }, { ENFILE, "ENFILE" },
		{ ENOENT, "ENOENT" }, { ENOEXEC, "ENOEXEC" }, { ENOMEM, "ENOMEM" },
		{ ENOSYS, "ENOSYS" }, { ENOTSUP, "ENOTSUP" }, { EPERM, "EPERM" },
		{ ESRCH, "ESRCH" }, { ETIMEDOUT, "ETIMEDOUT" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].code == -code)
			return names[i].name;
	return NULL;
}

const char *cmd_rule_name(enum tendril_rule rule)
{
	static const char *const names[] = {
		[TENDRIL_RULE_NO_PROCESS] = "no-process",
		[TENDRIL_RULE_ZOMBIE] = "zombie",
		[TENDRIL_RULE_KERNEL_THREAD] = "kernel-thread",
		[TENDRIL_RULE_UID] = "uid",
		[TENDRIL_RULE_DUMPABLE] = "dumpable",
		[TENDRIL_RULE_YAMA] = "yama",
		[TENDRIL_RULE_USER_NAMESPACE] = "user-namespace",
		[TENDRIL_RULE_TRACED] = "traced",
		[TENDRIL_RULE_STOPPED] = "stopped",
		[TENDRIL_RULE_SECCOMP] = "seccomp",
		[TENDRIL_RULE_ARCHITECTURE] = "architecture",
		[TENDRIL_RULE_NO_LIBC] = "no-libc",
		[TENDRIL_RULE_NO_SYMBOL] = "no-symbol",
		[TENDRIL_RULE_NO_SAFE_POINT] = "no-safe-point",
		[TENDRIL_RULE_LIMIT] = "limit",
		[TENDRIL_RULE_SHADOW_STACK] = "shadow-stack",
		[TENDRIL_RULE_SELF] = "self",
	};

	return (size_t)rule < ARRAY_SIZE(names) ? names[rule] : NULL;
}

static const char *stage_name(enum tendril_stage stage)
{
	static const char *const names[] = { "check", "reach", "prepare", "create", "attach",
					     "commit", "wait" };

	return (size_t)stage < ARRAY_SIZE(names) ? names[stage] : NULL;
}

static const char *left_name(enum tendril_left left)
{
	return left == TENDRIL_LEFT_NOTHING ? "nothing" :
	       left == TENDRIL_LEFT_GONE ? "gone" : "changed";
}

static void print_json_error(const struct tendril_error *error, const char *text)
{
	struct json json = { .out = stdout };

	json_object(&json, NULL);
	json_object(&json, "error");
	json_text(&json, "code", code_name(error->code));
	json_text(&json, "rule", cmd_rule_name(error->rule));
	json_text(&json, "stage", stage_name(error->stage));
	json_text(&json, "left", left_name(error->left));
	json_text(&json, "text", text);
	json_end_object(&json);
	json_end_object(&json);
}

int cmd_fail(bool json, const struct tendril_error *error)
{
	const char *text = error->text[0] ? error->text : strerror(-error->code);

	cmd_say("%s", text);
	if (error->left == TENDRIL_LEFT_CHANGED)
		cmd_say("the target could not be put back as it was: this is a bug of tendril, "
			"please report it with the line above");
	if (json)
		print_json_error(error, text);
	return error->left == TENDRIL_LEFT_CHANGED ? CMD_BROKEN : CMD_FAILED;
}

int cmd_fail_file(bool json, const char *path, int code, const char *why)
{
	struct tendril_error error = { 0 };

	(void)fail(&error, code, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE, "%s: %s", path,
		   *why ? why : strerror(-code));
	error.left = TENDRIL_LEFT_NOTHING;
	return cmd_fail(json, &error);
}

int cmd_fail_code(bool json, int code, const char *what)
{
	return cmd_fail_file(json, what, code, "");
}

int cmd_fail_process(bool json, pid_t pid, int code)
{
	struct tendril_error error = { 0 };
	char what[32];

	if ((code == -ESRCH || code == -EACCES) && proc_explain_access(pid, &error) == code)
		return cmd_fail(json, &error);
	(void)snprintf(what, sizeof(what), "PID %d", (int)pid);
	return cmd_fail_code(json, code, what);
}

int cmd_printed(int r)
{
	if (r == -EIO)
		return CMD_FAILED;
	return r < 0 ? cmd_fail_code(false, r, "the list could not be made") : CMD_DONE;
}

size_t cmd_terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

bool cmd_has_colours(void)
{
	const char *no_colour = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
}

/* A line that wraps could not be taken back; 80 when nobody says how wide it may be. */
size_t cmd_progress_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return 79;
	return size.ws_col - 1u;
}
