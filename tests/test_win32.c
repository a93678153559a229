/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_win32.c - the Win32 names, on two live processes
 *
 * Each test says on its first line which sentences of the Win32 semantics it holds us to (GEN, CRT,
 * LK, OP, CH, HC, WT, EC, SR, ID, VM, RW).  No sleeps: the target answers each line it is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tendril/win32.h>

#define ALL_FIVE (PROCESS_CREATE_THREAD | PROCESS_QUERY_INFORMATION | PROCESS_VM_OPERATION | \
		  PROCESS_VM_WRITE | PROCESS_VM_READ)
#define UNTOUCHED 0xabcd1234u
#define KIB 1024u

struct sum {
	uint64_t a, b, sum;
};

struct report {
	uint64_t tid, pid, argument, frame, own_errno, fraction, copy;
};

struct target {
	pid_t pid;
	FILE *to, *from;
	char names[1024];
	HANDLE process;
};

static char target_path[4096];

/* The target */

static uint64_t address_of(const struct target *t, const char *name)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), " %s=", name);
	at = strstr(t->names, key);
	if (!at)
		fail_msg("the target has no %s", name);
	return strtoull(at + strlen(key), NULL, 16);
}

static LPTHREAD_START_ROUTINE function_of(const struct target *t, const char *name)
{
	return (LPTHREAD_START_ROUTINE)(uintptr_t)address_of(t, name);
}

static void read_answer(struct target *t, char *line, size_t bytes)
{
	if (!fgets(line, (int)bytes, t->from))
		fail_msg("the target does not answer");
}

/* Tell it a line and return its answer as a number, 0 if it is none. */
static __attribute__((format(printf, 2, 3))) int tell(struct target *t, const char *format, ...)
{
	char line[128];
	va_list args;

	va_start(args, format);
	vfprintf(t->to, format, args);
	va_end(args);
	fputc('\n', t->to);
	fflush(t->to);
	read_answer(t, line, sizeof(line));
	return atoi(line);
}

static void start_target(struct target *t)
{
	int to[2], from[2];

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	t->pid = fork();
	assert_true(t->pid >= 0);
	if (t->pid == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		execl(target_path, "win32_target", (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	t->to = fdopen(to[1], "w");
	t->from = fdopen(from[0], "r");
	read_answer(t, t->names, sizeof(t->names));
	t->process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)t->pid);
	assert_non_null(t->process);
}

static void forget_target(struct target *t)
{
	fclose(t->to);
	fclose(t->from);
	if (t->process)
		assert_true(CloseHandle(t->process));
}

/* Let it end by itself: it must be able to, whatever was done to it. */
static void stop_target(struct target *t)
{
	int status;

	fprintf(t->to, "exit 7\n");
	fflush(t->to);
	assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	forget_target(t);
}

static void kill_target(struct target *t)
{
	kill(t->pid, SIGKILL);
	assert_int_equal(waitpid(t->pid, NULL, 0), t->pid);
}

/* What a leak would show in */

struct counts {
	int caller_handles, handles, threads, maps;
};

static int count_entries(pid_t pid, const char *what)
{
	char path[64];
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2 - (pid == getpid() && strcmp(what, "fd") == 0);
}

static int count_maps(pid_t pid)
{
	char path[64];
	int n = 0, c;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while ((c = fgetc(file)) != EOF)
		n += c == '\n';
	fclose(file);
	return n;
}

static struct counts count(pid_t pid)
{
	return (struct counts){
		.handles = count_entries(pid, "fd"),
		.threads = count_entries(pid, "task"),
		.maps = count_maps(pid),
		.caller_handles = count_entries(getpid(), "fd"),
	};
}

static void assert_same_counts(struct counts before, struct counts now)
{
	assert_int_equal(now.caller_handles, before.caller_handles);
	assert_int_equal(now.handles, before.handles);
	assert_int_equal(now.threads, before.threads);
	assert_int_equal(now.maps, before.maps);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Once the target has its main thread only: one whose handle was closed may still be ending. */
static struct counts count_at_rest(pid_t pid)
{
	int64_t deadline = now_ms() + 10000;

	while (count_entries(pid, "task") > 1 && now_ms() < deadline)
		sched_yield();
	return count(pid);
}

static int fd_of(HANDLE handle)
{
	return (int)((uintptr_t)handle / 4);
}

static HANDLE create(HANDLE process, LPTHREAD_START_ROUTINE start, uint64_t argument, DWORD flags)
{
	HANDLE thread = CreateRemoteThread(process, NULL, 0, start, (LPVOID)(uintptr_t)argument,
					   flags, NULL);

	if (!thread)
		fail_msg("CreateRemoteThread: last error %u", GetLastError());
	return thread;
}

/* The exit code of a thread that ends, whose handle is closed here. */
static DWORD finish(HANDLE thread)
{
	DWORD code = UNTOUCHED;

	assert_int_equal(WaitForSingleObject(thread, 20000), WAIT_OBJECT_0);
	assert_true(GetExitCodeThread(thread, &code));
	assert_true(CloseHandle(thread));
	return code;
}

static DWORD run(struct target *t, const char *name, uint64_t argument)
{
	return finish(create(t->process, function_of(t, name), argument, 0));
}

#define assert_fails(expression, error) \
	do { \
		SetLastError(UNTOUCHED); \
		assert_true(!(expression)); \
		assert_int_equal(GetLastError(), (error)); \
	} while (0)

static struct target shared;

static int setup(void **state)
{
	(void)state;
	start_target(&shared);
	/* The first thread there maps what all of them share. */
	assert_int_equal(run(&shared, "value", 1), 1);
	assert_int_equal(tell(&shared, "runs 1"), 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stop_target(&shared);
	return 0;
}

/* General */

static void *check_own_error(void *argument)
{
	(void)argument;
	return (void *)(uintptr_t)(GetLastError() == 0 && !CloseHandle(NULL) &&
				   GetLastError() == ERROR_INVALID_HANDLE);
}

static void test_last_error_belongs_to_the_thread(void **state)
{
	/* GEN-01 */
	pthread_t thread;
	void *ok;

	(void)state;
	SetLastError(UNTOUCHED);
	pthread_create(&thread, NULL, check_own_error, NULL);
	pthread_join(thread, &ok);
	assert_non_null(ok);
	assert_int_equal(GetLastError(), UNTOUCHED);
}

static void test_success_leaves_last_error(void **state)
{
	/* GEN-02, CRT-07, WT-17 */
	char byte = 0;
	HANDLE thread;

	(void)state;
	SetLastError(UNTOUCHED);
	thread = create(shared.process, function_of(&shared, "gated"), 1, CREATE_SUSPENDED);
	assert_int_equal(WaitForSingleObject(thread, 0), WAIT_TIMEOUT);
	assert_int_equal(ResumeThread(thread), 1);
	tell(&shared, "open 1");
	assert_int_equal(finish(thread), 1);
	tell(&shared, "runs 1");
	assert_true(ReadProcessMemory(shared.process, (LPVOID)address_of(&shared, "cell"), &byte, 1,
				      NULL));
	assert_true(WriteProcessMemory(shared.process, (LPVOID)address_of(&shared, "cell"), &byte,
				       1, NULL));
	assert_int_equal(GetLastError(), UNTOUCHED);
}

static HANDLE open_with(DWORD access)
{
	HANDLE process = OpenProcess(access, FALSE, (DWORD)shared.pid);

	assert_non_null(process);
	return process;
}

static void test_each_right_is_checked(void **state)
{
	/* GEN-03, OP-04, CRT-13, WT-08, EC-06, ID-03, HC-03, VM-15, RW-07 */
	HANDLE none = open_with(0), query = open_with(PROCESS_QUERY_LIMITED_INFORMATION);
	HANDLE no_create = open_with(PROCESS_ALL_ACCESS & ~PROCESS_CREATE_THREAD);
	HANDLE write_only = open_with(PROCESS_VM_WRITE);
	LPTHREAD_START_ROUTINE start = function_of(&shared, "value");
	LPVOID cell = (LPVOID)address_of(&shared, "cell");
	SIZE_T n = 9;
	DWORD code;
	char c = 0;

	(void)state;
	assert_fails(CreateRemoteThread(no_create, NULL, 0, start, NULL, 0, NULL), 5);
	assert_int_equal(WaitForSingleObject(query, 0), WAIT_FAILED);
	assert_int_equal(GetLastError(), ERROR_ACCESS_DENIED);
	assert_fails(GetExitCodeProcess(none, &code), ERROR_ACCESS_DENIED);
	assert_fails(GetProcessId(none), ERROR_ACCESS_DENIED);
	assert_fails(GetProcessHandleCount(none, &code), ERROR_ACCESS_DENIED);
	assert_fails(VirtualAllocEx(query, NULL, 1, MEM_COMMIT, PAGE_READWRITE), 5);
	assert_fails(VirtualFreeEx(query, cell, 0, MEM_RELEASE), ERROR_ACCESS_DENIED);
	assert_fails(ReadProcessMemory(query, cell, &c, 1, &n), ERROR_ACCESS_DENIED);
	assert_int_equal(n, 0);
	assert_fails(WriteProcessMemory(write_only, cell, &c, 1, &n), ERROR_ACCESS_DENIED);
	assert_true(GetExitCodeProcess(query, &code));
	assert_int_equal(code, STILL_ACTIVE);
	assert_int_equal(GetProcessId(query), shared.pid);
	CloseHandle(none);
	CloseHandle(query);
	CloseHandle(no_create);
	CloseHandle(write_only);
}

static void test_synchronize_alone_suffices_to_wait(void **state)
{
	/* WT-08, OP-12 */
	HANDLE process = open_with(SYNCHRONIZE);
	HANDLE query = open_with(PROCESS_QUERY_INFORMATION);

	(void)state;
	assert_int_equal(WaitForSingleObject(process, 0), WAIT_TIMEOUT);
	assert_int_equal(GetProcessId(query), shared.pid);
	CloseHandle(process);
	CloseHandle(query);
}

static void test_wrong_handles_are_invalid(void **state)
{
	/* GEN-04, CRT-11, CRT-12, CH-02, CH-03, HC-04, WT-07, EC-05, SR-08, ID-02, VM-15, RW-08 */
	HANDLE thread = create(shared.process, function_of(&shared, "value"), 1, 0);
	HANDLE closed = open_with(PROCESS_ALL_ACCESS);
	HANDLE wrong[] = { NULL, (HANDLE)0x7777777, closed, thread, GetCurrentThread() };
	DWORD code;
	char c;

	(void)state;
	assert_true(CloseHandle(closed));
	assert_fails(CloseHandle(closed), ERROR_INVALID_HANDLE);
	assert_fails(CloseHandle(NULL), ERROR_INVALID_HANDLE);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_fails(CreateRemoteThread(wrong[i], NULL, 0, NULL, NULL, 0, NULL), 6);
		assert_fails(GetProcessHandleCount(wrong[i], &code), ERROR_INVALID_HANDLE);
		assert_fails(GetExitCodeProcess(wrong[i], &code), ERROR_INVALID_HANDLE);
		assert_fails(GetProcessId(wrong[i]), ERROR_INVALID_HANDLE);
		assert_fails(VirtualAllocEx(wrong[i], NULL, 1, MEM_COMMIT, PAGE_READWRITE), 6);
		assert_fails(VirtualFreeEx(wrong[i], &c, 0, MEM_RELEASE), ERROR_INVALID_HANDLE);
		assert_fails(ReadProcessMemory(wrong[i], &c, &c, 1, NULL), ERROR_INVALID_HANDLE);
		assert_fails(WriteProcessMemory(wrong[i], &c, &c, 1, NULL), ERROR_INVALID_HANDLE);
	}
	wrong[3] = shared.process;
	wrong[4] = GetCurrentProcess();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_fails(GetExitCodeThread(wrong[i], &code), ERROR_INVALID_HANDLE);
		assert_fails(GetThreadId(wrong[i]), ERROR_INVALID_HANDLE);
		assert_fails(GetProcessIdOfThread(wrong[i]), ERROR_INVALID_HANDLE);
		assert_fails(ResumeThread(wrong[i]) + 1, ERROR_INVALID_HANDLE);
		if (i < 3)
			assert_fails(WaitForSingleObject(wrong[i], 0) + 1, ERROR_INVALID_HANDLE);
	}
	assert_int_equal(finish(thread), 1);
	tell(&shared, "runs 1");
}

/* CreateRemoteThread */

static void test_function_runs_once_and_returns_its_value(void **state)
{
	/* CRT-01, CRT-02, CRT-03, EC-04 */
	static const uint64_t values[] = { 0, 255, 256, 259, 0x80000001, 0xffffffff,
					   0x123456789abcdef0, UINT64_MAX };
	int before = tell(&shared, "runs 0");

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct report report;

		assert_int_equal(run(&shared, "value", values[i]), (uint32_t)values[i]);
		assert_int_equal(run(&shared, "report", values[i]), 1);
		assert_true(ReadProcessMemory(shared.process, (LPVOID)address_of(&shared, "cell"),
					      &report, sizeof(report), NULL));
		assert_int_equal(report.argument, values[i]);
	}
	assert_int_equal(tell(&shared, "runs 16"), before + 16);
}

