/* SPDX-License-Identifier: BSD-2-Clause */
/* sr.c - SuspendThread(), ResumeThread() */
#include "test.h"

static void wait_for_begin(struct target *t)
{
	uint64_t limit = clock_ms() + PATIENCE_MS;

	while (target_get(t, &spot[0]) == 0 && clock_ms() < limit)
		yield_processor();
	CHECK(target_get(t, &spot[0]) != 0);
}

/* A thread that counts in spot[0] until spot[1] is set. */
static HANDLE start_counting(struct target *t)
{
	HANDLE thread;

	target_set(t, &spot[0], 0);
	target_set(t, &spot[1], 0);
	thread = thread_create(t, counting, (uintptr_t)target_address(t, spot), 0);
	if (thread)
		wait_for_begin(t);
	return thread;
}

static void end_counting(struct target *t, HANDLE thread)
{
	target_set(t, &spot[1], 1);
	thread_finish(thread);
}

static bool stands_still(struct target *t)
{
	LONG now = target_get(t, &spot[0]);
	uint64_t limit = clock_ms() + 30;

	while (clock_ms() < limit)
		yield_processor();
	return target_get(t, &spot[0]) == now;
}

static bool gets_on(struct target *t)
{
	LONG now = target_get(t, &spot[0]);
	uint64_t limit = clock_ms() + PATIENCE_MS;

	while (target_get(t, &spot[0]) == now && clock_ms() < limit)
		yield_processor();
	return target_get(t, &spot[0]) != now;
}

TEST(SR_01)
{
	HANDLE thread = start_counting(shared), other;

	REQUIRE(thread != NULL);
	other = OpenThread(THREAD_SUSPEND_RESUME, FALSE, GetThreadId(thread));
	CHECK(other != NULL);
	CHECK_EQ(SuspendThread(thread), 0);
	CHECK_EQ(SuspendThread(other), 1);
	CHECK_EQ(SuspendThread(thread), 2);
	CHECK_EQ(ResumeThread(other), 3);
	CHECK_EQ(ResumeThread(thread), 2);
	CHECK_EQ(ResumeThread(other), 1);
	CHECK(gets_on(shared));
	CHECK(CloseHandle(other));
	end_counting(shared, thread);
}

TEST(SR_02)
{
	HANDLE thread = start_counting(shared), other;
	DWORD id;

	REQUIRE(thread != NULL);
	id = GetThreadId(thread);
	other = OpenThread(THREAD_SUSPEND_RESUME, FALSE, id);
	CHECK_EQ(SuspendThread(other), 0);
	CHECK(stands_still(shared));
	CHECK(CloseHandle(other));
	CHECK(stands_still(shared));
	CHECK_EQ(WaitForSingleObject(thread, 10), WAIT_TIMEOUT);
	CHECK(CloseHandle(thread));
	CHECK(stands_still(shared));
	thread = OpenThread(THREAD_ALL_ACCESS, FALSE, id);
	REQUIRE(thread != NULL);
	CHECK_EQ(ResumeThread(thread), 1);
	CHECK(gets_on(shared));
	end_counting(shared, thread);
}

/* Also after the handle that it was created with is closed. */
TEST(SR_02_created)
{
	unsigned int before = target_runs(shared, 0);
	HANDLE thread = thread_create(shared, value, 3, CREATE_SUSPENDED);
	DWORD id;

	REQUIRE(thread != NULL);
	id = GetThreadId(thread);
	CHECK(CloseHandle(thread));
	thread = OpenThread(THREAD_ALL_ACCESS, FALSE, id);
	REQUIRE(thread != NULL);
	CHECK_EQ(WaitForSingleObject(thread, 10), WAIT_TIMEOUT);
	CHECK_EQ(target_runs(shared, 0), before);
	CHECK_EQ(ResumeThread(thread), 1);
	CHECK_EQ(target_runs(shared, 1), before + 1);
	CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK(CloseHandle(thread));
}

TEST(SR_03)
{
	HANDLE thread = start_counting(shared);

	REQUIRE(thread != NULL);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(SuspendThread(thread), 0);
		CHECK_EQ(ResumeThread(thread), 1);
		CHECK(gets_on(shared));
	}
	end_counting(shared, thread);
}

TEST(SR_04)
{
	HANDLE thread = start_counting(shared);

	REQUIRE(thread != NULL);
	CHECK_EQ(ResumeThread(thread), 0);
	CHECK_EQ(ResumeThread(GetCurrentThread()), 0);
	CHECK_EQ(SuspendThread(thread), 0);
	CHECK_EQ(ResumeThread(thread), 1);
	CHECK_EQ(ResumeThread(thread), 0);
	CHECK(gets_on(shared));
	end_counting(shared, thread);
}

TEST(SR_05)
{
	HANDLE thread = thread_create(shared, value, 1, CREATE_SUSPENDED);

	REQUIRE(thread != NULL);
	for (DWORD n = 1; n < MAXIMUM_SUSPEND_COUNT; n++)
		CHECK_EQ(SuspendThread(thread), n);
	CHECK_FAILS_ONES(SuspendThread(thread), ERROR_SIGNAL_REFUSED);
	for (DWORD n = MAXIMUM_SUSPEND_COUNT; n > 0; n--)
		CHECK_EQ(ResumeThread(thread), n);
	CHECK_EQ(thread_finish(thread), 1);
	target_runs(shared, 1);
}

