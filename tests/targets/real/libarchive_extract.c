/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libarchive_extract.c - unpack, and look at a file
 *
 * package: libarchive-dev
 * libraries: libarchive
 * functions: archive_read_extract, archive_read_disk_entry_from_file
 */
#include <archive.h>
#include <archive_entry.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct archive *archive = archive_read_new();
		struct archive *disk = archive_read_disk_new();
		struct archive_entry *entry;

		archive_read_support_filter_all(archive);
		archive_read_support_format_all(archive);
		if (archive_read_open_filename(archive, "archive.tar.gz", 10240) == ARCHIVE_OK &&
		    archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
			archive_entry_set_pathname(entry, "unpacked");
			archive_read_extract(archive, entry,
					     ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_ACL |
						     ARCHIVE_EXTRACT_XATTR);
		}
		entry = archive_entry_new();
		archive_entry_copy_sourcepath(entry, "text");
		archive_entry_copy_pathname(entry, "text");
		archive_read_disk_entry_from_file(disk, entry, -1, NULL);
		archive_entry_free(entry);
		archive_read_free(disk);
		archive_read_free(archive);
	}
	return 0;
}
