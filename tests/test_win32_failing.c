/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_win32_failing.c - CreateRemoteThread() failing 10,000 times in each way that it can
 *
 * After each way the caller's handles, threads and mappings, and everything that can be seen of the
 * target from outside, are what they were (LK-01 to LK-05, LK-08, LK-09, CRT-22): the article's
 * leak would show as 10,000 handles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tendril/tendril.h>
#include <tendril/win32.h>

#include "support.h"

#define N_TRIES   10000
#define UNTOUCHED 0xabcd1234u
/* What a call may take at most, on a machine that does much else. */
#define BOUND_NS  (10 * INT64_C(1000000000))

static struct {
	struct target victim;
	HANDLE process, handle; /* all rights; what the way passes */
	LPTHREAD_START_ROUTINE start;
	struct rlimit saved;
	struct snapshot *before, *after;
	pid_t tracer;
} it;

/* The caller's own side */

struct own {
	int handles, threads, mappings;
};

static int count_own_mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	int n = 0, c;

	assert_non_null(file);
	while ((c = fgetc(file)) != EOF)
		n += c == '\n';
	fclose(file);
	return n;
}

static struct own look_at_own(void)
{
	return (struct own){ count_handles(getpid()), count_threads(getpid()),
			     count_own_mappings() };
}

static void open_target(void)
{
	struct tendril_target *target = NULL;
	uint64_t address = 0;

	assert_int_equal(target_start_victim(&it.victim, "idle-read", 1), 0);
	it.process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)it.victim.pid);
	assert_non_null(it.process);
	assert_int_equal(tendril_open(it.victim.pid, NULL, &target, NULL), 0);
	assert_int_equal(tendril_resolve(target, "libc!getppid", &address, NULL), 0);
	tendril_close(target);
	it.start = (LPTHREAD_START_ROUTINE)(uintptr_t)address;
	it.handle = it.process;
}

static void close_target(void)
{
	char why[WHY_BYTES];

	if (!target_is_well(&it.victim, why))
		fail_msg("the target is not well: %s", why);
	assert_true(CloseHandle(it.process));
	target_end(&it.victim);
}

/* It can be done, now that nothing is in the way. */
static void succeed(void)
{
	HANDLE thread = CreateRemoteThread(it.process, NULL, 0, it.start, NULL, 0, NULL);
	DWORD code = 0;

	if (!thread)
		fail_msg("it fails without an obstacle, too: last error %u", GetLastError());
	assert_int_equal(WaitForSingleObject(thread, 20000), WAIT_OBJECT_0);
	assert_true(GetExitCodeThread(thread, &code));
	assert_int_equal(code, getpid());
	assert_true(CloseHandle(thread));
}

/* Fail n times, always with the same error. */
static void fail_often(int n, SIZE_T stack_bytes, DWORD flags, DWORD error)
{
	int64_t longest_ns = 0, began_ns = support_now_ns();
	DWORD id = UNTOUCHED;

	for (int i = 0; i < n; i++) {
		int64_t start_ns = support_now_ns(), took_ns;
		HANDLE thread;

		SetLastError(0);
		thread = CreateRemoteThread(it.handle, NULL, stack_bytes, it.start, NULL, flags, &id);
		took_ns = support_now_ns() - start_ns;
		if (thread || GetLastError() != error || id != UNTOUCHED)
			fail_msg("try %d: handle %p, last error %u instead of %u, id %u", i, thread,
				 GetLastError(), error, id);
		if (took_ns > longest_ns)
			longest_ns = took_ns;
	}
	print_message("# %d tries, %.1f us each, longest %.1f ms\n", n,
		      (double)(support_now_ns() - began_ns) / n / 1e3, (double)longest_ns / 1e6);
	assert_true(longest_ns < BOUND_NS);
}

/* With an obstacle between its beginning and its end. */
static void fail_often_behind(void (*begin)(void), void (*end)(void), SIZE_T stack_bytes, DWORD flags,
			      DWORD error)
{
	char why[WHY_BYTES];
	struct own before, now;

	open_target();
	succeed();
	assert_int_equal(snapshot_settle(it.before, it.after, it.victim.pid, 0), 0);
	before = look_at_own();
	begin();
	fail_often(N_TRIES, stack_bytes, flags, error);
	if (end)
		end();
	now = look_at_own();
	assert_int_equal(now.handles, before.handles);
	assert_int_equal(now.threads, before.threads);
	assert_int_equal(now.mappings, before.mappings);
	if (!becomes_same(it.before, it.after, it.victim.pid, 0, 5000, why))
		fail_msg("the target is not what it was: %s", why);
	it.handle = it.process;
	succeed();
	close_target();
}

/* Handles */

static void pass_never_opened(void)
{
	it.handle = (HANDLE)0x7777774;
}

static void pass_null(void)
{
	it.handle = NULL;
}

static void pass_a_thread(void)
{
	it.handle = GetCurrentThread();
}

static void pass_a_closed_one(void)
{
	it.handle = OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)it.victim.pid);
	assert_true(CloseHandle(it.handle));
}

