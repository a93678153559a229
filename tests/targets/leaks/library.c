/* SPDX-License-Identifier: BSD-2-Clause */
/* library.c - a library that opens what its caller shall close: linked, stripped, and loaded later */
#include <fcntl.h>

int library_open(const char *path);
int library_open(const char *path)
{
	int fd = open(path, O_RDONLY); /* LEAK for in_library through plant_in_library LEAK for in_loaded through plant_in_loaded */

	return fd;
}