static void test_ids_are_those_the_thread_sees(void **state)
{
	/* CRT-04, CRT-05, CRT-06, ID-01, ID-04 */
	struct report report;
	DWORD id = 0;
	HANDLE thread = CreateRemoteThread(shared.process, NULL, 0, function_of(&shared, "report"),
					   NULL, 0, &id);

	(void)state;
	assert_non_null(thread);
	assert_int_equal(WaitForSingleObject(thread, INFINITE), WAIT_OBJECT_0);
	assert_true(ReadProcessMemory(shared.process, (LPVOID)address_of(&shared, "cell"), &report,
				      sizeof(report), NULL));
	assert_int_equal(report.tid, id);
	assert_int_equal(report.pid, shared.pid);
	assert_int_equal(GetThreadId(thread), id);
	assert_int_equal(GetProcessIdOfThread(thread), shared.pid);
	assert_int_equal(GetProcessId(shared.process), shared.pid);
	assert_int_equal(GetProcessId(GetCurrentProcess()), getpid());
	assert_int_equal(GetCurrentProcessId(), getpid());
	assert_int_equal(GetThreadId(GetCurrentThread()), GetCurrentThreadId());
	assert_int_equal(GetProcessIdOfThread(GetCurrentThread()), getpid());
	CloseHandle(thread);
	tell(&shared, "runs 1");
}

static void test_it_is_a_full_thread(void **state)
{
	/* CRT-39, CRT-40, CRT-41: own errno and TLS, malloc, stdio, floating point, aligned stack */
	struct report report;

	(void)state;
	assert_int_equal(run(&shared, "report", 0), 1);
	tell(&shared, "runs 1");
	assert_true(ReadProcessMemory(shared.process, (LPVOID)address_of(&shared, "cell"), &report,
				      sizeof(report), NULL));
	assert_int_equal(report.own_errno, 5);
	assert_int_equal(report.fraction, 1000000);
	assert_int_equal(report.copy, 18);
	assert_int_equal(report.frame % 16, 0);
}

static void test_structure_goes_in_and_comes_back(void **state)
{
	/* LL-05, VM-01, VM-02, VM-09 */
	struct sum sum = { .a = 40, .b = 2 };
	SIZE_T n = 0;
	LPVOID there = VirtualAllocEx(shared.process, NULL, sizeof(sum), MEM_COMMIT, PAGE_READWRITE);

	(void)state;
	assert_non_null(there);
	assert_true(WriteProcessMemory(shared.process, there, &sum, sizeof(sum), &n));
	assert_int_equal(n, sizeof(sum));
	assert_int_equal(run(&shared, "add", (uintptr_t)there), 42);
	assert_true(ReadProcessMemory(shared.process, there, &sum, sizeof(sum), &n));
	assert_int_equal(sum.sum, 42);
	assert_true(VirtualFreeEx(shared.process, there, 0, MEM_RELEASE));
}

