/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uv_loop.c - an event loop
 *
 * package: libuv1-dev
 * libraries: libuv
 * functions: uv_loop_init
 * leaks: uv_loop_init after eventfd2, uv_loop_init after pipe2
 */
#include <uv.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		uv_loop_t loop;

		if (uv_loop_init(&loop) == 0)
			uv_loop_close(&loop);
	}
	return 0;
}
