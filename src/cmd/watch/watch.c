/* SPDX-License-Identifier: BSD-2-Clause */
/* watch.c - tendril watch: Performance Monitor in the terminal */
#include "cmd/watch/watch.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cmd/handle_limit.h"
#include "cmd/selection.h"

enum { OPTION_INTERVAL, OPTION_SORT, OPTION_REVERSE, OPTION_FILTER, OPTION_VIEW, OPTION_OPEN,
       OPTION_FROM, OPTION_TO, OPTION_ONCE, OPTION_LEAKS, OPTION_ALERT };

static const struct cmd_option options[] = {
	[OPTION_INTERVAL] = { "interval", 'i', "SECONDS", "between samples; 1 without it" },
	[OPTION_SORT] = { "sort", 's', "COLUMN", "handles (default), percent, change, cpu, ..." },
	[OPTION_REVERSE] = { "reverse", 'r', NULL, "the other way round" },
	[OPTION_FILTER] = { "filter", 'f', "TEXT", "only those with it in name, user or PID" },
	[OPTION_VIEW] = { "view", 'v', "VIEW", "begin with report (default), chart, alert or log" },
	[OPTION_OPEN] = { "open", 'o', "FILE", "look at a log, at its last hour" },
	[OPTION_FROM] = { "from", 0, "TIME", "with --open: where the window of time begins" },
	[OPTION_TO] = { "to", 0, "TIME", "and where it ends" },
	[OPTION_ONCE] = { "once", 0, NULL, "print one report over one interval, and end" },
	[OPTION_LEAKS] = { "leaks", 'l', NULL, "find who opens the handles of what leaks" },
	CMD_ALERT_TABLE(OPTION_ALERT),
};

static const char *const examples[] = {
	"tendril watch", "every process, most handles first",
	"tendril watch 'nginx*' --interval 5", "those of that name, every five seconds",
	"tendril watch --view chart user:postgres", "lines over time",
	"tendril watch --alert 'handles>80%' --alert leak", "tell when one comes near its limit",
	"tendril watch --leaks", "and where those that leak open their handles",
	"tendril watch --open week.tlog --from -2h", "what a log has of its last two hours",
	"tendril watch --once --sort change", "who opened the most handles within a second",
	NULL,
};

struct request {
	bool json, once;
	int end_signal; /* 0: none has ended us */
	const char *open; /* a log */
	struct cmd_moment from, to;
	struct watch watch;
	struct proc_selector *selectors;
	size_t n_selectors;
};

static int take_selector(const struct command *command, struct request *request, const char *word)
{
	int r = cmd_parse_selector(command, word, &request->selectors[request->n_selectors]);

	request->n_selectors += r == 0;
	return r;
}

static int take_sort(const struct command *command, const char *word, enum report_column *ret_sort)
{
	int sort, r = cmd_take_name(command, "column", word, report_column_names, REPORT_COLUMNS,
				    &sort);

	if (r == 0)
		*ret_sort = (enum report_column)sort;
	return r;
}

static int take_view(const struct command *command, const char *word, enum watch_view *ret_view)
{
	static const char *const names[WATCH_VIEWS] = { "report", "chart", "alert", "log" };

	int view, r = cmd_take_name(command, "view", word, names, WATCH_VIEWS, &view);

	if (r == 0)
		*ret_view = (enum watch_view)view;
	return r;
}

static int take(const struct command *command, void *state, int option, const char *value)
{
	struct request *request = state;
	struct watch *watch = &request->watch;

	switch (option) {
	case CMD_JSON:
		request->json = true;
		return 0;
	case OPTION_INTERVAL:
		return cmd_take_interval(command, value, WATCH_MIN_INTERVAL_MS, WATCH_MAX_INTERVAL_MS, &watch->interval_ms);
	case OPTION_SORT:
		return take_sort(command, value, &watch->report.sort);
	case OPTION_REVERSE:
		watch->report.reverse = true;
		return 0;
	case OPTION_FILTER:
		(void)snprintf(watch->report.filter, sizeof(watch->report.filter), "%s", value);
		return 0;
	case OPTION_VIEW:
		return take_view(command, value, &watch->view);
	case OPTION_OPEN:
		request->open = value;
		return *value ? 0 : cmd_usage(command, "the log's name is empty");
	case OPTION_FROM:
		return cmd_take_moment(command, value, &request->from);
	case OPTION_TO:
		return cmd_take_moment(command, value, &request->to);
	case OPTION_ONCE:
		request->once = true;
		return 0;
	case OPTION_LEAKS:
		watch->sites.arms_by_itself = true;
		return 0;
	default:
		if (option >= OPTION_ALERT)
			return cmd_take_alert(command, &watch->alert.alerts, option - OPTION_ALERT,
					      value);
		return take_selector(command, request, value);
	}
}

