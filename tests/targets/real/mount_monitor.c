/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mount_monitor.c - watch the mount table
 *
 * package: libmount-dev
 * libraries: mount
 * functions: mnt_monitor_enable_kernel, mnt_monitor_enable_userspace, mnt_monitor_get_fd
 */
#include <libmount/libmount.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct libmnt_monitor *monitor = mnt_new_monitor();

		if (!monitor)
			continue;
		mnt_monitor_enable_kernel(monitor, 1);
		mnt_monitor_enable_userspace(monitor, 1, NULL);
		mnt_monitor_get_fd(monitor);
		mnt_unref_monitor(monitor);
	}
	return 0;
}
