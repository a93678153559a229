/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modbus_rtu.c - field bus over a serial line
 *
 * package: libmodbus-dev
 * libraries: libmodbus
 * functions: modbus_connect
 */
#include <modbus/modbus.h>
#include <pty.h>
#include <stddef.h>
#include <unistd.h>

int main(void)
{
	char name[100];
	int master, slave;

	if (openpty(&master, &slave, name, NULL, NULL) != 0)
		return 1;
	for (int i = 0; i < 3; i++) {
		modbus_t *bus = modbus_new_rtu(name, 9600, 'N', 8, 1);

		if (!bus)
			continue;
		if (modbus_connect(bus) == 0)
			modbus_close(bus);
		modbus_free(bus);
	}
	return 0;
}
