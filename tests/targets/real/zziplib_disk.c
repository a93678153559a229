/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zziplib_disk.c - map an archive
 *
 * package: libzzip-dev
 * libraries: zzipmmapped
 * functions: zzip_disk_open
 * with --alloc: zzip_disk_open after malloc
 */
#include <zzip/mmapped.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		ZZIP_DISK *disk = zzip_disk_open("archive.zip");

		if (disk)
			zzip_disk_close(disk);
	}
	return 0;
}
