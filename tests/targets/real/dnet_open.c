/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dnet_open.c - raw network access
 *
 * package: libdumbnet-dev
 * libraries: -ldumbnet
 * functions: arp_open, intf_open, route_open, eth_open
 */
#include <dumbnet.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		arp_t *arp = arp_open();
		eth_t *eth = eth_open("lo");
		intf_t *intf = intf_open();
		route_t *route = route_open();

		if (arp)
			arp_close(arp);
		if (eth)
			eth_close(eth);
		if (intf)
			intf_close(intf);
		if (route)
			route_close(route);
	}
	return 0;
}