TEST(SR_06)
{
	HANDLE thread = start_counting(shared), other;

	REQUIRE(thread != NULL);
	other = OpenThread(THREAD_ALL_ACCESS & ~THREAD_SUSPEND_RESUME, FALSE, GetThreadId(thread));
	CHECK(other != NULL);
	CHECK_FAILS_ONES(SuspendThread(other), ERROR_ACCESS_DENIED);
	CHECK_FAILS_ONES(ResumeThread(other), ERROR_ACCESS_DENIED);
	CHECK(gets_on(shared));
	CHECK(CloseHandle(other));
	end_counting(shared, thread);
}

TEST(SR_07)
{
	HANDLE thread = thread_create(shared, value, 1, 0);

	REQUIRE(thread != NULL);
	CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK_FAILS_ONES(SuspendThread(thread), ERROR_ACCESS_DENIED);
	CHECK_EQ(ResumeThread(thread), 0);
	CHECK_EQ(thread_finish(thread), 1);
	target_runs(shared, 1);
}

TEST(SR_08)
{
	HANDLE thread = thread_create(shared, value, 1, 0);

	REQUIRE(thread != NULL);
	CHECK_FAILS_ONES(SuspendThread(NULL), ERROR_INVALID_HANDLE);
	CHECK_FAILS_ONES(ResumeThread(NULL), ERROR_INVALID_HANDLE);
	CHECK_FAILS_ONES(SuspendThread(shared->process), ERROR_INVALID_HANDLE);
	CHECK_FAILS_ONES(ResumeThread(shared->process), ERROR_INVALID_HANDLE);
	CHECK_FAILS_ONES(SuspendThread((HANDLE)(uintptr_t)0x7ffffff0), ERROR_INVALID_HANDLE);
	CHECK_FAILS_ONES(SuspendThread(GetCurrentProcess()), ERROR_INVALID_HANDLE);
	CHECK_EQ(thread_finish(thread), 1);
	target_runs(shared, 1);
}

TEST(SR_09)
{
	unsigned int before = target_runs(shared, 0);
	HANDLE thread = thread_create(shared, value, 8, CREATE_SUSPENDED);

	REQUIRE(thread != NULL);
	CHECK_EQ(SuspendThread(thread), 1);
	CHECK_EQ(ResumeThread(thread), 2);
	CHECK_EQ(target_runs(shared, 0), before);
	CHECK_EQ(ResumeThread(thread), 1);
	CHECK_EQ(thread_finish(thread), 8);
	target_runs(shared, 1);
}

TEST(SR_10)
{
	unsigned int before = target_runs(shared, 0);
	HANDLE thread = thread_create(shared, gated, 4, 0);

	REQUIRE(thread != NULL);
	CHECK_EQ(SuspendThread(thread), 0);
	target_open_gate(shared, 1);
	CHECK_EQ(WaitForSingleObject(thread, 30), WAIT_TIMEOUT);
	CHECK_EQ(target_runs(shared, 0), before);
	CHECK_EQ(ResumeThread(thread), 1);
	CHECK_EQ(thread_finish(thread), 4);
	target_runs(shared, 1);
}

TEST(SR_11)
{
	HANDLE thread = thread_create(shared, gated, 4, 0), other = start_counting(shared);

	REQUIRE(thread != NULL && other != NULL);
	CHECK_EQ(SuspendThread(thread), 0);
	CHECK(gets_on(shared));
	CHECK(target_is_alive(shared));
	CHECK_EQ(target_run(shared, value, 6), 6);
	CHECK_EQ(ResumeThread(thread), 1);
	end_counting(shared, other);
	target_open_gate(shared, 1);
	CHECK_EQ(thread_finish(thread), 4);
	target_runs(shared, 2);
}

TEST(SR_12)
{
	HANDLE thread = start_counting(shared);

	REQUIRE(thread != NULL);
	CHECK_EQ(SuspendThread(thread), 0);
	CHECK(TerminateThread(thread, 55));
	CHECK_EQ(thread_finish(thread), 55);
}

/* The calling thread, by its pseudo-handle; somebody else resumes it. */
static DWORD WINAPI suspend_itself(LPVOID unused)
{
	(void)unused;
	return SuspendThread(GetCurrentThread()) + 100;
}

TEST(SR_02_itself)
{
	HANDLE thread = CreateThread(NULL, 0, suspend_itself, NULL, 0, NULL);
	uint64_t limit = clock_ms() + PATIENCE_MS;
	DWORD previous = 0;

	REQUIRE(thread != NULL);
	while (previous == 0 && clock_ms() < limit) {
		previous = ResumeThread(thread);
		yield_processor();
	}
	CHECK_EQ(previous, 1);
	CHECK_EQ(thread_finish(thread), 100);
}

/* A thread of the own process. */
TEST(SR_03_own)
{
	static volatile LONG here[2];
	HANDLE thread = CreateThread(NULL, 0, counting, (LPVOID)here, 0, NULL);
	uint64_t limit = clock_ms() + PATIENCE_MS;
	LONG now;

	REQUIRE(thread != NULL);
	while (here[0] == 0 && clock_ms() < limit)
		yield_processor();
	CHECK_EQ(SuspendThread(thread), 0);
	now = here[0];
	CHECK_EQ(WaitForSingleObject(thread, 30), WAIT_TIMEOUT);
	CHECK_EQ(here[0], now);
	CHECK_EQ(ResumeThread(thread), 1);
	here[1] = 1;
	thread_finish(thread);
	CHECK(here[0] >= now);
}

/* New threads are made although the others are suspended (CRT-38). */
TEST(SR_02_others)
{
	HANDLE thread = start_counting(shared);

	REQUIRE(thread != NULL);
	CHECK_EQ(SuspendThread(thread), 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(target_run(shared, value, 9), 9);
	CHECK(stands_still(shared));
	CHECK_EQ(ResumeThread(thread), 1);
	target_runs(shared, 10);
	end_counting(shared, thread);
}
