/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ice_listen.c - a session server
 *
 * package: libice-dev
 * libraries: ice
 * functions: IceListenForConnections
 * options: --case-timeout 1 --calls 1
 * leaks: IceListenForConnections after bind
 */
#include <X11/ICE/ICElib.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		IceListenObj *list;
		char error[100];
		int n;

		if (IceListenForConnections(&n, &list, sizeof(error), error))
			IceFreeListenObjs(n, list);
	}
	return 0;
}
