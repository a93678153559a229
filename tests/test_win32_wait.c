/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_win32_wait.c - waits, queued calls and priorities where only Linux can tell: kernels without
 * descriptors of threads, a stack that cannot be given back, signals, fork(2), limits
 *
 * The target is a child that was forked, so our functions are where they are here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tendril/win32.h>

#include "support.h"

#define PATIENCE_MS 20000
#define NOBODY	    65534

/* In a forked process, where cmocka cannot fail. */
#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("# line %d: %s; last error %u\n", __LINE__, #condition,             \
			       GetLastError());                                                    \
			fflush(stdout);                                                            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* Shared with the targets. */
static struct {
	atomic_uint gate;
} *shared;

static pid_t child;
static HANDLE process;

static DWORD WINAPI gated(LPVOID value)
{
	while (!atomic_load(&shared->gate))
		(void)syscall(SYS_futex, &shared->gate, FUTEX_WAIT, 0, NULL, NULL, 0);
	return (DWORD)(uintptr_t)value;
}

static DWORD WINAPI value_of(LPVOID value)
{
	return (DWORD)(uintptr_t)value;
}

static void open_gate(void)
{
	atomic_store(&shared->gate, 1);
	(void)syscall(SYS_futex, &shared->gate, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static HANDLE create(LPTHREAD_START_ROUTINE function, DWORD value, DWORD flags)
{
	return CreateRemoteThread(process, NULL, 0, function, (LPVOID)(uintptr_t)value, flags, NULL);
}

static int start_child(void **state)
{
	(void)state;
	atomic_store(&shared->gate, 0);
	child = fork();
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)child);
	return process ? 0 : -1;
}

static int end_child(void **state)
{
	(void)state;
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	return CloseHandle(process) ? 0 : -1;
}

/* check() in a process of its own, which may change what holds for all of it. */
static void in_fork(void (*check)(void))
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(120);
		check();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int64_t ms_since(int64_t began_ns)
{
	return (support_now_ns() - began_ns) / 1000000;
}

/* Kernels */

/* number, and if with_bit is not 0 a second argument with that bit: error instead. */
static void forbid(int number, uint32_t with_bit, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, with_bit ? 2 : 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, with_bit ? with_bit : ~0u, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_LENGTH(code), code };

	EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void wait_as_before_6_9(void)
{
	HANDLE thread[3], mixed[3];
	DWORD code = 0;
	int64_t began_ns;

	forbid(SYS_pidfd_open, O_EXCL, EINVAL);
	EXPECT(syscall(SYS_pidfd_open, gettid(), O_EXCL) < 0 && errno == EINVAL);
	thread[0] = create(value_of, 1, CREATE_SUSPENDED);
	thread[1] = create(gated, 2, 0);
	thread[2] = CreateThread(NULL, 0, gated, (LPVOID)3, 0, NULL);
	EXPECT(thread[0] && thread[1] && thread[2]);
	began_ns = support_now_ns();
	EXPECT(WaitForSingleObject(thread[1], 0) == WAIT_TIMEOUT);
	EXPECT(WaitForSingleObject(thread[1], 30) == WAIT_TIMEOUT);
	EXPECT(WaitForMultipleObjects(3, thread, TRUE, 30) == WAIT_TIMEOUT);
	EXPECT(WaitForMultipleObjects(3, thread, FALSE, 30) == WAIT_TIMEOUT);
	EXPECT(ms_since(began_ns) >= 90);
	mixed[0] = process;
	mixed[1] = thread[1];
	mixed[2] = thread[0];
	EXPECT(ResumeThread(thread[0]) == 1);
	EXPECT(WaitForMultipleObjects(3, mixed, FALSE, INFINITE) == WAIT_OBJECT_0 + 2);
	EXPECT(WaitForMultipleObjects(3, thread, FALSE, INFINITE) == WAIT_OBJECT_0);
	open_gate();
	EXPECT(WaitForSingleObject(thread[1], INFINITE) == WAIT_OBJECT_0);
	EXPECT(GetExitCodeThread(thread[1], &code) && code == 2);
	EXPECT(WaitForMultipleObjects(3, thread, TRUE, INFINITE) == WAIT_OBJECT_0);
	EXPECT(GetExitCodeThread(thread[2], &code) && code == 3);
}

