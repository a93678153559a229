/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uv_spawn.c - start a program
 *
 * package: libuv1-dev
 * libraries: libuv
 * functions: uv_spawn
 */
#include <uv.h>
#include <string.h>

int main(void)
{
	static char *arguments[] = {"true", NULL};
	uv_loop_t loop;

	uv_loop_init(&loop);
	for (int i = 0; i < 3; i++) {
		uv_pipe_t pipe;
		uv_stdio_container_t stdio[2] = {{.flags = UV_IGNORE}};
		uv_process_options_t options;
		uv_process_t process;

		memset(&options, 0, sizeof(options));
		uv_pipe_init(&loop, &pipe, 0);
		stdio[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
		stdio[1].data.stream = (uv_stream_t *)&pipe;
		options.file = "true";
		options.args = arguments;
		options.stdio = stdio;
		options.stdio_count = 2;
		uv_spawn(&loop, &process, &options);
		uv_close((uv_handle_t *)&pipe, NULL);
		uv_close((uv_handle_t *)&process, NULL);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
	uv_loop_close(&loop);
	return 0;
}
