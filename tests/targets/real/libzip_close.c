/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libzip_close.c - write an archive
 *
 * package: libzip-dev
 * libraries: libzip
 * functions: zip_close
 */
#include <stdlib.h>
#include <zip.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		zip_t *archive = zip_open("new.zip", ZIP_CREATE | ZIP_TRUNCATE, NULL);
		zip_source_t *source;

		if (!archive)
			continue;
		source = zip_source_file(archive, "text", 0, -1);
		if (source && zip_file_add(archive, "text", source, ZIP_FL_OVERWRITE) < 0)
			zip_source_free(source);
		if (zip_close(archive) != 0)
			zip_discard(archive);
	}
	return 0;
}
