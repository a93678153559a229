/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uv_files.c - files and figures
 *
 * package: libuv1-dev
 * libraries: libuv
 * functions: uv_fs_mkstemp, uv_fs_scandir, uv_socketpair, uv_cpu_info, uv_interface_addresses,
 * uv_resident_set_memory
 */
#include <uv.h>
#include <unistd.h>
#include <sys/socket.h>

int main(void)
{
	uv_loop_t loop;

	uv_loop_init(&loop);
	for (int i = 0; i < 3; i++) {
		uv_cpu_info_t *processors;
		uv_interface_address_t *addresses;
		uv_os_sock_t pair[2];
		uv_fs_t request;
		size_t bytes;
		int n;

		if (uv_fs_mkstemp(&loop, &request, "uvXXXXXX", NULL) >= 0)
			close((int)request.result);
		uv_fs_req_cleanup(&request);
		uv_fs_scandir(&loop, &request, ".", 0, NULL);
		uv_fs_req_cleanup(&request);
		if (uv_socketpair(SOCK_STREAM, 0, pair, 0, 0) == 0) {
			close(pair[0]);
			close(pair[1]);
		}
		if (uv_cpu_info(&processors, &n) == 0)
			uv_free_cpu_info(processors, n);
		if (uv_interface_addresses(&addresses, &n) == 0)
			uv_free_interface_addresses(addresses, n);
		uv_resident_set_memory(&bytes);
	}
	uv_loop_close(&loop);
	return 0;
}
