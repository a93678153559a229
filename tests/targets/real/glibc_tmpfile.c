/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc_tmpfile.c - a file without a name
 *
 * package: libc6-dev
 * libraries:
 * functions: tmpfile
 */
#include <stdio.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		FILE *file = tmpfile();

		if (file)
			fclose(file);
	}
	return 0;
}
