/* SPDX-License-Identifier: BSD-2-Clause */
/* wt.c - WaitForSingleObject(), WaitForMultipleObjects() */
#include "test.h"

/* The thread's handle: it ends when the gate of the target is opened. */
static HANDLE create_gated(DWORD code)
{
	return thread_create(shared, gated, code, 0);
}

static void end_gated(HANDLE thread)
{
	target_open_gate(shared, 1);
	CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK(CloseHandle(thread));
	target_runs(shared, 1);
}

TEST(WT_01)
{
	for (DWORD i = 0; i < 100; i++) {
		HANDLE thread = create_gated(i);
		DWORD code = UNTOUCHED;

		CHECK_EQ(WaitForSingleObject(thread, 0), WAIT_TIMEOUT);
		target_open_gate(shared, 1);
		CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
		CHECK(GetExitCodeThread(thread, &code));
		CHECK_EQ(code, i);
		CHECK(CloseHandle(thread));
	}
	target_runs(shared, 100);
}

static void check_timeout(DWORD n, const HANDLE *handles, BOOL all, DWORD ms)
{
	uint64_t began = clock_ms();

	if (n == 1)
		CHECK_EQ(WaitForSingleObject(handles[0], ms), WAIT_TIMEOUT);
	else
		CHECK_EQ(WaitForMultipleObjects(n, handles, all, ms), WAIT_TIMEOUT);
	CHECK(clock_ms() - began + clock_step_ms() >= ms);
}

TEST(WT_02)
{
	HANDLE thread = create_gated(0);
	HANDLE all[] = { thread, shared->process };

	check_timeout(1, all, FALSE, 40);
	check_timeout(1, all + 1, FALSE, 40);
	check_timeout(2, all, FALSE, 40);
	check_timeout(2, all, TRUE, 40);
	end_gated(thread);
}

/* 2,000 of them would take half a minute if each waited for a tick of the clock. */
TEST(WT_03)
{
	HANDLE thread = create_gated(0);
	HANDLE all[] = { shared->process, thread };
	uint64_t began = clock_ms();

	for (int i = 0; i < 1000; i++) {
		CHECK_EQ(WaitForSingleObject(thread, 0), WAIT_TIMEOUT);
		CHECK_EQ(WaitForMultipleObjects(2, all, i % 2, 0), WAIT_TIMEOUT);
	}
	CHECK(clock_ms() - began < PATIENCE_MS / 2);
	end_gated(thread);
}

struct waiter {
	HANDLE object;
	volatile LONG has_begun;
};

static DWORD WINAPI wait_for(LPVOID argument)
{
	struct waiter *waiter = argument;

	__atomic_store_n(&waiter->has_begun, 1, __ATOMIC_SEQ_CST);
	return WaitForSingleObject(waiter->object, INFINITE);
}

static HANDLE start_waiter(struct waiter *waiter, HANDLE object)
{
	HANDLE thread;

	*waiter = (struct waiter){ .object = object };
	thread = CreateThread(NULL, 0, wait_for, waiter, 0, NULL);
	while (!__atomic_load_n(&waiter->has_begun, __ATOMIC_SEQ_CST))
		yield_processor();
	return thread;
}

TEST(WT_04)
{
	HANDLE object = create_gated(0), thread;
	struct waiter waiter;

	thread = start_waiter(&waiter, object);
	CHECK_EQ(WaitForSingleObject(thread, 100), WAIT_TIMEOUT);
	target_open_gate(shared, 1);
	CHECK_EQ(thread_finish(thread), WAIT_OBJECT_0);
	CHECK(CloseHandle(object));
	target_runs(shared, 1);
}

