/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * win32_calls.c - how long the calls of win32.h take, and what failing ones leave
 *
 *     win32_calls target                          says `PID ANSWER COUNT BUFFER`, ends with its input
 *     win32_calls calls PID ANSWER COUNT BUFFER ENDED WHAT...
 *                                                 says `WHAT|NUMBER` for each that is asked for
 *
 * One source for Windows, where Wine runs it, and for Linux.  bench_win32.py leads both.  ENDED is
 * a second target, to be ended.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tendril/win32.h>

#ifdef _WIN32
static uint64_t now_ns(void)
{
	LARGE_INTEGER count, frequency;

	QueryPerformanceCounter(&count);
	QueryPerformanceFrequency(&frequency);
	return (uint64_t)((double)count.QuadPart * 1e9 / (double)frequency.QuadPart);
}
#else
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
#endif

#define BIG_BYTES      ((SIZE_T)64 << 20)
#define SMALL_BYTES    ((SIZE_T)4096)
#define HIGHEST_HANDLE 0x40000
#define PATIENCE_MS    20000
#define N_FAILING      2000
#define N_OPEN         10000
#define N_OBJECTS      64
#define THREADS_MAX    16

static char buffer[64 << 20];

static DWORD WINAPI answer(LPVOID argument)
{
	return (DWORD)(uintptr_t)argument;
}

/* Wine 8.0 has GetProcessHandleCount() as a stub that says 0: there each value is tried. */
static DWORD WINAPI count_handles(LPVOID unused)
{
	DWORD count = 0, flags;
	ULONG_PTR value;

	(void)unused;
	if (GetProcessHandleCount(GetCurrentProcess(), &count) && count > 0)
		return count;
	count = 0;
	for (value = 4; value <= HIGHEST_HANDLE; value += 4)
		if (GetHandleInformation((HANDLE)value, &flags))
			count++;
	return count;
}

static int be_target(void)
{
	memset(buffer, 1, sizeof(buffer));
	printf("%u %" PRIx64 " %" PRIx64 " %" PRIx64 "\n", (unsigned int)GetCurrentProcessId(),
	       (uint64_t)(uintptr_t)answer, (uint64_t)(uintptr_t)count_handles,
	       (uint64_t)(uintptr_t)buffer);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}

/* The caller */

static HANDLE process, limited, ended;
static DWORD process_id;
static LPTHREAD_START_ROUTINE there_answer, there_count;
static char *there_buffer;

static void give_up(const char *what)
{
	fprintf(stderr, "win32_calls: %s: error %u\n", what, (unsigned int)GetLastError());
	exit(1);
}

static DWORD run_there(LPTHREAD_START_ROUTINE function)
{
	HANDLE thread = CreateRemoteThread(process, NULL, 0, function, (LPVOID)(uintptr_t)42, 0, NULL);
	DWORD code = 0;

	if (!thread || WaitForSingleObject(thread, PATIENCE_MS) != WAIT_OBJECT_0 ||
	    !GetExitCodeThread(thread, &code) || !CloseHandle(thread))
		give_up("a remote thread");
	return code;
}

static BOOL create(void)
{
	return run_there(there_answer) == 42;
}

static BOOL open_close(void)
{
	HANDLE handle = OpenProcess(PROCESS_ALL_ACCESS, FALSE, process_id);

	return handle && CloseHandle(handle);
}

static BOOL read_small(void)
{
	return ReadProcessMemory(process, there_buffer, buffer, SMALL_BYTES, NULL);
}

static BOOL write_small(void)
{
	return WriteProcessMemory(process, there_buffer, buffer, SMALL_BYTES, NULL);
}

static BOOL read_big(void)
{
	return ReadProcessMemory(process, there_buffer, buffer, BIG_BYTES, NULL);
}

static BOOL write_big(void)
{
	return WriteProcessMemory(process, there_buffer, buffer, BIG_BYTES, NULL);
}

static BOOL alloc_free(void)
{
	LPVOID at = VirtualAllocEx(process, NULL, 65536, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);

	return at && VirtualFreeEx(process, at, 0, MEM_RELEASE);
}

#ifndef _WIN32
/* The kernel's own copies, which nobody can be faster than. */
static BOOL kernel_copy(SIZE_T bytes, BOOL writes)
{
	struct iovec here = { buffer, bytes }, there = { there_buffer, bytes };
	ssize_t n = writes ? process_vm_writev((pid_t)process_id, &here, 1, &there, 1, 0)
			   : process_vm_readv((pid_t)process_id, &here, 1, &there, 1, 0);

	return n == (ssize_t)bytes;
}

