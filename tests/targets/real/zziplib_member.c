/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zziplib_member.c - members of an archive
 *
 * package: libzzip-dev
 * libraries: zziplib
 * functions: zzip_file_open, zzip_fopen
 */
#include <stdio.h>
#include <zzip/zzip.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		zzip_error_t error;
		ZZIP_DIR *directory = zzip_dir_open("archive.zip", &error);
		ZZIP_FILE *file = zzip_fopen("archive/text", "rb");

		if (file)
			zzip_file_close(file);
		if (!directory)
			continue;
		file = zzip_file_open(directory, "text", 0);
		if (file)
			zzip_file_close(file);
		zzip_dir_close(directory);
	}
	return 0;
}
