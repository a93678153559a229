/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xcb_connect.c - a display
 *
 * package: libxcb1-dev
 * libraries: xcb
 * functions: xcb_connect
 */
#include <stddef.h>
#include <xcb/xcb.h>

int main(void)
{
	for (int i = 0; i < 3; i++)
		xcb_disconnect(xcb_connect(":99", NULL));
	return 0;
}