static BOOL kernel_read_big(void)
{
	return kernel_copy(BIG_BYTES, FALSE);
}

static BOOL kernel_write_big(void)
{
	return kernel_copy(BIG_BYTES, TRUE);
}
#endif

/* Each fails in another way. */
static BOOL fail_handle(void)
{
	return !CreateRemoteThread(NULL, NULL, 0, there_answer, NULL, 0, NULL);
}

static BOOL fail_right(void)
{
	return !CreateRemoteThread(limited, NULL, 0, there_answer, NULL, 0, NULL);
}

static BOOL fail_ended(void)
{
	return !CreateRemoteThread(ended, NULL, 0, there_answer, NULL, 0, NULL);
}

/* 64 TiB: no check of the argument refuses it, but there is no room for it. */
static BOOL fail_stack(void)
{
	return !CreateRemoteThread(process, NULL, (SIZE_T)1 << 46, there_answer, NULL,
				   STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
}

static BOOL fail_no_process(void)
{
	return !OpenProcess(PROCESS_ALL_ACCESS, FALSE, 0x3ffffff0);
}

static BOOL fail_read(void)
{
	return !ReadProcessMemory(process, (LPCVOID)(uintptr_t)16, buffer, 8, NULL);
}

static BOOL fail_release(void)
{
	return !VirtualFreeEx(process, there_buffer, 0, MEM_RELEASE);
}

static const struct {
	const char *name;
	BOOL (*run)(void);
	unsigned int n; /* calls in one batch; of several batches the middle one counts */
} timed[] = {
	{ "create", create, 100 },
	{ "open", open_close, 2000 },
	{ "read 4 KiB", read_small, 5000 },
	{ "write 4 KiB", write_small, 5000 },
	{ "read 64 MiB", read_big, 2 },
	{ "write 64 MiB", write_big, 2 },
	{ "alloc", alloc_free, 100 },
	{ "fail: bad handle", fail_handle, 500 },
	{ "fail: right missing", fail_right, 500 },
	{ "fail: process ended", fail_ended, 500 },
	{ "fail: stack too large", fail_stack, 100 },
	{ "fail: no such process", fail_no_process, 500 },
	{ "fail: no such memory", fail_read, 500 },
	{ "fail: not allocated", fail_release, 500 },
#ifndef _WIN32
	{ "kernel: read 64 MiB", kernel_read_big, 2 },
	{ "kernel: write 64 MiB", kernel_write_big, 2 },
#endif
};

#define N_TIMED   (sizeof(timed) / sizeof(timed[0]))
#define N_BATCHES 7

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void say(const char *name, double number)
{
	printf("%s|%.1f\n", name, number);
	fflush(stdout);
}

static void time_one(size_t i)
{
	double ns[N_BATCHES];

	if (!timed[i].run())
		give_up(timed[i].name);
	for (int batch = 0; batch < N_BATCHES; batch++) {
		uint64_t begin = now_ns();

		for (unsigned int k = 0; k < timed[i].n; k++)
			if (!timed[i].run())
				give_up(timed[i].name);
		ns[batch] = (double)(now_ns() - begin) / timed[i].n;
	}
	qsort(ns, N_BATCHES, sizeof(ns[0]), compare);
	say(timed[i].name, ns[N_BATCHES / 2]);
}

/* What many of a failing call leave: handles of the caller, and of the target. */
static void leak_of(size_t i)
{
	DWORD here, there = run_there(there_count);
	char name[64];

	here = count_handles(NULL);
	for (unsigned int k = 0; k < N_FAILING; k++)
		if (!timed[i].run())
			give_up(timed[i].name);
	snprintf(name, sizeof(name), "leak here: %s", timed[i].name + strlen("fail: "));
	say(name, (double)count_handles(NULL) - here);
	snprintf(name, sizeof(name), "leak there: %s", timed[i].name + strlen("fail: "));
	say(name, (double)run_there(there_count) - there);
}

/* So many handles at once, and what opening and closing costs then. */
static void many_handles(void)
{
	static HANDLE handles[N_OPEN];
	uint64_t begin = now_ns();

	for (int i = 0; i < N_OPEN; i++) {
		handles[i] = OpenProcess(PROCESS_ALL_ACCESS, FALSE, process_id);
		if (!handles[i])
			give_up("10,000 handles");
	}
	for (int i = 0; i < N_OPEN; i++)
		CloseHandle(handles[i]);
	say("scale: 10,000 open", (double)(now_ns() - begin) / N_OPEN);
}

/* 64 objects, of which the last one has ended. */
static void wait_for_many(void)
{
	HANDLE handles[N_OBJECTS];
	uint64_t begin;

	for (int i = 0; i < N_OBJECTS - 1; i++)
		handles[i] = OpenProcess(SYNCHRONIZE, FALSE, process_id);
	handles[N_OBJECTS - 1] = ended;
	begin = now_ns();
	for (int k = 0; k < 2000; k++)
		if (WaitForMultipleObjects(N_OBJECTS, handles, FALSE, INFINITE) !=
		    WAIT_OBJECT_0 + N_OBJECTS - 1)
			give_up("waiting for 64");
	say("scale: wait for 64", (double)(now_ns() - begin) / 2000);
	for (int i = 0; i < N_OBJECTS - 1; i++)
		CloseHandle(handles[i]);
}

#define OPENS_EACH 4000

static DWORD WINAPI open_and_close(LPVOID n)
{
	for (uintptr_t i = 0; i < (uintptr_t)n; i++)
		if (!open_close())
			return 1;
	return 0;
}

static void many_threads(unsigned int n)
{
	HANDLE threads[THREADS_MAX];
	uint64_t begin = now_ns();
	char name[64];

	for (unsigned int i = 0; i < n; i++) {
		threads[i] = CreateThread(NULL, 0, open_and_close,
					  (LPVOID)(uintptr_t)(OPENS_EACH / n), 0, NULL);
		if (!threads[i])
			give_up("a thread");
	}
	if (WaitForMultipleObjects(n, threads, TRUE, PATIENCE_MS) != WAIT_OBJECT_0)
		give_up("waiting for threads");
	snprintf(name, sizeof(name), "scale: %u threads", n);
	say(name, (double)(now_ns() - begin) / (OPENS_EACH / n * n));
	for (unsigned int i = 0; i < n; i++)
		CloseHandle(threads[i]);
}

static void do_one(const char *what)
{
	for (size_t i = 0; i < N_TIMED; i++) {
		if (strcmp(what, timed[i].name) == 0)
			time_one(i);
		if (strncmp(what, "leak: ", 6) == 0 && strncmp(timed[i].name, "fail: ", 6) == 0 &&
		    strcmp(what + 6, timed[i].name + 6) == 0)
			leak_of(i);
	}
	if (strcmp(what, "scale: 10,000 open") == 0)
		many_handles();
	if (strcmp(what, "scale: wait for 64") == 0)
		wait_for_many();
	if (strcmp(what, "scale: threads") == 0)
		for (unsigned int n = 1; n <= THREADS_MAX; n *= 2)
			many_threads(n);
}

static HANDLE open_target(const char *id)
{
	HANDLE handle = OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)strtoul(id, NULL, 10));

	if (!handle)
		give_up("opening a target");
	return handle;
}

static int be_caller(char **argv)
{
	process_id = (DWORD)strtoul(argv[0], NULL, 10);
	there_answer = (LPTHREAD_START_ROUTINE)(uintptr_t)strtoull(argv[1], NULL, 16);
	there_count = (LPTHREAD_START_ROUTINE)(uintptr_t)strtoull(argv[2], NULL, 16);
	there_buffer = (char *)(uintptr_t)strtoull(argv[3], NULL, 16);
	memset(buffer, 2, sizeof(buffer));
	process = open_target(argv[0]);
	ended = open_target(argv[4]);
	limited = OpenProcess(PROCESS_QUERY_INFORMATION, FALSE, process_id);
	if (!TerminateProcess(ended, 1) || WaitForSingleObject(ended, PATIENCE_MS) != WAIT_OBJECT_0)
		give_up("ending a target");
	for (argv += 5; *argv; argv++)
		do_one(*argv);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "target") == 0)
		return be_target();
	if (argc > 7 && strcmp(argv[1], "calls") == 0)
		return be_caller(argv + 2);
	fprintf(stderr, "usage: win32_calls target | calls PID ANSWER COUNT BUFFER ENDED WHAT...\n");
	return 2;
}
