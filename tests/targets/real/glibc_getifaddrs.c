/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc_getifaddrs.c - list the network interfaces
 *
 * package: libc6-dev
 * libraries:
 * functions: getifaddrs, if_nameindex
 */
#include <ifaddrs.h>
#include <net/if.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct ifaddrs *list;
		struct if_nameindex *names = if_nameindex();

		if (names)
			if_freenameindex(names);
		if (getifaddrs(&list) == 0)
			freeifaddrs(list);
	}
	return 0;
}
