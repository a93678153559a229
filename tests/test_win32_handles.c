/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_win32_handles.c - the table of handles where only Linux can tell: fork(2), descriptors that a
 * program closes behind our back, many threads, many handles
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tendril/win32.h>

#include "support.h"

#define N_THREADS 16
#define N_HANDLES 10000

static pid_t child;

static int fd_of(HANDLE handle)
{
	return (int)((uintptr_t)handle / 4);
}

static HANDLE open_child(DWORD access)
{
	HANDLE handle = OpenProcess(access, FALSE, (DWORD)child);

	assert_non_null(handle);
	return handle;
}

/* Status of a forked process that runs check() and exits with what it returns. */
static int in_fork(int (*check)(void *), void *argument)
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(check(argument));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* fork(2) */

static int use_and_close(void *handle)
{
	DWORD n = 0;

	return GetProcessId(handle) == (DWORD)child && WaitForSingleObject(handle, 0) == WAIT_TIMEOUT &&
	       GetProcessHandleCount(handle, &n) && n > 0 && CloseHandle(handle) &&
	       !CloseHandle(handle) && GetLastError() == ERROR_INVALID_HANDLE &&
	       GetProcessId(GetCurrentProcess()) == (DWORD)getpid();
}

static void test_child_has_the_handles_for_itself(void **state)
{
	HANDLE handle = open_child(PROCESS_ALL_ACCESS);

	(void)state;
	assert_int_equal(in_fork(use_and_close, handle), 1);
	assert_int_equal(GetProcessId(handle), child); /* the parent's is another one */
	assert_true(CloseHandle(handle));
}

static int close_suspended(void *thread)
{
	return CloseHandle(thread) ? 1 : 0;
}

static DWORD WINAPI set_flag(LPVOID flag)
{
	*(volatile int *)flag = 1;
	return 7;
}

static void test_childs_close_does_not_touch_a_suspended_thread(void **state)
{
	volatile int flag = 0;
	HANDLE thread = CreateThread(NULL, 0, set_flag, (LPVOID)&flag, CREATE_SUSPENDED, NULL);
	DWORD code = 0;

	(void)state;
	assert_non_null(thread);
	assert_int_equal(in_fork(close_suspended, thread), 1);
	assert_int_equal(flag, 0);
	assert_int_equal(ResumeThread(thread), 1);
	assert_int_equal(WaitForSingleObject(thread, 20000), WAIT_OBJECT_0);
	assert_true(GetExitCodeThread(thread, &code));
	assert_int_equal(code, 7);
	assert_int_equal(flag, 1);
	assert_true(CloseHandle(thread));
}

static atomic_bool is_over;

static void *open_and_close(void *count)
{
	while (!is_over) {
		HANDLE handle = OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)child), copy = NULL;

		if (!handle ||
		    !DuplicateHandle(GetCurrentProcess(), handle, GetCurrentProcess(), &copy, 0,
				     FALSE, DUPLICATE_SAME_ACCESS) ||
		    !CloseHandle(copy) || !CloseHandle(handle))
			return (void *)-1;
		(*(atomic_ulong *)count)++;
	}
	return NULL;
}

static int open_once(void *unused)
{
	HANDLE handle = OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)child);

	(void)unused;
	return handle && CloseHandle(handle) ? 1 : 0;
}

/* A lock that another thread held at the fork would hang the child. */
static void test_fork_while_others_open(void **state)
{
	pthread_t threads[4];
	atomic_ulong count = 0;
	void *result;

	(void)state;
	is_over = false;
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, &count), 0);
	for (int i = 0; i < 300; i++)
		assert_int_equal(in_fork(open_once, NULL), 1);
	is_over = true;
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_null(result);
	}
	assert_true(count > 0);
}

/* Descriptors that are not ours */

static void test_number_that_the_program_took_stays_open(void **state)
{
	HANDLE handle = open_child(SYNCHRONIZE);
	int fd = fd_of(handle), own;

	/* CH-07 */
	(void)state;
	assert_int_equal(close(fd), 0);
	own = open("/", O_PATH | O_CLOEXEC);
	assert_int_equal(own, fd);
	(void)CloseHandle(handle);
	assert_true(fcntl(own, F_GETFD) >= 0);
	close(own);
}

static void test_number_that_we_get_again_is_the_new_handles(void **state)
{
	HANDLE first = open_child(SYNCHRONIZE), second;

	(void)state;
	assert_int_equal(close(fd_of(first)), 0);
	second = open_child(PROCESS_QUERY_INFORMATION);
	assert_ptr_equal(second, first);
	assert_int_equal(GetProcessId(second), child);
	assert_int_equal(WaitForSingleObject(second, 0), WAIT_FAILED); /* not the first one's right */
	assert_true(CloseHandle(second));
	assert_int_equal(fcntl(fd_of(second), F_GETFD), -1);
	assert_false(CloseHandle(second));
}

