/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sd_event.c - an event loop with a timer
 *
 * package: libsystemd-dev
 * libraries: libsystemd
 * functions: sd_event_new, sd_event_add_time
 */
#include <stddef.h>
#include <systemd/sd-event.h>
#include <time.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		sd_event *event = NULL;

		if (sd_event_new(&event) >= 0)
			sd_event_add_time(event, NULL, CLOCK_MONOTONIC, 1, 0, NULL, NULL);
		sd_event_unref(event);
	}
	return 0;
}
