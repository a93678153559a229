/* SPDX-License-Identifier: BSD-2-Clause */
/* faults_session.c - explore until it ends or is ended, tell how it goes, and report */
#include "cmd/faults_session.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "faults/sandbox.h"
#include "faults/suppress.h"

#define PROGRESS_NS (200 * NS_PER_MS)

struct session {
	const struct faults_request *request;
	struct sandbox *sandbox; /* NULL: none was asked for */
	bool with_progress;
	int64_t began_ns, shown_ns;
};

/* Signals */

static volatile sig_atomic_t is_ended;

static void end(int number)
{
	is_ended = 1;
}

/* The first one ends the exploration, with a report; the second one us, and the kernel all copies
 * with us.  Nothing is restarted: who waits for the copies looks whether it is over. */
static int catch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	const struct sigaction action = { .sa_handler = end, .sa_flags = (int)SA_RESETHAND };
	struct sigaction before;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (sigaction(numbers[i], NULL, &before) < 0)
			return -errno;
		if (before.sa_handler != SIG_IGN && sigaction(numbers[i], &action, NULL) < 0)
			return -errno; /* what nohup(1) has us ignore stays ignored */
	}
	return 0;
}

/* Progress */

static void show_progress(struct session *session, const struct faults_progress *progress)
{
	double s = (double)(now_ns() - session->began_ns) / NS_PER_S;
	size_t width = cmd_progress_width();
	char name[128] = "", line[512];
	int used;

	if (progress->function)
		escape_text(progress->function, name, sizeof(name));
	used = snprintf(line, sizeof(line), "%.0f s  %" PRIu64 " call%s  %" PRIu64 " case%s  %.0f a "
			"second  %" PRIu64 " leak%s", s, progress->calls,
			lines_plural(progress->calls), progress->cases,
			lines_plural(progress->cases),
			s > 0 ? (double)progress->cases / s : 0, progress->leaks,
			lines_plural(progress->leaks));
	(void)snprintf(line + used, sizeof(line) - (size_t)used, "%s%s  (Ctrl-C: report)",
		       *name ? "  " : "", name);
	lines_cut(line, width);
	(void)fprintf(stderr, "\r\x1b[K%s", line);
	(void)fflush(stderr);
}

static void clear_progress(const struct session *session)
{
	if (session->with_progress && session->shown_ns)
		(void)fputs("\r\x1b[K", stderr);
}

static bool take_progress(void *data, const struct faults_progress *progress)
{
	struct session *session = data;
	int64_t now = now_ns();

	if (session->with_progress && now - session->shown_ns >= PROGRESS_NS) {
		session->shown_ns = now;
		show_progress(session, progress);
	}
	return !is_ended;
}

/* A step of a replay. */
static void tell(void *data, const char *line)
{
	const struct session *session = data;
	AUTO_FREE char *shown = output_escape(line);

	clear_progress(session);
	if (shown)
		printf("    %s\n", shown);
	(void)fflush(stdout); /* the command writes there, too, and a debugger will */
}

/* Exploring */

static bool has_text(const struct faults_request *request)
{
	return !request->json && !faults_is_stdout(request->sarif) &&
	       !faults_is_stdout(request->junit);
}

/* In the child that becomes the command.  Where a document goes, nothing else may: what the command
 * itself says goes to the errors then. */
static int prepare(void *data, struct tendril_error *error)
{
	const struct session *session = data;

	if (!has_text(session->request) && dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return -errno;
	return session->sandbox ? sandbox_enter(session->sandbox, error) : 0;
}

/* A line that nothing needs any more would one day hide something else. */
static void tell_unused(const struct faults_request *request,
			const struct faults_suppressions *suppressions)
{
	size_t n = suppressions ? suppressions_count(suppressions) : 0;

	for (size_t i = 0; i < n; i++)
		if (suppressions_uses(suppressions, i) == 0)
			cmd_say("%s:%u: nothing was found that this suppresses: %s",
				request->suppressions, suppressions_line(suppressions, i),
				suppressions_text(suppressions, i));
}

static int report(const struct faults_request *request, const struct faults_options *how,
		  const struct faults_result *result)
{
	int r = faults_show(request, how, result);

	if (result->complete && !how->replay)
		tell_unused(request, how->suppressions);
	if (request->debugger && result->stopped && r != CMD_FAILED)
		r = faults_debug(request, result->stopped);
	return r;
}

static int explore(const struct faults_request *request,
		   const struct faults_suppressions *suppressions)
{
	struct session session = { .request = request,
				   .with_progress = isatty(STDERR_FILENO) && !request->how.replay,
				   .began_ns = now_ns() };
	struct faults_options how = request->how;
	struct faults_result *result = NULL;
	struct tendril_error error = { 0 };
	int r = catch_signals();

	if (r < 0)
		return cmd_fail_code(request->json, r, "signals");
	if (request->sandbox && sandbox_new(NULL, &session.sandbox, &error) < 0)
		return cmd_fail(request->json, &error);
	how.prepare = prepare;
	how.suppressions = suppressions;
	how.progress = take_progress;
	how.told = how.replay && has_text(request) ? tell : NULL;
	how.data = &session;
	r = faults_explore(&how, &result, &error);
	sandbox_free(session.sandbox);
	clear_progress(&session);
	if (r < 0 && !error.text[0])
		return cmd_fail_code(request->json, r, request->words[0]);
	error.code = r;
	if (r < 0)
		return cmd_fail(request->json, &error);
	r = report(request, &how, result);
	faults_result_free(result);
	return r;
}

int faults_session(const struct faults_request *request)
{
	struct faults_suppressions *suppressions = NULL;
	struct tendril_error error = { 0 };
	int r = faults_check_files(request);

	if (r != CMD_DONE)
		return r;
	r = request->suppressions ?
		    suppressions_read(request->suppressions, &suppressions, &error) :
		    0;
	if (r < 0)
		return cmd_fail(request->json, &error);
	r = explore(request, suppressions);
	suppressions_free(suppressions);
	return r;
}
