/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ndp_open.c - neighbours
 *
 * package: libndp-dev
 * libraries: libndp
 * functions: ndp_open
 */
#include <ndp.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct ndp *ndp;

		if (ndp_open(&ndp) == 0)
			ndp_close(ndp);
	}
	return 0;
}
