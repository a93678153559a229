/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc_popen.c - run a command at the end of a pipe
 *
 * package: libc6-dev
 * libraries:
 * functions: popen
 */
#include <stdio.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		FILE *pipe = popen("true", "r");

		if (pipe)
			pclose(pipe);
	}
	return 0;
}
