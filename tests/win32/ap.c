/* SPDX-License-Identifier: BSD-2-Clause */
/* ap.c - QueueUserAPC(), SleepEx() and the alertable waits */
#include "test.h"

#define N_CALLS 100

/* What the calls note; nobody looks before the thread that makes them says so. */
static volatile LONG n_calls;
static ULONG_PTR arguments[N_CALLS];
static DWORD callers[N_CALLS];

static VOID CALLBACK note_call(ULONG_PTR argument)
{
	LONG i = __atomic_fetch_add(&n_calls, 1, __ATOMIC_SEQ_CST);

	if (i < N_CALLS) {
		arguments[i] = argument;
		callers[i] = system_thread_id();
	}
}

static void forget_calls(void)
{
	__atomic_store_n(&n_calls, 0, __ATOMIC_SEQ_CST);
}

static LONG calls(void)
{
	return __atomic_load_n(&n_calls, __ATOMIC_SEQ_CST);
}

enum way { SLEEP, WAIT_FOR_ONE, WAIT_FOR_ANY, WAIT_FOR_ALL, N_WAYS };

static DWORD wait_in(enum way way, DWORD ms)
{
	HANDLE both[] = { shared->process, GetCurrentThread() };

	switch (way) {
	case SLEEP:
		return SleepEx(ms, TRUE);
	case WAIT_FOR_ONE:
		return WaitForSingleObjectEx(shared->process, ms, TRUE);
	default:
		return WaitForMultipleObjectsEx(2, both, way == WAIT_FOR_ALL, ms, TRUE);
	}
}

static volatile LONG has_begun;

static DWORD WINAPI wait_alertably(LPVOID way)
{
	__atomic_store_n(&has_begun, 1, __ATOMIC_SEQ_CST);
	return wait_in((enum way)(uintptr_t)way, INFINITE);
}

static HANDLE start(LPTHREAD_START_ROUTINE function, uintptr_t argument)
{
	HANDLE thread;

	__atomic_store_n(&has_begun, 0, __ATOMIC_SEQ_CST);
	thread = CreateThread(NULL, 0, function, (LPVOID)argument, 0, NULL);
	CHECK(thread != NULL);
	while (thread && !__atomic_load_n(&has_begun, __ATOMIC_SEQ_CST))
		yield_processor();
	return thread;
}

/* The call comes before the wait or during it; with patience, during. */
static void interrupt(enum way way, DWORD patience_ms)
{
	HANDLE thread = start(wait_alertably, way);
	DWORD id = GetThreadId(thread);

	forget_calls();
	if (patience_ms)
		CHECK_EQ(WaitForSingleObject(thread, patience_ms), WAIT_TIMEOUT);
	SetLastError(UNTOUCHED);
	CHECK(QueueUserAPC(note_call, thread, (ULONG_PTR)way + 7) != 0);
	CHECK_EQ(GetLastError(), UNTOUCHED);
	CHECK_EQ(thread_finish(thread), WAIT_IO_COMPLETION);
	CHECK_EQ(calls(), 1);
	CHECK_EQ(arguments[0], way + 7);
	CHECK_EQ(callers[0], id);
}

TEST(AP_01)
{
	interrupt(SLEEP, 20);
	for (int i = 0; i < 100; i++)
		interrupt(SLEEP, 0);
}

TEST(AP_01_waits)
{
	for (int way = WAIT_FOR_ONE; way < N_WAYS; way++) {
		interrupt((enum way)way, 20);
		for (int i = 0; i < 30; i++)
			interrupt((enum way)way, 0);
	}
}

TEST(AP_01_own)
{
	for (int way = 0; way < N_WAYS; way++) {
		forget_calls();
		CHECK_EQ(wait_in((enum way)way, 0), way == SLEEP ? 0 : WAIT_TIMEOUT);
		CHECK(QueueUserAPC(note_call, GetCurrentThread(), 5) != 0);
		CHECK_EQ(wait_in((enum way)way, INFINITE), WAIT_IO_COMPLETION);
		CHECK_EQ(calls(), 1);
		CHECK_EQ(callers[0], system_thread_id());
		CHECK_EQ(wait_in((enum way)way, 0), way == SLEEP ? 0 : WAIT_TIMEOUT);
	}
}

