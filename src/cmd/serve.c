/* SPDX-License-Identifier: BSD-2-Clause */
/* serve.c - tendril serve: the monitor over HTTP, until a signal ends it */
#include "monitor/serve.h"

#include <signal.h>
#include <string.h>

#include "cmd/alerts.h"
#include "cmd/handle_limit.h"
#include "cmd/selection.h"

#define DEFAULT_LISTEN	  "127.0.0.1:9469"
#define DEFAULT_INTERVAL  10000
#define INTERVAL_MS_MIN	  100
#define INTERVAL_MS_MAX	  3600000
#define DEFAULT_HISTORY	  360
#define HISTORY_MAX	  100000
#define HISTORY_BYTES_MAX ((size_t)64 << 20)
#define DEFAULT_SERIES	  1000
#define SERIES_MAX	  100000

enum { OPTION_LISTEN, OPTION_INTERVAL, OPTION_PIDS, OPTION_MAX_SERIES, OPTION_HISTORY,
       OPTION_TLS_CERT, OPTION_TLS_KEY, OPTION_AUTH_FILE, OPTION_ALERT };

static const struct cmd_option options[] = {
	[OPTION_LISTEN] = { "listen", 'l', "ADDRESS:PORT", DEFAULT_LISTEN " by default; port 0: a free one" },
	[OPTION_INTERVAL] = { "interval", 'i', "SECONDS", "between samples; 10 by default" },
	[OPTION_PIDS] = { "pids", 'p', NULL, "metrics of each process, not of groups" },
	[OPTION_MAX_SERIES] = { "max-series", 0, "N", "at most so many groups; 1000 by default" },
	[OPTION_HISTORY] = { "history", 0, "N", "samples to keep for the page; 360 by default" },
	[OPTION_TLS_CERT] = { "tls-cert", 0, "FILE", "certificate, in PEM" },
	[OPTION_TLS_KEY] = { "tls-key", 0, "FILE", "its key, in PEM" },
	[OPTION_AUTH_FILE] = { "auth-file", 0, "FILE", "lines of `basic USER:PASSWORD` or "
						       "`bearer TOKEN`" },
	CMD_ALERT_TABLE(OPTION_ALERT),
};

static const char *const examples[] = {
	"tendril serve", "the page is at http://" DEFAULT_LISTEN "/",
	"tendril serve --interval 1 'ngi*' user:postgres", "those only, every second",
	"tendril serve -l :9469 --tls-cert c.pem --tls-key k.pem --auth-file users",
	"for other machines too",
	NULL,
};

struct request {
	bool json;
	struct serve_options serve;
	struct proc_selector *selectors;
	size_t n_selectors;
	struct cmd_alerts alerts;
};

/* The command line */

static int take_selector(const struct command *command, struct request *request, const char *word)
{
	int r = cmd_parse_selector(command, word, &request->selectors[request->n_selectors]);

	request->n_selectors += r == 0;
	return r;
}

static int take_number(const struct command *command, const char *option, const char *word,
		       uint64_t max, size_t *ret_number)
{
	uint64_t number;
	const char *end = proc_scan(word, 10, &number);

	if (!end || *end || number == 0 || number > max)
		return cmd_usage(command, "--%s %s: a number from 1 to %lu is wanted", option, word,
				 (unsigned long)max);
	*ret_number = number;
	return 0;
}

static int take(const struct command *command, void *state, int option, const char *value)
{
	struct request *request = state;
	struct serve_options *serve = &request->serve;

	switch (option) {
	case CMD_JSON:
		request->json = true;
		return 0;
	case OPTION_LISTEN:
		serve->listen = value;
		return 0;
	case OPTION_INTERVAL:
		return cmd_take_interval(command, value, INTERVAL_MS_MIN, INTERVAL_MS_MAX, &serve->feed.interval_ms);
	case OPTION_PIDS:
		serve->per_pid = true;
		return 0;
	case OPTION_MAX_SERIES:
		return take_number(command, "max-series", value, SERIES_MAX, &serve->max_series);
	case OPTION_HISTORY:
		return take_number(command, "history", value, HISTORY_MAX, &serve->feed.history);
	case OPTION_TLS_CERT:
		serve->tls_cert = value;
		return 0;
	case OPTION_TLS_KEY:
		serve->tls_key = value;
		return 0;
	case OPTION_AUTH_FILE:
		serve->auth_file = value;
		return 0;
	default:
		if (option >= OPTION_ALERT)
			return cmd_take_alert(command, &request->alerts, option - OPTION_ALERT, value);
		return take_selector(command, request, value);
	}
}