/* Two samples: processor time and change are what happened between them. */
static int print_once(struct request *request)
{
	struct watch *watch = &request->watch;
	int r = watch_sample(watch);

	if (r == 0) {
		nap_ns(watch->interval_ms * NS_PER_MS);
		r = watch_sample(watch);
	}
	if (r == 0)
		r = report_print(watch, request->json);
	if (r < 0)
		return cmd_printed(r);
	cmd_alerts_finish(&watch->alert.alerts, -1);
	return cmd_alerts_exit(&watch->alert.alerts);
}

/* So that who started us sees what ended us. */
static void die_of(int number)
{
	sigset_t one;

	(void)signal(number, SIG_DFL);
	sigemptyset(&one);
	sigaddset(&one, number);
	(void)raise(number);
	(void)sigprocmask(SIG_UNBLOCK, &one, NULL);
}

static int open_screen(const struct command *command)
{
	const char *no_colour = getenv("NO_COLOR"), *term;
	int r = screen_open(!no_colour || !*no_colour, &term);

	if (r == -ENOTTY)
		return cmd_usage(command, "watch needs a terminal: without one there is "
				 "`tendril watch --once`, or `tendril ps`");
	if (r < 0)
		return cmd_usage(command, "the terminal '%s' is not known, or cannot place its cursor: "
				 "there is `tendril watch --once`", term);
	return 0;
}

static int show(const struct command *command, struct request *request)
{
	int r = open_screen(command);

	if (r)
		return r;
	r = watch_loop(&request->watch, &request->end_signal);
	screen_close();
	return r < 0 ? cmd_fail_code(false, r, "watching") : cmd_alerts_exit(&request->watch.alert.alerts);
}

/* What does not go together. */
static int check(const struct command *command, const struct request *request)
{
	if (request->json && !request->once)
		return cmd_usage(command, "--json is for --once: a screen is no document");
	if (request->open && request->once)
		return cmd_usage(command, "--once is for now; what a log has, `tendril relog` prints");
	if (request->watch.sites.arms_by_itself && request->once)
		return cmd_usage(command, "--leaks takes longer than --once: there is `tendril leaks`");
	if (!request->open && (request->from.is_given || request->to.is_given))
		return cmd_usage(command, "--from and --to are times in a log: which? give it with "
				 "--open FILE");
	for (size_t i = 0; request->open && i < request->n_selectors; i++)
		if (request->selectors[i].kind == PROC_SELECT_CGROUP)
			return cmd_usage(command, "'cgroup:%s': control groups are not in a log",
					 request->selectors[i].text);
	return 0;
}

/* Before the screen is there, so that what is wrong is said as usual. */
static int open_log(struct request *request)
{
	struct store_error error = { "" };
	int r = 0;

	if (request->open)
		r = log_open_window(&request->watch, request->open, &request->from, &request->to,
				    &error);
	return r < 0 ? cmd_fail_file(false, request->open, r, error.text) : 0;
}

static int start(const struct command *command, struct request *request)
{
	struct monitor_options wanted = { .selectors = request->selectors,
					  .n_selectors = request->n_selectors };
	struct watch *watch = &request->watch;
	int r;

	watch->selectors = request->selectors;
	watch->n_selectors = request->n_selectors;
	r = check(command, request);
	if (r == 0)
		r = cmd_alerts_taken(command, &watch->alert.alerts);
	if (r)
		return r;
	r = monitor_sampler_new(&wanted, &watch->sampler);
	if (r < 0)
		return cmd_fail_code(request->json, r, "sampling");
	r = open_log(request);
	if (r == 0)
		r = request->once ? print_once(request) : show(command, request);
	log_close(watch);
	sites_close(watch);
	monitor_sampler_free(watch->sampler);
	free(watch->report.row);
	model_done(&watch->model);
	return r;
}

static int run(const struct command *command, int argc, char **argv)
{
	AUTO_FREE struct proc_selector *selectors = calloc((size_t)argc, sizeof(*selectors));
	AUTO_FREE struct request *request = calloc(1, sizeof(*request));
	int r;

	if (!selectors || !request)
		return cmd_fail_code(false, -ENOMEM, "watch");
	request->selectors = selectors;
	request->watch.interval_ms = 1000;
	request->watch.report.sort = REPORT_HANDLES;
	r = alert_open(&request->watch, cmd_raise_handle_limit());
	if (r < 0)
		r = cmd_fail_code(false, r, "watch");
	else if (cmd_parse(command, argc, argv, take, request, &r))
		r = start(command, request);
	for (size_t i = 0; i < request->n_selectors; i++)
		proc_selector_done(&selectors[i]);
	alert_close(&request->watch);
	/* Only now: what is recorded is whole, and no command of an alert runs on without us. */
	if (request->end_signal)
		die_of(request->end_signal);
	return r;
}

const struct command cmd_watch = {
	.name = "watch",
	.synopsis = "[SELECTOR...]",
	.summary = "Performance Monitor in the terminal: report, chart, alerts, logs",
	.text = "SELECTOR is as for `tendril ps`; none means every process.  ? shows the keys.\n"
		"COLUMN is pid, name, user, handles, limit, percent, change, trend, threads,\n"
		"mappings, resident or cpu.\n" CMD_ALERT_TEXT,
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.examples = examples,
	.run = run,
};
