/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udev_monitor.c - hear of devices
 *
 * package: libudev-dev
 * libraries: libudev
 * functions: udev_monitor_new_from_netlink
 */
#include <libudev.h>

int main(void)
{
	struct udev *udev = udev_new();

	for (int i = 0; i < 3; i++) {
		struct udev_monitor *monitor = udev_monitor_new_from_netlink(udev, "kernel");

		if (monitor)
			udev_monitor_unref(monitor);
	}
	udev_unref(udev);
	return 0;
}