static void test_waits_without_descriptors_of_threads(void **state)
{
	/* WT-02, WT-03, WT-09, WT-10, WT-14 */
	(void)state;
	in_fork(wait_as_before_6_9);
}

static void end_target_meanwhile(void)
{
	HANDLE both[2];

	forbid(SYS_pidfd_open, O_EXCL, EINVAL);
	both[0] = create(gated, 1, 0);
	both[1] = create(value_of, 1, CREATE_SUSPENDED);
	EXPECT(both[0] && both[1]);
	EXPECT(WaitForMultipleObjects(2, both, TRUE, 5) == WAIT_TIMEOUT);
	EXPECT(kill(child, SIGKILL) == 0);
	EXPECT(WaitForMultipleObjects(2, both, TRUE, INFINITE) == WAIT_OBJECT_0);
}

static void test_end_of_the_process_without_descriptors_of_threads(void **state)
{
	/* WT-16 */
	(void)state;
	in_fork(end_target_meanwhile);
}

/* The stack of a thread that has ended */

/* Stop the thread that is to unmap the stack, when it comes; the other one goes on and ends. */
static pid_t catch_reaper(pid_t tid)
{
	unsigned long reaper = 0;
	int status;

	assert_int_equal(ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACECLONE), 0);
	open_gate();
	assert_int_equal(waitpid(tid, &status, __WALL), tid);
	while (status >> 8 != (SIGTRAP | (PTRACE_EVENT_CLONE << 8))) {
		assert_true(WIFSTOPPED(status));
		assert_int_equal(ptrace(PTRACE_CONT, tid, NULL, NULL), 0);
		assert_int_equal(waitpid(tid, &status, __WALL), tid);
	}
	assert_int_equal(ptrace(PTRACE_GETEVENTMSG, tid, NULL, &reaper), 0);
	assert_int_equal(ptrace(PTRACE_DETACH, tid, NULL, NULL), 0);
	assert_int_equal(waitpid((pid_t)reaper, &status, __WALL), (pid_t)reaper);
	return (pid_t)reaper;
}

static void end_of(pid_t tid)
{
	int64_t deadline_ns = deadline_in_ms(PATIENCE_MS);

	while (syscall(SYS_tgkill, child, tid, 0) == 0)
		assert_true(support_again(deadline_ns));
}