/* Serving */

/* Whoever started us may wait for this line. */
static void announce(const struct serve *serve, bool json)
{
	struct json document = { .out = stdout };

	if (json) {
		json_object(&document, NULL);
		json_text(&document, "url", serve_url(serve));
		json_text(&document, "source", monitor_source_name(serve_source(serve)));
		json_end_object(&document);
	} else {
		printf("%s\n", serve_url(serve));
	}
	(void)fflush(stdout);
}

static int serve_until_signal(const struct command *command, const struct request *request)
{
	char why[SERVE_WHY_BYTES] = "";
	struct tendril_error error = { 0 };
	struct serve *serve;
	sigset_t ends;
	int r, received;

	/* Before the threads are made, so that they leave the signals to us. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &ends, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	r = serve_start(&request->serve, &serve, why);
	if (r == -EINVAL || r == -EPERM)
		return cmd_usage(command, "%s", why);
	if (r < 0) {
		(void)fail(&error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE, "%s", why);
		error.left = TENDRIL_LEFT_NOTHING;
		return cmd_fail(request->json, &error);
	}
	announce(serve, request->json);
	(void)sigwait(&ends, &received);
	serve_stop(serve);
	return CMD_DONE;
}

static int check_and_serve(const struct command *command, struct request *request)
{
	struct monitor_feed_options *feed = &request->serve.feed;
	int r = cmd_alerts_taken(command, &request->alerts);

	if (r)
		return r;
	feed->sampling.selectors = request->selectors;
	feed->sampling.n_selectors = request->n_selectors;
	if (alert_set_n_rules(request->alerts.set) > 0)
		feed->alerts = request->alerts.set;
	return serve_until_signal(command, request);
}

static int run(const struct command *command, int argc, char **argv)
{
	AUTO_FREE struct proc_selector *selectors = calloc((size_t)argc, sizeof(*selectors));
	struct request request = {
		.selectors = selectors,
		.serve = { .listen = DEFAULT_LISTEN, .max_series = DEFAULT_SERIES,
			   .feed = { .interval_ms = DEFAULT_INTERVAL, .history = DEFAULT_HISTORY,
				     .history_bytes = HISTORY_BYTES_MAX } },
	};
	int r;

	if (!selectors || cmd_alerts_open(&request.alerts, STDERR_FILENO, cmd_raise_handle_limit()) < 0)
		return cmd_fail_code(false, -ENOMEM, "serve");
	if (cmd_parse(command, argc, argv, take, &request, &r))
		r = check_and_serve(command, &request);
	cmd_alerts_close(&request.alerts);
	for (size_t i = 0; i < request.n_selectors; i++)
		proc_selector_done(&selectors[i]);
	return r;
}

const struct command cmd_serve = {
	.name = "serve",
	.synopsis = "[SELECTOR...]",
	.summary = "web page, OpenMetrics and JSON of the handle counts",
	.text = "Prints where it listens and goes on until SIGTERM or SIGINT.  SELECTOR is as\n"
		"for `tendril ps`; none means every process.  There are / (the page), /metrics,\n"
		"/api/v1/processes, /api/v1/history, /api/v1/alerts, /api/v1/events and\n"
		"/healthz.  An address that other machines reach needs --tls-cert, --tls-key\n"
		"and --auth-file.\n" CMD_ALERT_TEXT,
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.examples = examples,
	.run = run,
};
