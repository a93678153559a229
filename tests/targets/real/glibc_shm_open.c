/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc_shm_open.c - shared memory
 *
 * package: libc6-dev
 * libraries:
 * functions: shm_open
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		int fd = shm_open("/tendril-real", O_RDWR | O_CREAT, 0600);

		if (fd >= 0)
			close(fd);
	}
	shm_unlink("/tendril-real");
	return 0;
}
