/* SPDX-License-Identifier: BSD-2-Clause */
/* daemons.h - ours and other people's servers, started for the time that they are measured */
#ifndef DAEMONS_H
#define DAEMONS_H

#include "measure.h"

struct daemon {
	pid_t pid; /* 0: it does not run */
	int port;
	char folder[64]; /* of its files; "": none */
	char socket[96]; /* where pmcd listens */
	struct clock_of clock; /* of all its processes */
};

/* The path of a command, from PATH or one of Debian's folders; NULL: it is not installed. */
const char *find_command(const char *name);

/* tendril serve, with further words behind; NULL ends them. */
int serve_start(const char *tendril, const char *const *words, struct daemon *ret_daemon);
/* With every process in a group by its name.  is_lean: without what costs it most, threads and
 * smaps, which we do not tell either. */
int exporter_start(bool is_lean, struct daemon *ret_daemon);
/* pmcd with pmdaproc and nothing else. */
int pcp_start(struct daemon *ret_daemon);
void daemon_end(struct daemon *daemon);

/* GET path on the loopback, whole.  ret_text may be NULL.  Return: bytes, or a negative errno. */
long http_get(int port, const char *path, char **ret_text);
/* The socket, with the request sent. */
int http_ask(int port, const char *path);

/* For struct contender: param is the daemon. */
int run_scrape(void *daemon);
int run_pmprobe(void *daemon);
/* param: the words of a command, ended by NULL; what it prints is thrown away. */
int run_command(void *words);

#endif /* DAEMONS_H */
