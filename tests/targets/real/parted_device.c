/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parted_device.c - a disk image
 *
 * package: libparted-dev
 * libraries: libparted
 * functions: ped_device_get, ped_disk_new
 */
#include <parted/parted.h>
#include <stddef.h>

static PedExceptionOption quiet(PedException *exception)
{
	(void)exception;
	return PED_EXCEPTION_CANCEL;
}

int main(void)
{
	ped_exception_set_handler(quiet);
	for (int i = 0; i < 3; i++) {
		PedDevice *device = ped_device_get("disk.img");
		PedDisk *disk;

		if (!device)
			continue;
		disk = ped_disk_new(device);
		if (disk)
			ped_disk_destroy(disk);
		ped_device_destroy(device);
	}
	return 0;
}
