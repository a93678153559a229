/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apr_pollset.c - a poll set
 *
 * package: libapr1-dev
 * libraries: apr-1
 * functions: apr_pollset_create
 * leaks: apr_pollset_create after epoll_ctl, apr_pollset_create after pipe2
 */
#include <apr_general.h>
#include <apr_poll.h>

int main(void)
{
	apr_pool_t *pool;

	apr_initialize();
	for (int i = 0; i < 3; i++) {
		apr_pollset_t *set;

		apr_pool_create(&pool, NULL);
		if (apr_pollset_create(&set, 4, pool, APR_POLLSET_WAKEABLE) == APR_SUCCESS)
			apr_pollset_destroy(set);
		apr_pool_destroy(pool);
	}
	apr_terminate();
	return 0;
}
