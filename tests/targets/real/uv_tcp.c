/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uv_tcp.c - listen to a port
 *
 * package: libuv1-dev
 * libraries: libuv
 * functions: uv_tcp_bind, uv_listen
 */
#include <uv.h>

int main(void)
{
	uv_loop_t loop;

	uv_loop_init(&loop);
	for (int i = 0; i < 3; i++) {
		struct sockaddr_in address;
		uv_tcp_t tcp;

		uv_tcp_init(&loop, &tcp);
		uv_ip4_addr("127.0.0.1", 0, &address);
		if (uv_tcp_bind(&tcp, (struct sockaddr *)&address, 0) == 0)
			uv_listen((uv_stream_t *)&tcp, 1, NULL);
		uv_close((uv_handle_t *)&tcp, NULL);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
	uv_loop_close(&loop);
	return 0;
}
