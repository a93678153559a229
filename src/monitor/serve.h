/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve.h - the monitor over HTTP: the page, metrics, JSON, server-sent events
 *
 * Two threads: the feed's takes samples; the other one answers, for all connections, without ever
 * waiting for one of them.  What they share are snapshots that do not change.  The number of
 * connections, the size of a request and the time without a sign of life are bounded.
 */
#ifndef MONITOR_SERVE_H
#define MONITOR_SERVE_H

#include "monitor/feed.h"

#define SERVE_WHY_BYTES 512

struct serve_options {
	const char *listen;    /* see listen_parse() */
	const char *auth_file; /* NULL: anybody may ask; see credentials.h */
	const char *tls_cert, *tls_key; /* files in PEM, or NULL */
	bool per_pid;          /* metrics: each process instead of groups */
	size_t max_series;
	struct monitor_feed_options feed; /* but for on_sample */
};

struct serve;

/*
 * Begin to sample and to listen.  ret_why says what was wrong, raw, in one line.
 * Return: 0, -EPERM (not on this address without TLS and credentials), -EINVAL (an option), or what a
 * file or the network said.
 */
int serve_start(const struct serve_options *options, struct serve **ret_serve,
		char ret_why[SERVE_WHY_BYTES]);
const char *serve_url(const struct serve *serve);
enum monitor_source serve_source(const struct serve *serve);
void serve_stop(struct serve *serve);

#endif /* MONITOR_SERVE_H */
