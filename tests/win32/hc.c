/* SPDX-License-Identifier: BSD-2-Clause */
/* hc.c - GetProcessHandleCount() */
#include "test.h"

static DWORD count_of(HANDLE process)
{
	DWORD count = UNTOUCHED;

	CHECK(GetProcessHandleCount(process, &count));
	return count;
}

TEST(HC_01)
{
	DWORD before = count_of(GetCurrentProcess());
	HANDLE process = target_open(shared, SYNCHRONIZE), thread;

	CHECK(before > 0);
	CHECK_EQ(count_of(GetCurrentProcess()), before + 1);
	thread = thread_create(shared, value, 0, 0);
	CHECK_EQ(count_of(GetCurrentProcess()), before + 2);
	thread_finish(thread);
	CHECK_EQ(count_of(GetCurrentProcess()), before + 1);
	CHECK(CloseHandle(process));
	CHECK_EQ(count_of(GetCurrentProcess()), before);
	target_runs(shared, 1);
}

static HANDLE opened[10];

/* In the target. */
static DWORD WINAPI open_itself(LPVOID n)
{
	for (uintptr_t i = 0; i < (uintptr_t)n; i++)
		opened[i] = OpenProcess(SYNCHRONIZE, FALSE, GetCurrentProcessId());
	return 1;
}

static DWORD WINAPI close_itself(LPVOID n)
{
	for (uintptr_t i = 0; i < (uintptr_t)n; i++)
		CloseHandle(opened[i]);
	return 1;
}

TEST(HC_02)
{
	DWORD before = count_of(shared->process);

	CHECK(before > 0);
	target_call(shared, open_itself, 10);
	CHECK_EQ(count_of(shared->process), before + 10);
	target_call(shared, close_itself, 10);
	CHECK_EQ(count_of(shared->process), before);
}

TEST(HC_03)
{
	HANDLE query = target_open(shared, PROCESS_QUERY_INFORMATION);
	HANDLE limited = target_open(shared, PROCESS_QUERY_LIMITED_INFORMATION);
	HANDLE none = target_open(shared, SYNCHRONIZE | PROCESS_VM_READ);
	DWORD count = UNTOUCHED;

	CHECK_EQ(count_of(query), count_of(limited));
	CHECK_FAILS(GetProcessHandleCount(none, &count), ERROR_ACCESS_DENIED);
	CHECK(CloseHandle(query));
	CHECK(CloseHandle(limited));
	CHECK(CloseHandle(none));
}

TEST(HC_04)
{
	HANDLE closed = target_open(shared, PROCESS_ALL_ACCESS);
	DWORD count;

	CHECK(CloseHandle(closed));
	CHECK_FAILS(GetProcessHandleCount(closed, &count), ERROR_INVALID_HANDLE);
	CHECK_FAILS(GetProcessHandleCount(NULL, &count), ERROR_INVALID_HANDLE);
	CHECK_FAILS(GetProcessHandleCount(GetCurrentThread(), &count), ERROR_INVALID_HANDLE);
}

TEST(HC_05)
{
	DWORD own = count_of(GetCurrentProcess()), other = count_of(shared->process);

	CHECK(own > 0 && other > 0);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(count_of(shared->process), other);
		CHECK_EQ(count_of(GetCurrentProcess()), own);
	}
}
