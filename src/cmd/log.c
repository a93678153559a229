/* SPDX-License-Identifier: BSD-2-Clause */
/* log.c - tendril log: record counters to a file, without a screen */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "cmd/alerts.h"
#include "cmd/handle_limit.h"
#include "cmd/selection.h"
#include "monitor/store.h"

enum { OPTION_OUTPUT, OPTION_INTERVAL, OPTION_DURATION, OPTION_COUNTERS, OPTION_MAX_SIZE,
       OPTION_MARK, OPTION_ALERT };

static const struct cmd_option options[] = {
	[OPTION_OUTPUT] = { "output", 'o', "FILE", "the log; one that exists is continued" },
	[OPTION_INTERVAL] = { "interval", 'i', "S", "seconds between two samples (default 1)" },
	[OPTION_DURATION] = { "duration", 'd', "S", "end after so many seconds" },
	[OPTION_COUNTERS] = { "counters", 'c', "LIST", "only these, as handles,threads" },
	[OPTION_MAX_SIZE] = { "max-size", 'm', "SIZE", "bound of the file, as 500M (default)" },
	[OPTION_MARK] = { "mark", 'M', "TEXT", "set a bookmark in the log, and end" },
	CMD_ALERT_TABLE(OPTION_ALERT),
};

static const char *const examples[] = {
	"tendril log -o week.tlog --interval 10", "every process, each ten seconds, until ^C",
	"tendril log -o web.tlog 'nginx*' --counters handles", "the web server's handles alone",
	"tendril log -o web.tlog --mark 'new release'", "a bookmark, also while it is written",
	NULL,
};

struct request {
	bool json;
	const char *path, *mark;
	int64_t interval_ms, duration_ms; /* duration 0: until a signal */
	uint64_t max_bytes;
	struct cmd_selection selection;
	struct cmd_alerts alerts;
};

/* The command line */

static int take_size(const struct command *command, const char *text, uint64_t *ret_bytes)
{
	uint64_t bytes;

	if (!cmd_scan_size(text, &bytes))
		return cmd_usage(command, "'%s' is no size: 500M, 2G", text);
	if (bytes < STORE_MIN_BYTES)
		return cmd_usage(command, "a log needs at least 1M; %s is less", text);
	*ret_bytes = bytes;
	return 0;
}

static int take_time(const struct command *command, const char *text, const char *what,
		     int64_t *ret_ms)
{
	int r = cmd_take_seconds(command, text, ret_ms);

	if (r == 0 && *ret_ms < 1)
		return cmd_usage(command, "the %s is at least 0.001 seconds", what);
	return r;
}

static int take(const struct command *command, void *state, int option, const char *value)
{
	struct request *request = state;

	switch (option) {
	case CMD_JSON:
		request->json = true;
		return 0;
	case OPTION_OUTPUT:
		request->path = value;
		return *value ? 0 : cmd_usage(command, "the log's name is empty");
	case OPTION_INTERVAL:
		return take_time(command, value, "interval", &request->interval_ms);
	case OPTION_DURATION:
		return take_time(command, value, "duration", &request->duration_ms);
	case OPTION_COUNTERS:
		return cmd_take_counters(command, &request->selection, value);
	case OPTION_MAX_SIZE:
		return take_size(command, value, &request->max_bytes);
	case OPTION_MARK:
		request->mark = value;
		return 0;
	default:
		if (option >= OPTION_ALERT)
			return cmd_take_alert(command, &request->alerts, option - OPTION_ALERT, value);
		return cmd_take_selector(command, &request->selection, value);
	}
}

/* Logging */

struct logger {
	const struct request *request;
	struct store *store;
	struct monitor_sampler *sampler;
	struct trend_table *trends;   /* NULL: there are no alerts */
	uint64_t told;                /* the number of the last alert that was told */
	uint64_t n_samples, n_missed; /* missed: turns of the timer that came too late for */
	int timer, signals;
	int64_t end_ns;               /* CLOCK_MONOTONIC; INT64_MAX: never */
};

/* All that there is to tell: more at once than are remembered are left out. */
static void tell_alerts(struct logger *logger)
{
	const struct alert_set *set = logger->request->alerts.set;
	struct alert_event event;

	while (alert_set_events(set, logger->told, &event, 1) == 1) {
		char line[ALERT_LINE_BYTES];

		logger->told = event.number;
		alert_event_text(set, &event, line);
		cmd_say("alert %s: %s", event.is_clear ? "cleared" : "fired", line);
	}
}

