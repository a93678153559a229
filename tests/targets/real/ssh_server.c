/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssh_server.c - a server
 *
 * package: libssh-dev
 * libraries: libssh
 * functions: ssh_bind_listen
 */
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		ssh_bind server = ssh_bind_new();
		int port = 0;

		if (!server)
			continue;
		ssh_bind_options_set(server, SSH_BIND_OPTIONS_BINDADDR, "127.0.0.1");
		ssh_bind_options_set(server, SSH_BIND_OPTIONS_BINDPORT, &port);
		ssh_bind_options_set(server, SSH_BIND_OPTIONS_RSAKEY, "ssh_key");
		ssh_bind_listen(server);
		ssh_bind_free(server);
	}
	return 0;
}
