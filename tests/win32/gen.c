/* SPDX-License-Identifier: BSD-2-Clause */
/* gen.c - what holds for every function */
#include "test.h"

static DWORD WINAPI check_own_error(LPVOID unused)
{
	DWORD at_first = GetLastError();

	(void)unused;
	return at_first == 0 && !CloseHandle(NULL) && GetLastError() == ERROR_INVALID_HANDLE;
}

TEST(GEN_01)
{
	HANDLE thread;

	SetLastError(UNTOUCHED);
	thread = CreateThread(NULL, 0, check_own_error, NULL, 0, NULL);
	REQUIRE(thread != NULL);
	CHECK_EQ(thread_finish(thread), 1);
	CHECK_EQ(GetLastError(), UNTOUCHED);
	CHECK(!CloseHandle(NULL));
	CHECK_EQ(GetLastError(), ERROR_INVALID_HANDLE);
}

TEST(GEN_02)
{
	LPVOID there = target_address(shared, &cell);
	DWORD code;
	char byte = 0;
	HANDLE thread;

	SetLastError(UNTOUCHED);
	thread = thread_create(shared, gated, 1, CREATE_SUSPENDED);
	CHECK_EQ(GetLastError(), UNTOUCHED);
	CHECK_EQ(WaitForSingleObject(thread, 0), WAIT_TIMEOUT);
	CHECK_EQ(ResumeThread(thread), 1);
	CHECK_EQ(GetLastError(), UNTOUCHED);
	target_open_gate(shared, 1);
	CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK(GetExitCodeThread(thread, &code));
	CHECK(CloseHandle(thread));
	CHECK_EQ(GetLastError(), UNTOUCHED);
	CHECK(ReadProcessMemory(shared->process, there, &byte, 1, NULL));
	CHECK(WriteProcessMemory(shared->process, there, &byte, 1, NULL));
	CHECK_EQ(GetLastError(), UNTOUCHED);
	target_runs(shared, 1);
}

/* A process's right that is missing, by what needs it. */
static void check_process_rights(void)
{
	LPVOID there = target_address(shared, &cell);
	HANDLE none = target_open(shared, SYNCHRONIZE);
	SIZE_T n = 9;
	DWORD number;
	char c = 0;

	CHECK_FAILS(CreateRemoteThread(none, NULL, 0, target_function(shared, value), NULL, 0, NULL),
		    ERROR_ACCESS_DENIED);
	CHECK_FAILS(GetExitCodeProcess(none, &number), ERROR_ACCESS_DENIED);
	CHECK_FAILS(GetProcessId(none), ERROR_ACCESS_DENIED);
	CHECK_FAILS(GetProcessHandleCount(none, &number), ERROR_ACCESS_DENIED);
	CHECK_FAILS(VirtualAllocEx(none, NULL, 1, MEM_COMMIT, PAGE_READWRITE), ERROR_ACCESS_DENIED);
	CHECK_FAILS(VirtualFreeEx(none, there, 0, MEM_RELEASE), ERROR_ACCESS_DENIED);
	CHECK_FAILS(ReadProcessMemory(none, there, &c, 1, &n), ERROR_ACCESS_DENIED);
	CHECK_FAILS(WriteProcessMemory(none, there, &c, 1, &n), ERROR_ACCESS_DENIED);
	CHECK(CloseHandle(none));
}

TEST(GEN_03)
{
	HANDLE query = target_open(shared, PROCESS_QUERY_LIMITED_INFORMATION);

	/* Whoever may do everything gets what was asked for, and each time. */
	for (int i = 0; i < 2; i++)
		check_process_rights();
	CHECK_FAILS_ONES(WaitForSingleObject(query, 0), ERROR_ACCESS_DENIED);
	CHECK_EQ(GetProcessId(query), shared->id);
	CHECK(CloseHandle(query));
}

static void check_no_process(HANDLE wrong)
{
	DWORD number;
	char c = 0;

	CHECK_FAILS(CreateRemoteThread(wrong, NULL, 0, target_function(shared, value), NULL, 0,
				       NULL), ERROR_INVALID_HANDLE);
	CHECK_FAILS(GetProcessHandleCount(wrong, &number), ERROR_INVALID_HANDLE);
	CHECK_FAILS(GetExitCodeProcess(wrong, &number), ERROR_INVALID_HANDLE);
	CHECK_FAILS(GetProcessId(wrong), ERROR_INVALID_HANDLE);
	CHECK_FAILS(VirtualAllocEx(wrong, NULL, 1, MEM_COMMIT, PAGE_READWRITE), ERROR_INVALID_HANDLE);
	CHECK_FAILS(VirtualFreeEx(wrong, &c, 0, MEM_RELEASE), ERROR_INVALID_HANDLE);
	CHECK_FAILS(ReadProcessMemory(wrong, &c, &c, 1, NULL), ERROR_INVALID_HANDLE);
	CHECK_FAILS(WriteProcessMemory(wrong, &c, &c, 1, NULL), ERROR_INVALID_HANDLE);
}

static void check_no_thread(HANDLE wrong)
{
	DWORD number;

	CHECK_FAILS(GetExitCodeThread(wrong, &number), ERROR_INVALID_HANDLE);
	CHECK_FAILS(GetThreadId(wrong), ERROR_INVALID_HANDLE);
	CHECK_FAILS(GetProcessIdOfThread(wrong), ERROR_INVALID_HANDLE);
	CHECK_FAILS_ONES(ResumeThread(wrong), ERROR_INVALID_HANDLE);
}

TEST(GEN_04)
{
	HANDLE thread = thread_create(shared, gated, 1, 0);
	HANDLE closed = target_open(shared, PROCESS_ALL_ACCESS);
	HANDLE never[] = { NULL, (HANDLE)(uintptr_t)0x7777774, closed };

	CHECK(CloseHandle(closed));
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		check_no_process(never[i]);
		check_no_thread(never[i]);
		CHECK_FAILS_ONES(WaitForSingleObject(never[i], 0), ERROR_INVALID_HANDLE);
		CHECK_FAILS(CloseHandle(never[i]), ERROR_INVALID_HANDLE);
	}
	check_no_process(thread);
	check_no_process(GetCurrentThread());
	check_no_thread(shared->process);
	check_no_thread(GetCurrentProcess());
	target_open_gate(shared, 1);
	CHECK_EQ(thread_finish(thread), 1);
	target_runs(shared, 1);
}

TEST(GEN_05)
{
	struct target *t = target_start();
	HANDLE none = target_open(t, SYNCHRONIZE), thread = thread_create(t, gated, 0, 0);
	char c = 0;

	target_kill(t);
	/* The kind before the right, the right before life; and with it, the life. */
	CHECK_FAILS(VirtualAllocEx(thread, NULL, 1, MEM_COMMIT, PAGE_READWRITE),
		    ERROR_INVALID_HANDLE);
	CHECK_FAILS(VirtualAllocEx(none, NULL, 1, MEM_COMMIT, PAGE_READWRITE), ERROR_ACCESS_DENIED);
	CHECK_FAILS(VirtualAllocEx(t->process, NULL, 1, MEM_COMMIT, PAGE_READWRITE),
		    ERROR_ACCESS_DENIED);
	CHECK_FAILS(ReadProcessMemory(none, target_address(t, &cell), &c, 1, NULL),
		    ERROR_ACCESS_DENIED);
	CHECK(CloseHandle(none));
	CHECK(CloseHandle(thread));
	target_free(t);
}
