/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libarchive_more.c - more of archives
 *
 * package: libarchive-dev
 * libraries: libarchive
 * functions: archive_read_open_fd, archive_write_header, archive_match_include_pattern_from_file
 * with --alloc: archive_match_include_pattern_from_file after calloc
 */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct archive *archive = archive_read_new(), *disk = archive_write_disk_new();
		struct archive *match = archive_match_new();
		struct archive_entry *entry = archive_entry_new();
		int fd = open("archive.tar.gz", O_RDONLY);

		archive_read_support_filter_all(archive);
		archive_read_support_format_all(archive);
		archive_read_open_fd(archive, fd, 10240);
		archive_match_include_pattern_from_file(match, "text", 0);
		archive_entry_set_pathname(entry, "directory/of/file");
		archive_entry_set_filetype(entry, AE_IFREG);
		archive_entry_set_size(entry, 0);
		archive_entry_set_mode(entry, 0600);
		archive_write_disk_set_options(disk, ARCHIVE_EXTRACT_SECURE_SYMLINKS |
							     ARCHIVE_EXTRACT_ACL |
							     ARCHIVE_EXTRACT_FFLAGS);
		archive_write_header(disk, entry);
		archive_entry_free(entry);
		archive_match_free(match);
		archive_write_free(disk);
		archive_read_free(archive);
		close(fd);
	}
	return 0;
}