static void test_stack_that_stays_for_a_while(void **state)
{
	/* WT-01, WT-02, WT-03: not signalled before the stack is gone, nor waited for longer than asked */
	HANDLE thread = create(gated, 7, 0), both[2];
	int64_t began_ns = support_now_ns();
	DWORD code = 0;
	pid_t reaper;

	(void)state;
	assert_non_null(thread);
	reaper = catch_reaper((pid_t)GetThreadId(thread));
	end_of((pid_t)GetThreadId(thread));
	both[0] = thread;
	both[1] = process;
	began_ns = support_now_ns();
	assert_int_equal(WaitForSingleObject(thread, 0), WAIT_TIMEOUT);
	assert_int_equal(WaitForMultipleObjects(2, both, FALSE, 0), WAIT_TIMEOUT);
	assert_int_equal(WaitForMultipleObjects(2, both, TRUE, 0), WAIT_TIMEOUT);
	assert_int_equal(WaitForSingleObject(thread, 20), WAIT_TIMEOUT);
	assert_int_equal(WaitForMultipleObjects(2, both, FALSE, 20), WAIT_TIMEOUT);
	if (ms_since(began_ns) >= 900)
		SKIP_BECAUSE("the machine is too busy: 40 ms took 900");
	assert_true(GetExitCodeThread(thread, &code));
	assert_int_equal(code, STILL_ACTIVE);
	assert_int_equal(ptrace(PTRACE_DETACH, reaper, NULL, NULL), 0);
	assert_int_equal(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	assert_true(syscall(SYS_tgkill, child, reaper, 0) < 0);
	assert_true(GetExitCodeThread(thread, &code));
	assert_int_equal(code, 7);
	assert_true(CloseHandle(thread));
}

static void test_stack_that_cannot_be_given_back(void **state)
{
	/* WT-04: a wait for a thread that has ended ends */
	HANDLE thread = create(gated, 7, 0), both[2];
	pid_t reaper;

	(void)state;
	assert_non_null(thread);
	reaper = catch_reaper((pid_t)GetThreadId(thread));
	both[0] = process;
	both[1] = thread;
	assert_int_equal(WaitForMultipleObjects(2, both, FALSE, INFINITE), WAIT_OBJECT_0 + 1);
	assert_int_equal(WaitForSingleObject(thread, 0), WAIT_OBJECT_0);
	assert_int_equal(syscall(SYS_tgkill, child, reaper, 0), 0);
	assert_int_equal(ptrace(PTRACE_DETACH, reaper, NULL, NULL), 0);
	end_of(reaper);
	assert_true(CloseHandle(thread));
}

static void test_looks_see_that_the_stack_cannot_be_given_back(void **state)
{
	/* WT-03: nor do those see a thread for ever that has ended who only look */
	int64_t deadline_ns = deadline_in_ms(PATIENCE_MS);
	HANDLE thread = create(gated, 7, 0);
	pid_t reaper;

	(void)state;
	assert_non_null(thread);
	reaper = catch_reaper((pid_t)GetThreadId(thread));
	while (WaitForMultipleObjects(1, &thread, TRUE, 0) == WAIT_TIMEOUT)
		assert_true(support_again(deadline_ns));
	assert_int_equal(WaitForSingleObject(thread, 0), WAIT_OBJECT_0);
	assert_int_equal(ptrace(PTRACE_DETACH, reaper, NULL, NULL), 0);
	end_of(reaper);
	assert_true(CloseHandle(thread));
}

static void test_target_that_dies_before_the_stack_is_given_back(void **state)
{
	/* WT-16 */
	HANDLE thread = create(gated, 7, 0);
	pid_t reaper;

	(void)state;
	assert_non_null(thread);
	reaper = catch_reaper((pid_t)GetThreadId(thread));
	end_of((pid_t)GetThreadId(thread));
	assert_int_equal(WaitForSingleObject(thread, 0), WAIT_TIMEOUT);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(reaper, NULL, __WALL), reaper);
	assert_int_equal(WaitForSingleObject(process, INFINITE), WAIT_OBJECT_0);
	assert_int_equal(WaitForSingleObject(thread, 0), WAIT_OBJECT_0);
	assert_true(CloseHandle(thread));
}

static void wait_without_calls(void)
{
	HANDLE many[MAXIMUM_WAIT_OBJECTS];

	for (int i = 0; i < MAXIMUM_WAIT_OBJECTS; i++)
		many[i] = process;
	many[0] = create(value_of, 1, 0);
	EXPECT(many[0] && WaitForSingleObject(many[0], INFINITE) == WAIT_OBJECT_0);
	forbid(SYS_ppoll, 0, EPERM);
	forbid(SYS_poll, 0, EPERM);
	forbid(SYS_process_vm_readv, 0, EPERM);
	EXPECT(WaitForSingleObject(process, 0) == WAIT_FAILED);
	EXPECT(WaitForSingleObject(many[0], INFINITE) == WAIT_OBJECT_0);
	EXPECT(WaitForMultipleObjects(MAXIMUM_WAIT_OBJECTS, many, FALSE, 0) == WAIT_OBJECT_0);
}

