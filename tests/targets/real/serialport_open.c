/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serialport_open.c - a serial line
 *
 * package: libserialport-dev
 * libraries: libserialport
 * functions: sp_open, sp_list_ports
 */
#include <libserialport.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct sp_port *port, **ports;

		if (sp_list_ports(&ports) == SP_OK)
			sp_free_port_list(ports);
		if (sp_get_port_by_name("/dev/ttyS0", &port) != SP_OK)
			continue;
		if (sp_open(port, SP_MODE_READ) == SP_OK)
			sp_close(port);
		sp_free_port(port);
	}
	return 0;
}
