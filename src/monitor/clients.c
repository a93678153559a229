/* SPDX-License-Identifier: BSD-2-Clause */
/* clients.c - a list of connections, by the time of their last request */
#include "monitor/clients.h"

#include <sys/socket.h>

struct client {
	int fd;
	bool is_listed; /* not when it was ended, or is a live page */
	struct client *older, *newer;
};

static void unlist(struct clients *clients, struct client *client)
{
	if (!client->is_listed)
		return;
	if (client->older)
		client->older->newer = client->newer;
	else
		clients->oldest = client->newer;
	if (client->newer)
		client->newer->older = client->older;
	else
		clients->newest = client->older;
	client->is_listed = false;
	clients->n--;
}

static void list_as_newest(struct clients *clients, struct client *client)
{
	client->older = clients->newest;
	client->newer = NULL;
	if (clients->newest)
		clients->newest->newer = client;
	else
		clients->oldest = client;
	clients->newest = client;
	client->is_listed = true;
	clients->n++;
}

struct client *clients_add(struct clients *clients, int fd)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->fd = fd;
	list_as_newest(clients, client);
	if (clients->n > clients->n_max) {
		/* Its owner sees the end of it, and closes the descriptor. */
		(void)shutdown(clients->oldest->fd, SHUT_RDWR);
		unlist(clients, clients->oldest);
	}
	return client;
}

void clients_touch(struct clients *clients, struct client *client)
{
	if (!client || !client->is_listed)
		return;
	unlist(clients, client);
	list_as_newest(clients, client);
}

void clients_keep(struct clients *clients, struct client *client)
{
	if (client)
		unlist(clients, client);
}

void clients_remove(struct clients *clients, struct client *client)
{
	if (!client)
		return;
	unlist(clients, client);
	free(client);
}
