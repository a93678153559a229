/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gio_monitor.c - sockets
 *
 * package: libglib2.0-dev
 * libraries: gio-2.0
 * functions: g_socket_listener_add_any_inet_port
 */
#include <gio/gio.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		GSocketListener *listener = g_socket_listener_new();

		g_socket_listener_add_any_inet_port(listener, NULL, NULL);
		g_object_unref(listener);
	}
	return 0;
}
