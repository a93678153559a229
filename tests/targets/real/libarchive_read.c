/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libarchive_read.c - open a tar archive
 *
 * package: libarchive-dev
 * libraries: libarchive
 * functions: archive_read_open_filename
 * with --alloc: archive_read_open_filename after calloc
 */
#include <archive.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct archive *archive = archive_read_new();

		if (!archive)
			continue;
		archive_read_support_filter_all(archive);
		archive_read_support_format_all(archive);
		archive_read_open_filename(archive, "archive.tar.gz", 10240);
		archive_read_free(archive);
	}
	return 0;
}
