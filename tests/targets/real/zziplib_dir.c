/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zziplib_dir.c - open an archive
 *
 * package: libzzip-dev
 * libraries: zziplib
 * functions: zzip_dir_open
 * with --alloc: zzip_dir_open after calloc
 */
#include <zzip/zzip.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		zzip_error_t error;
		ZZIP_DIR *directory = zzip_dir_open("archive.zip", &error);

		if (directory)
			zzip_dir_close(directory);
	}
	return 0;
}