static void test_thread_that_is_known_to_have_ended_asks_nobody(void **state)
{
	/* WT-06, WT-18 */
	(void)state;
	in_fork(wait_without_calls);
}

/* Signals, and long waits */

static atomic_uint n_signals;

static void count_signal(int number)
{
	(void)number;
	atomic_fetch_add(&n_signals, 1);
}

static void wait_among_signals(void)
{
	struct sigaction action = { .sa_handler = count_signal };
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
	HANDLE thread = create(gated, 1, 0);
	HANDLE both[] = { process, thread };
	int64_t began_ns;

	EXPECT(thread && sigaction(SIGALRM, &action, NULL) == 0);
	EXPECT(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int way = 0; way < 6; way++) {
		began_ns = support_now_ns();
		EXPECT(way != 0 || WaitForSingleObject(thread, 50) == WAIT_TIMEOUT);
		EXPECT(way != 1 || WaitForMultipleObjects(2, both, FALSE, 50) == WAIT_TIMEOUT);
		EXPECT(way != 2 || WaitForMultipleObjects(2, both, TRUE, 50) == WAIT_TIMEOUT);
		EXPECT(way != 3 || SleepEx(50, TRUE) == 0);
		EXPECT(way != 4 || SleepEx(50, FALSE) == 0);
		EXPECT(way != 5 || WaitForSingleObjectEx(thread, 50, TRUE) == WAIT_TIMEOUT);
		EXPECT(support_now_ns() - began_ns >= 50 * 1000000);
	}
	EXPECT(atomic_load(&n_signals) > 0);
}

static void test_signals_end_no_wait(void **state)
{
	/* WT-02 */
	(void)state;
	in_fork(wait_among_signals);
}

static void *wait_long(void *thread)
{
	DWORD result = WaitForSingleObject(thread, 0xfffffffe);

	if (result == WAIT_OBJECT_0)
		result = WaitForMultipleObjects(1, &thread, TRUE, 0x80000001);
	return (void *)(uintptr_t)result;
}

static void test_seven_weeks_are_not_over_at_once(void **state)
{
	/* WT-02 */
	HANDLE thread = create(gated, 1, 0);
	void *result = NULL;
	pthread_t waiter;

	(void)state;
	assert_int_equal(pthread_create(&waiter, NULL, wait_long, thread), 0);
	assert_int_equal(WaitForSingleObject(thread, 30), WAIT_TIMEOUT);
	open_gate();
	assert_int_equal(pthread_join(waiter, &result), 0);
	assert_int_equal((uintptr_t)result, WAIT_OBJECT_0);
	assert_true(CloseHandle(thread));
}

static void test_snapshots_cannot_be_waited_for(void **state)
{
	/* WT-07 */
	HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);

	(void)state;
	SetLastError(0);
	assert_int_equal(WaitForSingleObject(snapshot, 0), WAIT_FAILED);
	assert_int_equal(GetLastError(), ERROR_INVALID_HANDLE);
	assert_true(CloseHandle(snapshot));
}

static void test_two_handles_of_one_object_are_twice_the_same(void **state)
{
	/* WT-13 */
	HANDLE other = OpenProcess(SYNCHRONIZE, FALSE, (DWORD)child);
	HANDLE both[] = { process, other };

	(void)state;
	assert_non_null(other);
	assert_int_equal(WaitForMultipleObjects(2, both, FALSE, 0), WAIT_TIMEOUT);
	assert_int_equal(WaitForMultipleObjects(2, both, TRUE, 0), WAIT_FAILED);
	assert_int_equal(GetLastError(), ERROR_INVALID_PARAMETER);
	assert_true(CloseHandle(other));
}

/* Queued calls */

static atomic_uint n_calls;
static atomic_int last_caller;

