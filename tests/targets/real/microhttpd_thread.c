/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * microhttpd_thread.c - a web server with a thread of its own
 *
 * package: libmicrohttpd-dev
 * libraries: libmicrohttpd
 * functions: MHD_start_daemon
 * leaks: MHD_start_daemon after clone3, MHD_start_daemon after epoll_ctl,
 *   MHD_start_daemon after mmap, MHD_start_daemon after mprotect
 * with --alloc: MHD_start_daemon after calloc, MHD_start_daemon after malloc
 */
#include <microhttpd.h>
#include <stddef.h>

static enum MHD_Result answer(void *mine, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *data,
			      size_t *size, void **own)
{
	(void)mine, (void)connection, (void)url, (void)method;
	(void)version, (void)data, (void)size, (void)own;
	return MHD_NO;
}

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct MHD_Daemon *daemon = MHD_start_daemon(
			MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, answer, NULL,
			MHD_OPTION_THREAD_POOL_SIZE, 2, MHD_OPTION_END);

		if (daemon)
			MHD_stop_daemon(daemon);
	}
	return 0;
}
