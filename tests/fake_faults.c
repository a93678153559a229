/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_faults.c - an engine of `tendril faults` that makes its results up
 *
 * What is behind the command is tested elsewhere; here is what the command does with it.  COMMAND is
 * not run.  FAKE_FAULTS in the environment says what is told:
 *   (nothing)   one leak and one cache
 *   clean       nothing is found
 *   denied      it could not be done
 *   endless     it goes on until it is ended; a byte is written to the descriptor FAKE_READY when it
 *               has begun
 *   stopped     a replay has stopped a process: FAKE_STOPPED
 * What was asked for is told on stderr when FAKE_TELL is set; the command says FAKE_SAYS.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "faults/faults.h"
#include "faults/suppress.h"

static const struct frame opening[] = {
	{ .ip = 0x7f0000001000, .offset = 0x1b, .function = "openat64",
	  .module = "/usr/lib/x86_64-linux-gnu/libc.so.6" },
	{ .ip = 0x401150, .function = "read_config", .file = "src/config.c", .line = 42,
	  .module = "/usr/bin/server" },
	{ .ip = 0x401200, .function = "main", .file = "src/main.c", .line = 7,
	  .module = "/usr/bin/server" },
};
static const struct frame failing[] = {
	{ .ip = 0x401160, .function = "read_config", .file = "src/config.c", .line = 47,
	  .module = "/usr/bin/server" },
	{ .ip = 0x401200, .function = "main", .file = "src/main.c", .line = 7,
	  .module = "/usr/bin/server" },
};
static const struct faults_left left = {
	.type = FAULTS_LEFT_HANDLE, .kind = "file", .number = 7, .what = "/etc/server\x1b[31m.conf",
	.stack = { .frames = opening, .n_frames = ARRAY_SIZE(opening), .id = 1 },
};
static const struct faults_case cases[] = {
	{ .failed = { { .step = SYS_fstat, .error = EIO, .injected = true,
			.stack = { .frames = failing, .n_frames = ARRAY_SIZE(failing) } } },
	  .n_failed = 1, .id = "read_config#1/fstat@3=EIO" },
};

/* Everything a result points to. */
struct whole {
	struct faults_result result; /* first: it is what is freed */
	struct faults_finding findings[2];
	struct faults_function function;
};

static bool scenario(const char *name)
{
	const char *wanted = getenv("FAKE_FAULTS");

	return wanted && !strcmp(wanted, name);
}

static void tell_names(const char *what, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)fprintf(stderr, " %s=%s", what, names[i]);
}

static void tell_asked(const struct faults_options *asked)
{
	if (!getenv("FAKE_TELL"))
		return;
	(void)fprintf(stderr, "asked:");
	tell_names("function", asked->functions, asked->n_functions);
	tell_names("library", asked->libraries, asked->n_libraries);
	(void)fprintf(stderr, " main=%d fails=%d alloc=%d pairs=%d rerun=%d unlikely=%d jobs=%u "
		      "calls=%u case=%" PRId64 " total=%" PRId64 " memory=%" PRIu64
		      " debuginfod=%d suppressed=%d replay=%s debug=%d",
		      asked->whole_program, (int)asked->fails, asked->alloc, asked->pairs,
		      asked->rerun, asked->unlikely, asked->jobs, asked->calls, asked->case_ns,
		      asked->total_ns, asked->memory_bytes, asked->debuginfod,
		      asked->suppressions != NULL,
		      asked->replay ? asked->replay : "none", asked->debug);
	for (char *const *word = asked->argv; *word; word++)
		(void)fprintf(stderr, " word=%s", *word);
	(void)fprintf(stderr, "\n");
}

static void tell_ready(void)
{
	const char *number = getenv("FAKE_READY");

	if (number)
		(void)!write((int)strtol(number, NULL, 10), "r", 1);
}

/* Return: false when it was ended. */
static bool go_on(const struct faults_options *asked)
{
	struct faults_progress progress = { .function = "read_config" };
	const struct timespec while_of_work = { .tv_nsec = 5 * NS_PER_MS };

	if (!scenario("endless"))
		return asked->progress(asked->data, &progress);
	tell_ready();
	while (asked->progress(asked->data, &progress)) {
		progress.calls++;
		progress.cases += 7;
		progress.leaks = 1;
		(void)nanosleep(&while_of_work, NULL); /* a signal ends it */
	}
	return false;
}

static size_t fill(struct whole *whole, const struct faults_options *asked)
{
	struct faults_finding *leak = &whole->findings[0], *cache = &whole->findings[1];
	int line;

	*leak = (struct faults_finding){ .verdict = FAULTS_LEAK,
					 .function = "read_config",
					 .module = "/usr/bin/server",
					 .file = "src/config.c",
					 .line = 40,
					 .cases = cases,
					 .n_cases = ARRAY_SIZE(cases),
					 .returned = "-1",
					 .error = EIO,
					 .left = &left,
					 .n_left = 1,
					 .confirmed = true,
					 .open_at_exit = true };
	if (asked->suppressions) {
		line = suppressions_match(asked->suppressions, leak);
		leak->suppressed = line >= 0;
		leak->suppression = line >= 0 ? (size_t)line : 0;
	}
	*cache = *leak;
	cache->verdict = FAULTS_CACHED;
	cache->suppressed = false;
	return asked->replay ? 1 : 2;
}

/* What a child that becomes the command says there. */
static void say_as_command(const struct faults_options *asked, const char *said)
{
	struct tendril_error error = { 0 };
	pid_t child;

	(void)fflush(stdout);
	child = fork();
	if (child == 0) {
		if (asked->prepare(asked->data, &error) < 0)
			_exit(1);
		printf("%s\n", said);
		(void)fflush(stdout);
		_exit(0);
	}
	(void)waitpid(child, NULL, 0);
}

/* The tracer does so, while there is a result. */
static void block_child_signal(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

int faults_explore(const struct faults_options *asked, struct faults_result **ret_result,
		   struct tendril_error *error)
{
	const char *stopped = getenv("FAKE_STOPPED");
	struct whole *whole;

	tell_asked(asked);
	if (getenv("FAKE_SAYS"))
		say_as_command(asked, getenv("FAKE_SAYS"));
	if (scenario("denied"))
		return fail(error, -EPERM, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "ptrace is not permitted");
	if (scenario("missing"))
		return -ENOENT;
	whole = calloc(1, sizeof(*whole));
	if (!whole)
		return -ENOMEM;
	whole->function = (struct faults_function){ .function = "read_config",
						    .module = "/usr/bin/server",
						    .calls = 3, .explored = 2, .cases = 60 };
	whole->result = (struct faults_result){ .findings = whole->findings,
						.functions = &whole->function,
						.n_functions = 1,
						.calls = 2, .cases = 60, .copies = 70,
						.elapsed_ns = NS_PER_S / 2,
						.wait_status = 3 << 8 };
	whole->result.complete = go_on(asked);
	whole->result.note = whole->result.complete ? NULL : "it was ended";
	if (asked->told)
		asked->told(asked->data, "openat(\"/etc/\x1b[31m\") = 7");
	if (asked->debug && stopped) {
		whole->result.stopped = (pid_t)strtol(stopped, NULL, 10);
		block_child_signal();
	}
	if (!asked->debug && !scenario("clean"))
		whole->result.n_findings = fill(whole, asked);
	*ret_result = &whole->result;
	return 0;
}

void faults_result_free(struct faults_result *result)
{
	free(result);
}
