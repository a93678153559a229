/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zziplib_file.c - open a member of an archive
 *
 * package: libzzip-dev
 * libraries: zziplib
 * functions: zzip_open
 */
#include <fcntl.h>
#include <zzip/zzip.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		ZZIP_FILE *file = zzip_open("archive/text", O_RDONLY);

		if (file)
			zzip_close(file);
	}
	return 0;
}
