/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libarchive_disk.c - read a tree
 *
 * package: libarchive-dev
 * libraries: libarchive
 * functions: archive_read_disk_open, archive_read_next_header2
 */
#include <archive.h>
#include <archive_entry.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct archive *archive = archive_read_disk_new();
		struct archive_entry *entry = archive_entry_new();

		if (archive && entry && archive_read_disk_open(archive, ".") == ARCHIVE_OK)
			archive_read_next_header2(archive, entry);
		archive_entry_free(entry);
		archive_read_free(archive);
	}
	return 0;
}
