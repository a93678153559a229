/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc_sem_open.c - a named semaphore
 *
 * package: libc6-dev
 * libraries:
 * functions: sem_open
 */
#include <fcntl.h>
#include <semaphore.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		sem_t *semaphore = sem_open("/tendril-real", O_CREAT, 0600, 1);

		if (semaphore != SEM_FAILED)
			sem_close(semaphore);
		sem_unlink("/tendril-real");
	}
	return 0;
}
