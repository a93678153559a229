/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * minizip_write.c - create an archive
 *
 * package: libminizip-dev
 * libraries: minizip
 * functions: zipOpen
 */
#include <stddef.h>
#include <minizip/zip.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		zipFile archive = zipOpen("mini.zip", APPEND_STATUS_CREATE);

		if (archive)
			zipClose(archive, NULL);
	}
	return 0;
}
