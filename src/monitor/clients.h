/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clients.h - who is connected, and who has to go when there is no room left
 *
 * Somebody who opens all connections there may be, and sends a byte now and then, would keep all others
 * out for ever.  So before there are too many, the connection whose request began longest ago is
 * ended: that of an honest client was answered long before.  Live pages are not ended; their number
 * has a bound of its own, which has to be lower.
 *
 * For one thread.
 */
#ifndef MONITOR_CLIENTS_H
#define MONITOR_CLIENTS_H

#include "base/base.h"

struct client;

struct clients {
	struct client *oldest, *newest;
	size_t n, n_max;
};

/* Note a connection, and end another one when there are more than n_max.  The descriptor stays the
 * caller's.  NULL: out of memory; the others accept that as a client, too. */
struct client *clients_add(struct clients *clients, int fd);
/* A request begins or has been answered. */
void clients_touch(struct clients *clients, struct client *client);
/* It is a live page from now on. */
void clients_keep(struct clients *clients, struct client *client);
/* The connection is closed. */
void clients_remove(struct clients *clients, struct client *client);

#endif /* MONITOR_CLIENTS_H */
