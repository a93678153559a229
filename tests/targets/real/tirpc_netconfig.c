/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tirpc_netconfig.c - the parts of RPC
 *
 * package: libtirpc-dev
 * libraries: libtirpc
 * functions: svc_tli_create, getnetconfigent
 */
#include <netinet/in.h>
#include <rpc/rpc.h>
#include <rpc/svc.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct netconfig *configuration = getnetconfigent("tcp");
		SVCXPRT *server;

		if (!configuration)
			continue;
		server = svc_tli_create(RPC_ANYFD, configuration, NULL, 0, 0);
		if (server)
			svc_destroy(server);
		freenetconfigent(configuration);
	}
	return 0;
}
