/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc_mq_open.c - a message queue
 *
 * package: libc6-dev
 * libraries:
 * functions: mq_open
 */
#include <fcntl.h>
#include <mqueue.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		mqd_t queue = mq_open("/tendril-real", O_CREAT | O_RDWR, 0600, NULL);

		if (queue != (mqd_t)-1)
			mq_close(queue);
		mq_unlink("/tendril-real");
	}
	return 0;
}
