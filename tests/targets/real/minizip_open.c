/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * minizip_open.c - open an archive
 *
 * package: libminizip-dev
 * libraries: minizip
 * functions: unzOpen
 * with --alloc: unzOpen after malloc
 */
#include <stddef.h>
#include <minizip/unzip.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		unzFile archive = unzOpen("archive.zip");

		if (archive)
			unzClose(archive);
	}
	return 0;
}
