/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wayland_server.c - a display
 *
 * package: libwayland-dev
 * libraries: wayland-server
 * functions: wl_display_create, wl_display_add_socket_auto
 */
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>
#include <wayland-server-core.h>

int main(void)
{
	char here[PATH_MAX];

	if (!getcwd(here, sizeof(here)))
		return 1;
	setenv("XDG_RUNTIME_DIR", here, 1);
	for (int i = 0; i < 3; i++) {
		struct wl_display *display = wl_display_create();

		if (!display)
			continue;
		wl_display_add_socket_auto(display);
		wl_display_destroy(display);
	}
	return 0;
}
