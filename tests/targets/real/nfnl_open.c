/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nfnl_open.c - connect to netfilter
 *
 * package: libnfnetlink-dev
 * libraries: libnfnetlink
 * functions: nfnl_open
 */
#include <libnfnetlink/libnfnetlink.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct nfnl_handle *handle = nfnl_open();

		if (handle)
			nfnl_close(handle);
	}
	return 0;
}
