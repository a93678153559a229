/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leaks_session.c - watch until it ends, tell how it goes, and report
 *
 * Signals come in through a descriptor, so that every end is the same: the report is printed, and
 * what was in the kernel goes with our descriptors.
 */
#include "cmd/leaks_session.h"

#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>

#define TICK_NS	      NS_PER_S
#define LAST_STEPS_NS NS_PER_S /* for what is still on its way when COMMAND has ended */

struct session {
	const struct leaks_request *request;
	const struct baseline *since; /* of --since */
	struct baseline *last;        /* what the difference before has told; NULL: nothing yet */
	const char *boot_id;
	struct leaks *leaks;
	struct leaks_child child;
	int signals;
	bool with_keys, with_progress;
	bool is_over, interrupted;
	int code; /* of what went wrong */
	int64_t began_ns, end_ns, tick_ns, every_ns, told_ns;
};

/* The report */

static struct report_style style_of(const struct session *session)
{
	const struct leaks_request *request = session->request;

	return (struct report_style){
		.colour = !request->json && !request->folded && cmd_has_colours(),
		.width = cmd_terminal_width(),
		.top = request->has_top ? request->top :
		       request->json || request->folded ? 0 : REPORT_TEXT_TOP,
		.child = session->child.pid,
		.wait_status = session->child.pid ? leaks_child_status(&session->child) : -1,
		.boot_id = session->boot_id,
	};
}

static void clear_progress(const struct session *session)
{
	if (session->with_progress)
		(void)fputs("\r\x1b[K", stderr);
}

/* What is new since the last time that this was asked. */
static int show_difference(struct session *session)
{
	struct report_options how = { .since = session->last,
				      .older_than_ns = session->request->older_than_ns,
				      .by_process = session->request->by_process,
				      .ended_by_the_way = session->request->all };
	struct report_style style = style_of(session);
	struct leaks_snapshot *snapshot = NULL;
	struct baseline *told = NULL;
	struct report *report = NULL;
	int r = leaks_snapshot(session->leaks, &snapshot), code = CMD_DONE;

	if (r == 0)
		r = report_new(snapshot, &how, &report);
	if (r == 0) {
		style.since_s = (double)(snapshot->taken_ns - session->told_ns) / NS_PER_S;
		session->told_ns = snapshot->taken_ns;
		clear_progress(session);
		code = leaks_show(session->request, report, &style);
		r = baseline_of_snapshot(snapshot, report->horizon_ns, &told);
	}
	report_free(report);
	leaks_snapshot_free(snapshot);
	if (r < 0)
		return cmd_fail_code(session->request->json, r, "the report could not be made");
	baseline_free(session->last);
	session->last = told;
	return code == CMD_FAILED ? CMD_FAILED : CMD_DONE;
}

static int show_end(struct session *session)
{
	struct report_options how = { .since = session->since,
				      .older_than_ns = session->request->older_than_ns,
				      .by_process = session->request->by_process,
				      .ended_by_the_way = session->request->all };
	struct report_style style = style_of(session);
	struct leaks_snapshot *snapshot = NULL;
	struct report *report = NULL;
	int r = leaks_snapshot(session->leaks, &snapshot), code = CMD_DONE, saved = CMD_DONE;

	if (r == 0)
		r = report_new(snapshot, &how, &report);
	if (r == 0) {
		if (session->request->save)
			saved = leaks_save(session->request, snapshot, &style);
		code = leaks_show(session->request, report, &style);
	}
	report_free(report);
	leaks_snapshot_free(snapshot);
	if (r < 0)
		return cmd_fail_code(session->request->json, r, "the report could not be made");
	return saved != CMD_DONE ? saved : code;
}

/* Progress */