static void test_failure_is_null_and_writes_no_id(void **state)
{
	/* CRT-08, CRT-09, CRT-26, CRT-23 */
	LPTHREAD_START_ROUTINE start = function_of(&shared, "value");
	DWORD id = UNTOUCHED;

	(void)state;
	assert_fails(CreateRemoteThread(shared.process, NULL, 0, start, NULL, 1, &id), 87);
	assert_fails(CreateRemoteThread(shared.process, NULL, (SIZE_T)-1, start, NULL, 0, &id), 8);
	assert_fails(CreateRemoteThread(shared.process, NULL, (SIZE_T)-1, start, NULL,
					STACK_SIZE_PARAM_IS_A_RESERVATION, &id), 8);
	assert_fails(CreateRemoteThread(shared.process, NULL, (SIZE_T)1 << 46, start, NULL, 0, &id),
		     8);
	assert_fails(CreateRemoteThreadEx(shared.process, NULL, 0, start, NULL, 0,
					  (LPPROC_THREAD_ATTRIBUTE_LIST)&id, &id), 50);
	assert_int_equal(id, UNTOUCHED);
	assert_int_equal(run(&shared, "value", 3), 3);
	tell(&shared, "runs 1");
}

static DWORD use_stack(SIZE_T size, DWORD flags, uint64_t bytes)
{
	HANDLE thread = CreateRemoteThread(shared.process, NULL, size,
					   function_of(&shared, "use_stack"), (LPVOID)bytes, flags,
					   NULL);

	assert_non_null(thread);
	return finish(thread);
}

static void test_stack_has_the_size_asked_for(void **state)
{
	/* CRT-18, CRT-19, CRT-20, CRT-21 */
	static const struct {
		SIZE_T size;
		DWORD flags;
		uint64_t use;
	} cases[] = {
		{ 0, 0, 512 * KIB },
		{ 1, 0, 1000 * KIB },
		{ 4095, 0, 64 * KIB },
		{ 4097, 0, 64 * KIB },
		{ 1000 * KIB, 0, 1000 * KIB },
		{ 1024 * KIB, 0, 1024 * KIB },
		{ 5000 * KIB + 1, 0, 5000 * KIB },
		{ 64 * KIB, STACK_SIZE_PARAM_IS_A_RESERVATION, 60 * KIB },
		{ 1, STACK_SIZE_PARAM_IS_A_RESERVATION, 60 * KIB },
		{ 65 * KIB, STACK_SIZE_PARAM_IS_A_RESERVATION, 120 * KIB },
		{ 32768 * KIB, STACK_SIZE_PARAM_IS_A_RESERVATION, 32760 * KIB },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(use_stack(cases[i].size, cases[i].flags, cases[i].use),
				 cases[i].use);
}

static void test_suspended_thread_exists_and_waits(void **state)
{
	/* CRT-24, SR-02, SR-03, SR-04, SR-07, SR-09, EC-01 */
	int runs = tell(&shared, "runs 0"), threads = count_at_rest(shared.pid).threads;
	HANDLE thread = create(shared.process, function_of(&shared, "value"), 11, CREATE_SUSPENDED);
	DWORD code = 0;

	(void)state;
	assert_int_equal(count_entries(shared.pid, "task"), threads + 1);
	assert_true(GetThreadId(thread) != 0);
	assert_int_equal(WaitForSingleObject(thread, 50), WAIT_TIMEOUT);
	assert_true(GetExitCodeThread(thread, &code));
	assert_int_equal(code, STILL_ACTIVE);
	assert_int_equal(tell(&shared, "runs 0"), runs);
	assert_int_equal(ResumeThread(thread), 1);
	assert_int_equal(ResumeThread(thread), 0);
	assert_int_equal(WaitForSingleObject(thread, INFINITE), WAIT_OBJECT_0);
	assert_int_equal(ResumeThread(thread), 0);
	assert_int_equal(ResumeThread(GetCurrentThread()), 0);
	assert_int_equal(finish(thread), 11);
	assert_int_equal(tell(&shared, "runs 1"), runs + 1);
}

static DWORD inherit_flag(HANDLE handle)
{
	int fd_flags = fcntl(fd_of(handle), F_GETFD);
	DWORD flags = UNTOUCHED;

	assert_true(fd_flags >= 0);
	assert_true(GetHandleInformation(handle, &flags));
	assert_int_equal(flags & HANDLE_FLAG_INHERIT ? 0 : FD_CLOEXEC, fd_flags);
	return flags;
}

static void test_inheritance_is_the_descriptors(void **state)
{
	/* CRT-27, CRT-28, OP-05 */
	SECURITY_ATTRIBUTES attributes = { sizeof(attributes), NULL, TRUE };
	LPTHREAD_START_ROUTINE start = function_of(&shared, "value");
	HANDLE process = OpenProcess(SYNCHRONIZE, TRUE, (DWORD)shared.pid);
	HANDLE inherited = CreateRemoteThread(shared.process, &attributes, 0, start, NULL, 0, NULL);
	HANDLE thread = create(shared.process, start, 0, 0);

	(void)state;
	assert_int_equal(inherit_flag(process), HANDLE_FLAG_INHERIT);
	assert_int_equal(inherit_flag(inherited), HANDLE_FLAG_INHERIT);
	assert_int_equal(inherit_flag(thread), 0);
	assert_int_equal(inherit_flag(shared.process), 0);
	assert_true(SetHandleInformation(process, HANDLE_FLAG_INHERIT, 0));
	assert_int_equal(inherit_flag(process), 0);
	assert_true(SetHandleInformation(process, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT));
	assert_int_equal(inherit_flag(process), HANDLE_FLAG_INHERIT);
	assert_fails(SetHandleInformation(process, 4, 4), ERROR_INVALID_PARAMETER);
	assert_fails(SetHandleInformation(NULL, 1, 1), ERROR_INVALID_HANDLE);
	assert_true(SetHandleInformation(process, HANDLE_FLAG_PROTECT_FROM_CLOSE, 2));
	assert_fails(CloseHandle(process), ERROR_INVALID_HANDLE);
	assert_true(SetHandleInformation(process, HANDLE_FLAG_PROTECT_FROM_CLOSE, 0));
	assert_true(CloseHandle(process));
	finish(inherited);
	finish(thread);
	tell(&shared, "runs 2");
}

static void test_five_documented_rights_are_enough(void **state)
{
	/* CRT-15 */
	HANDLE process = open_with(ALL_FIVE);

	(void)state;
	assert_int_equal(finish(create(process, function_of(&shared, "value"), 9, 0)), 9);
	tell(&shared, "runs 1");
	CloseHandle(process);
}

static void test_closing_the_handle_does_not_end_the_thread(void **state)
{
	/* CRT-34, CH-01, CH-05 */
	int runs = tell(&shared, "runs 0");
	HANDLE thread = create(shared.process, function_of(&shared, "gated"), 0, 0);
	int handles = count_entries(getpid(), "fd");

	(void)state;
	assert_true(CloseHandle(thread));
	assert_int_equal(count_entries(getpid(), "fd"), handles - 1);
	tell(&shared, "open 1");
	assert_int_equal(tell(&shared, "runs 1"), runs + 1);
}

static DWORD WINAPI local_function(LPVOID argument)
{
	return (DWORD)(uintptr_t)argument + GetCurrentThreadId();
}

static void test_own_process_is_a_target_too(void **state)
{
	/* CRT-10, CRT-44, CRT-45 */
	HANDLE self = OpenProcess(PROCESS_ALL_ACCESS, FALSE, GetCurrentProcessId());
	DWORD id[3] = { 0 };
	HANDLE thread[3] = {
		CreateThread(NULL, 0, local_function, (LPVOID)1, 0, &id[0]),
		CreateRemoteThread(self, NULL, 0, local_function, (LPVOID)1, 0, &id[1]),
		CreateRemoteThreadEx(GetCurrentProcess(), NULL, 0, local_function, (LPVOID)1, 0,
				     NULL, &id[2]),
	};

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_non_null(thread[i]);
		assert_int_equal(GetProcessIdOfThread(thread[i]), getpid());
		assert_int_equal(finish(thread[i]), id[i] + 1);
	}
	assert_true(CloseHandle(self));
}

