/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socketcan_state.c - a CAN interface
 *
 * package: libsocketcan-dev
 * libraries: libsocketcan
 * functions: can_get_state, can_do_start
 * leaks: can_get_state after bind, can_get_state after getsockname, can_do_start after bind,
 *   can_do_start after getsockname
 */
#include <libsocketcan.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		int state;

		can_get_state("can0", &state);
		can_do_start("can0");
	}
	return 0;
}