/* Many */

static void test_ten_thousand_handles(void **state)
{
	static HANDLE handles[N_HANDLES];
	struct rlimit saved, limit;
	DWORD before = 0, now = 0;

	(void)state;
	assert_true(GetProcessHandleCount(GetCurrentProcess(), &before));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
	limit = saved;
	limit.rlim_cur = N_HANDLES + 1000;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_max = limit.rlim_cur;
	if (saved.rlim_cur < limit.rlim_cur && setrlimit(RLIMIT_NOFILE, &limit) < 0)
		SKIP_BECAUSE("RLIMIT_NOFILE cannot be raised to %lu", (unsigned long)limit.rlim_cur);
	for (size_t i = 0; i < N_HANDLES; i++)
		handles[i] = open_child(i % 2 ? SYNCHRONIZE : PROCESS_QUERY_INFORMATION);
	assert_true(GetProcessHandleCount(GetCurrentProcess(), &now));
	assert_int_equal(now, before + N_HANDLES);
	for (size_t i = 0; i < N_HANDLES; i++)
		assert_int_equal(GetProcessId(handles[i]), i % 2 ? 0 : child);
	for (size_t i = 0; i < N_HANDLES; i++)
		assert_true(CloseHandle(handles[i]));
	assert_true(GetProcessHandleCount(GetCurrentProcess(), &now));
	assert_int_equal(now, before);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
}

static void test_value_beyond_the_table_is_no_handle(void **state)
{
	static const uintptr_t values[] = { 4ul << 20, (4ul << 20) + 4, 1ul << 40, UINTPTR_MAX - 11,
					    4, 5, 6, 7 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
		assert_false(CloseHandle((HANDLE)values[i]));
		assert_int_equal(GetLastError(), ERROR_INVALID_HANDLE);
	}
}

static void test_sixteen_threads_open_and_close(void **state)
{
	pthread_t threads[N_THREADS];
	atomic_ulong count = 0;
	int before = count_handles(getpid());
	void *result;

	(void)state;
	is_over = false;
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, &count), 0);
	while (count < 50000)
		(void)usleep(1000);
	is_over = true;
	for (int i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_null(result);
	}
	assert_int_equal(count_handles(getpid()), before);
}

/* One closes what others use: each use is of an open handle or is refused, and one close succeeds. */

static HANDLE contested;
static atomic_uint n_closed, n_wrong;
static pthread_barrier_t start_line;

static void *use_then_close(void *unused)
{
	DWORD id;

	(void)unused;
	pthread_barrier_wait(&start_line);
	for (int i = 0; i < 20; i++) {
		id = GetProcessId(contested);
		if (id != (DWORD)child && !(id == 0 && GetLastError() == ERROR_INVALID_HANDLE))
			n_wrong++;
	}
	if (CloseHandle(contested))
		n_closed++;
	return NULL;
}

static void test_of_many_closes_one_succeeds(void **state)
{
	int before = count_handles(getpid());

	(void)state;
	for (int round = 0; round < 500; round++) {
		pthread_t threads[4];

		contested = open_child(PROCESS_QUERY_INFORMATION);
		n_closed = n_wrong = 0;
		assert_int_equal(pthread_barrier_init(&start_line, NULL, ARRAY_LENGTH(threads)), 0);
		for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
			assert_int_equal(pthread_create(&threads[i], NULL, use_then_close, NULL), 0);
		for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		(void)pthread_barrier_destroy(&start_line);
		assert_int_equal(n_closed, 1);
		assert_int_equal(n_wrong, 0);
	}
	assert_int_equal(count_handles(getpid()), before);
}

/* Inheritance: the descriptor, in programs that this one executes (OP-05) */

static void test_inherited_descriptor_reaches_the_next_program(void **state)
{
	(void)state;
	for (int inherit = 0; inherit < 2; inherit++) {
		HANDLE handle = OpenProcess(SYNCHRONIZE, inherit, (DWORD)child);
		char path[64];
		int status;
		pid_t pid;

		assert_non_null(handle);
		(void)snprintf(path, sizeof(path), "test -e /proc/self/fd/%d", fd_of(handle));
		pid = fork();
		if (pid == 0) {
			execl("/bin/sh", "sh", "-c", path, (char *)NULL);
			_exit(126);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WEXITSTATUS(status), inherit ? 0 : 1);
		assert_true(CloseHandle(handle));
	}
}

