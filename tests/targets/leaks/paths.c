/* SPDX-License-Identifier: BSD-2-Clause */
/* paths.c - plants: ways of the code that lead past the close, and stacks that are hard to walk */
#include "plant.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Reads a header; the branch for a short one forgets the handle. */
static NOINLINE int read_header(const char *path, char *header, size_t bytes)
{
	int fd = open(path, O_RDONLY); /* LEAK for error_path through plant_error_path */
	ssize_t n = read(fd, header, bytes);

	if (n < (ssize_t)bytes) {
		forget(fd);
		return -EBADMSG;
	}
	(void)close(fd);
	return 0;
}

PLANT(error_path)
{
	char header[16];

	if (read_header("/dev/zero", header, sizeof(header)) < 0)
		need(-1, "/dev/zero");
	if (read_header("/dev/null", header, sizeof(header)) == 0)
		need(-1, "/dev/null");
}

static void *in_thread(void *param)
{
	int fd = open("/dev/null", O_RDONLY); /* LEAK for thread thread */

	forget(fd);
	return param;
}

PLANT(thread)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, in_thread, NULL) != 0)
		need(-1, "pthread_create");
	(void)pthread_join(thread, NULL);
}

#define BUSY_THREADS 8
#define BUSY_ROUNDS  2000

/* All open and close; the first forgets one. */
static void *busy(void *param)
{
	int fd;

	for (int i = 0; i < BUSY_ROUNDS; i++)
		(void)close(need(open("/dev/null", O_RDONLY), "open"));
	if (!param)
		return NULL;
	fd = open("/dev/zero", O_RDONLY); /* LEAK for busy_threads thread */
	forget(fd);
	for (int i = 0; i < BUSY_ROUNDS; i++)
		(void)close(need(open("/dev/null", O_RDONLY), "open"));
	return NULL;
}

PLANT(busy_threads)
{
	pthread_t threads[BUSY_THREADS];

	for (int i = 0; i < BUSY_THREADS; i++)
		if (pthread_create(&threads[i], NULL, busy, i == 0 ? &threads[i] : NULL) != 0)
			need(-1, "pthread_create");
	for (int i = 0; i < BUSY_THREADS; i++)
		(void)pthread_join(threads[i], NULL);
}

/* Opened by one thread, closed by another; what is leaked has the number of what was closed. */
static void *close_it(void *param)
{
	(void)close(*(int *)param);
	return NULL;
}

PLANT(reused_number)
{
	pthread_t thread;
	int first = need(open("/dev/null", O_RDONLY), "open"), fd;

	if (pthread_create(&thread, NULL, close_it, &first) != 0)
		need(-1, "pthread_create");
	(void)pthread_join(thread, NULL);
	fd = open("/dev/zero", O_RDONLY); /* LEAK */
	forget(fd);
}

static void on_signal(int number)
{
	int fd = open("/dev/null", O_RDONLY); /* LEAK for signal through plant_signal */

	(void)number;
	forget(fd);
}

PLANT(signal)
{
	struct sigaction action = { .sa_handler = on_signal };

	(void)sigaction(SIGUSR1, &action, NULL);
	(void)raise(SIGUSR1);
}

/* "thread": what lies under the handler is on another stack. */
static void on_other_stack(int number)
{
	int fd = open("/dev/null", O_RDONLY); /* LEAK for signal_other_stack thread */

	(void)number;
	forget(fd);
}

PLANT(signal_other_stack)
{
	static char stack[64 << 10];
	struct sigaction action = { .sa_handler = on_other_stack, .sa_flags = SA_ONSTACK };
	stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };

	need(sigaltstack(&other, NULL), "sigaltstack");
	(void)sigaction(SIGUSR2, &action, NULL);
	(void)raise(SIGUSR2);
}

/* Each does something after the call, so that it is no jump. */
static volatile int depth;

#define DEEP(N, NEXT)                                                                              \
	static NOINLINE int deep_##N(int n)                                                        \
	{                                                                                          \
		char local[64 + N * 16];                                                           \
                                                                                                   \
		memset(local, n, sizeof(local));                                                   \
		__asm__ volatile("" : : "r"(local) : "memory");                                    \
		depth = N;                                                                         \
		n = NEXT(n + 1);                                                                   \
		depth = N;                                                                         \
		return n + local[0];                                                               \
	}

static NOINLINE int deep_10(int n)
{
	int fd = open("/dev/null", O_RDONLY); /* LEAK for deep through deep_1 through deep_5 through deep_9 */

	forget(fd);
	return n;
}

DEEP(9, deep_10)
DEEP(8, deep_9)
DEEP(7, deep_8)
DEEP(6, deep_7)
DEEP(5, deep_6)
DEEP(4, deep_5)
DEEP(3, deep_4)
DEEP(2, deep_3)
DEEP(1, deep_2)

PLANT(deep)
{
	depth = deep_1(1);
}

/* 200 times the same function, more than the copy of a small stack holds. */
static NOINLINE int recurse(int n)
{
	char local[128];
	int fd;

	memset(local, n, sizeof(local));
	__asm__ volatile("" : : "r"(local) : "memory");
	if (n > 0)
		return recurse(n - 1) + local[0];
	fd = open("/dev/null", O_RDONLY); /* LEAK for recursion through plant_recursion */
	forget(fd);
	return local[1];
}

PLANT(recursion)
{
	depth = recurse(200); /* no jump */
}

static inline __attribute__((always_inline)) int open_inlined(const char *path)
{
	int fd = open(path, O_RDONLY); /* LEAK for inlined in open_inlined through plant_inlined */

	return fd;
}

PLANT(inlined)
{
	forget(open_inlined("/dev/null"));
}

/* A stack frame of unknown size: the unwinder needs the frame register. */
PLANT(alloca)
{
	size_t bytes = 100 + (size_t)getpid() % 1000;
	char *local = __builtin_alloca(bytes);
	int fd;

	memset(local, 1, bytes);
	fd = open("/dev/null", O_RDONLY); /* LEAK */
	__asm__ volatile("" : : "r"(local) : "memory");
	forget(fd);
}
