/* SPDX-License-Identifier: BSD-2-Clause */
/* listen.h - "ADDRESS:PORT" -> a listening socket, and whether others than this machine reach it */
#ifndef MONITOR_LISTEN_H
#define MONITOR_LISTEN_H

#include <sys/socket.h>

#include "base/base.h"

#define LISTEN_TEXT_BYTES 64

struct listen_address {
	struct sockaddr_storage address;
	socklen_t bytes;
	bool is_loopback;
};

/* "127.0.0.1:9469", "[::1]:9469", "localhost:9469", ":9469" (every address).  Names are not looked up.
 * Return: 0, -EINVAL. */
int listen_parse(const char *text, struct listen_address *ret_address);
/* Return: a descriptor, or a negative errno; ret_text is the address with the port that it got. */
int listen_open(const struct listen_address *address, char ret_text[LISTEN_TEXT_BYTES]);
/* Does a Host header name this machine's loopback?  A page of somebody else's whose name was made to
 * point at 127.0.0.1 comes with its own name. */
bool listen_is_local_host(const char *host);

#endif /* MONITOR_LISTEN_H */
