/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc_getmntent.c - read the mount table
 *
 * package: libc6-dev
 * libraries:
 * functions: setmntent, getmntent
 */
#include <mntent.h>
#include <stdio.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		FILE *table = setmntent("/proc/self/mounts", "r");

		if (table) {
			getmntent(table);
			endmntent(table);
		}
	}
	return 0;
}
