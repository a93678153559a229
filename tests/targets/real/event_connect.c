/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event_connect.c - connect by a buffer event
 *
 * package: libevent-dev
 * libraries: libevent
 * functions: bufferevent_socket_connect
 */
#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <string.h>

int main(void)
{
	struct event_base *base = event_base_new();
	struct sockaddr_in address;

	memset(&address, 0, sizeof(address));
	address.sin_family = AF_INET;
	address.sin_port = htons(1);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < 3; i++) {
		struct bufferevent *event = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);

		if (!event)
			continue;
		bufferevent_socket_connect(event, (struct sockaddr *)&address, sizeof(address));
		bufferevent_free(event);
	}
	event_base_free(base);
	return 0;
}
