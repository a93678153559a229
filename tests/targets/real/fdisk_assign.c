/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fdisk_assign.c - a disk image
 *
 * package: libfdisk-dev
 * libraries: fdisk
 * functions: fdisk_assign_device
 */
#include <libfdisk/libfdisk.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct fdisk_context *context = fdisk_new_context();

		if (!context)
			continue;
		if (fdisk_assign_device(context, "disk.img", 1) == 0)
			fdisk_deassign_device(context, 1);
		fdisk_unref_context(context);
	}
	return 0;
}