static VOID CALLBACK note_call(ULONG_PTR argument)
{
	(void)argument;
	atomic_fetch_add(&n_calls, 1);
	atomic_store(&last_caller, gettid());
}

static atomic_int waiter_tid;

/* A thread that is none of ours, and nobody's handle. */
static void *wait_alertably(void *unused)
{
	(void)unused;
	atomic_store(&waiter_tid, gettid());
	return (void *)(uintptr_t)SleepEx(INFINITE, TRUE);
}

static void test_any_thread_of_the_process_makes_calls(void **state)
{
	/* AP-01 */
	pthread_t waiter;
	void *result = NULL;
	HANDLE thread;

	(void)state;
	atomic_store(&n_calls, 0);
	atomic_store(&waiter_tid, 0);
	assert_int_equal(pthread_create(&waiter, NULL, wait_alertably, NULL), 0);
	while (!atomic_load(&waiter_tid))
		sched_yield();
	thread = OpenThread(THREAD_SET_CONTEXT, FALSE, (DWORD)atomic_load(&waiter_tid));
	assert_non_null(thread);
	assert_true(QueueUserAPC(note_call, thread, 0));
	assert_true(CloseHandle(thread)); /* what is queued stays */
	assert_int_equal(pthread_join(waiter, &result), 0);
	assert_int_equal((uintptr_t)result, WAIT_IO_COMPLETION);
	assert_int_equal(atomic_load(&n_calls), 1);
	assert_int_equal(atomic_load(&last_caller), atomic_load(&waiter_tid));
}

static void *queue_to(void *tid)
{
	HANDLE thread = OpenThread(THREAD_SET_CONTEXT, FALSE, (DWORD)(uintptr_t)tid);
	bool is_queued = thread && QueueUserAPC(note_call, thread, 0) &&
			 QueueUserAPC(note_call, thread, 0);

	(void)CloseHandle(thread);
	return (void *)(uintptr_t)is_queued;
}

static void test_first_thread_makes_calls(void **state)
{
	/* AP-01, AP-02 */
	pthread_t other;
	void *is_queued = NULL;

	(void)state;
	atomic_store(&n_calls, 0);
	assert_int_equal(pthread_create(&other, NULL, queue_to, (void *)(uintptr_t)gettid()), 0);
	assert_int_equal(pthread_join(other, &is_queued), 0);
	assert_non_null(is_queued);
	assert_int_equal(WaitForSingleObjectEx(process, INFINITE, TRUE), WAIT_IO_COMPLETION);
	assert_int_equal(atomic_load(&n_calls), 2);
	assert_int_equal(atomic_load(&last_caller), gettid());
}

