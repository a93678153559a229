/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stacks.c - a program that stands still at a known depth, for test_symbolize
 *
 *     stacks -t 1 MODE    says "ready" and waits in stop_here(), called the way MODE says; for each
 *                         line that it is sent it goes on to the next such place
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef __clang__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone))
#endif
#define INLINE	 static inline __attribute__((always_inline))

volatile int sink;

NOINLINE void stop_here(void)
{
	char c = 0;

	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		_exit(2);
	do {
		if (read(STDIN_FILENO, &c, 1) != 1)
			_exit(0);
	} while (c != '\n');
	sink++;
}

/* sink: nothing here becomes a jump */
#define DEEP(n, next)                                                                              \
	NOINLINE void deep##n(int a)                                                               \
	{                                                                                          \
		char use[16 + 8 * n];                                                              \
		memset(use, a, sizeof(use));                                                       \
		sink += use[a & 7];                                                                \
		next;                                                                              \
		sink += use[a & 3];                                                                \
	}

DEEP(10, stop_here())
DEEP(9, deep10(a + 1))
DEEP(8, deep9(a + 1))
DEEP(7, deep8(a + 1))
DEEP(6, deep7(a + 1))
DEEP(5, deep6(a + 1))
DEEP(4, deep5(a + 1))
DEEP(3, deep4(a + 1))
DEEP(2, deep3(a + 1))
DEEP(1, deep2(a + 1))

INLINE void innermost_inlined(void)
{
	stop_here(); /* line of the innermost call */
	sink++;
}

INLINE void middle_inlined(void)
{
	innermost_inlined();
	sink++;
}

NOINLINE void holds_inlined(void)
{
	middle_inlined();
	sink++;
}

NOINLINE int recurse(int n)
{
	if (n == 0)
		stop_here();
	else
		sink += recurse(n - 1);
	return sink;
}

static NOINLINE void handler(int number)
{
	(void)number;
	stop_here();
	sink++;
}

NOINLINE void interrupted(void)
{
	(void)raise(SIGUSR2);
	sink++;
}

NOINLINE void with_handler(int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
	stack_t other = { .ss_sp = malloc(65536), .ss_size = 65536 };

	if (flags & SA_ONSTACK)
		(void)sigaltstack(&other, NULL);
	(void)sigaction(SIGUSR2, &action, NULL);
	interrupted();
	sink++;
}

static NOINLINE void *thread_main(void *param)
{
	deep8(*(int *)param);
	sink++;
	return NULL;
}

NOINLINE void in_thread(void)
{
	pthread_t thread;
	int a = 1;

	(void)pthread_create(&thread, NULL, thread_main, &a);
	(void)pthread_join(thread, NULL);
}

#ifdef STACKS_DYNAMIC
/* Twice: in the library, and when it is gone. */
NOINLINE void in_library(const char *self)
{
	char path[4096];
	void *library;
	void (*call)(void (*)(void));

	(void)snprintf(path, sizeof(path), "%.*s/stacks_plug.so", (int)(strrchr(self, '/') - self),
		       self);
	library = dlopen(path, RTLD_NOW);
	call = library ? (void (*)(void (*)(void)))(uintptr_t)dlsym(library, "plug_outer") : NULL;
	if (!call)
		_exit(3);
	call(stop_here);
	(void)dlclose(library);
	stop_here();
	sink++;
}
#endif

/* push rbp; mov rbp, rsp; call rdi (the outer one: rsi); pop rbp; ret */
static const unsigned char made_up[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3 };
static const unsigned char outer[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd6, 0x5d, 0xc3 };

/* in_file: in a file that is nothing but memory, as some do who write by another mapping */
NOINLINE void compiled_at_run_time(int in_file)
{
	int fd = in_file ? (int)syscall(SYS_memfd_create, "made", 0) : -1;
	int made = fd < 0 ? 0 : ftruncate(fd, 4096);
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
	char path[64];
	FILE *map;

	(void)snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	map = fopen(path, "we");
	if (!map || code == MAP_FAILED || made != 0)
		_exit(4);
	memcpy(code, made_up, sizeof(made_up));
	(void)fprintf(map, "%lx %zx JS:*made up at run time\n", (unsigned long)(uintptr_t)code,
		      sizeof(made_up));
	(void)fprintf(map, "%lx %zx JS:~outer\n", (unsigned long)(uintptr_t)code + 64, sizeof(outer));
	(void)fclose(map);
	memcpy((char *)code + 64, outer, sizeof(outer));
	((void (*)(void (*)(void), void *))((uintptr_t)code + 64))(stop_here, code);
	(void)unlink(path);
	sink++;
}

/* For a walk by single steps: through the table of libc's functions, and the kernel's own code. */
NOINLINE void steps_inner(struct timespec *at)
{
	(void)clock_gettime(CLOCK_MONOTONIC, at);
	sink += (int)strlen((const char *)at);
}

NOINLINE void steps_outer(void)
{
	struct timespec at = { 0 };

	stop_here();
	for (;;) {
		steps_inner(&at);
		sink++;
	}
}

NOINLINE int run(const char *mode, const char *self)
{
	if (strcmp(mode, "deep") == 0)
		deep1(1);
	else if (strcmp(mode, "inlined") == 0)
		holds_inlined();
	else if (strcmp(mode, "recursion") == 0)
		recurse(600);
	else if (strcmp(mode, "signal") == 0)
		with_handler(0);
	else if (strcmp(mode, "altstack") == 0)
		with_handler(SA_ONSTACK);
	else if (strcmp(mode, "thread") == 0)
		in_thread();
	else if (strcmp(mode, "jit") == 0)
		compiled_at_run_time(0);
	else if (strcmp(mode, "jitfile") == 0)
		compiled_at_run_time(1);
	else if (strcmp(mode, "steps") == 0)
		steps_outer();
#ifdef STACKS_DYNAMIC
	else if (strcmp(mode, "library") == 0)
		in_library(self);
#endif
	else
		return 1;
	(void)self;
	return sink < 0;
}

int main(int argc, char **argv)
{
	int r = argc > 3 ? run(argv[3], argv[0]) : 1;

	sink++;
	return r;
}
