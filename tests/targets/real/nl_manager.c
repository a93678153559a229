/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nl_manager.c - watch the kernel's tables
 *
 * package: libnl-route-3-dev
 * libraries: libnl-route-3.0
 * functions: nl_cache_mngr_alloc
 */
#include <netlink/netlink.h>
#include <netlink/cache.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct nl_cache_mngr *manager;

		if (nl_cache_mngr_alloc(NULL, NETLINK_ROUTE, NL_AUTO_PROVIDE, &manager) == 0)
			nl_cache_mngr_free(manager);
	}
	return 0;
}
