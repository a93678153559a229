/* SPDX-License-Identifier: BSD-2-Clause */
/* pr.c - GetThreadPriority() and SetThreadPriority() */
#include "test.h"

static const int levels[] = {
	THREAD_PRIORITY_IDLE, THREAD_PRIORITY_LOWEST, THREAD_PRIORITY_BELOW_NORMAL,
	THREAD_PRIORITY_NORMAL, THREAD_PRIORITY_ABOVE_NORMAL, THREAD_PRIORITY_HIGHEST,
	THREAD_PRIORITY_TIME_CRITICAL,
};

#define N_LEVELS (sizeof(levels) / sizeof(levels[0]))

static void end_suspended(HANDLE thread)
{
	CHECK_EQ(ResumeThread(thread), 1);
	thread_finish(thread);
}

TEST(PR_01)
{
	HANDLE there = thread_create(shared, value, 0, CREATE_SUSPENDED);
	HANDLE here = CreateThread(NULL, 0, value, NULL, CREATE_SUSPENDED, NULL);

	REQUIRE(there != NULL && here != NULL);
	CHECK_EQ(GetThreadPriority(there), THREAD_PRIORITY_NORMAL);
	CHECK_EQ(GetThreadPriority(here), THREAD_PRIORITY_NORMAL);
	end_suspended(there);
	end_suspended(here);
	target_runs(shared, 1);
}

/* Whose priority a new thread does not take over. */
static DWORD WINAPI create_when_low(LPVOID priority)
{
	HANDLE thread;

	CHECK(SetThreadPriority(GetCurrentThread(), (int)(intptr_t)priority));
	thread = CreateThread(NULL, 0, value, NULL, CREATE_SUSPENDED, NULL);
	if (!CHECK(thread != NULL))
		return 0;
	CHECK_EQ(GetThreadPriority(thread), THREAD_PRIORITY_NORMAL);
	CHECK_EQ((LONG)GetThreadPriority(GetCurrentThread()), (LONG)(intptr_t)priority);
	end_suspended(thread);
	return 1;
}

TEST(PR_01_creator)
{
	for (size_t i = 0; i < N_LEVELS; i++) {
		HANDLE thread = CreateThread(NULL, 0, create_when_low, (LPVOID)(intptr_t)levels[i], 0,
					     NULL);

		REQUIRE(thread != NULL);
		CHECK_EQ(thread_finish(thread), 1);
	}
}

/* Up and down, by another handle, and without an effect on a neighbour. */
static void check_levels(HANDLE thread, HANDLE neighbour)
{
	HANDLE other = OpenThread(THREAD_QUERY_INFORMATION, FALSE, GetThreadId(thread));

	REQUIRE(other != NULL);
	for (size_t i = 0; i < N_LEVELS * N_LEVELS; i++) {
		int level = levels[i % 2 ? i / N_LEVELS : N_LEVELS - 1 - i % N_LEVELS];

		SetLastError(UNTOUCHED);
		CHECK(SetThreadPriority(thread, level));
		CHECK_EQ((LONG)GetThreadPriority(thread), (LONG)level);
		CHECK_EQ((LONG)GetThreadPriority(other), (LONG)level);
		CHECK_EQ(GetLastError(), UNTOUCHED);
		CHECK_EQ(GetThreadPriority(neighbour), THREAD_PRIORITY_NORMAL);
	}
	CHECK(CloseHandle(other));
}

TEST(PR_02)
{
	HANDLE there = thread_create(shared, value, 0, CREATE_SUSPENDED);
	HANDLE here = CreateThread(NULL, 0, value, NULL, CREATE_SUSPENDED, NULL);

	REQUIRE(there != NULL && here != NULL);
	check_levels(there, here);
	CHECK(SetThreadPriority(there, THREAD_PRIORITY_NORMAL));
	check_levels(here, there);
	end_suspended(there);
	end_suspended(here);
	target_runs(shared, 1);
}

static DWORD WINAPI check_own(LPVOID unused)
{
	(void)unused;
	for (size_t i = 0; i < N_LEVELS; i++) {
		CHECK(SetThreadPriority(GetCurrentThread(), levels[i]));
		CHECK_EQ((LONG)GetThreadPriority(GetCurrentThread()), (LONG)levels[i]);
	}
	return 1;
}

TEST(PR_02_own)
{
	HANDLE thread = CreateThread(NULL, 0, check_own, NULL, 0, NULL);

	REQUIRE(thread != NULL);
	CHECK_EQ(thread_finish(thread), 1);
	CHECK_EQ(GetThreadPriority(GetCurrentThread()), THREAD_PRIORITY_NORMAL);
}

TEST(PR_03)
{
	static const int wrong[] = { 3, -3, 14, -14, 16, -16, 0x7fffffff };
	HANDLE thread = thread_create(shared, value, 0, CREATE_SUSPENDED);

	REQUIRE(thread != NULL);
	CHECK(SetThreadPriority(thread, THREAD_PRIORITY_BELOW_NORMAL));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		CHECK_FAILS(SetThreadPriority(thread, wrong[i]), ERROR_INVALID_PARAMETER);
		CHECK_EQ((LONG)GetThreadPriority(thread), (LONG)THREAD_PRIORITY_BELOW_NORMAL);
	}
	end_suspended(thread);
	target_runs(shared, 1);
}

#define CHECK_GET_FAILS(handle, error) \
	CHECK_FAILS(GetThreadPriority(handle) - THREAD_PRIORITY_ERROR_RETURN, error)

TEST(PR_04)
{
	HANDLE bad[] = { NULL, (HANDLE)(uintptr_t)0x7777774, shared->process, GetCurrentProcess() };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_GET_FAILS(bad[i], ERROR_INVALID_HANDLE);
		CHECK_FAILS(SetThreadPriority(bad[i], THREAD_PRIORITY_NORMAL), ERROR_INVALID_HANDLE);
	}
}

TEST(PR_04_rights)
{
	HANDLE thread = thread_create(shared, value, 0, CREATE_SUSPENDED);
	DWORD id = GetThreadId(thread);
	HANDLE neither = OpenThread(SYNCHRONIZE | THREAD_SUSPEND_RESUME, FALSE, id);
	HANDLE query = OpenThread(THREAD_QUERY_INFORMATION, FALSE, id);
	HANDLE set = OpenThread(THREAD_SET_INFORMATION, FALSE, id);

	REQUIRE(neither != NULL && query != NULL && set != NULL);
	CHECK_GET_FAILS(neither, ERROR_ACCESS_DENIED);
	CHECK_GET_FAILS(set, ERROR_ACCESS_DENIED);
	CHECK_FAILS(SetThreadPriority(neither, THREAD_PRIORITY_LOWEST), ERROR_ACCESS_DENIED);
	CHECK_FAILS(SetThreadPriority(query, THREAD_PRIORITY_LOWEST), ERROR_ACCESS_DENIED);
	CHECK_EQ(GetThreadPriority(query), THREAD_PRIORITY_NORMAL);
	CHECK(SetThreadPriority(set, THREAD_PRIORITY_LOWEST));
	CHECK_EQ((LONG)GetThreadPriority(query), (LONG)THREAD_PRIORITY_LOWEST);
	CHECK(CloseHandle(neither));
	CHECK(CloseHandle(query));
	CHECK(CloseHandle(set));
	end_suspended(thread);
	target_runs(shared, 1);
}
