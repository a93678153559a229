/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socketcan_set.c - a CAN interface
 *
 * package: libsocketcan-dev
 * libraries: libsocketcan
 * functions: can_set_bitrate, can_do_stop, can_get_clock
 * leaks: can_set_bitrate after bind, can_set_bitrate after getsockname,
 *   can_do_stop after bind, can_do_stop after getsockname, can_get_clock after bind,
 *   can_get_clock after getsockname
 */
#include <libsocketcan.h>
#include <stdio.h>

int main(void)
{
	if (!freopen("/dev/null", "w", stderr))
		return 1;
	for (int i = 0; i < 3; i++) {
		struct can_clock clock;

		can_set_bitrate("can0", 125000);
		can_do_stop("can0");
		can_get_clock("can0", &clock);
	}
	return 0;
}
