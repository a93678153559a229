/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ext2fs_info.c - about a file system
 *
 * package: libext2fs-dev
 * libraries: ext2fs e2p com_err
 * functions: ext2fs_check_if_mounted, ext2fs_get_device_size2, fgetflags, ext2fs_check_mount_point,
 * reads: ext2.img
 * ext2fs_read_bitmaps
 */
#include <ext2fs/ext2fs.h>
#include <e2p/e2p.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		unsigned long flags;
		ext2_filsys system;
		char point[100];
		blk64_t blocks;
		int mounted;

		ext2fs_check_if_mounted("ext2.img", &mounted);
		ext2fs_check_mount_point("ext2.img", &mounted, point, sizeof(point));
		ext2fs_get_device_size2("ext2.img", 1024, &blocks);
		fgetflags("text", &flags);
		if (ext2fs_open("ext2.img", EXT2_FLAG_RW, 0, 0, unix_io_manager, &system) == 0) {
			ext2fs_read_bitmaps(system);
			ext2fs_free(system);
		}
	}
	return 0;
}