static void pass_one_without_the_right(void)
{
	it.handle = OpenProcess(PROCESS_ALL_ACCESS & ~PROCESS_CREATE_THREAD, FALSE,
				(DWORD)it.victim.pid);
	assert_non_null(it.handle);
}

static void close_passed(void)
{
	assert_true(CloseHandle(it.handle));
}

static void pass_good(void)
{
	it.handle = it.process;
}

static void test_bad_handle(void **state)
{
	(void)state;
	fail_often_behind(pass_never_opened, NULL, 0, 0, ERROR_INVALID_HANDLE);
	fail_often_behind(pass_null, NULL, 0, 0, ERROR_INVALID_HANDLE);
	fail_often_behind(pass_a_thread, NULL, 0, 0, ERROR_INVALID_HANDLE);
	fail_often_behind(pass_a_closed_one, NULL, 0, 0, ERROR_INVALID_HANDLE);
}

static void test_missing_right(void **state)
{
	(void)state;
	fail_often_behind(pass_one_without_the_right, close_passed, 0, 0, ERROR_ACCESS_DENIED);
}

static void test_senseless_flag(void **state)
{
	(void)state;
	fail_often_behind(pass_good, NULL, 0, 0x40, ERROR_INVALID_PARAMETER);
}

static void test_impossible_stack(void **state)
{
	(void)state;
	fail_often_behind(pass_good, NULL, (SIZE_T)-1, 0, ERROR_NOT_ENOUGH_MEMORY);
	fail_often_behind(pass_good, NULL, (SIZE_T)1 << 60, 0, ERROR_NOT_ENOUGH_MEMORY);
	fail_often_behind(pass_good, NULL, (SIZE_T)1 << 46, CREATE_SUSPENDED, ERROR_NOT_ENOUGH_MEMORY);
}

/* The start */

static void point_at_data(void)
{
	it.start = (LPTHREAD_START_ROUTINE)(uintptr_t)16;
}

static void test_start_that_is_no_code(void **state)
{
	LPTHREAD_START_ROUTINE start;

	(void)state;
	open_target();
	start = it.start;
	point_at_data();
	fail_often(N_TRIES, 0, 0, ERROR_NOACCESS);
	it.start = start;
	succeed();
	close_target();
}

/* The process */

static void fail_often_on_a_dead_one(bool reaped)
{
	struct own before = look_at_own();

	open_target();
	if (reaped) {
		kill(it.victim.pid, SIGKILL);
		assert_int_equal(waitpid(it.victim.pid, NULL, 0), it.victim.pid);
		it.victim.collected = true;
	} else {
		siginfo_t info;

		kill(it.victim.pid, SIGKILL);
		assert_int_equal(waitid(P_PID, (id_t)it.victim.pid, &info, WEXITED | WNOWAIT), 0);
	}
	fail_often(N_TRIES, 0, 0, ERROR_ACCESS_DENIED);
	assert_true(CloseHandle(it.process));
	target_end(&it.victim);
	assert_int_equal(look_at_own().handles, before.handles);
	assert_int_equal(look_at_own().threads, before.threads);
}

static void test_dead_process(void **state)
{
	(void)state;
	fail_often_on_a_dead_one(false);
	fail_often_on_a_dead_one(true);
}

static void stop(void)
{
	kill(it.victim.pid, SIGSTOP);
	assert_int_equal(waitpid(it.victim.pid, NULL, WUNTRACED), it.victim.pid);
}

static void go_on(void)
{
	assert_true(status_is(it.victim.pid, "State", 'T'));
	kill(it.victim.pid, SIGCONT);
	assert_int_equal(waitpid(it.victim.pid, NULL, WCONTINUED), it.victim.pid);
}

static void test_stopped_target(void **state)
{
	(void)state;
	fail_often_behind(stop, go_on, 0, 0, ERROR_BUSY);
}

static void trace(void)
{
	assert_int_equal(ptrace(PTRACE_SEIZE, it.victim.pid, NULL, NULL), 0);
}

static void untrace(void)
{
	int status;

	assert_int_equal(ptrace(PTRACE_INTERRUPT, it.victim.pid, NULL, NULL), 0);
	assert_int_equal(waitpid(it.victim.pid, &status, 0), it.victim.pid);
	assert_int_equal(ptrace(PTRACE_DETACH, it.victim.pid, NULL, NULL), 0);
}

static void test_traced_by_the_caller(void **state)
{
	(void)state;
	fail_often_behind(trace, untrace, 0, 0, ERROR_ACCESS_DENIED);
}

/* A debugger whose user thinks. */
static void trace_from_elsewhere(void)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	it.tracer = fork();
	assert_true(it.tracer >= 0);
	if (it.tracer == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		byte = ptrace(PTRACE_SEIZE, it.victim.pid, NULL, NULL) == 0 ? 'y' : 'n';
		(void)!write(ready[1], &byte, 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	close(ready[0]);
	close(ready[1]);
}

static void end_tracer(void)
{
	kill(it.tracer, SIGKILL);
	assert_int_equal(waitpid(it.tracer, NULL, 0), it.tracer);
}

static void test_traced_by_another(void **state)
{
	(void)state;
	fail_often_behind(trace_from_elsewhere, end_tracer, 0, 0, ERROR_ACCESS_DENIED);
}

/* Limits */

static int lowest_free(void)
{
	int fd = open("/", O_PATH | O_CLOEXEC);

	close(fd);
	return fd;
}

static void limit_own_handles(int n_left)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &it.saved), 0);
	limit = it.saved;
	limit.rlim_cur = (rlim_t)(lowest_free() + n_left);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void unlimit_own_handles(void)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &it.saved), 0);
}

