/* SPDX-License-Identifier: BSD-2-Clause */
/* stripped.c - one without debug information: its function's name is all that is known */
#include <fcntl.h>
#include <unistd.h>

int stripped_open(const char *path);

static __attribute__((noinline)) int hidden_open(const char *path)
{
	int fd = open(path, O_RDONLY);

	return fd < 0 ? -1 : fd;
}

int stripped_open(const char *path)
{
	int fd = hidden_open(path);

	return fd < 0 ? -1 : fd;
}
