/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc_openpty.c - a pseudo-terminal
 *
 * package: libc6-dev
 * libraries: -lutil
 * functions: openpty
 */
#include <pty.h>
#include <stddef.h>
#include <unistd.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		int master, slave;

		if (openpty(&master, &slave, NULL, NULL, NULL) == 0) {
			close(master);
			close(slave);
		}
	}
	return 0;
}