static void show_progress(const struct session *session)
{
	const char *hint = session->with_keys ? "  (Enter: what is new, Ctrl-C: report)" :
						"  (Ctrl-C: report)";
	size_t width = cmd_progress_width();
	struct leaks_counts counts;
	char line[256];
	int used;

	if (!session->with_progress)
		return;
	leaks_count(session->leaks, &counts);
	used = snprintf(line, sizeof(line), "%" PRId64 " s  opened %" PRIu64 "  closed %" PRIu64
			"  open now %" PRIu64 "  lost %" PRIu64,
			(int64_t)((now_ns() - session->began_ns) / NS_PER_S), counts.opened,
			counts.closed, counts.handles, counts.lost);
	if ((size_t)used + strlen(hint) > width)
		hint = "";
	(void)fprintf(stderr, "\r\x1b[K%.*s%s", (int)width, line, hint);
	(void)fflush(stderr);
}

/* Events */

static void end_session(struct session *session, int code)
{
	session->is_over = true;
	session->code = code;
}

/* COMMAND is told once what we were told; the second time we go, and it stays. */
static void take_end_signal(struct session *session, const struct signalfd_siginfo *info)
{
	bool by_terminal = info->ssi_code == SI_KERNEL; /* which has told COMMAND, too */

	if (!session->child.pid || session->interrupted) {
		end_session(session, CMD_DONE);
		return;
	}
	session->interrupted = true;
	if (!by_terminal)
		(void)kill(session->child.pid, (int)info->ssi_signo);
}

static void take_signals(struct session *session)
{
	struct signalfd_siginfo info;

	while (read(session->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGUSR1)
			take_end_signal(session, &info);
		else if (show_difference(session) != CMD_DONE)
			end_session(session, CMD_FAILED);
	}
}

static void take_keys(struct session *session)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	if (n <= 0) {
		session->with_keys = false; /* Ctrl-D */
		return;
	}
	if (memchr(keys, '\n', (size_t)n) && show_difference(session) != CMD_DONE)
		end_session(session, CMD_FAILED);
}

static void take_exec_result(struct session *session)
{
	AUTO_CLOSE int failed = take_fd(&session->child.failed);
	int code = 0;

	if (read(failed, &code, sizeof(code)) != (ssize_t)sizeof(code))
		return;
	end_session(session, cmd_fail_code(session->request->json, -code,
					   session->request->words[0]));
}

static void take_timers(struct session *session)
{
	int64_t now = now_ns();

	if (now >= session->end_ns)
		end_session(session, CMD_DONE);
	if (now >= session->tick_ns) {
		session->tick_ns = now + TICK_NS;
		show_progress(session);
	}
	if (now >= session->every_ns) {
		session->every_ns += session->request->every_ms * NS_PER_MS;
		if (session->every_ns < now) /* it takes longer than that */
			session->every_ns = now + session->request->every_ms * NS_PER_MS;
		if (show_difference(session) != CMD_DONE)
			end_session(session, CMD_FAILED);
	}
}

/* COMMAND's last events may come after its end was seen. */
static void take_child_end(struct session *session)
{
	int64_t deadline = now_ns() + LAST_STEPS_NS;
	size_t before = leaks_alive(session->leaks); /* its children may live on */
	struct pollfd events = { .fd = leaks_poll_fd(session->leaks), .events = POLLIN };

	while (leaks_step(session->leaks) == 0 && before > 0 &&
	       leaks_alive(session->leaks) >= before && now_ns() < deadline)
		(void)poll(&events, 1, 10);
	end_session(session, CMD_DONE);
}

static int wait_ms(const struct session *session)
{
	int64_t next = session->end_ns, now = now_ns();

	next = session->tick_ns < next ? session->tick_ns : next;
	next = session->every_ns < next ? session->every_ns : next;
	return next <= now ? 0 : (int)((next - now) / NS_PER_MS) + 1; /* a tick at most */
}

