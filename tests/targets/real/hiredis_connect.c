/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hiredis_connect.c - connect to a port where nobody listens
 *
 * package: libhiredis-dev
 * libraries: hiredis
 * functions: redisConnect
 */
#include <hiredis/hiredis.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		redisContext *context = redisConnect("127.0.0.1", 1);

		if (context)
			redisFree(context);
	}
	return 0;
}