static int judge(struct logger *logger, const struct monitor_sample *sample)
{
	struct alert_set *set = logger->request->alerts.set;
	int r = 0;

	if (!logger->trends)
		return 0;
	r = trend_table_feed(logger->trends, sample);
	if (r == 0)
		r = alert_set_feed(set, sample, logger->trends);
	tell_alerts(logger);
	return r;
}

static int take_sample(struct logger *logger)
{
	const struct request *request = logger->request;
	const struct monitor_sample *sample;
	int r = monitor_sample(logger->sampler, &sample);

	if (r < 0)
		return cmd_fail_code(request->json, r, "the processes cannot be read");
	r = store_append(logger->store, sample);
	if (r < 0)
		return cmd_fail_file(request->json, request->path, r, store_problem(logger->store));
	logger->n_samples++;
	r = judge(logger, sample);
	return r < 0 ? cmd_fail_code(request->json, r, "alerts") : CMD_DONE;
}

static int start_timer(struct logger *logger)
{
	int64_t ms = logger->request->interval_ms;
	struct timespec every = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS };
	struct itimerspec timer = { .it_interval = every, .it_value = every };

	logger->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (logger->timer < 0 || timerfd_settime(logger->timer, 0, &timer, NULL) < 0)
		return cmd_fail_code(logger->request->json, -errno, "timer");
	return CMD_DONE;
}

