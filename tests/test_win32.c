/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_win32.c - what only Linux has of the Win32 semantics
 *
 * Descriptors, zombies, stops, tracers, limits and other users.  What Windows has too is in win32/.
 * Each test is named after the sentence that it holds us to.  No sleeps: the target answers each
 * line it is told.
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

static HANDLE open_with(DWORD access)
{
	HANDLE process = OpenProcess(access, FALSE, (DWORD)shared.pid);

	assert_non_null(process);
	return process;
}

/* CreateRemoteThread */

static DWORD use_stack(SIZE_T size, DWORD flags, uint64_t bytes)
{
	HANDLE thread = CreateRemoteThread(shared.process, NULL, size,
					   function_of(&shared, "use_stack"), (LPVOID)bytes, flags,
					   NULL);

	assert_non_null(thread);
	return finish(thread);
}

static void CRT_20_nearly_all(void **state)
{
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

static DWORD inherit_flag(HANDLE handle)
{
	int fd_flags = fcntl(fd_of(handle), F_GETFD);
	DWORD flags = UNTOUCHED;

	assert_true(fd_flags >= 0);
	assert_true(GetHandleInformation(handle, &flags));
	assert_int_equal(flags & HANDLE_FLAG_INHERIT ? 0 : FD_CLOEXEC, fd_flags);
	return flags;
}

static void CRT_28_descriptors(void **state)
{
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

static void CRT_32_not_reaped(void **state)
{
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

static void EC_08_reaped(void **state)
{
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

static void EC_07(void **state)
{
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

static void CRT_16_zombie(void **state)
{
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

static void CRT_37_stopped(void **state)
{
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

static void LK_01_limits(void **state)
{
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

static void LK_05(void **state)
{
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

/* OpenProcess, CloseHandle, GetProcessHandleCount */

/* In a child of another user.  Return: 0, or a number that tells what went wrong. */
static int open_as_nobody(void)
{
	HANDLE process;
	DWORD code = 0;
	char c;

	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		return 1;
	if (OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)shared.pid) || GetLastError() != 5)
		return 2;
	process = OpenProcess(PROCESS_VM_READ, FALSE, (DWORD)shared.pid);
	if (process ? ReadProcessMemory(process, (LPVOID)address_of(&shared, "cell"), &c, 1, NULL) :
		      GetLastError() != 5)
		return 3;
	/* To see that it lives takes no more rights than to see it in /proc. */
	process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)shared.pid);
	if (!process || !GetExitCodeProcess(process, &code) || code != STILL_ACTIVE)
		return 4;
	return 0;
}

static void OP_11(void **state)
{
	pid_t child;
	int status;

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can become another user\n");
		skip();
	}
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(open_as_nobody());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
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

static void OP_13_same_number(void **state)
{
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

static void OP_14_zero(void **state)
{
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

static void CH_07(void **state)
{
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

static atomic_int n_waiting;

static void *wait_for(void *handle)
{
	atomic_fetch_add(&n_waiting, 1);
	return (void *)(uintptr_t)WaitForSingleObject(handle, INFINITE);
}

static void WT_15_closed(void **state)
{
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

static LPVOID alloc(LPVOID address, SIZE_T size, DWORD type, DWORD protect)
{
	return VirtualAllocEx(shared.process, address, size, type, protect);
}

static BOOL poke(LPVOID address, char c)
{
	return WriteProcessMemory(shared.process, address, &c, 1, NULL);
}

static void LK_04_limit(void **state)
{
	struct counts before = count_at_rest(shared.pid);
	struct rlimit old, low = { .rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY };

	(void)state;
	assert_int_equal(prlimit(shared.pid, RLIMIT_AS, &low, &old), 0);
	for (int i = 0; i < 50; i++)
		assert_fails(alloc(NULL, 1 << 30, MEM_COMMIT, PAGE_READWRITE), 8);
	assert_int_equal(prlimit(shared.pid, RLIMIT_AS, &old, NULL), 0);
	assert_same_counts(before, count(shared.pid));
}

static void RW_11_mapping(void **state)
{
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

static void RW_13_mappings(void **state)
{
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
	cmocka_unit_test(CRT_20_nearly_all),
	cmocka_unit_test(CRT_28_descriptors),
	cmocka_unit_test(CRT_32_not_reaped),
	cmocka_unit_test(EC_08_reaped),
	cmocka_unit_test(EC_07),
	cmocka_unit_test(CRT_16_zombie),
	cmocka_unit_test(CRT_37_stopped),
	cmocka_unit_test(LK_01_limits),
	cmocka_unit_test(LK_05),
	cmocka_unit_test(OP_11),
	cmocka_unit_test(OP_13_same_number),
	cmocka_unit_test(OP_14_zero),
	cmocka_unit_test(CH_07),
	cmocka_unit_test(WT_15_closed),
	cmocka_unit_test(LK_04_limit),
	cmocka_unit_test(RW_11_mapping),
	cmocka_unit_test(RW_13_mappings),
};

int main(int argc, char **argv)
{
	const char *targets = getenv("TENDRIL_TARGETS");

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	snprintf(target_path, sizeof(target_path), "%s/win32_target", targets ? targets : "targets");
	return cmocka_run_group_tests(tests, setup, teardown);
}
