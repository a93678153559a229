/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oping_send.c - ask a host whether it lives
 *
 * package: liboping-dev
 * libraries: liboping
 * functions: ping_send
 */
#include <oping.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		pingobj_t *ping = ping_construct();
		double seconds = 0.1;

		if (!ping)
			continue;
		ping_setopt(ping, PING_OPT_TIMEOUT, &seconds);
		if (ping_host_add(ping, "127.0.0.1") == 0)
			ping_send(ping);
		ping_destroy(ping);
	}
	return 0;
}