static void test_sixty_threads_live_at_once(void **state)
{
	/* CRT-35, WT-18, WT-10, LK-06 */
	struct counts before = count_at_rest(shared.pid);
	HANDLE thread[64];

	(void)state;
	for (uint64_t i = 0; i < 64; i++) {
		thread[i] = create(shared.process, function_of(&shared, "gated"), 1000 + i, 0);
		for (uint64_t j = 0; j < i; j++) {
			assert_ptr_not_equal(thread[i], thread[j]);
			assert_int_not_equal(GetThreadId(thread[i]), GetThreadId(thread[j]));
		}
	}
	assert_int_equal(count_entries(shared.pid, "task"), before.threads + 64);
	assert_int_equal(WaitForMultipleObjects(64, thread, FALSE, 0), WAIT_TIMEOUT);
	assert_int_equal(WaitForMultipleObjects(64, thread, TRUE, 20), WAIT_TIMEOUT);
	tell(&shared, "open 64");
	assert_int_equal(WaitForMultipleObjects(64, thread, TRUE, INFINITE), WAIT_OBJECT_0);
	assert_int_equal(WaitForMultipleObjects(64, thread, FALSE, INFINITE), WAIT_OBJECT_0);
	for (uint64_t i = 0; i < 64; i++)
		assert_int_equal(finish(thread[i]), 1000 + i);
	tell(&shared, "runs 64");
	assert_same_counts(before, count(shared.pid));
}

static void *create_many(void *argument)
{
	struct target *t = argument;

	for (uint64_t i = 0; i < 50; i++) {
		HANDLE thread = CreateRemoteThread(t->process, NULL, 0, function_of(t, "value"),
						   (LPVOID)i, 0, NULL);
		DWORD code = UNTOUCHED;

		if (!thread || WaitForSingleObject(thread, INFINITE) != WAIT_OBJECT_0 ||
		    !GetExitCodeThread(thread, &code) || code != i || !CloseHandle(thread))
			return (void *)(i + 1);
	}
	return NULL;
}

static void test_threads_of_the_caller_create_at_once(void **state)
{
	/* CRT-36 */
	struct target other;
	pthread_t thread[4];
	void *wrong;

	(void)state;
	start_target(&other);
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, create_many, i % 2 ? &other : &shared);
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], &wrong);
		assert_null(wrong);
	}
	tell(&shared, "runs 100");
	stop_target(&other);
}

static void test_five_hundred_in_a_row_leave_nothing(void **state)
{
	/* CRT-41, CRT-47, LK-06 */
	struct counts before = count_at_rest(shared.pid);

	(void)state;
	for (uint64_t i = 0; i < 500; i++)
		assert_int_equal(run(&shared, "value", i), i);
	tell(&shared, "runs 500");
	assert_same_counts(before, count(shared.pid));
}

static void test_crash_ends_the_process(void **state)
{
	/* CRT-32, CRT-33, WT-16 */
	struct target t;
	HANDLE thread, other;
	DWORD code = 0;

	(void)state;
	start_target(&t);
	other = create(t.process, function_of(&t, "gated"), 0, 0);
	thread = create(t.process, function_of(&t, "crash"), 8, 0);
	assert_int_equal(WaitForSingleObject(thread, INFINITE), WAIT_OBJECT_0);
	assert_int_equal(WaitForSingleObject(other, INFINITE), WAIT_OBJECT_0);
	assert_int_equal(WaitForSingleObject(t.process, INFINITE), WAIT_OBJECT_0);
	assert_true(GetExitCodeProcess(t.process, &code));
	assert_int_equal(code, STATUS_ACCESS_VIOLATION);
	assert_true(GetExitCodeThread(thread, &code));
	assert_int_equal(code, STATUS_ACCESS_VIOLATION);
	assert_int_equal(finish(other), STATUS_ACCESS_VIOLATION);
	assert_int_equal(waitpid(t.pid, NULL, 0), t.pid); /* nobody has reaped it for us */
	assert_true(GetThreadId(thread) != 0);
	assert_int_equal(GetProcessIdOfThread(thread), t.pid);
	CloseHandle(thread);
	forget_target(&t);
}

static void test_exit_by_a_remote_thread(void **state)
{
	/* TT-06, EC-02, EC-08, ID-04 */
	struct target t;
	HANDLE thread, second;
	DWORD code = 0;

	(void)state;
	start_target(&t);
	second = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, (DWORD)t.pid);
	thread = create(t.process, function_of(&t, "leave"), 42, 0);
	assert_int_equal(WaitForSingleObject(t.process, INFINITE), WAIT_OBJECT_0);
	assert_int_equal(finish(thread), 42);
	assert_int_equal(waitpid(t.pid, NULL, 0), t.pid);
	for (int i = 0; i < 2; i++) {
		assert_true(GetExitCodeProcess(second, &code));
		assert_int_equal(code, 42);
	}
	assert_true(GetExitCodeProcess(t.process, &code));
	assert_int_equal(code, 42);
	assert_int_equal(GetProcessId(second), t.pid);
	CloseHandle(second);
	forget_target(&t);
}

static void test_exit_code_of_anothers_child(void **state)
{
	/* EC-07 */
	int pid = tell(&shared, "spawn 9");
	HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE,
				     (DWORD)pid);
	HANDLE reaped = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)pid);
	DWORD code = 0;

	(void)state;
	assert_non_null(process);
	assert_true(GetExitCodeProcess(process, &code));
	assert_int_equal(code, STILL_ACTIVE);
	tell(&shared, "end-child");
	assert_int_equal(WaitForSingleObject(process, INFINITE), WAIT_OBJECT_0);
	assert_true(GetExitCodeProcess(process, &code));
	assert_int_equal(code, 9);
	tell(&shared, "reap");
	assert_true(GetExitCodeProcess(reaped, &code));
	assert_int_equal(code, 9);
	CloseHandle(process);
	CloseHandle(reaped);
}

static void test_ended_process_denies(void **state)
{
	/* CRT-16, VM-16, RW-10, HC-05, GEN-05: zombie first, then reaped */
	struct target t;
	LPTHREAD_START_ROUTINE start;
	siginfo_t info;
	SIZE_T n = 9;
	DWORD handles = UNTOUCHED;
	char c = 0;

	(void)state;
	start_target(&t);
	start = function_of(&t, "value");
	kill(t.pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)t.pid, &info, WEXITED | WNOWAIT), 0);
	for (int i = 0; i < 2; i++) {
		assert_fails(CreateRemoteThread(t.process, NULL, 0, start, NULL, 0, NULL), 5);
		assert_fails(VirtualAllocEx(t.process, NULL, 1, MEM_COMMIT, PAGE_READWRITE), 5);
		assert_fails(VirtualFreeEx(t.process, &c, 0, MEM_RELEASE), 5);
		assert_fails(ReadProcessMemory(t.process, start, &c, 1, &n), 5);
		assert_int_equal(n, 0);
		assert_fails(WriteProcessMemory(t.process, start, &c, 1, &n), 5);
		assert_true(GetProcessHandleCount(t.process, &handles));
		assert_int_equal(handles, 0);
		assert_int_equal(WaitForSingleObject(t.process, INFINITE), WAIT_OBJECT_0);
		if (i == 0)
			waitpid(t.pid, NULL, 0);
	}
	forget_target(&t);
}

static void test_stopped_target_is_left_stopped(void **state)
{
	/* CRT-37 */
	LPTHREAD_START_ROUTINE start = function_of(&shared, "value");
	int64_t began = now_ms();
	int status;

	(void)state;
	kill(shared.pid, SIGSTOP);
	assert_int_equal(waitpid(shared.pid, &status, WUNTRACED), shared.pid);
	assert_fails(CreateRemoteThread(shared.process, NULL, 0, start, NULL, 0, NULL), ERROR_BUSY);
	assert_int_equal(waitpid(shared.pid, &status, WCONTINUED | WNOHANG), 0);
	kill(shared.pid, SIGCONT);
	assert_int_equal(waitpid(shared.pid, &status, WCONTINUED), shared.pid);
	assert_true(now_ms() - began < 10000);
	assert_int_equal(run(&shared, "value", 1), 1);
	tell(&shared, "runs 1");
}

/* Nothing is left behind */

static struct rlimit saved_limit;
static HANDLE way_handle;
static struct target way_target;

static void way_closed(void)
{
	way_handle = (HANDLE)0x7777774;
}

static void way_null(void)
{
	way_handle = NULL;
}

static void way_pseudo_thread(void)
{
	way_handle = GetCurrentThread();
}

static void way_no_right(void)
{
	way_handle = open_with(PROCESS_ALL_ACCESS & ~PROCESS_CREATE_THREAD);
}

static void way_close(void)
{
	assert_true(CloseHandle(way_handle));
}

