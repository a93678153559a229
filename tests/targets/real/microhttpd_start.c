/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * microhttpd_start.c - a web server
 *
 * package: libmicrohttpd-dev
 * libraries: libmicrohttpd
 * functions: MHD_start_daemon
 * leaks: MHD_start_daemon after epoll_create1, MHD_start_daemon after epoll_ctl
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
		struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, answer,
							     NULL, MHD_OPTION_END);

		if (daemon)
			MHD_stop_daemon(daemon);
	}
	return 0;
}
