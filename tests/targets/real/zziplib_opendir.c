/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zziplib_opendir.c - open a real directory
 *
 * package: libzzip-dev
 * libraries: zziplib
 * functions: zzip_opendir
 */
#include <zzip/zzip.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		ZZIP_DIR *directory = zzip_opendir(".");

		if (directory)
			zzip_closedir(directory);
	}
	return 0;
}
