/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udev_enumerate.c - list devices
 *
 * package: libudev-dev
 * libraries: libudev
 * functions: udev_enumerate_scan_devices, udev_hwdb_new
 */
#include <libudev.h>

int main(void)
{
	struct udev *udev = udev_new();

	for (int i = 0; i < 3; i++) {
		struct udev_enumerate *enumerate = udev_enumerate_new(udev);
		struct udev_hwdb *hwdb = udev_hwdb_new(udev);

		if (enumerate) {
			udev_enumerate_add_match_subsystem(enumerate, "net");
			udev_enumerate_scan_devices(enumerate);
			udev_enumerate_unref(enumerate);
		}
		if (hwdb)
			udev_hwdb_unref(hwdb);
	}
	udev_unref(udev);
	return 0;
}
