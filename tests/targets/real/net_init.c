/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * net_init.c - raw network access
 *
 * package: libnet1-dev
 * libraries: -lnet
 * functions: libnet_init
 */
#include <libnet.h>

int main(void)
{
	static char interface[] = "lo";

	for (int i = 0; i < 3; i++) {
		char error[LIBNET_ERRBUF_SIZE];
		libnet_t *net = libnet_init(LIBNET_LINK, interface, error);

		if (net)
			libnet_destroy(net);
		net = libnet_init(LIBNET_RAW4, interface, error);
		if (net)
			libnet_destroy(net);
	}
	return 0;
}