static void test_what_has_ended_comes_before_calls(void **state)
{
	/* AP-01: the order in which NT looks */
	HANDLE thread = create(value_of, 1, 0);

	(void)state;
	atomic_store(&n_calls, 0);
	assert_int_equal(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	assert_true(QueueUserAPC(note_call, GetCurrentThread(), 0));
	assert_int_equal(WaitForSingleObjectEx(thread, INFINITE, TRUE), WAIT_OBJECT_0);
	assert_int_equal(atomic_load(&n_calls), 0);
	assert_int_equal(SleepEx(0, TRUE), WAIT_IO_COMPLETION);
	assert_int_equal(atomic_load(&n_calls), 1);
	assert_true(CloseHandle(thread));
}

static VOID CALLBACK wait_in_call(ULONG_PTR depth)
{
	note_call(depth);
	if (depth > 0) {
		(void)QueueUserAPC(wait_in_call, GetCurrentThread(), depth - 1);
		(void)SleepEx(INFINITE, TRUE);
	}
}

static VOID CALLBACK end_thread(ULONG_PTR code)
{
	ExitThread((DWORD)code);
}

static void test_calls_may_wait_and_end_their_thread(void **state)
{
	/* AP-01, AP-04 */
	HANDLE thread = CreateThread(NULL, 0, value_of, (LPVOID)1, CREATE_SUSPENDED, NULL);
	DWORD code = 0;

	(void)state;
	atomic_store(&n_calls, 0);
	assert_true(QueueUserAPC(wait_in_call, GetCurrentThread(), 5));
	assert_int_equal(SleepEx(INFINITE, TRUE), WAIT_IO_COMPLETION);
	assert_int_equal(atomic_load(&n_calls), 6);
	assert_true(QueueUserAPC(end_thread, thread, 55));
	assert_true(QueueUserAPC(note_call, thread, 55));
	assert_int_equal(ResumeThread(thread), 1);
	assert_int_equal(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	assert_true(GetExitCodeThread(thread, &code));
	assert_int_equal(code, 55);
	assert_int_equal(atomic_load(&n_calls), 6);
	assert_true(CloseHandle(thread));
}

static void test_process_without_the_library_makes_no_calls(void **state)
{
	/* AP-01, into another process */
	struct target victim;
	HANDLE thread;

	(void)state;
	assert_int_equal(target_start_victim(&victim, "idle-read", 1), 0);
	thread = OpenThread(THREAD_SET_CONTEXT, FALSE, (DWORD)victim.pid);
	assert_non_null(thread);
	SetLastError(0);
	assert_int_equal(QueueUserAPC(note_call, thread, 0), 0);
	assert_int_equal(GetLastError(), ERROR_NOT_SUPPORTED);
	assert_true(CloseHandle(thread));
	target_end(&victim);
}

static void queue_after_fork(void)
{
	EXPECT(SleepEx(0, TRUE) == 0);
	EXPECT(atomic_load(&n_calls) == 0);
	EXPECT(QueueUserAPC(note_call, GetCurrentThread(), 0));
	EXPECT(WaitForSingleObjectEx(process, INFINITE, TRUE) == WAIT_IO_COMPLETION);
	EXPECT(atomic_load(&n_calls) == 1 && atomic_load(&last_caller) == gettid());
}

static void test_calls_stay_with_the_parent(void **state)
{
	(void)state;
	atomic_store(&n_calls, 0);
	assert_true(QueueUserAPC(note_call, GetCurrentThread(), 0));
	in_fork(queue_after_fork);
	assert_int_equal(SleepEx(0, TRUE), WAIT_IO_COMPLETION);
	assert_int_equal(atomic_load(&n_calls), 1);
}

static atomic_uint may_wait;

static void *wait_for_process(void *unused)
{
	(void)unused;
	atomic_store(&waiter_tid, gettid());
	while (!atomic_load(&may_wait))
		sched_yield();
	return (void *)(uintptr_t)WaitForSingleObjectEx(process, INFINITE, TRUE);
}

static HANDLE start_waiter(pthread_t *waiter)
{
	HANDLE thread;

	atomic_store(&waiter_tid, 0);
	EXPECT(pthread_create(waiter, NULL, wait_for_process, NULL) == 0);
	while (!atomic_load(&waiter_tid))
		sched_yield();
	thread = OpenThread(THREAD_SET_CONTEXT | SYNCHRONIZE, FALSE, (DWORD)atomic_load(&waiter_tid));
	EXPECT(thread != NULL);
	return thread;
}

static void wait_without_a_descriptor(void)
{
	pthread_t first, second;
	HANDLE to_first = start_waiter(&first), to_second = start_waiter(&second);
	int next_fd = dup(0);
	struct rlimit limit = { (rlim_t)next_fd, (rlim_t)next_fd };
	void *result = NULL;

	EXPECT(close(next_fd) == 0);
	EXPECT(SleepEx(0, TRUE) == 0); /* has its queue */
	EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0 && dup(0) < 0);
	EXPECT(WaitForSingleObjectEx(process, 20, TRUE) == WAIT_TIMEOUT);
	EXPECT(QueueUserAPC(note_call, GetCurrentThread(), 0));
	EXPECT(WaitForSingleObjectEx(process, INFINITE, TRUE) == WAIT_IO_COMPLETION);
	/* Both wait; one has a queue of its own by now and gets a call. */
	atomic_store(&may_wait, 1);
	EXPECT(WaitForSingleObject(to_first, 30) == WAIT_TIMEOUT);
	EXPECT(QueueUserAPC(note_call, to_first, 0));
	EXPECT(pthread_join(first, &result) == 0);
	EXPECT((uintptr_t)result == WAIT_IO_COMPLETION);
	EXPECT(WaitForSingleObject(to_second, 0) == WAIT_TIMEOUT);
	EXPECT(kill(child, SIGKILL) == 0);
	EXPECT(pthread_join(second, &result) == 0);
	EXPECT((uintptr_t)result == WAIT_OBJECT_0);
	EXPECT(atomic_load(&n_calls) == 2);
}

static void test_alertable_waits_without_a_descriptor_to_spare(void **state)
{
	(void)state;
	atomic_store(&n_calls, 0);
	in_fork(wait_without_a_descriptor);
}

/* Priorities */

static const int levels[] = { THREAD_PRIORITY_IDLE, THREAD_PRIORITY_TIME_CRITICAL,
			      THREAD_PRIORITY_LOWEST, THREAD_PRIORITY_HIGHEST,
			      THREAD_PRIORITY_BELOW_NORMAL, THREAD_PRIORITY_ABOVE_NORMAL,
			      THREAD_PRIORITY_NORMAL };

static DWORD WINAPI create_another(LPVOID unused)
{
	HANDLE thread = CreateThread(NULL, 0, gated, NULL, 0, NULL);
	int priority = thread ? GetThreadPriority(thread) : THREAD_PRIORITY_ERROR_RETURN;

	(void)unused;
	(void)CloseHandle(thread);
	return (DWORD)priority;
}

/* Nobody may be raised again, and all is remembered. */
static void set_without_privilege(void)
{
	struct rlimit limit = { 0, 0 };
	HANDLE thread, creator;
	DWORD code = 0;

	EXPECT(setrlimit(RLIMIT_NICE, &limit) == 0);
	EXPECT(geteuid() != 0 || setresuid(NOBODY, NOBODY, NOBODY) == 0);
	thread = CreateThread(NULL, 0, gated, NULL, 0, NULL);
	EXPECT(thread != NULL);
	errno = 0;
	EXPECT(setpriority(PRIO_PROCESS, (id_t)GetThreadId(thread), -20) < 0 && errno == EACCES);
	for (size_t i = 0; i < ARRAY_LENGTH(levels); i++) {
		EXPECT(SetThreadPriority(thread, levels[i]));
		EXPECT(GetThreadPriority(thread) == levels[i]);
	}
	creator = CreateThread(NULL, 0, create_another, NULL, CREATE_SUSPENDED, NULL);
	EXPECT(creator && SetThreadPriority(creator, THREAD_PRIORITY_IDLE));
	EXPECT(ResumeThread(creator) == 1);
	EXPECT(WaitForSingleObject(creator, PATIENCE_MS) == WAIT_OBJECT_0);
	EXPECT(GetExitCodeThread(creator, &code) && code == THREAD_PRIORITY_NORMAL);
}

static void test_priorities_without_privilege(void **state)
{
	/* PR-01, PR-02 */
	(void)state;
	in_fork(set_without_privilege);
}

static void set_beside_the_kernel(void)
{
	/* However nice the tests are. */
	int base = setpriority(PRIO_PROCESS, 0, 0) == 0 ? 0 : getpriority(PRIO_PROCESS, 0);
	HANDLE thread = CreateThread(NULL, 0, gated, NULL, 0, NULL);
	HANDLE first = OpenThread(THREAD_ALL_ACCESS, FALSE, (DWORD)getpid());
	id_t tid = (id_t)GetThreadId(thread);

	EXPECT(thread && first && base <= 10);
	EXPECT(SetThreadPriority(thread, THREAD_PRIORITY_BELOW_NORMAL));
	EXPECT(getpriority(PRIO_PROCESS, tid) == base + 5);
	EXPECT(setpriority(PRIO_PROCESS, tid, base + 9) == 0);
	EXPECT(GetThreadPriority(thread) == THREAD_PRIORITY_LOWEST);
	/* What the others count from stays. */
	EXPECT(SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_BELOW_NORMAL));
	EXPECT(getpriority(PRIO_PROCESS, 0) == base + 5);
	EXPECT(GetThreadPriority(GetCurrentThread()) == THREAD_PRIORITY_BELOW_NORMAL);
	EXPECT(GetThreadPriority(first) == THREAD_PRIORITY_BELOW_NORMAL);
	EXPECT(GetThreadPriority(thread) == THREAD_PRIORITY_LOWEST);
	EXPECT(SetThreadPriority(first, THREAD_PRIORITY_LOWEST));
	EXPECT(getpriority(PRIO_PROCESS, 0) == (base < 10 ? base + 10 : 19));
	EXPECT(GetThreadPriority(first) == THREAD_PRIORITY_LOWEST);
	EXPECT(GetThreadPriority(thread) == THREAD_PRIORITY_LOWEST);
}

