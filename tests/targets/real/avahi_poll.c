/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * avahi_poll.c - an event loop
 *
 * package: libavahi-core-dev
 * libraries: avahi-core
 * functions: avahi_simple_poll_new
 */
#include <avahi-common/simple-watch.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		AvahiSimplePoll *poll = avahi_simple_poll_new();

		if (poll)
			avahi_simple_poll_free(poll);
	}
	return 0;
}