/* In the background a read from the terminal would stop us. */
static bool has_keys(const struct session *session)
{
	return session->with_keys && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static void wait_for_events(struct session *session)
{
	struct pollfd fds[] = {
		{ .fd = session->signals, .events = POLLIN },
		{ .fd = leaks_poll_fd(session->leaks), .events = POLLIN },
		{ .fd = session->child.failed, .events = POLLIN },
		{ .fd = has_keys(session) ? STDIN_FILENO : -1, .events = POLLIN },
		{ .fd = session->child.pidfd, .events = POLLIN },
	};
	int r;

	if (poll(fds, ARRAY_SIZE(fds), wait_ms(session)) < 0 && errno != EINTR) {
		end_session(session, cmd_fail_code(session->request->json, -errno, "poll"));
		return;
	}
	r = leaks_step(session->leaks);
	if (r < 0)
		end_session(session, cmd_fail_code(session->request->json, r,
						   "the events could not be read"));
	if (fds[2].revents)
		take_exec_result(session);
	if (!session->is_over && fds[4].revents)
		take_child_end(session);
	if (!session->is_over && fds[3].revents)
		take_keys(session);
	take_signals(session);
	if (!session->is_over)
		take_timers(session);
	if (!session->request->all && leaks_alive(session->leaks) == 0)
		session->is_over = true;
}

/* Beginning and end */

static int catch_signals(struct session *session, sigset_t *ret_mask)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, ret_mask) < 0)
		return -errno;
	session->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return session->signals < 0 ? -errno : 0;
}

static int fail_open(const struct session *session, const pid_t *pids, size_t n_pids, int code,
		     struct tendril_error *error)
{
	if (!error->text[0] && n_pids == 1)
		return cmd_fail_process(session->request->json, pids[0], code);
	error->code = code;
	return cmd_fail(session->request->json, error);
}

static int open_leaks(struct session *session, const pid_t *pids, size_t n_pids)
{
	const struct leaks_request *request = session->request;
	const struct leaks_options how = { .pids = pids,
					   .n_pids = n_pids,
					   .all = request->all,
					   .follow = request->follow,
					   .ptrace = request->ptrace,
					   .tracepoint = request->tracepoint,
					   .stack_bytes = request->stack_bytes,
					   .debuginfod = request->debuginfod };
	struct tendril_error error = { 0 };
	int r = leaks_open(&how, &session->leaks, &error);

	if (r == 0 && session->child.pid)
		r = leaks_add(session->leaks, session->child.pid, &error);
	if (r < 0)
		return fail_open(session, pids, n_pids, r, &error);
	return CMD_DONE;
}

static void set_times(struct session *session)
{
	const struct leaks_request *request = session->request;
	int64_t now = now_ns();

	session->began_ns = session->told_ns = now;
	session->end_ns = request->duration_ms ? now + request->duration_ms * NS_PER_MS : INT64_MAX;
	session->every_ns = request->every_ms ? now + request->every_ms * NS_PER_MS : INT64_MAX;
	session->tick_ns = now;
	session->with_progress = isatty(STDERR_FILENO) && !request->n_words;
	session->with_keys = session->with_progress && isatty(STDIN_FILENO);
}

static int watch(struct session *session, const pid_t *pids, size_t n_pids)
{
	const struct leaks_request *request = session->request;
	sigset_t mask;
	int r = catch_signals(session, &mask);

	if (r < 0)
		return cmd_fail_code(request->json, r, "signals");
	/* Forked before anything of ours is open that COMMAND would seem to inherit. */
	r = request->n_words ? leaks_child_start(&session->child, request->words, &mask) : 0;
	if (r < 0)
		return cmd_fail_code(request->json, r, request->words[0]);
	r = open_leaks(session, pids, n_pids);
	if (r != CMD_DONE)
		return r;
	set_times(session);
	r = request->n_words ? leaks_child_go(&session->child) : 0;
	if (r < 0)
		return cmd_fail_code(request->json, r, request->words[0]);
	while (!session->is_over)
		wait_for_events(session);
	clear_progress(session);
	return session->code != CMD_DONE ? session->code : show_end(session);
}

int leaks_session(const struct leaks_request *request, const pid_t *pids, size_t n_pids,
		  const struct baseline *since, const char *boot_id)
{
	struct session session = { .request = request,
				   .since = since,
				   .boot_id = boot_id,
				   .signals = -1,
				   .child = { .pidfd = -1, .go = -1, .failed = -1 } };
	int code = watch(&session, pids, n_pids);

	if (session.leaks)
		leaks_close(session.leaks);
	baseline_free(session.last);
	leaks_child_done(&session.child);
	close_keeping_errno(session.signals);
	return code;
}
