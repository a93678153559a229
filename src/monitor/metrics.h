/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics.h - a sample as OpenMetrics or Prometheus text
 *
 * Processes of the same name, user and container are one group: a fleet must not explode the
 * database that reads this.  However many there are, at most max_series of them get labels of their
 * own; the rest is one group called "other", and how many those are is a metric too.
 */
#ifndef MONITOR_METRICS_H
#define MONITOR_METRICS_H

#include <stdio.h>

#include "monitor/feed.h"
#include "monitor/users.h"

enum metrics_format {
	METRICS_PROMETHEUS = 0, /* text 0.0.4 */
	METRICS_OPENMETRICS,    /* 1.0.0 */
};

struct metrics_options {
	enum metrics_format format;
	bool per_pid;      /* no groups: a label pid */
	size_t max_series; /* at least 1 */
	const struct alert_report *alerts; /* NULL: there are none */
};

/* What an Accept header asks for; NULL: there was none. */
enum metrics_format metrics_negotiate(const char *accept);
const char *metrics_content_type(enum metrics_format format);
/* Return: 0, -ENOMEM; whether writing failed, out knows. */
int metrics_write(FILE *out, const struct monitor_snapshot *snapshot, struct monitor_users *users,
		  const struct metrics_options *options);

#endif /* MONITOR_METRICS_H */
