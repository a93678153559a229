/* SPDX-License-Identifier: BSD-2-Clause */
/* library.c - a shared library with a plant, and one that is clean; see faulty.h */
#include "faulty.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

int library_opens(const char *path);
int library_is_clean(const char *path);

EXPLORED int library_opens(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC); /* LEAKS: file for library_function when flock */

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_SH | LOCK_NB) < 0) {
		REPAIR(close(fd));
		return -1;
	}
	return fd;
}

EXPLORED int library_is_clean(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_SH | LOCK_NB) < 0) {
		(void)close(fd);
		return -1;
	}
	return close(fd);
}
