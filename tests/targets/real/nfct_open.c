/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nfct_open.c - connect to conntrack
 *
 * package: libnetfilter-conntrack-dev
 * libraries: libnetfilter_conntrack
 * functions: nfct_open
 */
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct nfct_handle *handle = nfct_open(CONNTRACK, 0);

		if (handle)
			nfct_close(handle);
	}
	return 0;
}