/* Before the log is there: who sees it may send one. */
static int catch_signals(const struct request *request, int *ret_signals)
{
	int signals = -1;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	/* Who was told of alerts may go; the log goes on. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
		signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		return cmd_fail_code(request->json, -errno, "signals");
	*ret_signals = signals;
	return CMD_DONE;
}

/* Return: true when it was one that ends us. */
static bool take_signal(struct logger *logger)
{
	struct signalfd_siginfo info;

	while (read(logger->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGUSR1)
			return true;
		if (store_mark(logger->store, 0, "SIGUSR1") < 0)
			cmd_say("%s: no bookmark: %s", logger->request->path,
				store_problem(logger->store));
	}
	return false;
}

static int wait_ms(const struct logger *logger)
{
	int patience_ms = cmd_alerts_patience_ms(&logger->request->alerts);
	int64_t left_ns = logger->end_ns - now_ns();
	int64_t left_ms = left_ns / NS_PER_MS + 1;

	if (logger->end_ns == INT64_MAX)
		return patience_ms;
	if (left_ns <= 0)
		return 0;
	if (patience_ms >= 0 && patience_ms < left_ms)
		return patience_ms;
	return left_ms < INT32_MAX ? (int)left_ms : INT32_MAX;
}

/* Who logs for a minute still wants to be told what fired at its end, and who logs until the disk is
 * full, too. */
static void finish_alerts(struct logger *logger)
{
	const struct cmd_alerts *alerts = &logger->request->alerts;

	do
		cmd_alerts_finish(alerts, logger->signals);
	while (cmd_alerts_patience_ms(alerts) >= 0 && !take_signal(logger));
}

static int log_samples(struct logger *logger)
{
	struct pollfd fds[] = { { .fd = logger->signals, .events = POLLIN },
				{ .fd = logger->timer, .events = POLLIN } };
	int r = take_sample(logger);

	while (r == CMD_DONE && now_ns() < logger->end_ns) {
		uint64_t turns = 0;

		if (poll(fds, ARRAY_SIZE(fds), wait_ms(logger)) < 0 && errno != EINTR)
			return cmd_fail_code(logger->request->json, -errno, "poll");
		if (take_signal(logger))
			return CMD_DONE;
		alert_set_reap(logger->request->alerts.set);
		if (read(logger->timer, &turns, sizeof(turns)) != (ssize_t)sizeof(turns))
			continue;
		logger->n_missed += turns - 1;
		r = take_sample(logger);
	}
	finish_alerts(logger);
	return r;
}

static int print_end(const struct logger *logger)
{
	struct json json = { .out = stdout };
	struct alert_counts counts;

	if (!logger->request->json) {
		printf("%llu samples\n", (unsigned long long)logger->n_samples);
		return cmd_alerts_exit(&logger->request->alerts);
	}
	alert_set_counts(logger->request->alerts.set, &counts);
	json_object(&json, NULL);
	json_text(&json, "file", logger->request->path);
	json_unsigned(&json, "samples", logger->n_samples);
	json_unsigned(&json, "missed", logger->n_missed);
	json_unsigned(&json, "alerts_fired", counts.fired);
	json_end_object(&json);
	return cmd_alerts_exit(&logger->request->alerts);
}

/* An alert may be about a counter that is not recorded. */
static uint32_t counters_wanted(const struct request *request)
{
	return alert_set_n_rules(request->alerts.set) ? 0 : request->selection.counters;
}

static int run_logger(const struct request *request, struct store *store, int signals)
{
	const struct monitor_options how = { .selectors = request->selection.selectors,
					     .n_selectors = request->selection.n_selectors,
					     .wanted = counters_wanted(request) };
	struct logger logger = { .request = request, .store = store, .timer = -1,
				 .signals = signals, .end_ns = INT64_MAX };
	int r = monitor_sampler_new(&how, &logger.sampler);

	if (r < 0)
		return cmd_fail_code(request->json, r, "the processes cannot be read");
	if (alert_set_n_rules(request->alerts.set) > 0 && trend_table_new(&logger.trends) < 0) {
		monitor_sampler_free(logger.sampler);
		return cmd_fail_code(request->json, -ENOMEM, "alerts");
	}
	if (request->duration_ms)
		logger.end_ns = now_ns() + request->duration_ms * NS_PER_MS;
	r = start_timer(&logger);
	if (r == CMD_DONE)
		r = log_samples(&logger);
	if (r == CMD_DONE)
		r = print_end(&logger);
	close_keeping_errno(logger.timer);
	trend_table_free(logger.trends);
	monitor_sampler_free(logger.sampler);
	return r;
}

static int log_or_mark(const struct request *request)
{
	const struct store_options how = { .mode = request->mark ? STORE_MARK : STORE_APPEND,
					   .max_bytes = request->max_bytes,
					   .counters = request->selection.counters };
	struct store_error error = { "" };
	AUTO_CLOSE int signals = -1;
	struct store *store = NULL;
	int r = request->mark ? CMD_DONE : catch_signals(request, &signals);

	if (r != CMD_DONE)
		return r;
	r = store_open(request->path, &how, &store, &error);
	if (r < 0)
		return cmd_fail_file(request->json, request->path, r, error.text);
	if (!request->mark)
		r = run_logger(request, store, signals);
	else if ((r = store_mark(store, 0, request->mark)) < 0)
		r = cmd_fail_file(request->json, request->path, r, store_problem(store));
	store_close(store);
	return r;
}

static int check_and_log(const struct command *command, struct request *request)
{
	int r = cmd_alerts_taken(command, &request->alerts);

	if (r)
		return r;
	if (!request->path)
		return cmd_usage(command, "which file? give it with -o FILE");
	return log_or_mark(request);
}

static int run(const struct command *command, int argc, char **argv)
{
	struct request request = { .interval_ms = 1000, .max_bytes = 500u << 20 };
	uint64_t handle_limit = cmd_raise_handle_limit();
	int r;

	if (cmd_selection_new(&request.selection, argc) < 0 ||
	    cmd_alerts_open(&request.alerts, STDERR_FILENO, handle_limit) < 0)
		r = cmd_fail_code(false, -ENOMEM, "log");
	else if (cmd_parse(command, argc, argv, take, &request, &r))
		r = check_and_log(command, &request);
	cmd_alerts_close(&request.alerts);
	cmd_selection_done(&request.selection);
	return r;
}

const struct command cmd_log = {
	.name = "log",
	.synopsis = "[SELECTOR...] -o FILE",
	.summary = "record counters of processes in a file, over time",
	.text = "Ends at SIGINT, SIGTERM or SIGHUP; SIGUSR1 sets a bookmark.  Old samples\n"
		"become averages with their extremes when the file would grow over its bound.\n"
		"The counters are handles, handle_limit, threads, mappings, resident_bytes\n"
		"and cpu_ns.  `tendril relog` reads the file.\n" CMD_ALERT_TEXT,
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.examples = examples,
	.run = run,
};
