/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apr_pollcb.c - a poll set with calls
 *
 * package: libapr1-dev
 * libraries: apr-1
 * functions: apr_pollcb_create
 * leaks: apr_pollcb_create after epoll_ctl, apr_pollcb_create after pipe2
 */
#include <apr_general.h>
#include <apr_poll.h>

int main(void)
{
	apr_pool_t *pool;

	apr_initialize();
	for (int i = 0; i < 3; i++) {
		apr_pollcb_t *set;

		apr_pool_create(&pool, NULL);
		apr_pollcb_create(&set, 4, pool, APR_POLLSET_WAKEABLE);
		apr_pool_destroy(pool);
	}
	apr_terminate();
	return 0;
}
