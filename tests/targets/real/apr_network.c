/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apr_network.c - connect, copy, attach
 *
 * package: libapr1-dev
 * libraries: apr-1
 * functions: apr_socket_connect, apr_sockaddr_info_get, apr_file_copy, apr_file_dup,
 * apr_shm_attach, apr_dso_load
 */
#include <apr_dso.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_network_io.h>
#include <apr_shm.h>

int main(void)
{
	apr_pool_t *pool;

	apr_initialize();
	for (int i = 0; i < 3; i++) {
		apr_dso_handle_t *library;
		apr_file_t *file, *twin = NULL;
		apr_sockaddr_t *address;
		apr_shm_t *memory;
		apr_socket_t *socket;

		apr_pool_create(&pool, NULL);
		if (apr_sockaddr_info_get(&address, "127.0.0.1", APR_INET, 1, 0, pool) ==
			    APR_SUCCESS &&
		    apr_socket_create(&socket, APR_INET, SOCK_STREAM, APR_PROTO_TCP, pool) ==
			    APR_SUCCESS) {
			apr_socket_connect(socket, address);
			apr_socket_close(socket);
		}
		apr_file_copy("text", "text.apr", APR_FILE_SOURCE_PERMS, pool);
		if (apr_file_open(&file, "text", APR_READ, 0, pool) == APR_SUCCESS)
			apr_file_dup(&twin, file, pool);
		apr_shm_attach(&memory, "text", pool);
		apr_dso_load(&library, "libz.so.1", pool);
		apr_pool_destroy(pool);
	}
	apr_terminate();
	return 0;
}
