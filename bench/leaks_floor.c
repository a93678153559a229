/* SPDX-License-Identifier: BSD-2-Clause */
/* leaks_floor.c - attach the empty program, say "ready", and wait for the end of standard input */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpointer-arith" /* bpftool's */
#include "floor.skel.h"
#pragma GCC diagnostic pop

int main(void)
{
	struct floor *skeleton = floor__open_and_load();
	char byte;

	if (!skeleton || floor__attach(skeleton) < 0) {
		(void)fprintf(stderr, "leaks_floor: %s\n", strerror(errno));
		return 1;
	}
	(void)!write(1, "ready\n", 6);
	while (read(0, &byte, 1) > 0)
		;
	floor__destroy(skeleton);
	return 0;
}
