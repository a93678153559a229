/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc_getaddrinfo.c - look a name up
 *
 * package: libc6-dev
 * libraries:
 * functions: getaddrinfo
 */
#include <netdb.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct addrinfo *list;

		if (getaddrinfo("localhost", "http", NULL, &list) == 0)
			freeaddrinfo(list);
	}
	return 0;
}
