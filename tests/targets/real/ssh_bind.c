/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssh_bind.c - connect to a port where nobody listens
 *
 * package: libssh-dev
 * libraries: libssh
 * functions: ssh_connect
 */
#include <libssh/libssh.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		ssh_session session = ssh_new();
		unsigned int port = 1;

		if (!session)
			continue;
		ssh_options_set(session, SSH_OPTIONS_HOST, "127.0.0.1");
		ssh_options_set(session, SSH_OPTIONS_PORT, &port);
		ssh_connect(session);
		ssh_free(session);
	}
	return 0;
}
