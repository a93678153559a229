/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event_listen.c - listen to a port
 *
 * package: libevent-dev
 * libraries: libevent
 * functions: evconnlistener_new_bind
 */
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <string.h>

static void accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		     int length, void *mine)
{
	(void)listener, (void)fd, (void)address, (void)length, (void)mine;
}

int main(void)
{
	struct event_base *base = event_base_new();
	struct sockaddr_in address;

	memset(&address, 0, sizeof(address));
	address.sin_family = AF_INET;
	for (int i = 0; i < 3; i++) {
		struct evconnlistener *listener = evconnlistener_new_bind(
			base, accepted, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 5,
			(struct sockaddr *)&address, sizeof(address));

		if (listener)
			evconnlistener_free(listener);
	}
	event_base_free(base);
	return 0;
}