/* How many handles one call needs at once: with one less it fails. */
static int handles_needed(void)
{
	for (int n = 0;; n++) {
		HANDLE thread;

		limit_own_handles(n);
		thread = CreateRemoteThread(it.process, NULL, 0, it.start, NULL, 0, NULL);
		unlimit_own_handles();
		if (!thread)
			continue;
		assert_int_equal(WaitForSingleObject(thread, 20000), WAIT_OBJECT_0);
		assert_true(CloseHandle(thread));
		return n;
	}
}

static int n_left;

static void leave_few_handles(void)
{
	limit_own_handles(n_left);
}

static void test_caller_out_of_handles_at_each_stage(void **state)
{
	int needed;

	(void)state;
	open_target();
	succeed(); /* what the first call needs to get to know the target, the next ones do not */
	needed = handles_needed();
	close_target();
	assert_true(needed > 0);
	for (n_left = 0; n_left < needed; n_left++)
		fail_often_behind(leave_few_handles, unlimit_own_handles, 0, 0,
				  ERROR_TOO_MANY_OPEN_FILES);
}

static void limit_target(enum __rlimit_resource what, rlim_t most)
{
	struct rlimit limit;

	assert_int_equal(prlimit(it.victim.pid, what, NULL, &it.saved), 0);
	limit = it.saved;
	limit.rlim_cur = most;
	assert_int_equal(prlimit(it.victim.pid, what, &limit, NULL), 0);
}

static void limit_targets_memory(void)
{
	limit_target(RLIMIT_AS, 1 << 20);
}

static void unlimit_targets_memory(void)
{
	assert_int_equal(prlimit(it.victim.pid, RLIMIT_AS, &it.saved, NULL), 0);
}

static void limit_targets_handles(void)
{
	limit_target(RLIMIT_NOFILE, 0);
}

static void unlimit_targets_handles(void)
{
	assert_int_equal(prlimit(it.victim.pid, RLIMIT_NOFILE, &it.saved, NULL), 0);
}

static void test_target_at_its_limits(void **state)
{
	(void)state;
	fail_often_behind(limit_targets_memory, unlimit_targets_memory, 0, 0,
			  ERROR_NOT_ENOUGH_MEMORY);
	fail_often_behind(limit_targets_handles, unlimit_targets_handles, 0, 0,
			  ERROR_TOO_MANY_OPEN_FILES);
}

/* Another user's process: a handle that was opened while that was allowed. */

static void fail_as_somebody_else(int report)
{
	char good = 1;

	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		_exit(1);
	for (int i = 0; i < N_TRIES; i++) {
		int before = count_handles(getpid());

		SetLastError(0);
		good = good && !CreateRemoteThread(it.process, NULL, 0, it.start, NULL, 0, NULL) &&
		       GetLastError() == ERROR_ACCESS_DENIED;
		good = good && !OpenProcess(PROCESS_CREATE_THREAD, FALSE, (DWORD)it.victim.pid) &&
		       GetLastError() == ERROR_ACCESS_DENIED;
		good = good && count_handles(getpid()) == before;
	}
	(void)!write(report, &good, 1);
	_exit(0);
}

static void OP_11_foreign_user(void **state)
{
	int report[2];
	char good = 0;
	pid_t child;

	(void)state;
	if (geteuid() != 0)
		SKIP_BECAUSE("only root can become another user");
	open_target();
	assert_int_equal(snapshot_settle(it.before, it.after, it.victim.pid, 0), 0);
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	child = fork();
	if (child == 0)
		fail_as_somebody_else(report[1]);
	close(report[1]);
	assert_int_equal(read(report[0], &good, 1), 1);
	assert_int_equal(good, 1);
	close(report[0]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	succeed();
	close_target();
}

static int setup(void **state)
{
	(void)state;
	it.before = snapshot_new();
	it.after = snapshot_new();
	return it.before && it.after ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	snapshot_free(it.before);
	snapshot_free(it.after);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_handle),
		cmocka_unit_test(test_missing_right),
		cmocka_unit_test(test_senseless_flag),
		cmocka_unit_test(test_impossible_stack),
		cmocka_unit_test(test_start_that_is_no_code),
		cmocka_unit_test(test_dead_process),
		cmocka_unit_test(test_stopped_target),
		cmocka_unit_test(test_traced_by_the_caller),
		cmocka_unit_test(test_traced_by_another),
		cmocka_unit_test(test_caller_out_of_handles_at_each_stage),
		cmocka_unit_test(test_target_at_its_limits),
		cmocka_unit_test(OP_11_foreign_user),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
