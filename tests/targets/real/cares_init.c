/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cares_init.c - a resolver
 *
 * package: libc-ares-dev
 * libraries: libcares
 * functions: ares_init
 */
#include <ares.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		ares_channel channel;

		if (ares_init(&channel) == ARES_SUCCESS)
			ares_destroy(channel);
	}
	return 0;
}