TEST(WT_05)
{
	struct target *t = target_start();
	HANDLE own[] = { GetCurrentProcess(), GetCurrentThread() };

	CHECK_EQ(WaitForSingleObject(t->process, 0), WAIT_TIMEOUT);
	target_kill(t);
	CHECK_EQ(WaitForSingleObject(t->process, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK_EQ(WaitForSingleObject(t->process, 0), WAIT_OBJECT_0);
	target_free(t);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(WaitForSingleObject(own[i], 10), WAIT_TIMEOUT);
}

TEST(WT_06)
{
	HANDLE thread = thread_create(shared, value, 3, 0);

	for (int i = 0; i < 5; i++) {
		CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
		CHECK_EQ(WaitForMultipleObjects(1, &thread, i % 2, 0), WAIT_OBJECT_0);
	}
	CHECK(CloseHandle(thread));
	target_runs(shared, 1);
}

TEST(WT_07)
{
	HANDLE closed = target_open(shared, SYNCHRONIZE);
	HANDLE bad[] = { NULL, (HANDLE)(uintptr_t)0x7777774, closed };

	CHECK(CloseHandle(closed));
	for (int i = 0; i < 3; i++) {
		CHECK_FAILS_ONES(WaitForSingleObject(bad[i], 0), ERROR_INVALID_HANDLE);
		CHECK_FAILS_ONES(WaitForMultipleObjects(1, &bad[i], FALSE, 0), ERROR_INVALID_HANDLE);
	}
}

TEST(WT_08)
{
	HANDLE query = target_open(shared, PROCESS_QUERY_INFORMATION | PROCESS_TERMINATE);
	HANDLE enough = target_open(shared, SYNCHRONIZE);
	HANDLE both[] = { enough, query };

	CHECK_FAILS_ONES(WaitForSingleObject(query, 0), ERROR_ACCESS_DENIED);
	CHECK_FAILS_ONES(WaitForMultipleObjects(2, both, FALSE, 0), ERROR_ACCESS_DENIED);
	CHECK_EQ(WaitForSingleObject(enough, 0), WAIT_TIMEOUT);
	CHECK(CloseHandle(query));
	CHECK(CloseHandle(enough));
}

TEST(WT_09)
{
	HANDLE thread[3];
	HANDLE mixed[4] = { shared->process };

	for (DWORD i = 0; i < 3; i++)
		mixed[i + 1] = thread[i] = thread_create(shared, value, i, CREATE_SUSPENDED);
	CHECK_EQ(ResumeThread(thread[2]), 1);
	CHECK_EQ(WaitForMultipleObjects(4, mixed, FALSE, PATIENCE_MS), WAIT_OBJECT_0 + 3);
	CHECK_EQ(ResumeThread(thread[1]), 1);
	CHECK_EQ(WaitForSingleObject(thread[1], PATIENCE_MS), WAIT_OBJECT_0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(WaitForMultipleObjects(4, mixed, FALSE, PATIENCE_MS), WAIT_OBJECT_0 + 2);
	CHECK_EQ(ResumeThread(thread[0]), 1);
	for (DWORD i = 0; i < 3; i++)
		CHECK_EQ(thread_finish(thread[i]), i);
	target_runs(shared, 3);
}

TEST(WT_10)
{
	HANDLE thread[2] = { create_gated(0), create_gated(1) };

	CHECK_EQ(WaitForMultipleObjects(2, thread, TRUE, 10), WAIT_TIMEOUT);
	target_open_gate(shared, 1);
	CHECK(WaitForMultipleObjects(2, thread, FALSE, PATIENCE_MS) <= WAIT_OBJECT_0 + 1);
	CHECK_EQ(WaitForMultipleObjects(2, thread, TRUE, 10), WAIT_TIMEOUT);
	target_open_gate(shared, 1);
	CHECK_EQ(WaitForMultipleObjects(2, thread, TRUE, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK_EQ(thread_finish(thread[0]), 0);
	CHECK_EQ(thread_finish(thread[1]), 1);
	target_runs(shared, 2);
}

TEST(WT_11)
{
	HANDLE many[MAXIMUM_WAIT_OBJECTS + 1];

	for (int i = 0; i < MAXIMUM_WAIT_OBJECTS + 1; i++)
		many[i] = shared->process;
	for (int all = FALSE; all <= TRUE; all++) {
		CHECK_FAILS_ONES(WaitForMultipleObjects(0, many, all, 0), ERROR_INVALID_PARAMETER);
		CHECK_FAILS_ONES(WaitForMultipleObjects(MAXIMUM_WAIT_OBJECTS + 1, many, all, 0),
				 ERROR_INVALID_PARAMETER);
	}
}

TEST(WT_12)
{
	HANDLE thread = thread_create(shared, value, 0, 0);
	HANDLE two[] = { thread, NULL };

	CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK_FAILS_ONES(WaitForMultipleObjects(2, two, FALSE, 0), ERROR_INVALID_HANDLE);
	CHECK_FAILS_ONES(WaitForMultipleObjects(2, two, TRUE, 0), ERROR_INVALID_HANDLE);
	CHECK(CloseHandle(thread));
	target_runs(shared, 1);
}

TEST(WT_13)
{
	HANDLE thread = thread_create(shared, value, 0, 0);
	HANDLE twice[] = { thread, thread };

	CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK_FAILS_ONES(WaitForMultipleObjects(2, twice, TRUE, 0), ERROR_INVALID_PARAMETER);
	CHECK_EQ(WaitForMultipleObjects(2, twice, FALSE, 0), WAIT_OBJECT_0);
	CHECK(CloseHandle(thread));
	target_runs(shared, 1);
}

TEST(WT_14)
{
	struct target *t = target_start();
	HANDLE mixed[] = { create_gated(0), t->process, shared->process };

	CHECK_EQ(WaitForMultipleObjects(3, mixed, FALSE, 0), WAIT_TIMEOUT);
	target_kill(t);
	CHECK_EQ(WaitForMultipleObjects(3, mixed, FALSE, PATIENCE_MS), WAIT_OBJECT_0 + 1);
	CHECK_EQ(WaitForMultipleObjects(2, mixed, TRUE, 10), WAIT_TIMEOUT);
	target_open_gate(shared, 1);
	CHECK_EQ(WaitForMultipleObjects(2, mixed, TRUE, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK(CloseHandle(mixed[0]));
	target_runs(shared, 1);
	target_free(t);
}

TEST(WT_15)
{
	HANDLE object = create_gated(0), waiting[8];
	struct waiter waiter[8];

	for (int i = 0; i < 8; i++)
		waiting[i] = start_waiter(&waiter[i], object);
	CHECK_EQ(WaitForMultipleObjects(8, waiting, FALSE, 20), WAIT_TIMEOUT);
	target_open_gate(shared, 1);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(thread_finish(waiting[i]), WAIT_OBJECT_0);
	CHECK(CloseHandle(object));
	target_runs(shared, 1);
}

TEST(WT_16)
{
	struct target *t = target_start();
	HANDLE thread[] = {
		thread_create(t, gated, 0, 0),
		thread_create(t, value, 0, CREATE_SUSPENDED),
		thread_create(t, spin, (uintptr_t)target_address(t, &spot[0]), 0),
	};

	CHECK_EQ(WaitForMultipleObjects(3, thread, FALSE, 10), WAIT_TIMEOUT);
	target_kill(t);
	CHECK_EQ(WaitForMultipleObjects(3, thread, TRUE, PATIENCE_MS), WAIT_OBJECT_0);
	for (int i = 0; i < 3; i++)
		CHECK(CloseHandle(thread[i]));
	target_free(t);
}

TEST(WT_17)
{
	HANDLE thread = create_gated(0);

	SetLastError(UNTOUCHED);
	CHECK_EQ(WaitForSingleObject(thread, 1), WAIT_TIMEOUT);
	CHECK_EQ(WaitForMultipleObjects(1, &thread, TRUE, 1), WAIT_TIMEOUT);
	CHECK_EQ(GetLastError(), UNTOUCHED);
	target_open_gate(shared, 1);
	SetLastError(UNTOUCHED);
	CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK_EQ(WaitForMultipleObjects(1, &thread, TRUE, 1), WAIT_OBJECT_0);
	CHECK_EQ(GetLastError(), UNTOUCHED);
	CHECK(CloseHandle(thread));
	target_runs(shared, 1);
}

TEST(WT_18)
{
	HANDLE thread[MAXIMUM_WAIT_OBJECTS];

	for (DWORD i = 0; i < MAXIMUM_WAIT_OBJECTS; i++)
		thread[i] = thread_create(shared, value, i, CREATE_SUSPENDED);
	CHECK_EQ(WaitForMultipleObjects(MAXIMUM_WAIT_OBJECTS, thread, FALSE, 0), WAIT_TIMEOUT);
	CHECK_EQ(ResumeThread(thread[MAXIMUM_WAIT_OBJECTS - 1]), 1);
	CHECK_EQ(WaitForMultipleObjects(MAXIMUM_WAIT_OBJECTS, thread, FALSE, PATIENCE_MS),
		 WAIT_OBJECT_0 + MAXIMUM_WAIT_OBJECTS - 1);
	CHECK_EQ(WaitForMultipleObjects(MAXIMUM_WAIT_OBJECTS, thread, TRUE, 10), WAIT_TIMEOUT);
	for (DWORD i = 0; i < MAXIMUM_WAIT_OBJECTS - 1; i++)
		CHECK_EQ(ResumeThread(thread[i]), 1);
	CHECK_EQ(WaitForMultipleObjects(MAXIMUM_WAIT_OBJECTS, thread, TRUE, PATIENCE_MS),
		 WAIT_OBJECT_0);
	for (DWORD i = 0; i < MAXIMUM_WAIT_OBJECTS; i++)
		CHECK_EQ(thread_finish(thread[i]), i);
	target_runs(shared, MAXIMUM_WAIT_OBJECTS);
}
