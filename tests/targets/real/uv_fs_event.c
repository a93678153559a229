/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uv_fs_event.c - watch a file
 *
 * package: libuv1-dev
 * libraries: libuv
 * functions: uv_fs_event_start
 */
#include <uv.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		uv_fs_event_t watch;
		uv_loop_t loop;

		if (uv_loop_init(&loop) != 0)
			continue;
		uv_fs_event_init(&loop, &watch);
		uv_fs_event_start(&watch, NULL, "text", 0);
		uv_close((uv_handle_t *)&watch, NULL);
		uv_run(&loop, UV_RUN_DEFAULT);
		uv_loop_close(&loop);
	}
	return 0;
}
