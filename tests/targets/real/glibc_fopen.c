/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc_fopen.c - open a file for reading
 *
 * package: libc6-dev
 * libraries:
 * functions: fopen
 */
#include <stdio.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		FILE *file = fopen("text", "r");

		if (file)
			fclose(file);
	}
	return 0;
}
