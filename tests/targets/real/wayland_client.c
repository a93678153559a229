/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wayland_client.c - both ends of a display
 *
 * package: libwayland-dev
 * libraries: wayland-client wayland-server
 * functions: wl_client_create, wl_display_connect
 */
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-client-core.h>
#include <wayland-server-core.h>

int main(void)
{
	char here[PATH_MAX];

	if (!getcwd(here, sizeof(here)))
		return 1;
	setenv("XDG_RUNTIME_DIR", here, 1);
	for (int i = 0; i < 3; i++) {
		struct wl_display *server = wl_display_create(), *client;
		int pair[2];

		wl_display_add_socket(server, "wayland-real");
		client = wl_display_connect("wayland-real");
		if (client)
			wl_display_disconnect(client);
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
			if (!wl_client_create(server, pair[0]))
				close(pair[0]);
			close(pair[1]);
		}
		wl_display_destroy_clients(server);
		wl_display_destroy(server);
	}
	return 0;
}
