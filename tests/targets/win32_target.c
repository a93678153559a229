/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * win32_target.c - what test_win32 makes threads in
 *
 * Says `ready NAME=ADDRESS ...` and then answers each line on stdin with one on stdout.  It ends
 * when stdin does, so it never outlives the test.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct sum {
	uint64_t a, b, sum;
};

struct report {
	uint64_t tid, pid, argument, frame, own_errno, fraction, copy;
};

struct report cell;
const char constant[64] = "read-only data";
static atomic_uint n_runs;
static sem_t run_done, gate;
static __thread int own = 17;

uint32_t value(void *argument);
uint32_t add(struct sum *sum);
uint32_t report(void *argument);
uint32_t gated(void *argument);
uint32_t use_stack(void *argument);
uint32_t crash(void *argument);
uint32_t leave(void *argument);
uint32_t patched(void *argument);
uint32_t patch_source(void *argument);

static void note_run(void)
{
	atomic_fetch_add(&n_runs, 1);
	sem_post(&run_done);
}

uint32_t value(void *argument)
{
	note_run();
	return (uint32_t)(uintptr_t)argument;
}

uint32_t add(struct sum *sum)
{
	sum->sum = sum->a + sum->b;
	return (uint32_t)sum->sum;
}

/* Everything that a full thread must be able to do. */
uint32_t report(void *argument)
{
	volatile double third = 1.0;
	char *copy = malloc(1000);
	char text[64];

	third /= 3.0;
	own++;
	errno = 5;
	snprintf(text, sizeof(text), "%d", (int)(third * 3000000));
	strcpy(copy, text);
	cell.tid = (uint64_t)gettid();
	cell.pid = (uint64_t)getpid();
	cell.argument = (uint64_t)(uintptr_t)argument;
	cell.frame = (uint64_t)(uintptr_t)__builtin_frame_address(0);
	cell.own_errno = (uint64_t)errno;
	cell.fraction = (uint64_t)atoi(copy);
	cell.copy = (uint64_t)own;
	free(copy);
	note_run();
	return 1;
}

/* Waits until a line `open` lets one go. */
uint32_t gated(void *argument)
{
	while (sem_wait(&gate) < 0)
		;
	note_run();
	return (uint32_t)(uintptr_t)argument;
}

/* Touches so many bytes of the stack, page by page from the top, as a big frame would. */
__attribute__((noinline)) uint32_t use_stack(void *argument)
{
	size_t bytes = (size_t)argument;
	volatile char *low = __builtin_alloca(bytes);

	for (size_t at = bytes; at > 0; at = at > 1024 ? at - 1024 : 0)
		low[at - 1] = 1;
	return (uint32_t)bytes;
}

uint32_t crash(void *argument)
{
	*(volatile int *)argument = 1;
	return 0;
}

uint32_t leave(void *argument)
{
	exit((int)(uintptr_t)argument);
}

/* Two functions that differ in one constant: a test makes the one into the other. */
__attribute__((noinline)) uint32_t patched(void *argument)
{
	return (uint32_t)(uintptr_t)argument + 1;
}

__attribute__((noinline)) uint32_t patch_source(void *argument)
{
	return (uint32_t)(uintptr_t)argument + 2;
}

static pid_t child;
static int child_pipe[2];

/* A child that ends with a code when told to. */
static void spawn(int code)
{
	char c;

	if (pipe(child_pipe) < 0)
		abort();
	child = fork();
	if (child == 0) {
		close(child_pipe[1]);
		_exit(read(child_pipe[0], &c, 1) == 0 ? code : 99);
	}
	close(child_pipe[0]);
	printf("%d\n", child);
}

static void end_child(void)
{
	siginfo_t info;

	close(child_pipe[1]);
	waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
	printf("zombie\n");
}

static void answer(const char *line)
{
	unsigned n;

	if (sscanf(line, "open %u", &n) == 1) {
		while (n-- > 0)
			sem_post(&gate);
		printf("opened\n");
	} else if (sscanf(line, "runs %u", &n) == 1) { /* until there were n more */
		while (n-- > 0)
			while (sem_wait(&run_done) < 0)
				;
		printf("%u\n", atomic_load(&n_runs));
	} else if (sscanf(line, "exit %u", &n) == 1) {
		exit((int)n);
	} else if (sscanf(line, "spawn %u", &n) == 1) {
		spawn((int)n);
	} else if (strcmp(line, "end-child\n") == 0) {
		end_child();
	} else if (strcmp(line, "reap\n") == 0) {
		waitpid(child, NULL, 0);
		printf("reaped\n");
	} else {
		printf("alive %d\n", own); /* also tells that this thread's own is intact */
	}
}

int main(void)
{
	char line[128];

	setvbuf(stdout, NULL, _IOLBF, 0);
	sem_init(&run_done, 0, 0);
	sem_init(&gate, 0, 0);
	printf("ready value=%p add=%p report=%p gated=%p use_stack=%p crash=%p leave=%p ",
	       (void *)value, (void *)add, (void *)report, (void *)gated, (void *)use_stack,
	       (void *)crash, (void *)leave);
	printf("patched=%p patch_source=%p cell=%p constant=%p\n", (void *)patched,
	       (void *)patch_source, (void *)&cell, (const void *)constant);
	while (fgets(line, sizeof(line), stdin))
		answer(line);
	return 0;
}
