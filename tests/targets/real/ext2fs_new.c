/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ext2fs_new.c - a new file system in a file
 *
 * package: libext2fs-dev
 * libraries: ext2fs com_err
 * functions: ext2fs_initialize
 * with --alloc: ext2fs_initialize after calloc, ext2fs_initialize after malloc
 */
#include <ext2fs/ext2fs.h>
#include <string.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct ext2_super_block super;
		ext2_filsys system;

		memset(&super, 0, sizeof(super));
		ext2fs_blocks_count_set(&super, 1024);
		if (ext2fs_initialize("disk.img", EXT2_FLAG_64BITS, &super, unix_io_manager,
				      &system) == 0)
			ext2fs_free(system);
	}
	return 0;
}
