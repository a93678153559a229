/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event_base.c - an event loop
 *
 * package: libevent-dev
 * libraries: libevent
 * functions: event_base_new
 */
#include <event2/event.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct event_base *base = event_base_new();

		if (base)
			event_base_free(base);
	}
	return 0;
}
