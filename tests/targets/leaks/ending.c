/* SPDX-License-Identifier: BSD-2-Clause */
/* ending.c - children that leave a handle open, and whose two threads end at the same moment on two
 * processors */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int ready;

static void run_on(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static void end_together(void)
{
	(void)__sync_fetch_and_add(&ready, 1);
	while (ready < 2)
		;
	(void)syscall(SYS_exit, 0);
}

static void *second(void *unused)
{
	run_on(1);
	end_together();
	return NULL;
}

static void work(void)
{
	pthread_t thread;

	if (open("/dev/zero", O_RDONLY) < 0 || pthread_create(&thread, NULL, second, NULL) != 0)
		_exit(1);
	run_on(0);
	end_together();
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1;

	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid == 0)
			work();
		(void)waitpid(pid, NULL, 0);
	}
	return 0;
}