static void way_ended(void)
{
	start_target(&way_target);
	kill_target(&way_target);
	way_handle = way_target.process;
}

static void way_forget(void)
{
	forget_target(&way_target);
}

static void way_caller_limit(void)
{
	struct rlimit limit;
	int fd = open("/", O_PATH | O_CLOEXEC);

	way_handle = shared.process;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved_limit), 0);
	limit = saved_limit;
	limit.rlim_cur = (rlim_t)fd; /* the lowest free one is the first that is too high */
	close(fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void way_caller_unlimit(void)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved_limit), 0);
}

static void way_target_memory(void)
{
	struct rlimit limit = { .rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY };

	way_handle = shared.process;
	assert_int_equal(prlimit(shared.pid, RLIMIT_AS, &limit, &saved_limit), 0);
}

static void way_target_unlimit(void)
{
	assert_int_equal(prlimit(shared.pid, RLIMIT_AS, &saved_limit, NULL), 0);
}

static void way_stopped(void)
{
	way_handle = shared.process;
	kill(shared.pid, SIGSTOP);
	assert_int_equal(waitpid(shared.pid, NULL, WUNTRACED), shared.pid);
}

static void way_continue(void)
{
	kill(shared.pid, SIGCONT);
	assert_int_equal(waitpid(shared.pid, NULL, WCONTINUED), shared.pid);
}

static void way_traced(void)
{
	way_handle = shared.process;
	assert_int_equal(ptrace(PTRACE_SEIZE, shared.pid, NULL, NULL), 0);
}

static void way_untraced(void)
{
	int status;

	assert_int_equal(ptrace(PTRACE_INTERRUPT, shared.pid, NULL, NULL), 0);
	assert_int_equal(waitpid(shared.pid, &status, 0), shared.pid);
	assert_int_equal(ptrace(PTRACE_DETACH, shared.pid, NULL, NULL), 0);
}

static void way_plain(void)
{
	way_handle = shared.process;
}

/* Those that wait a while for the obstacle to go away are tried less often. */
static const struct {
	const char *name;
	void (*begin)(void), (*end)(void);
	SIZE_T stack_bytes;
	DWORD flags, error;
	int n_tries;
} ways[] = {
	{ "closed handle", way_closed, NULL, 0, 0, ERROR_INVALID_HANDLE, 120 },
	{ "NULL", way_null, NULL, 0, 0, ERROR_INVALID_HANDLE, 120 },
	{ "thread", way_pseudo_thread, NULL, 0, 0, ERROR_INVALID_HANDLE, 120 },
	{ "right", way_no_right, way_close, 0, 0, ERROR_ACCESS_DENIED, 120 },
	{ "flag", way_plain, NULL, 0, 0x40, ERROR_INVALID_PARAMETER, 120 },
	{ "overflow", way_plain, NULL, (SIZE_T)-1, 0, ERROR_NOT_ENOUGH_MEMORY, 120 },
	{ "big stack", way_plain, NULL, (SIZE_T)1 << 46, 0, ERROR_NOT_ENOUGH_MEMORY, 120 },
	{ "absurd stack", way_plain, NULL, (SIZE_T)1 << 60, 0, ERROR_NOT_ENOUGH_MEMORY, 120 },
	{ "ended", way_ended, way_forget, 0, 0, ERROR_ACCESS_DENIED, 120 },
	{ "caller's handles", way_caller_limit, way_caller_unlimit, 0, 0, 4, 120 },
	{ "target's memory", way_target_memory, way_target_unlimit, 256 << 20, 0, 8, 120 },
	{ "stopped", way_stopped, way_continue, 0, 0, ERROR_BUSY, 20 },
	{ "traced", way_traced, way_untraced, 0, 0, ERROR_ACCESS_DENIED, 5 },
};

static void test_no_way_of_failing_leaves_anything(void **state)
{
	/* LK-01, LK-02, LK-03, LK-04, LK-08, LK-09: the article */
	LPTHREAD_START_ROUTINE start = function_of(&shared, "value");
	int runs = tell(&shared, "runs 0");

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct counts before = count_at_rest(shared.pid);
		DWORD id = UNTOUCHED, error = 0;
		int n_wrong = 0;

		ways[i].begin();
		for (int j = 0; j < ways[i].n_tries; j++) {
			SetLastError(0);
			if (CreateRemoteThread(way_handle, NULL, ways[i].stack_bytes, start, NULL,
					       ways[i].flags, &id) || id != UNTOUCHED)
				n_wrong++;
			if (GetLastError() != ways[i].error) {
				error = GetLastError();
				n_wrong++;
			}
		}
		if (ways[i].end)
			ways[i].end();
		if (n_wrong > 0)
			fail_msg("%s: %d wrong, error %u", ways[i].name, n_wrong, error);
		assert_same_counts(before, count(shared.pid));
	}
	assert_int_equal(tell(&shared, "runs 0"), runs);
	assert_int_equal(run(&shared, "value", 77), 77);
	tell(&shared, "runs 1");
}

static void test_each_handle_that_cannot_be_had(void **state)
{
	/* LK-05, LK-01 to LK-04: with no, one, two ... left, each stage that needs one fails */
	LPTHREAD_START_ROUTINE start = function_of(&shared, "value");
	int runs = tell(&shared, "runs 0"), n_left = 0;
	struct counts before = count_at_rest(shared.pid);
	HANDLE thread = NULL;

	(void)state;
	for (; !thread; n_left++) {
		struct rlimit limit;

		way_caller_limit();
		getrlimit(RLIMIT_NOFILE, &limit);
		limit.rlim_cur += (rlim_t)n_left;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		for (int i = 0; i < 40 && !thread; i++) {
			thread = CreateRemoteThread(shared.process, NULL, 0, start, NULL,
						    CREATE_SUSPENDED, NULL);
			if (!thread)
				assert_int_equal(GetLastError(), ERROR_TOO_MANY_OPEN_FILES);
		}
		way_caller_unlimit();
		if (!thread)
			assert_same_counts(before, count(shared.pid));
	}
	assert_true(n_left > 2);
	assert_int_equal(tell(&shared, "runs 0"), runs);
	assert_int_equal(ResumeThread(thread), 1);
	finish(thread);
	tell(&shared, "runs 1");
	assert_same_counts(before, count(shared.pid));
}

static void test_failing_opens_leave_nothing(void **state)
{
	/* LK-06, OP-02, OP-03, OP-09 */
	int before = count_entries(getpid(), "fd");
	HANDLE thread = create(shared.process, function_of(&shared, "gated"), 0, 0);
	DWORD ids[] = { 0, 0x7fffffff, 0xffffffff, GetThreadId(thread) };
	DWORD rights[] = { PROCESS_ALL_ACCESS, SYNCHRONIZE };

	(void)state;
	for (int i = 0; i < 120; i++)
		for (size_t j = 0; j < 8; j++)
			assert_fails(OpenProcess(rights[j % 2], FALSE, ids[j / 2]), 87);
	tell(&shared, "open 1");
	finish(thread);
	tell(&shared, "runs 1");
	assert_int_equal(count_entries(getpid(), "fd"), before);
}

/* OpenProcess, CloseHandle, GetProcessHandleCount */

static void test_each_open_is_a_new_handle(void **state)
{
	/* OP-01, OP-06, HC-01, HC-05 */
	DWORD before = 0, count = 0;
	HANDLE first, second;

	(void)state;
	assert_true(GetProcessHandleCount(GetCurrentProcess(), &before));
	assert_int_equal(before, count_entries(getpid(), "fd"));
	first = open_with(PROCESS_ALL_ACCESS);
	second = open_with(PROCESS_ALL_ACCESS);
	assert_ptr_not_equal(first, second);
	assert_true(GetProcessHandleCount(GetCurrentProcess(), &count));
	assert_int_equal(count, before + 2);
	assert_true(CloseHandle(first));
	assert_int_equal(finish(create(second, function_of(&shared, "value"), 4, 0)), 4);
	tell(&shared, "runs 1");
	assert_true(CloseHandle(second));
	assert_true(GetProcessHandleCount(GetCurrentProcess(), &count));
	assert_int_equal(count, before);
}

