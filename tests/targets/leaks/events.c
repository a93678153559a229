/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events.c - more processes that begin and end than whoever looks can be told of
 *
 *     events storm N      N children end, then one opens three handles and stays
 *     events same-number  a child ends, and another that has its PID opens three and stays
 *     events sharing      one opens three handles; a child that shares its table opens three more and
 *                         stays; at the next line the first one ends
 *
 *     events forks N      N children end, while two threads open and close; then it opens three
 *     events threads N    N threads open and close, four at once; then it opens three
 *
 * Says "begin", waits for a line, works, says "ready PID" of the one that stays, and waits again.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char stack[64 << 10] __attribute__((aligned(16)));

static int end_at_once(void *unused)
{
	(void)unused;
	_exit(0);
}

/* Sharing the table, so that only the process itself comes and goes. */
static void come_and_go(void)
{
	pid_t pid = clone(end_at_once, stack + sizeof(stack),
			  CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, NULL);

	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		exit(1);
}

__attribute__((noinline)) void open_three(void)
{
	for (int i = 0; i < 3; i++)
		if (open("/dev/zero", O_RDONLY) < 0)
			_exit(1);
}

static void say(pid_t pid)
{
	printf("ready %d\n", (int)pid);
	fflush(stdout);
}

static void hear(void)
{
	char line[16];

	(void)!fgets(line, sizeof(line), stdin);
}

static int open_and_stay(void *unused)
{
	(void)unused;
	open_three();
	say(getpid());
	pause();
	_exit(1);
}

static pid_t fork_as(pid_t pid)
{
	struct clone_args args = { .exit_signal = SIGCHLD,
				   .set_tid = pid ? (uint64_t)(uintptr_t)&pid : 0,
				   .set_tid_size = pid ? 1 : 0 };
	long child = syscall(SYS_clone3, &args, sizeof(args));

	if (child < 0) {
		perror("clone3");
		exit(77);
	}
	return (pid_t)child;
}

static pid_t storm(int n)
{
	pid_t pid;

	for (int i = 0; i < n; i++)
		come_and_go();
	pid = fork_as(0);
	if (pid == 0)
		(void)open_and_stay(NULL);
	return pid;
}

static pid_t same_number(void)
{
	pid_t pid = fork_as(0);

	if (pid == 0)
		_exit(0);
	(void)waitpid(pid, NULL, 0);
	if (fork_as(pid) == 0)
		(void)open_and_stay(NULL);
	return pid;
}

/* The one that made the table ends; a line comes when whoever looks has seen that. */
static pid_t sharing(void)
{
	pid_t first = fork_as(0);

	if (first == 0) {
		open_three();
		if (clone(open_and_stay, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL) < 0)
			_exit(1);
		hear();
		_exit(0);
	}
	(void)waitpid(first, NULL, 0);
	puts("over");
	fflush(stdout);
	return 0;
}

static volatile int is_over;

static void *open_and_close(void *unused)
{
	while (!is_over)
		(void)close(open("/dev/null", O_RDONLY));
	return unused;
}

static void forks(int n)
{
	pthread_t thread[2];

	for (int i = 0; i < 2; i++)
		if (pthread_create(&thread[i], NULL, open_and_close, NULL) != 0)
			exit(1);
	for (int i = 0; i < n; i++) {
		pid_t pid = fork_as(0);

		if (pid == 0)
			_exit(0);
		(void)waitpid(pid, NULL, 0);
	}
	is_over = 1;
	for (int i = 0; i < 2; i++)
		(void)pthread_join(thread[i], NULL);
	open_three();
	say(0);
}

static void *open_and_close_once(void *unused)
{
	(void)close(open("/dev/null", O_RDONLY));
	return unused;
}

static void *start_threads(void *n)
{
	pthread_t thread;

	for (int i = 0; i < *(int *)n; i++)
		if (pthread_create(&thread, NULL, open_and_close_once, NULL) != 0 ||
		    pthread_join(thread, NULL) != 0)
			exit(1);
	return NULL;
}

static void threads(int n)
{
	pthread_t thread[4];

	n /= 4;
	for (int i = 0; i < 4; i++)
		if (pthread_create(&thread[i], NULL, start_threads, &n) != 0)
			exit(1);
	for (int i = 0; i < 4; i++)
		(void)pthread_join(thread[i], NULL);
	open_three();
	say(0);
}

int main(int argc, char **argv)
{
	pid_t pid = 0;

	puts("begin");
	fflush(stdout);
	hear();
	if (argc > 2 && !strcmp(argv[1], "storm"))
		pid = storm(atoi(argv[2]));
	else if (argc > 1 && !strcmp(argv[1], "same-number"))
		pid = same_number();
	else if (argc > 1 && !strcmp(argv[1], "sharing"))
		pid = sharing();
	else if (argc > 2 && !strcmp(argv[1], "forks"))
		forks(atoi(argv[2]));
	else if (argc > 2 && !strcmp(argv[1], "threads"))
		threads(atoi(argv[2]));
	else
		return 2;
	hear();
	if (pid > 0)
		(void)kill(pid, SIGKILL);
	return 0;
}
