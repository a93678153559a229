/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libzip_open.c - open an archive
 *
 * package: libzip-dev
 * libraries: libzip
 * functions: zip_open
 * with --alloc: zip_open after malloc
 */
#include <zip.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		zip_t *archive = zip_open("archive.zip", ZIP_RDONLY, NULL);

		if (archive)
			zip_discard(archive);
	}
	return 0;
}
