/* SPDX-License-Identifier: BSD-2-Clause */
/* gate.c - a library that stays in its constructor until somebody writes to the FIFO $GATE */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void gate_wait(void)
{
	const char *path = getenv("GATE");
	int fd = path ? open(path, O_RDONLY) : -1;
	char byte;

	(void)!read(fd, &byte, 1);
	(void)close(fd);
}
