/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sd_bus.c - connect to a bus that is not there
 *
 * package: libsystemd-dev
 * libraries: libsystemd
 * functions: sd_bus_start
 */
#include <stddef.h>
#include <systemd/sd-bus.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		sd_bus *bus = NULL;

		if (sd_bus_new(&bus) >= 0) {
			sd_bus_set_address(bus, "unix:path=/run/no-such-bus");
			sd_bus_start(bus);
		}
		sd_bus_unref(bus);
	}
	return 0;
}
