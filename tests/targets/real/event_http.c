/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event_http.c - a web server
 *
 * package: libevent-dev
 * libraries: libevent
 * functions: evhttp_bind_socket_with_handle
 * with --alloc: evhttp_bind_socket_with_handle after calloc
 */
#include <event2/event.h>
#include <event2/http.h>

int main(void)
{
	struct event_base *base = event_base_new();

	for (int i = 0; i < 3; i++) {
		struct evhttp *http = evhttp_new(base);

		if (!http)
			continue;
		evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
		evhttp_free(http);
	}
	event_base_free(base);
	return 0;
}