/* An alertable wait that nobody interrupts is a wait. */
TEST(AP_01_nothing)
{
	HANDLE thread = thread_create(shared, gated, 9, 0);
	HANDLE both[] = { shared->process, thread };
	uint64_t began = clock_ms();

	CHECK_EQ(SleepEx(30, TRUE), 0);
	CHECK_EQ(WaitForSingleObjectEx(thread, 30, TRUE), WAIT_TIMEOUT);
	CHECK_EQ(WaitForMultipleObjectsEx(2, both, FALSE, 30, TRUE), WAIT_TIMEOUT);
	CHECK_EQ(WaitForMultipleObjectsEx(2, both, TRUE, 30, TRUE), WAIT_TIMEOUT);
	CHECK(clock_ms() - began >= 120);
	target_open_gate(shared, 1);
	CHECK_EQ(WaitForSingleObjectEx(thread, PATIENCE_MS, TRUE), WAIT_OBJECT_0);
	CHECK_EQ(WaitForMultipleObjectsEx(2, both, FALSE, PATIENCE_MS, TRUE), WAIT_OBJECT_0 + 1);
	thread_finish(thread);
	target_runs(shared, 1);
}

TEST(AP_02)
{
	for (int way = 0; way < N_WAYS; way++) {
		forget_calls();
		for (ULONG_PTR i = 0; i < N_CALLS; i++)
			CHECK(QueueUserAPC(note_call, GetCurrentThread(), i) != 0);
		CHECK_EQ(wait_in((enum way)way, INFINITE), WAIT_IO_COMPLETION);
		CHECK_EQ(calls(), N_CALLS);
		for (ULONG_PTR i = 0; i < N_CALLS; i++)
			CHECK_EQ(arguments[i], i);
		CHECK_EQ(SleepEx(0, TRUE), 0);
	}
}

static DWORD WINAPI wait_unmoved(LPVOID object)
{
	DWORD waited;

	__atomic_store_n(&has_begun, 1, __ATOMIC_SEQ_CST);
	waited = WaitForSingleObject(object, INFINITE);
	Sleep(1);
	(void)SleepEx(1, FALSE);
	(void)WaitForSingleObjectEx(shared->process, 1, FALSE);
	(void)WaitForMultipleObjectsEx(1, &shared->process, FALSE, 1, FALSE);
	if (waited != WAIT_OBJECT_0 || calls() != 0)
		return 0;
	return SleepEx(INFINITE, TRUE) == WAIT_IO_COMPLETION && calls() == 1;
}

TEST(AP_03)
{
	HANDLE object = thread_create(shared, gated, 0, 0);
	HANDLE thread = start(wait_unmoved, (uintptr_t)object);

	forget_calls();
	CHECK(QueueUserAPC(note_call, thread, 1) != 0);
	CHECK_EQ(WaitForSingleObject(thread, 20), WAIT_TIMEOUT);
	CHECK_EQ(calls(), 0);
	target_open_gate(shared, 1);
	CHECK_EQ(thread_finish(thread), 1);
	thread_finish(object);
	target_runs(shared, 1);
}

/* Nor does anybody else. */
TEST(AP_03_others)
{
	HANDLE object = thread_create(shared, gated, 0, 0);
	HANDLE thread = start(wait_unmoved, (uintptr_t)object);

	forget_calls();
	CHECK(QueueUserAPC(note_call, thread, 1) != 0);
	CHECK_EQ(SleepEx(20, TRUE), 0);
	CHECK_EQ(calls(), 0);
	target_open_gate(shared, 1);
	CHECK_EQ(thread_finish(thread), 1);
	thread_finish(object);
	target_runs(shared, 1);
}

static DWORD WINAPI wait_and_end(LPVOID object)
{
	__atomic_store_n(&has_begun, 1, __ATOMIC_SEQ_CST);
	return WaitForSingleObject(object, INFINITE);
}

/* What is queued to a thread that ends without waiting is dropped. */
TEST(AP_03_end)
{
	HANDLE object = thread_create(shared, gated, 0, 0);
	HANDLE thread = start(wait_and_end, (uintptr_t)object);

	forget_calls();
	for (ULONG_PTR i = 0; i < 5; i++)
		CHECK(QueueUserAPC(note_call, thread, i) != 0);
	target_open_gate(shared, 1);
	CHECK_EQ(thread_finish(thread), WAIT_OBJECT_0);
	CHECK_EQ(calls(), 0);
	thread_finish(object);
	target_runs(shared, 1);
}

static DWORD WINAPI wait_for(LPVOID object)
{
	HANDLE both[] = { shared->process, object };

	__atomic_store_n(&has_begun, 1, __ATOMIC_SEQ_CST);
	return WaitForMultipleObjectsEx(2, both, TRUE, INFINITE, TRUE);
}

