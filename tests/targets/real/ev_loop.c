/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ev_loop.c - an event loop
 *
 * package: libev-dev
 * libraries: -lev
 * functions: ev_loop_new
 */
#include <ev.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);

		if (loop)
			ev_loop_destroy(loop);
	}
	return 0;
}
