/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modbus_listen.c - field bus over TCP
 *
 * package: libmodbus-dev
 * libraries: libmodbus
 * functions: modbus_tcp_listen, modbus_connect
 */
#include <modbus/modbus.h>
#include <stddef.h>
#include <unistd.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		modbus_t *bus = modbus_new_tcp("127.0.0.1", 15020);
		int server;

		if (!bus)
			continue;
		server = modbus_tcp_listen(bus, 1);
		if (modbus_connect(bus) == 0)
			modbus_close(bus);
		if (server >= 0)
			close(server);
		modbus_free(bus);
	}
	return 0;
}
