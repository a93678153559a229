/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tirpc_lookup.c - look services up
 *
 * package: libtirpc-dev
 * libraries: libtirpc
 * functions: clnt_create, getrpcbynumber, svc_create, bindresvport
 */
#include <netinet/in.h>
#include <rpc/rpc.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

static void dispatch(struct svc_req *request, SVCXPRT *server)
{
	(void)request, (void)server;
}

int main(void)
{
	for (int i = 0; i < 3; i++) {
		CLIENT *client = clnt_create("127.0.0.1", 100000, 2, "tcp");
		int fd = socket(AF_INET, SOCK_DGRAM, 0);

		if (client)
			clnt_destroy(client);
		getrpcbynumber(100000);
		endrpcent();
		if (fd >= 0) {
			bindresvport(fd, NULL);
			close(fd);
		}
		svc_create(dispatch, 0x20000099, 1, "tcp");
	}
	return 0;
}
