/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apr_memory.c - shared memory, locks
 *
 * package: libapr1-dev
 * libraries: apr-1
 * functions: apr_shm_create, apr_global_mutex_create, apr_proc_mutex_create, apr_socket_create
 * leaks: apr_shm_create after ftruncate
 */
#include <apr_general.h>
#include <apr_global_mutex.h>
#include <apr_network_io.h>
#include <apr_shm.h>

int main(void)
{
	apr_pool_t *pool;

	apr_initialize();
	for (int i = 0; i < 3; i++) {
		apr_global_mutex_t *global;
		apr_proc_mutex_t *mutex;
		apr_shm_t *memory;
		apr_socket_t *socket;

		apr_pool_create(&pool, NULL);
		/* A copy of us may have left it there. */
		apr_shm_remove("new.shm", pool);
		apr_shm_create(&memory, 4096, "new.shm", pool);
		apr_proc_mutex_create(&mutex, "new.lock", APR_LOCK_FLOCK, pool);
		apr_global_mutex_create(&global, "new.lock2", APR_LOCK_FCNTL, pool);
		apr_socket_create(&socket, APR_INET, SOCK_STREAM, APR_PROTO_TCP, pool);
		apr_pool_destroy(pool);
	}
	apr_terminate();
	return 0;
}