/* The frame looks whether the ended wait has left handles. */
TEST(AP_03_terminated)
{
	for (int i = 0; i < 20; i++) {
		HANDLE object = OpenProcess(SYNCHRONIZE, FALSE, GetCurrentProcessId());
		HANDLE thread = start(wait_for, (uintptr_t)object);

		REQUIRE(object != NULL && thread != NULL);
		forget_calls();
		CHECK_EQ(WaitForSingleObject(thread, 5), WAIT_TIMEOUT);
		CHECK(TerminateThread(thread, 3));
		CHECK_EQ(thread_finish(thread), 3);
		CHECK_EQ(calls(), 0);
		CHECK(CloseHandle(object));
	}
}

static DWORD WINAPI count_calls(LPVOID unused)
{
	(void)unused;
	return (DWORD)calls();
}

TEST(AP_04)
{
	DWORD id = 0;
	HANDLE thread = CreateThread(NULL, 0, count_calls, NULL, CREATE_SUSPENDED, &id);

	REQUIRE(thread != NULL);
	forget_calls();
	for (ULONG_PTR i = 0; i < 3; i++)
		CHECK(QueueUserAPC(note_call, thread, i) != 0);
	CHECK_EQ(calls(), 0);
	CHECK_EQ(ResumeThread(thread), 1);
	CHECK_EQ(thread_finish(thread), 3);
	for (ULONG_PTR i = 0; i < 3; i++) {
		CHECK_EQ(arguments[i], i);
		CHECK_EQ(callers[i], id);
	}
}

TEST(AP_05)
{
	HANDLE bad[] = { NULL, (HANDLE)(uintptr_t)0x7777774, shared->process, GetCurrentProcess() };
	HANDLE thread = CreateThread(NULL, 0, count_calls, NULL, CREATE_SUSPENDED, NULL);
	DWORD id = GetThreadId(thread);
	HANDLE without = OpenThread(THREAD_ALL_ACCESS & ~(DWORD)THREAD_SET_CONTEXT, FALSE, id);
	HANDLE enough = OpenThread(THREAD_SET_CONTEXT, FALSE, id);

	REQUIRE(thread != NULL && without != NULL && enough != NULL);
	forget_calls();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_FAILS(QueueUserAPC(note_call, bad[i], 0), ERROR_INVALID_HANDLE);
	CHECK_FAILS(QueueUserAPC(note_call, without, 0), ERROR_ACCESS_DENIED);
	CHECK(QueueUserAPC(note_call, enough, 0) != 0);
	CHECK(CloseHandle(without));
	CHECK(CloseHandle(enough));
	CHECK_EQ(ResumeThread(thread), 1);
	CHECK_EQ(thread_finish(thread), 1);
}

TEST(AP_06)
{
	HANDLE thread = CreateThread(NULL, 0, count_calls, NULL, 0, NULL);

	REQUIRE(thread != NULL);
	CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK_FAILS(QueueUserAPC(note_call, thread, 0), ERROR_GEN_FAILURE);
	CHECK(CloseHandle(thread));
}

/* Into another process. */

static DWORD WINAPI sleep_there(LPVOID unused)
{
	(void)unused;
	__atomic_store_n(&has_begun, 1, __ATOMIC_SEQ_CST);
	return SleepEx(INFINITE, TRUE);
}

TEST(AP_01_there)
{
	PAPCFUNC call = (PAPCFUNC)(uintptr_t)target_address(shared, (void *)(uintptr_t)note_call);
	HANDLE thread;

	target_set(shared, &has_begun, 0);
	target_set(shared, &n_calls, 0);
	thread = thread_create(shared, sleep_there, 0, 0);
	REQUIRE(thread != NULL);
	while (!target_get(shared, &has_begun))
		yield_processor();
	CHECK_EQ(WaitForSingleObject(thread, 20), WAIT_TIMEOUT);
	CHECK(QueueUserAPC(call, thread, 77) != 0);
	CHECK_EQ(thread_finish(thread), WAIT_IO_COMPLETION);
	CHECK_EQ(target_get(shared, &n_calls), 1);
}

TEST(AP_06_there)
{
	PAPCFUNC call = (PAPCFUNC)(uintptr_t)target_address(shared, (void *)(uintptr_t)note_call);
	HANDLE thread = thread_create(shared, value, 1, 0);

	REQUIRE(thread != NULL);
	target_runs(shared, 1);
	CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK_FAILS(QueueUserAPC(call, thread, 0), ERROR_GEN_FAILURE);
	CHECK(CloseHandle(thread));
}
