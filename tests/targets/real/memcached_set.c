/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memcached_set.c - write to a server that is not there
 *
 * package: libmemcached-dev
 * libraries: libmemcached
 * functions: memcached_set
 */
#include <libmemcached/memcached.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		memcached_st *client = memcached("--SERVER=127.0.0.1:1", 20);

		if (!client)
			continue;
		memcached_set(client, "key", 3, "value", 5, 0, 0);
		memcached_free(client);
	}
	return 0;
}
