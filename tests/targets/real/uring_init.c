/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uring_init.c - a ring
 *
 * package: liburing-dev
 * libraries: liburing
 * functions: io_uring_queue_init
 */
#include <liburing.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct io_uring ring;

		if (io_uring_queue_init(8, &ring, 0) == 0)
			io_uring_queue_exit(&ring);
	}
	return 0;
}
