/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gio_socket.c - a socket
 *
 * package: libglib2.0-dev
 * libraries: gio-2.0
 * functions: g_socket_new
 */
#include <gio/gio.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		GSocket *socket = g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM,
					       G_SOCKET_PROTOCOL_DEFAULT, NULL);

		if (socket)
			g_object_unref(socket);
	}
	return 0;
}
