/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * qb_ring.c - a ring buffer in shared memory
 *
 * package: libqb-dev
 * libraries: libqb
 * functions: qb_rb_open
 */
#include <qb/qbrb.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		qb_ringbuffer_t *ring = qb_rb_open("tendril-real", 4096, QB_RB_FLAG_CREATE, 0);

		if (ring)
			qb_rb_close(ring);
	}
	return 0;
}