/* Start a target that gets a pid which another one had. */
static bool start_target_as(struct target *t, pid_t pid)
{
	for (int i = 0; i < 20; i++) {
		int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
		bool is_set = fd >= 0 && dprintf(fd, "%d", pid - 1) > 0;

		if (fd >= 0)
			close(fd);
		if (!is_set)
			return false;
		start_target(t);
		if (t->pid == pid)
			return true;
		stop_target(t);
	}
	return false;
}

static void test_handle_does_not_follow_the_number(void **state)
{
	/* OP-13 */
	struct target old, new;
	LPTHREAD_START_ROUTINE start;
	DWORD handles = UNTOUCHED;
	char c = 0;

	(void)state;
	start_target(&old);
	kill_target(&old);
	if (!start_target_as(&new, old.pid)) {
		forget_target(&old);
		print_message("pids cannot be chosen here (ns_last_pid)\n");
		skip();
	}
	start = function_of(&new, "value");
	assert_fails(CreateRemoteThread(old.process, NULL, 0, start, NULL, 0, NULL), 5);
	assert_fails(ReadProcessMemory(old.process, start, &c, 1, NULL), 5);
	assert_fails(WriteProcessMemory(old.process, start, &c, 1, NULL), 5);
	assert_fails(VirtualAllocEx(old.process, NULL, 1, MEM_COMMIT, PAGE_READWRITE), 5);
	assert_true(GetProcessHandleCount(old.process, &handles));
	assert_int_equal(handles, 0);
	assert_int_equal(WaitForSingleObject(old.process, 0), WAIT_OBJECT_0);
	assert_int_equal(WaitForSingleObject(new.process, 0), WAIT_TIMEOUT);
	assert_true(GetExitCodeProcess(old.process, &handles));
	assert_int_equal(handles, 128 + SIGKILL);
	assert_int_equal(run(&new, "value", 8), 8);
	forget_target(&old);
	stop_target(&new);
}

static void test_handle_count_of_another_process(void **state)
{
	/* HC-02 */
	DWORD before = 0, count = 0;

	(void)state;
	assert_true(GetProcessHandleCount(shared.process, &before));
	assert_int_equal(before, count_entries(shared.pid, "fd"));
	tell(&shared, "spawn 0"); /* keeps one end of a pipe */
	assert_true(GetProcessHandleCount(shared.process, &count));
	assert_int_equal(count, before + 1);
	tell(&shared, "end-child");
	tell(&shared, "reap");
	assert_fails(GetProcessHandleCount(shared.process, NULL), ERROR_NOACCESS);
}

static void test_descriptor_zero_is_never_a_handle(void **state)
{
	/* OP-14 */
	int saved = fcntl(0, F_DUPFD_CLOEXEC, 3);
	HANDLE full, query, thread;

	(void)state;
	close(0);
	full = open_with(PROCESS_ALL_ACCESS);
	query = open_with(SYNCHRONIZE);
	thread = create(full, function_of(&shared, "value"), 5, 0);
	assert_int_equal(fcntl(0, F_GETFD), -1);
	assert_int_equal(finish(thread), 5);
	tell(&shared, "runs 1");
	assert_true(CloseHandle(full));
	assert_true(CloseHandle(query));
	if (saved >= 0) {
		dup2(saved, 0);
		close(saved);
	}
}

static void test_foreign_descriptors_are_not_handles(void **state)
{
	/* CH-07, CH-04, CH-06 */
	int fd = open("/", O_PATH | O_CLOEXEC);

	(void)state;
	assert_fails(CloseHandle((HANDLE)(uintptr_t)(fd * 4)), ERROR_INVALID_HANDLE);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	close(fd);
	assert_true(CloseHandle(GetCurrentProcess()));
	assert_true(CloseHandle(GetCurrentThread()));
	assert_ptr_equal(GetCurrentProcess(), INVALID_HANDLE_VALUE);
	assert_ptr_equal(GetCurrentThread(), (HANDLE)(intptr_t)-2);
}

/* Waits */

static void test_timeout_is_not_early(void **state)
{
	/* WT-02, WT-03, WT-05 */
	HANDLE thread = create(shared.process, function_of(&shared, "gated"), 6, 0);
	HANDLE all[] = { shared.process, thread, GetCurrentProcess(), GetCurrentThread() };
	int64_t began;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		began = now_ms();
		assert_int_equal(WaitForSingleObject(all[i], 30), WAIT_TIMEOUT);
		assert_true(now_ms() - began >= 29);
		assert_int_equal(WaitForSingleObject(all[i], 0), WAIT_TIMEOUT);
	}
	began = now_ms();
	assert_int_equal(WaitForMultipleObjects(4, all, FALSE, 30), WAIT_TIMEOUT);
	assert_true(now_ms() - began >= 29);
	tell(&shared, "open 1");
	assert_int_equal(finish(thread), 6);
	tell(&shared, "runs 1");
}

