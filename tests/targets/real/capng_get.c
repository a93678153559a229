/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capng_get.c - read the capabilities
 *
 * package: libcap-ng-dev
 * libraries: libcap-ng
 * functions: capng_get_caps_process
 */
#include <cap-ng.h>

int main(void)
{
	for (int i = 0; i < 3; i++)
		capng_get_caps_process();
	return 0;
}
