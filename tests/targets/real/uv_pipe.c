/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uv_pipe.c - listen to a local socket, copy a file
 *
 * package: libuv1-dev
 * libraries: libuv
 * functions: uv_pipe_bind, uv_fs_copyfile
 */
#include <stdio.h>
#include <uv.h>

int main(void)
{
	uv_loop_t loop;

	uv_loop_init(&loop);
	for (int i = 0; i < 3; i++) {
		uv_fs_t copy;
		uv_pipe_t pipe;

		remove("local");
		uv_pipe_init(&loop, &pipe, 0);
		uv_pipe_bind(&pipe, "local");
		uv_close((uv_handle_t *)&pipe, NULL);
		uv_fs_copyfile(&loop, &copy, "text", "text.copy", 0, NULL);
		uv_fs_req_cleanup(&copy);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
	uv_loop_close(&loop);
	return 0;
}
