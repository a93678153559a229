/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ext2fs_undo.c - a file system whose changes are noted
 *
 * package: libext2fs-dev
 * libraries: ext2fs com_err
 * functions: ext2fs_open
 * reads: ext2.img
 * with --alloc: ext2fs_open after calloc, ext2fs_open after malloc
 */
#include <ext2fs/ext2fs.h>
#include <unistd.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		ext2_filsys system;

		unlink("ext2.undo");
		set_undo_io_backing_manager(unix_io_manager);
		set_undo_io_backup_file("ext2.undo");
		if (ext2fs_open("ext2.img", EXT2_FLAG_RW, 0, 0, undo_io_manager, &system) == 0)
			ext2fs_free(system);
	}
	return 0;
}
