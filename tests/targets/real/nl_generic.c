/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nl_generic.c - generic netlink
 *
 * package: libnl-genl-3-dev
 * libraries: libnl-genl-3.0
 * functions: genl_connect, genl_ctrl_resolve
 */
#include <netlink/netlink.h>
#include <netlink/genl/genl.h>
#include <netlink/genl/ctrl.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct nl_sock *socket = nl_socket_alloc();

		if (!socket)
			continue;
		if (genl_connect(socket) == 0)
			genl_ctrl_resolve(socket, "nlctrl");
		nl_socket_free(socket);
	}
	return 0;
}
