/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tirpc_server.c - RPC servers
 *
 * package: libtirpc-dev
 * libraries: libtirpc
 * functions: svctcp_create, svcudp_create, svcunix_create
 * leaks: svcunix_create after bind, svcunix_create after listen
 * with --alloc: svcunix_create after malloc
 */
#include <rpc/rpc.h>
#include <unistd.h>

SVCXPRT *svcunix_create(int fd, unsigned int send, unsigned int receive, char *path);

int main(void)
{
	static char path[] = "rpc.socket";

	for (int i = 0; i < 3; i++) {
		SVCXPRT *server = svctcp_create(RPC_ANYSOCK, 0, 0);

		if (server)
			svc_destroy(server);
		server = svcudp_create(RPC_ANYSOCK);
		if (server)
			svc_destroy(server);
		unlink(path);
		server = svcunix_create(RPC_ANYSOCK, 0, 0, path);
		if (server)
			svc_destroy(server);
	}
	return 0;
}
