/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apr_file.c - files
 *
 * package: libapr1-dev
 * libraries: apr-1
 * functions: apr_file_open, apr_file_mktemp, apr_dir_open, apr_file_pipe_create
 */
#include <apr_file_io.h>
#include <apr_general.h>

int main(void)
{
	apr_pool_t *pool;

	apr_initialize();
	for (int i = 0; i < 3; i++) {
		char name[] = "aprXXXXXX";
		apr_file_t *file, *in, *out;
		apr_dir_t *directory;

		apr_pool_create(&pool, NULL);
		apr_file_open(&file, "text", APR_READ, 0, pool);
		apr_file_mktemp(&file, name, 0, pool);
		apr_dir_open(&directory, ".", pool);
		apr_file_pipe_create(&in, &out, pool);
		apr_pool_destroy(pool);
	}
	apr_terminate();
	return 0;
}
