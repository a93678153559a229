/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libarchive_write.c - create an archive
 *
 * package: libarchive-dev
 * libraries: libarchive
 * functions: archive_write_open_filename
 * leaks: archive_write_open_filename after newfstatat
 */
#include <archive.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct archive *archive = archive_write_new();

		if (!archive)
			continue;
		archive_write_set_format_ustar(archive);
		archive_write_open_filename(archive, "new.tar");
		archive_write_free(archive);
	}
	return 0;
}
