/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nl_connect.c - connect to the kernel
 *
 * package: libnl-3-dev
 * libraries: libnl-3.0
 * functions: nl_connect
 */
#include <netlink/netlink.h>
#include <netlink/socket.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct nl_sock *socket = nl_socket_alloc();

		if (!socket)
			continue;
		nl_connect(socket, NETLINK_ROUTE);
		nl_socket_free(socket);
	}
	return 0;
}
