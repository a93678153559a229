/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mnl_open.c - connect to the kernel
 *
 * package: libmnl-dev
 * libraries: libmnl
 * functions: mnl_socket_open, mnl_socket_bind
 */
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct mnl_socket *socket = mnl_socket_open(NETLINK_ROUTE);

		if (!socket)
			continue;
		mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID);
		mnl_socket_close(socket);
	}
	return 0;
}
