/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event_timer.c - an event loop with a precise timer
 *
 * package: libevent-dev
 * libraries: libevent
 * functions: event_base_new_with_config
 */
#include <event2/event.h>

int main(void)
{
	struct event_config *configuration = event_config_new();

	event_config_set_flag(configuration, EVENT_BASE_FLAG_PRECISE_TIMER);
	for (int i = 0; i < 3; i++) {
		struct event_base *base = event_base_new_with_config(configuration);

		if (base)
			event_base_free(base);
	}
	event_config_free(configuration);
	return 0;
}
