/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uv_tty.c - terminals, datagrams
 *
 * package: libuv1-dev
 * libraries: libuv
 * functions: uv_tty_init, uv_udp_bind
 */
#include <pty.h>
#include <unistd.h>
#include <uv.h>

int main(void)
{
	uv_loop_t loop;
	int master, slave;

	if (openpty(&master, &slave, NULL, NULL, NULL) != 0)
		return 1;
	uv_loop_init(&loop);
	for (int i = 0; i < 3; i++) {
		struct sockaddr_in address;
		uv_tty_t terminal;
		uv_udp_t udp;

		if (uv_tty_init(&loop, &terminal, dup(slave), 0) == 0)
			uv_close((uv_handle_t *)&terminal, NULL);
		uv_ip4_addr("127.0.0.1", 0, &address);
		uv_udp_init(&loop, &udp);
		uv_udp_bind(&udp, (struct sockaddr *)&address, 0);
		uv_close((uv_handle_t *)&udp, NULL);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
	uv_loop_close(&loop);
	close(master);
	close(slave);
	return 0;
}
