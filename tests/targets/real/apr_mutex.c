/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apr_mutex.c - locks between processes
 *
 * package: libapr1-dev
 * libraries: apr-1
 * functions: apr_proc_mutex_create
 */
#include <apr_general.h>
#include <apr_proc_mutex.h>

int main(void)
{
	apr_pool_t *pool;

	apr_initialize();
	for (int i = 0; i < 3; i++) {
		static const apr_lockmech_e ways[] = {APR_LOCK_FCNTL, APR_LOCK_FLOCK,
						      APR_LOCK_POSIXSEM, APR_LOCK_PROC_PTHREAD};

		apr_pool_create(&pool, NULL);
		for (unsigned int way = 0; way < 4; way++) {
			apr_proc_mutex_t *mutex;

			apr_proc_mutex_create(&mutex, NULL, ways[way], pool);
		}
		apr_pool_destroy(pool);
	}
	apr_terminate();
	return 0;
}