/* A process without our library has no handles. */
static void test_no_duplicate_where_the_library_is_not(void **state)
{
	HANDLE process = open_child(PROCESS_ALL_ACCESS), copy = NULL;
	struct target victim;
	HANDLE other;

	(void)state;
	assert_int_equal(target_start_victim(&victim, "idle-read", 1), 0);
	other = OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)victim.pid);
	assert_false(DuplicateHandle(GetCurrentProcess(), process, other, &copy, 0, FALSE,
				     DUPLICATE_SAME_ACCESS));
	assert_int_equal(GetLastError(), ERROR_NOT_SUPPORTED);
	assert_true(CloseHandle(other));
	assert_true(CloseHandle(process));
	target_end(&victim);
}

__attribute__((noreturn)) static DWORD open_and_close_for_ever(LPVOID pid)
{
	for (;;) {
		HANDLE handle = OpenProcess(PROCESS_QUERY_INFORMATION, FALSE,
					    (DWORD)(uintptr_t)pid);

		if (handle)
			(void)CloseHandle(handle);
	}
}

#define SUSPENSIONS 1500

/* It may be stopped with none of our locks: they are needed to resume it, and by all others. */
static int suspend_one_that_opens(void *pid)
{
	HANDLE thread = CreateThread(NULL, 0, open_and_close_for_ever, pid, 0, NULL);
	int n_right = 0;

	(void)alarm(60);
	for (int i = 0; thread && i < SUSPENSIONS; i++)
		n_right += SuspendThread(thread) == 0 && open_once(NULL) &&
			   ResumeThread(thread) == 1;
	return n_right == SUSPENSIONS;
}

static void test_suspended_thread_holds_no_lock_of_ours(void **state)
{
	(void)state;
	assert_int_equal(in_fork(suspend_one_that_opens, (void *)(uintptr_t)child), 1);
}

/* A thread that is ended takes no lock of glibc's along (LK-04): the next one could not load, or print. */

static volatile bool never; /* so that the compiler does not know it */

static DWORD WINAPI load_for_ever(LPVOID path)
{
	while (!never) {
		void *library = dlopen(path, RTLD_NOW);

		if (library)
			(void)dlclose(library);
	}
	return 0;
}

static DWORD WINAPI print_for_ever(LPVOID file)
{
	while (!never) {
		(void)fprintf(file, "%d\n", 1);
		for (volatile int i = 0; i < 3000; i++)
			; /* where nothing is held */
	}
	return 0;
}

static int end_busy_threads(void *path)
{
	FILE *file = fopen("/dev/null", "we");

	(void)alarm(60); /* a lock that was taken along would hang us */
	setvbuf(file, NULL, _IONBF, 0);
	for (int i = 0; i < 60; i++) {
		HANDLE loads = CreateThread(NULL, 0, load_for_ever, path, 0, NULL);
		HANDLE prints = CreateThread(NULL, 0, print_for_ever, file, 0, NULL);

		for (int j = 0; j < i % 7; j++)
			(void)sched_yield();
		if (!TerminateThread(loads, 1) || !TerminateThread(prints, 2) ||
		    WaitForSingleObject(loads, 20000) != WAIT_OBJECT_0 ||
		    WaitForSingleObject(prints, 20000) != WAIT_OBJECT_0)
			return 2;
		if (!CloseHandle(loads) || !CloseHandle(prints) || !dlopen(path, RTLD_NOW) ||
		    fprintf(file, "%d\n", i) < 0)
			return 3;
	}
	return 1;
}

static void test_ended_thread_takes_no_lock_along(void **state)
{
	char path[4096];

	(void)state;
	assert_true(support_find("plug.so", path));
	assert_int_equal(in_fork(end_busy_threads, path), 1);
}

static int setup(void **state)
{
	(void)state;
	child = fork();
	if (child == 0) {
		for (;;)
			pause();
	}
	return child > 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	kill(child, SIGKILL);
	return waitpid(child, NULL, 0) == child ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_child_has_the_handles_for_itself),
		cmocka_unit_test(test_childs_close_does_not_touch_a_suspended_thread),
		cmocka_unit_test(test_fork_while_others_open),
		cmocka_unit_test(test_suspended_thread_holds_no_lock_of_ours),
		cmocka_unit_test(test_ended_thread_takes_no_lock_along),
		cmocka_unit_test(test_number_that_the_program_took_stays_open),
		cmocka_unit_test(test_number_that_we_get_again_is_the_new_handles),
		cmocka_unit_test(test_ten_thousand_handles),
		cmocka_unit_test(test_value_beyond_the_table_is_no_handle),
		cmocka_unit_test(test_sixteen_threads_open_and_close),
		cmocka_unit_test(test_of_many_closes_one_succeeds),
		cmocka_unit_test(test_inherited_descriptor_reaches_the_next_program),
		cmocka_unit_test(test_no_duplicate_where_the_library_is_not),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