static void test_priorities_are_nice_values(void **state)
{
	/* PR-02 */
	(void)state;
	in_fork(set_beside_the_kernel);
}

static void test_threads_that_have_ended_have_no_priority(void **state)
{
	/* PR-04 */
	HANDLE thread = create(value_of, 1, 0);

	(void)state;
	assert_int_equal(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	assert_int_equal(GetThreadPriority(thread), THREAD_PRIORITY_ERROR_RETURN);
	assert_int_equal(GetLastError(), ERROR_ACCESS_DENIED);
	assert_false(SetThreadPriority(thread, THREAD_PRIORITY_NORMAL));
	assert_int_equal(GetLastError(), ERROR_ACCESS_DENIED);
	assert_true(CloseHandle(thread));
}

#define WITH_CHILD(test) cmocka_unit_test_setup_teardown(test, start_child, end_child)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CHILD(test_waits_without_descriptors_of_threads),
		WITH_CHILD(test_end_of_the_process_without_descriptors_of_threads),
		WITH_CHILD(test_stack_that_stays_for_a_while),
		WITH_CHILD(test_stack_that_cannot_be_given_back),
		WITH_CHILD(test_looks_see_that_the_stack_cannot_be_given_back),
		WITH_CHILD(test_target_that_dies_before_the_stack_is_given_back),
		WITH_CHILD(test_thread_that_is_known_to_have_ended_asks_nobody),
		WITH_CHILD(test_signals_end_no_wait),
		WITH_CHILD(test_seven_weeks_are_not_over_at_once),
		WITH_CHILD(test_snapshots_cannot_be_waited_for),
		WITH_CHILD(test_two_handles_of_one_object_are_twice_the_same),
		WITH_CHILD(test_any_thread_of_the_process_makes_calls),
		WITH_CHILD(test_first_thread_makes_calls),
		WITH_CHILD(test_what_has_ended_comes_before_calls),
		WITH_CHILD(test_calls_may_wait_and_end_their_thread),
		WITH_CHILD(test_process_without_the_library_makes_no_calls),
		WITH_CHILD(test_calls_stay_with_the_parent),
		WITH_CHILD(test_alertable_waits_without_a_descriptor_to_spare),
		WITH_CHILD(test_priorities_without_privilege),
		WITH_CHILD(test_priorities_are_nice_values),
		WITH_CHILD(test_threads_that_have_ended_have_no_priority),
	};

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
