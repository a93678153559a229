/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iptc_init.c - read the packet filter
 *
 * package: libip4tc-dev
 * libraries: libip4tc
 * functions: iptc_init
 */
#include <libiptc/libiptc.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct xtc_handle *table = iptc_init("filter");

		if (table)
			iptc_free(table);
	}
	return 0;
}
