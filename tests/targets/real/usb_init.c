/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usb_init.c - start with USB
 *
 * package: libusb-1.0-0-dev
 * libraries: libusb-1.0
 * functions: libusb_init, libusb_get_device_list
 */
#include <libusb.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		libusb_context *context;
		libusb_device **list;

		if (libusb_init(&context) != 0)
			continue;
		if (libusb_get_device_list(context, &list) >= 0)
			libusb_free_device_list(list, 1);
		libusb_exit(context);
	}
	return 0;
}
