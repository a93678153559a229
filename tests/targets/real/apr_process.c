/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apr_process.c - start a program with pipes
 *
 * package: libapr1-dev
 * libraries: apr-1
 * functions: apr_proc_create, apr_procattr_io_set
 */
#include <apr_general.h>
#include <apr_thread_proc.h>

int main(void)
{
	static const char *words[] = {"true", NULL};
	apr_pool_t *pool;

	apr_initialize();
	for (int i = 0; i < 3; i++) {
		apr_procattr_t *attributes;
		apr_proc_t process;

		apr_pool_create(&pool, NULL);
		apr_procattr_create(&attributes, pool);
		apr_procattr_cmdtype_set(attributes, APR_PROGRAM_PATH);
		if (apr_procattr_io_set(attributes, APR_FULL_BLOCK, APR_FULL_BLOCK,
					APR_FULL_BLOCK) == APR_SUCCESS &&
		    apr_proc_create(&process, "true", words, NULL, attributes, pool) == APR_SUCCESS)
			apr_proc_wait(&process, NULL, NULL, APR_WAIT);
		apr_pool_destroy(pool);
	}
	apr_terminate();
	return 0;
}
