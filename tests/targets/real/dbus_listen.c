/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dbus_listen.c - a private bus
 *
 * package: libdbus-1-dev
 * libraries: dbus-1
 * functions: dbus_server_listen, dbus_connection_open_private
 */
#include <dbus/dbus.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		DBusServer *server = dbus_server_listen("unix:dir=.", NULL);
		char *address;
		DBusConnection *connection;

		if (!server)
			continue;
		address = dbus_server_get_address(server);
		connection = address ? dbus_connection_open_private(address, NULL) : NULL;
		if (connection) {
			dbus_connection_close(connection);
			dbus_connection_unref(connection);
		}
		dbus_free(address);
		dbus_server_disconnect(server);
		dbus_server_unref(server);
	}
	return 0;
}
