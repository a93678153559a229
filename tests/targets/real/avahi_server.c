/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * avahi_server.c - a responder
 *
 * package: libavahi-core-dev
 * libraries: avahi-core
 * functions: avahi_server_new
 */
#include <stddef.h>
#include <avahi-core/core.h>
#include <avahi-core/log.h>
#include <avahi-common/simple-watch.h>

int main(void)
{
	AvahiSimplePoll *poll = avahi_simple_poll_new();

	avahi_set_log_function(NULL);
	for (int i = 0; i < 3; i++) {
		AvahiServerConfig configuration;
		AvahiServer *server;
		int error;

		avahi_server_config_init(&configuration);
		server = avahi_server_new(avahi_simple_poll_get(poll), &configuration, NULL, NULL,
					  &error);
		avahi_server_config_free(&configuration);
		if (server)
			avahi_server_free(server);
	}
	avahi_simple_poll_free(poll);
	return 0;
}
