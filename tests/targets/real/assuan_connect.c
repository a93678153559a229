/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * assuan_connect.c - talk to a helper
 *
 * package: libassuan-dev
 * libraries: -lassuan -lgpg-error
 * functions: assuan_pipe_connect, assuan_socket_connect
 */
#include <assuan.h>
#include <stddef.h>

int main(void)
{
	static const char *words[] = {"true", NULL};

	assuan_set_gpg_err_source(GPG_ERR_SOURCE_USER_1);
	for (int i = 0; i < 3; i++) {
		assuan_context_t context;

		if (assuan_new(&context) != 0)
			continue;
		assuan_pipe_connect(context, "/bin/true", words, NULL, NULL, NULL, 0);
		assuan_release(context);
		if (assuan_new(&context) != 0)
			continue;
		assuan_socket_connect(context, "/run/no-such-socket", 0, 0);
		assuan_release(context);
	}
	return 0;
}
