/* SPDX-License-Identifier: BSD-2-Clause */
/* web_api.h - the JSON documents of `tendril serve` */
#ifndef MONITOR_WEB_API_H
#define MONITOR_WEB_API_H

#include <stdio.h>

#include "monitor/feed.h"
#include "monitor/users.h"

#define WEB_API_SERIES_MAX 64 /* in one answer */

/* What is the same for all samples. */
struct web_api_facts {
	int64_t interval_ms;
	const char *source;
};

/* The newest sample, whole; one line. */
void web_api_processes(FILE *out, const struct monitor_snapshot *snapshot,
		       struct monitor_users *users, const struct web_api_facts *facts);

/* The rules and what fired, one line; NULL: there are none. */
void web_api_alerts(FILE *out, const struct alert_report *report);

struct web_api_history {
	enum monitor_kept counter;
	int64_t since_ms; /* CLOCK_REALTIME; older ones are left out */
	size_t n_series;
	struct web_api_series {
		pid_t pid;
		uint64_t start_ticks; /* 0: whoever has the id */
	} series[WEB_API_SERIES_MAX];
};

/* Parse "12,34:5678": ids, each with the start of the process or without.  Return: 0, -EINVAL, -E2BIG. */
int web_api_parse_series(const char *text, struct web_api_history *request);
/* A counter's name in JSON; -EINVAL when no history of it is kept. */
int web_api_parse_counter(const char *text, struct web_api_history *request);
void web_api_history(FILE *out, struct monitor_moment **moments, size_t n_moments,
		     const struct web_api_history *request);

#endif /* MONITOR_WEB_API_H */
