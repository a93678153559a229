/* SPDX-License-Identifier: BSD-2-Clause */
/* leaky.c - opens a file ten times a second and closes none, until it is ended */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

static __attribute__((noinline)) int leak_one(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* HERE */

	__asm__ volatile(""); /* no tail call */
	return fd;
}

int main(void)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)puts("ready");
	(void)fflush(stdout);
	while (leak_one() >= 0)
		(void)usleep(100000);
	(void)pause();
	return 0;
}
