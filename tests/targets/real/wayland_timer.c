/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wayland_timer.c - an event loop
 *
 * package: libwayland-dev
 * libraries: wayland-server
 * functions: wl_event_loop_create, wl_event_loop_add_timer, wl_event_loop_add_signal
 */
#include <signal.h>
#include <stddef.h>
#include <wayland-server-core.h>

static int on_timer(void *data)
{
	(void)data;
	return 0;
}

static int on_signal(int number, void *data)
{
	(void)number, (void)data;
	return 0;
}

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct wl_event_loop *loop = wl_event_loop_create();
		struct wl_event_source *timer, *source;

		if (!loop)
			continue;
		timer = wl_event_loop_add_timer(loop, on_timer, NULL);
		source = wl_event_loop_add_signal(loop, SIGUSR1, on_signal, NULL);
		if (timer)
			wl_event_source_remove(timer);
		if (source)
			wl_event_source_remove(source);
		wl_event_loop_destroy(loop);
	}
	return 0;
}
