/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event_more.c - a client
 *
 * package: libevent-dev
 * libraries: libevent
 * functions: evhttp_make_request, evbuffer_add_file, event_reinit
 */
#include <event2/buffer.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <stddef.h>

static void done(struct evhttp_request *request, void *mine)
{
	(void)request, (void)mine;
}

int main(void)
{
	struct event_base *base = event_base_new();

	for (int i = 0; i < 3; i++) {
		struct evhttp_connection *connection =
			evhttp_connection_base_new(base, NULL, "127.0.0.1", 1);
		struct evhttp_request *request = evhttp_request_new(done, NULL);
		struct evbuffer *buffer = evbuffer_new();
		int fd = open("text", O_RDONLY);

		if (connection && request)
			evhttp_make_request(connection, request, EVHTTP_REQ_GET, "/");
		if (buffer && fd >= 0)
			evbuffer_add_file(buffer, fd, 0, -1);
		if (buffer)
			evbuffer_free(buffer);
		if (connection)
			evhttp_connection_free(connection);
		event_reinit(base);
	}
	event_base_free(base);
	return 0;
}
