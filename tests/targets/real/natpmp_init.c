/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * natpmp_init.c - ask the router
 *
 * package: libnatpmp-dev
 * libraries: -lnatpmp
 * functions: initnatpmp
 */
#include <sys/types.h>
#include <natpmp.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		natpmp_t natpmp;

		initnatpmp(&natpmp, 1, 0x0100007f);
		/* What it opened before it failed is in there. */
		closenatpmp(&natpmp);
	}
	return 0;
}