static void test_any_is_the_lowest_that_ended(void **state)
{
	/* WT-01, WT-06, WT-09, WT-14 */
	HANDLE thread[3];
	HANDLE mixed[4];

	(void)state;
	for (int i = 0; i < 3; i++)
		thread[i] = create(shared.process, function_of(&shared, "value"), i,
				   CREATE_SUSPENDED);
	memcpy(mixed, (HANDLE[]){ shared.process, thread[0], thread[1], thread[2] }, sizeof(mixed));
	assert_int_equal(ResumeThread(thread[2]), 1);
	assert_int_equal(WaitForMultipleObjects(4, mixed, FALSE, INFINITE), 3);
	assert_int_equal(ResumeThread(thread[1]), 1);
	assert_int_equal(WaitForSingleObject(thread[1], INFINITE), WAIT_OBJECT_0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(WaitForMultipleObjects(4, mixed, FALSE, INFINITE), 2);
	assert_int_equal(WaitForMultipleObjects(4, mixed, TRUE, 10), WAIT_TIMEOUT);
	assert_int_equal(ResumeThread(thread[0]), 1);
	assert_int_equal(WaitForMultipleObjects(3, mixed + 1, TRUE, INFINITE), WAIT_OBJECT_0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(finish(thread[i]), i);
	tell(&shared, "runs 3");
}

static void test_senseless_waits_are_refused(void **state)
{
	/* WT-11, WT-12, WT-13 */
	HANDLE thread = create(shared.process, function_of(&shared, "value"), 0, 0);
	HANDLE many[65], bad[] = { thread, NULL };

	(void)state;
	for (int i = 0; i < 65; i++)
		many[i] = thread;
	assert_int_equal(WaitForSingleObject(thread, INFINITE), WAIT_OBJECT_0);
	assert_fails(WaitForMultipleObjects(0, many, FALSE, 0) + 1, ERROR_INVALID_PARAMETER);
	assert_fails(WaitForMultipleObjects(65, many, FALSE, 0) + 1, ERROR_INVALID_PARAMETER);
	assert_fails(WaitForMultipleObjects(2, many, TRUE, 0) + 1, ERROR_INVALID_PARAMETER);
	assert_int_equal(WaitForMultipleObjects(2, many, FALSE, 0), WAIT_OBJECT_0);
	assert_fails(WaitForMultipleObjects(2, bad, FALSE, 0) + 1, ERROR_INVALID_HANDLE);
	finish(thread);
	tell(&shared, "runs 1");
}

static atomic_int n_waiting;

static void *wait_for(void *handle)
{
	atomic_fetch_add(&n_waiting, 1);
	return (void *)(uintptr_t)WaitForSingleObject(handle, INFINITE);
}

static void test_all_waiters_are_released(void **state)
{
	/* WT-15, WT-04, and a close during a wait */
	HANDLE thread = create(shared.process, function_of(&shared, "gated"), 0, 0);
	pthread_t waiter[3];
	void *result;

	(void)state;
	atomic_store(&n_waiting, 0);
	for (int i = 0; i < 3; i++)
		pthread_create(&waiter[i], NULL, wait_for, thread);
	while (atomic_load(&n_waiting) < 3)
		sched_yield();
	/* They are about to wait or do; let the wait of this thread find out what they see. */
	assert_int_equal(WaitForSingleObject(thread, 20), WAIT_TIMEOUT);
	assert_true(CloseHandle(thread));
	assert_fails(CloseHandle(thread), ERROR_INVALID_HANDLE);
	tell(&shared, "open 1");
	for (int i = 0; i < 3; i++) {
		pthread_join(waiter[i], &result);
		assert_int_equal((uintptr_t)result, WAIT_OBJECT_0);
	}
	tell(&shared, "runs 1");
}

/* Memory */

static LPVOID alloc(LPVOID address, SIZE_T size, DWORD type, DWORD protect)
{
	return VirtualAllocEx(shared.process, address, size, type, protect);
}

static BOOL peek(LPVOID address, char *ret)
{
	return ReadProcessMemory(shared.process, address, ret, 1, NULL);
}

static BOOL poke(LPVOID address, char c)
{
	return WriteProcessMemory(shared.process, address, &c, 1, NULL);
}

static void test_memory_is_zeroed_aligned_and_released(void **state)
{
	/* VM-01, VM-08, VM-09, VM-20, LK-04 */
	static char bytes[20000], zero[20000];
	struct counts before = count_at_rest(shared.pid);
	LPVOID base[5];

	(void)state;
	for (int i = 0; i < 5; i++) {
		base[i] = alloc(NULL, sizeof(bytes), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
		assert_non_null(base[i]);
		assert_int_equal((uintptr_t)base[i] % 65536, 0);
		assert_true(ReadProcessMemory(shared.process, base[i], bytes, sizeof(bytes), NULL));
		assert_memory_equal(bytes, zero, sizeof(bytes));
		assert_true(poke((char *)base[i] + 20479, 1)); /* whole pages */
	}
	assert_fails(VirtualFreeEx(shared.process, base[0], 4096, MEM_RELEASE), 87);
	assert_fails(VirtualFreeEx(shared.process, (char *)base[0] + 4096, 0, MEM_RELEASE), 487);
	for (int i = 0; i < 5; i++)
		assert_true(VirtualFreeEx(shared.process, base[i], 0, MEM_RELEASE));
	assert_fails(VirtualFreeEx(shared.process, base[0], 0, MEM_RELEASE), 487);
	assert_fails(peek(base[0], bytes), ERROR_PARTIAL_COPY);
	assert_same_counts(before, count(shared.pid));
}

static void test_senseless_allocations_are_refused(void **state)
{
	/* VM-04, VM-05, VM-19 */
	char c;

	(void)state;
	assert_fails(alloc(NULL, 0, MEM_COMMIT, PAGE_READWRITE), 87);
	assert_fails(alloc(NULL, 1, 0, PAGE_READWRITE), 87);
	assert_fails(alloc(NULL, 1, MEM_COMMIT | 1, PAGE_READWRITE), 87);
	assert_fails(alloc(NULL, 1, MEM_COMMIT, 0), 87);
	assert_fails(alloc(NULL, 1, MEM_COMMIT, PAGE_READWRITE | PAGE_READONLY), 87);
	assert_fails(alloc(NULL, 1, MEM_COMMIT, 0x100000), 87);
	assert_fails(alloc((LPVOID)0x10000000, 1, MEM_COMMIT, PAGE_READWRITE), 487);
	assert_fails(alloc((LPVOID)1, 1, MEM_RESERVE, PAGE_READWRITE), 87);
	assert_fails(alloc(NULL, (SIZE_T)1 << 60, MEM_RESERVE, PAGE_READWRITE), 8);
	assert_fails(alloc(NULL, (SIZE_T)-1, MEM_RESERVE, PAGE_READWRITE), 87);
	assert_fails(VirtualFreeEx(shared.process, &c, 0, 0), 87);
	assert_fails(VirtualFreeEx(shared.process, &c, 0, MEM_RELEASE | MEM_DECOMMIT), 87);
	assert_fails(VirtualFreeEx(shared.process, NULL, 0, MEM_RELEASE), 487);
}

static void test_reserve_then_commit_parts(void **state)
{
	/* VM-06, VM-07, VM-10, RW-06 */
	char *base = alloc(NULL, 1 << 20, MEM_RESERVE, PAGE_READWRITE);
	char c = 9;

	(void)state;
	assert_non_null(base);
	assert_fails(peek(base, &c), ERROR_PARTIAL_COPY);
	assert_ptr_equal(alloc(base + 5000, 4096, MEM_COMMIT, PAGE_READWRITE), base + 4096);
	assert_true(poke(base + 4096, 1));
	assert_true(poke(base + 12287, 2));
	assert_fails(peek(base + 12288, &c), ERROR_PARTIAL_COPY);
	assert_ptr_equal(alloc(base, 16384, MEM_COMMIT, PAGE_READWRITE), base);
	assert_true(peek(base + 4096, &c));
	assert_int_equal(c, 1);
	assert_fails(alloc(base + (1 << 20) - 4096, 8192, MEM_COMMIT, PAGE_READWRITE), 487);
	assert_true(VirtualFreeEx(shared.process, base + 4096, 1, MEM_DECOMMIT));
	assert_true(VirtualFreeEx(shared.process, base + 4096, 1, MEM_DECOMMIT));
	assert_fails(peek(base + 4096, &c), ERROR_PARTIAL_COPY);
	assert_ptr_equal(alloc(base + 4096, 1, MEM_COMMIT, PAGE_READWRITE), base + 4096);
	assert_true(peek(base + 4096, &c));
	assert_int_equal(c, 0);
	assert_fails(VirtualFreeEx(shared.process, base + 4096, 0, MEM_DECOMMIT), 487);
	assert_true(VirtualFreeEx(shared.process, base, 0, MEM_DECOMMIT));
	assert_fails(peek(base + 12287, &c), ERROR_PARTIAL_COPY);
	assert_true(VirtualFreeEx(shared.process, base, 0, MEM_RELEASE));
}

static void test_wanted_address_is_honoured(void **state)
{
	/* VM-17, and reservations are known to every handle of the process */
	char *base = alloc(NULL, 1 << 20, MEM_RESERVE, PAGE_NOACCESS);
	HANDLE other = open_with(PROCESS_VM_OPERATION);

	(void)state;
	assert_non_null(base);
	assert_true(VirtualFreeEx(other, base, 0, MEM_RELEASE));
	assert_ptr_equal(alloc(base + 70000, 10, MEM_RESERVE, PAGE_NOACCESS), base + 65536);
	assert_fails(alloc(base + 65536, 10, MEM_RESERVE, PAGE_NOACCESS), 487);
	assert_fails(alloc((LPVOID)address_of(&shared, "cell"), 10, MEM_RESERVE, PAGE_NOACCESS),
		     487);
	CloseHandle(shared.process);
	CloseHandle(other);
	shared.process = open_with(PROCESS_ALL_ACCESS);
	assert_true(VirtualFreeEx(shared.process, base + 65536, 0, MEM_RELEASE));
}

static void test_code_put_there_runs(void **state)
{
	/* VM-18 */
	char code[32];
	LPVOID base = alloc(NULL, sizeof(code), MEM_COMMIT, PAGE_EXECUTE_READWRITE);

	(void)state;
	assert_non_null(base);
	assert_true(ReadProcessMemory(shared.process, (LPVOID)address_of(&shared, "patched"), code,
				      sizeof(code), NULL));
	assert_true(WriteProcessMemory(shared.process, base, code, sizeof(code), NULL));
	assert_int_equal(finish(create(shared.process, (LPTHREAD_START_ROUTINE)base, 41, 0)), 42);
	assert_true(VirtualFreeEx(shared.process, base, 0, MEM_RELEASE));
}

static void test_allocation_fails_whole_at_the_targets_limit(void **state)
{
	/* LK-04, VM-19 */
	struct counts before = count_at_rest(shared.pid);
	struct rlimit old, low = { .rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY };

	(void)state;
	assert_int_equal(prlimit(shared.pid, RLIMIT_AS, &low, &old), 0);
	for (int i = 0; i < 50; i++)
		assert_fails(alloc(NULL, 1 << 30, MEM_COMMIT, PAGE_READWRITE), 8);
	assert_int_equal(prlimit(shared.pid, RLIMIT_AS, &old, NULL), 0);
	assert_same_counts(before, count(shared.pid));
}

static void test_memory_of_the_own_process(void **state)
{
	/* RW-12, VM-01: the pseudo-handle and a real one know the same reservations */
	HANDLE self = OpenProcess(PROCESS_ALL_ACCESS, FALSE, GetCurrentProcessId());
	char *base = VirtualAllocEx(GetCurrentProcess(), NULL, 100, MEM_COMMIT, PAGE_READWRITE);
	char copy[5] = "";
	SIZE_T n = 0;

	(void)state;
	assert_non_null(base);
	strcpy(base, "here");
	assert_true(ReadProcessMemory(GetCurrentProcess(), base, copy, 5, &n));
	assert_int_equal(n, 5);
	assert_string_equal(copy, "here");
	assert_true(WriteProcessMemory(self, base, "gone", 5, &n));
	assert_string_equal(base, "gone");
	assert_true(VirtualFreeEx(self, base, 0, MEM_RELEASE));
	assert_true(CloseHandle(self));
}

static void test_copies_are_exact(void **state)
{
	/* RW-01, RW-02, RW-09 */
	SIZE_T size = (64 << 20) + 3, n = 9;
	char *there = alloc(NULL, size + 2, MEM_COMMIT, PAGE_READWRITE);
	char *out = malloc(size), *back = calloc(1, size);
	char c = 9;

	(void)state;
	assert_non_null(there);
	for (SIZE_T i = 0; i < size; i++)
		out[i] = (char)(i * 7 + i / 4096);
	assert_true(WriteProcessMemory(shared.process, there + 1, out, size, &n));
	assert_int_equal(n, size);
	n = 9;
	assert_true(ReadProcessMemory(shared.process, there + 1, back, size, &n));
	assert_int_equal(n, size);
	assert_true(memcmp(out, back, size) == 0);
	assert_true(peek(there, &c));
	assert_int_equal(c, 0);
	assert_true(peek(there + size + 1, &c));
	assert_int_equal(c, 0);
	assert_true(ReadProcessMemory(shared.process, NULL, back, 0, &n));
	assert_int_equal(n, 0);
	assert_true(VirtualFreeEx(shared.process, there, 0, MEM_RELEASE));
	free(out);
	free(back);
}

static void test_range_that_is_not_there(void **state)
{
	/* RW-03, RW-04 */
	char *base = alloc(NULL, 131072, MEM_RESERVE, PAGE_READWRITE);
	char buffer[8192] = "";
	SIZE_T n = 9;

	(void)state;
	assert_non_null(alloc(base, 4096, MEM_COMMIT, PAGE_READWRITE));
	assert_fails(ReadProcessMemory(shared.process, (LPVOID)16, buffer, 8, &n), 299);
	assert_int_equal(n, 0);
	assert_fails(WriteProcessMemory(shared.process, (LPVOID)16, buffer, 8, &n), 299);
	assert_int_equal(n, 0);
	assert_fails(ReadProcessMemory(shared.process, base + 2048, buffer, 8192, &n), 299);
	assert_true(n <= 2048);
	assert_fails(WriteProcessMemory(shared.process, base + 2048, buffer, 8192, &n), 299);
	assert_true(n <= 2048);
	assert_true(VirtualFreeEx(shared.process, base, 0, MEM_RELEASE));
}

static void test_bad_local_buffer(void **state)
{
	/* RW-11 */
	LPVOID cell = (LPVOID)address_of(&shared, "cell");
	char *hole = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SIZE_T n = 9;

	(void)state;
	assert_fails(ReadProcessMemory(shared.process, cell, hole, 8, &n), ERROR_NOACCESS);
	assert_int_equal(n, 0);
	assert_fails(WriteProcessMemory(shared.process, cell, hole, 8, &n), ERROR_NOACCESS);
	assert_int_equal(n, 0);
	munmap(hole, 8192);
}

static void test_read_only_data_cannot_be_written(void **state)
{
	/* RW-05 */
	LPVOID constant = (LPVOID)address_of(&shared, "constant");
	char text[64];

	(void)state;
	assert_fails(poke(constant, 'X'), ERROR_NOACCESS);
	assert_true(ReadProcessMemory(shared.process, constant, text, sizeof(text), NULL));
	assert_string_equal(text, "read-only data");
}

static void test_read_only_code_can_be_patched(void **state)
{
	/* RW-13, LL-06 */
	char *there = (char *)(uintptr_t)address_of(&shared, "patched");
	int maps = count_maps(shared.pid);
	char old[32], other[32];
	HANDLE thread;
	size_t at = 0;

	(void)state;
	assert_int_equal(run(&shared, "patched", 1), 2);
	thread = create(shared.process, function_of(&shared, "patched"), 1, CREATE_SUSPENDED);
	assert_true(ReadProcessMemory(shared.process, there, old, 32, NULL));
	assert_true(ReadProcessMemory(shared.process, (LPVOID)address_of(&shared, "patch_source"),
				      other, 32, NULL));
	while (at < 31 && old[at] == other[at])
		at++;
	assert_true(poke(there + at, other[at]));
	assert_int_equal(ResumeThread(thread), 1);
	assert_int_equal(finish(thread), 3);
	assert_true(poke(there + at, old[at]));
	assert_int_equal(run(&shared, "patched", 1), 2);
	assert_int_equal(count_maps(shared.pid), maps);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_last_error_belongs_to_the_thread),
	cmocka_unit_test(test_success_leaves_last_error),
	cmocka_unit_test(test_each_right_is_checked),
	cmocka_unit_test(test_synchronize_alone_suffices_to_wait),
	cmocka_unit_test(test_wrong_handles_are_invalid),
	cmocka_unit_test(test_function_runs_once_and_returns_its_value),
	cmocka_unit_test(test_ids_are_those_the_thread_sees),
	cmocka_unit_test(test_it_is_a_full_thread),
	cmocka_unit_test(test_structure_goes_in_and_comes_back),
	cmocka_unit_test(test_failure_is_null_and_writes_no_id),
	cmocka_unit_test(test_stack_has_the_size_asked_for),
	cmocka_unit_test(test_suspended_thread_exists_and_waits),
	cmocka_unit_test(test_inheritance_is_the_descriptors),
	cmocka_unit_test(test_five_documented_rights_are_enough),
	cmocka_unit_test(test_closing_the_handle_does_not_end_the_thread),
	cmocka_unit_test(test_own_process_is_a_target_too),
	cmocka_unit_test(test_sixty_threads_live_at_once),
	cmocka_unit_test(test_threads_of_the_caller_create_at_once),
	cmocka_unit_test(test_five_hundred_in_a_row_leave_nothing),
	cmocka_unit_test(test_crash_ends_the_process),
	cmocka_unit_test(test_exit_by_a_remote_thread),
	cmocka_unit_test(test_exit_code_of_anothers_child),
	cmocka_unit_test(test_ended_process_denies),
	cmocka_unit_test(test_stopped_target_is_left_stopped),
	cmocka_unit_test(test_no_way_of_failing_leaves_anything),
	cmocka_unit_test(test_each_handle_that_cannot_be_had),
	cmocka_unit_test(test_failing_opens_leave_nothing),
	cmocka_unit_test(test_each_open_is_a_new_handle),
	cmocka_unit_test(test_handle_does_not_follow_the_number),
	cmocka_unit_test(test_handle_count_of_another_process),
	cmocka_unit_test(test_descriptor_zero_is_never_a_handle),
	cmocka_unit_test(test_foreign_descriptors_are_not_handles),
	cmocka_unit_test(test_timeout_is_not_early),
	cmocka_unit_test(test_any_is_the_lowest_that_ended),
	cmocka_unit_test(test_senseless_waits_are_refused),
	cmocka_unit_test(test_all_waiters_are_released),
	cmocka_unit_test(test_memory_is_zeroed_aligned_and_released),
	cmocka_unit_test(test_senseless_allocations_are_refused),
	cmocka_unit_test(test_reserve_then_commit_parts),
	cmocka_unit_test(test_wanted_address_is_honoured),
	cmocka_unit_test(test_code_put_there_runs),
	cmocka_unit_test(test_allocation_fails_whole_at_the_targets_limit),
	cmocka_unit_test(test_memory_of_the_own_process),
	cmocka_unit_test(test_copies_are_exact),
	cmocka_unit_test(test_range_that_is_not_there),
	cmocka_unit_test(test_bad_local_buffer),
	cmocka_unit_test(test_read_only_data_cannot_be_written),
	cmocka_unit_test(test_read_only_code_can_be_patched),
};

int main(int argc, char **argv)
{
	const char *targets = getenv("TENDRIL_TARGETS");

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	snprintf(target_path, sizeof(target_path), "%s/win32_target", targets ? targets : "targets");
	return cmocka_run_group_tests(tests, setup, teardown);
}
