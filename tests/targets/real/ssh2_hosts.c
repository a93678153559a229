/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssh2_hosts.c - read the known hosts
 *
 * package: libssh2-1-dev
 * libraries: libssh2
 * functions: libssh2_knownhost_readfile
 */
#include <libssh2.h>

int main(void)
{
	LIBSSH2_SESSION *session = libssh2_session_init();

	for (int i = 0; i < 3; i++) {
		LIBSSH2_KNOWNHOSTS *hosts = libssh2_knownhost_init(session);

		if (!hosts)
			continue;
		libssh2_knownhost_readfile(hosts, "known_hosts", LIBSSH2_KNOWNHOST_FILE_OPENSSH);
		libssh2_knownhost_free(hosts);
	}
	libssh2_session_free(session);
	return 0;
}
