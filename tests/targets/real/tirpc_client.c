/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tirpc_client.c - RPC clients
 *
 * package: libtirpc-dev
 * libraries: libtirpc
 * functions: clnttcp_create, clntudp_create, clntunix_create
 */
#include <netinet/in.h>
#include <rpc/rpc.h>
#include <string.h>
#include <sys/un.h>

CLIENT *clntunix_create(struct sockaddr_un *address, unsigned long program, unsigned long version,
			int *fd, unsigned int send, unsigned int receive);

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct sockaddr_in address;
		struct sockaddr_un local;
		struct timeval wait = {.tv_sec = 1};
		int fd = RPC_ANYSOCK;
		CLIENT *client;

		memset(&address, 0, sizeof(address));
		address.sin_family = AF_INET;
		address.sin_port = htons(1);
		address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		client = clntudp_create(&address, 100000, 2, wait, &fd);
		if (client)
			clnt_destroy(client);
		fd = RPC_ANYSOCK;
		client = clnttcp_create(&address, 100000, 2, &fd, 0, 0);
		if (client)
			clnt_destroy(client);
		memset(&local, 0, sizeof(local));
		local.sun_family = AF_UNIX;
		strcpy(local.sun_path, "no-such-socket");
		fd = RPC_ANYSOCK;
		client = clntunix_create(&local, 100000, 2, &fd, 0, 0);
		if (client)
			clnt_destroy(client);
	}
	return 0;
}
