/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libarchive_program.c - an archive that a program unpacks
 *
 * package: libarchive-dev
 * libraries: libarchive
 * functions: archive_read_open_filename
 */
#include <archive.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct archive *archive = archive_read_new();

		if (!archive)
			continue;
		archive_read_support_filter_program(archive, "gzip -dc");
		archive_read_support_format_tar(archive);
		archive_read_open_filename(archive, "archive.tar.gz", 10240);
		archive_read_free(archive);
	}
	return 0;
}
