/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ext2fs_open.c - a file system in a file
 *
 * package: libext2fs-dev
 * libraries: ext2fs com_err
 * functions: ext2fs_open
 * reads: ext2.img
 * with --alloc: ext2fs_open after calloc, ext2fs_open after malloc
 */
#include <ext2fs/ext2fs.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		ext2_filsys system;

		if (ext2fs_open("ext2.img", EXT2_FLAG_RW, 0, 0, unix_io_manager, &system) == 0)
			ext2fs_free(system);
	}
	return 0;
}
