/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hiredis_unix.c - connect
 *
 * package: libhiredis-dev
 * libraries: hiredis
 * functions: redisConnectUnix, redisConnectWithTimeout
 */
#include <hiredis/hiredis.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct timeval wait = {.tv_sec = 1};
		redisContext *context = redisConnectUnix("no-such-socket");

		if (context)
			redisFree(context);
		context = redisConnectWithTimeout("127.0.0.1", 1, wait);
		if (context)
			redisFree(context);
	}
	return 0;
}
