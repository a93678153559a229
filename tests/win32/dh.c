/* SPDX-License-Identifier: BSD-2-Clause */
/* dh.c - DuplicateHandle() */
#include "test.h"

static HANDLE duplicate(HANDLE source, DWORD access, DWORD options)
{
	HANDLE copy = NULL;

	CHECK(DuplicateHandle(GetCurrentProcess(), source, GetCurrentProcess(), &copy, access, FALSE,
			      options));
	CHECK(copy != NULL);
	return copy;
}

static DWORD flags_of(HANDLE handle)
{
	DWORD flags = UNTOUCHED;

	CHECK(GetHandleInformation(handle, &flags));
	return flags;
}

TEST(DH_01)
{
	DWORD before = handles_here();
	HANDLE thread = thread_create(shared, gated, 9, 0), copy, other;

	REQUIRE(thread != NULL);
	copy = duplicate(thread, 0, DUPLICATE_SAME_ACCESS);
	other = duplicate(copy, 0, DUPLICATE_SAME_ACCESS);
	CHECK(copy != thread && other != thread && other != copy);
	CHECK_EQ(handles_here(), before + 3);
	CHECK_EQ(GetThreadId(copy), GetThreadId(thread));
	CHECK(CloseHandle(thread));
	CHECK_FAILS(GetThreadId(thread), ERROR_INVALID_HANDLE);
	CHECK_EQ(WaitForSingleObject(copy, 0), WAIT_TIMEOUT);
	target_open_gate(shared, 1);
	target_runs(shared, 1);
	CHECK_EQ(WaitForSingleObject(other, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK(CloseHandle(other));
	CHECK_EQ(thread_finish(copy), 9);
	CHECK_EQ(handles_here(), before);
}

/* The code is known through each of them, whichever is the last. */
TEST(DH_01_code)
{
	HANDLE thread = thread_create(shared, value, 0x80000001, 0), copy;

	REQUIRE(thread != NULL);
	target_runs(shared, 1);
	CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	copy = duplicate(thread, 0, DUPLICATE_SAME_ACCESS);
	CHECK(CloseHandle(thread));
	CHECK_EQ(thread_finish(copy), 0x80000001);
}

TEST(DH_02)
{
	HANDLE process = duplicate(GetCurrentProcess(), 0, DUPLICATE_SAME_ACCESS);
	HANDLE thread = duplicate(GetCurrentThread(), 0, DUPLICATE_SAME_ACCESS);

	CHECK(process != GetCurrentProcess() && thread != GetCurrentThread());
	CHECK_EQ(GetProcessId(process), GetCurrentProcessId());
	CHECK_EQ(GetThreadId(thread), GetCurrentThreadId());
	CHECK_EQ(GetProcessIdOfThread(thread), GetCurrentProcessId());
	CHECK_EQ(WaitForSingleObject(process, 0), WAIT_TIMEOUT);
	CHECK_EQ(WaitForSingleObject(thread, 0), WAIT_TIMEOUT);
	CHECK(CloseHandle(process));
	CHECK(CloseHandle(thread));
}

/* Of another thread, it still means the one that made it. */
static DWORD WINAPI id_of(LPVOID thread)
{
	return GetThreadId((HANDLE)thread);
}

TEST(DH_02_elsewhere)
{
	HANDLE own = duplicate(GetCurrentThread(), 0, DUPLICATE_SAME_ACCESS);
	HANDLE thread = CreateThread(NULL, 0, id_of, own, 0, NULL);

	REQUIRE(thread != NULL);
	CHECK_EQ(thread_finish(thread), GetCurrentThreadId());
	CHECK(CloseHandle(own));
}

TEST(DH_03)
{
	HANDLE weak = target_open(shared, PROCESS_QUERY_INFORMATION | SYNCHRONIZE), copy;
	char byte;

	copy = duplicate(weak, PROCESS_ALL_ACCESS, DUPLICATE_SAME_ACCESS);
	CHECK_EQ(GetProcessId(copy), shared->id);
	CHECK_EQ(WaitForSingleObject(copy, 0), WAIT_TIMEOUT);
	CHECK_FAILS(ReadProcessMemory(copy, target_address(shared, constant), &byte, 1, NULL),
		    ERROR_ACCESS_DENIED);
	CHECK_FAILS(TerminateProcess(copy, 1), ERROR_ACCESS_DENIED);
	CHECK(CloseHandle(copy));
	CHECK(CloseHandle(weak));
}

TEST(DH_04)
{
	HANDLE query = duplicate(shared->process, PROCESS_QUERY_INFORMATION, 0);
	HANDLE wait = duplicate(shared->process, SYNCHRONIZE, 0);

	CHECK_EQ(GetProcessId(query), shared->id);
	CHECK_FAILS_ONES(WaitForSingleObject(query, 0), ERROR_ACCESS_DENIED);
	CHECK_FAILS(TerminateProcess(query, 1), ERROR_ACCESS_DENIED);
	CHECK_EQ(WaitForSingleObject(wait, 0), WAIT_TIMEOUT);
	CHECK_FAILS(GetProcessId(wait), ERROR_ACCESS_DENIED);
	CHECK(CloseHandle(query));
	CHECK(CloseHandle(wait));
}

TEST(DH_04_thread)
{
	HANDLE thread = thread_create(shared, value, 3, CREATE_SUSPENDED), wait;
	DWORD code;

	REQUIRE(thread != NULL);
	wait = duplicate(thread, SYNCHRONIZE, 0);
	CHECK_FAILS_ONES(ResumeThread(wait), ERROR_ACCESS_DENIED);
	CHECK_FAILS(GetExitCodeThread(wait, &code), ERROR_ACCESS_DENIED);
	CHECK_EQ(ResumeThread(thread), 1);
	CHECK_EQ(WaitForSingleObject(wait, PATIENCE_MS), WAIT_OBJECT_0);
	target_runs(shared, 1);
	CHECK_EQ(thread_finish(thread), 3);
	CHECK(CloseHandle(wait));
}

TEST(DH_05)
{
	DWORD before = handles_here();
	HANDLE source = target_open(shared, PROCESS_QUERY_INFORMATION), copy;

	copy = duplicate(source, 0, DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE);
	CHECK_EQ(GetProcessId(copy), shared->id);
	CHECK_EQ(handles_here(), before + 1);
	CHECK(CloseHandle(copy));
	CHECK_EQ(handles_here(), before);
}

TEST(DH_06)
{
	DWORD before = handles_here();
	HANDLE source = target_open(shared, PROCESS_QUERY_INFORMATION), copy = NULL;

	CHECK_FAILS(DuplicateHandle(GetCurrentProcess(), source, (HANDLE)0x7777774, &copy, 0, FALSE,
				    DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE),
		    ERROR_INVALID_HANDLE);
	CHECK_EQ(handles_here(), before);
}

TEST(DH_07)
{
	HANDLE self = GetCurrentProcess(), bad = (HANDLE)0x7777774, copy = NULL;

	CHECK_FAILS(DuplicateHandle(self, bad, self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS),
		    ERROR_INVALID_HANDLE);
	CHECK_FAILS(DuplicateHandle(self, NULL, self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS),
		    ERROR_INVALID_HANDLE);
	CHECK_FAILS(DuplicateHandle(bad, shared->process, self, &copy, 0, FALSE,
				    DUPLICATE_SAME_ACCESS), ERROR_INVALID_HANDLE);
	CHECK_FAILS(DuplicateHandle(self, shared->process, bad, &copy, 0, FALSE,
				    DUPLICATE_SAME_ACCESS), ERROR_INVALID_HANDLE);
	CHECK_FAILS(DuplicateHandle(GetCurrentThread(), shared->process, self, &copy, 0, FALSE,
				    DUPLICATE_SAME_ACCESS), ERROR_INVALID_HANDLE);
}

TEST(DH_08)
{
	HANDLE weak = target_open(shared, PROCESS_ALL_ACCESS & ~(DWORD)PROCESS_DUP_HANDLE);
	HANDLE self = GetCurrentProcess(), copy = NULL;

	CHECK_FAILS(DuplicateHandle(self, shared->process, weak, &copy, 0, FALSE,
				    DUPLICATE_SAME_ACCESS), ERROR_ACCESS_DENIED);
	CHECK_FAILS(DuplicateHandle(weak, shared->process, self, &copy, 0, FALSE,
				    DUPLICATE_SAME_ACCESS), ERROR_ACCESS_DENIED);
	CHECK(CloseHandle(weak));
}

/* In the target: what is the handle worth there? */
static DWORD WINAPI process_id_of(LPVOID handle)
{
	return GetProcessId((HANDLE)handle);
}

static DWORD WINAPI close_here(LPVOID handle)
{
	return (DWORD)CloseHandle((HANDLE)handle);
}

TEST(DH_09)
{
	DWORD here, there = handles_there(shared);
	HANDLE self = duplicate(GetCurrentProcess(), 0, DUPLICATE_SAME_ACCESS);
	HANDLE remote = NULL, back = NULL;

	here = handles_here();
	REQUIRE(CHECK(DuplicateHandle(GetCurrentProcess(), self, shared->process, &remote,
				      PROCESS_QUERY_INFORMATION, FALSE, 0)));
	CHECK_EQ(handles_here(), here);
	CHECK_EQ(handles_there(shared), there + 1);
	CHECK_EQ(target_run(shared, process_id_of, (uintptr_t)remote), GetCurrentProcessId());
	CHECK(DuplicateHandle(shared->process, remote, GetCurrentProcess(), &back, 0, FALSE,
			      DUPLICATE_SAME_ACCESS));
	CHECK_EQ(handles_here(), here + 1);
	CHECK_EQ(GetProcessId(back), GetCurrentProcessId());
	CHECK_FAILS_ONES(WaitForSingleObject(back, 0), ERROR_ACCESS_DENIED);
	CHECK(CloseHandle(back));
	CHECK_EQ(target_run(shared, close_here, (uintptr_t)remote), TRUE);
	CHECK_EQ(handles_there(shared), there);
	CHECK(CloseHandle(self));
}

TEST(DH_09_thread)
{
	DWORD there = handles_there(shared);
	HANDLE thread = thread_create(shared, value, 4, CREATE_SUSPENDED), remote = NULL, back = NULL;

	REQUIRE(thread != NULL);
	CHECK(DuplicateHandle(GetCurrentProcess(), thread, shared->process, &remote, 0, FALSE,
			      DUPLICATE_SAME_ACCESS));
	CHECK(DuplicateHandle(shared->process, remote, GetCurrentProcess(), &back, 0, FALSE,
			      DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE));
	CHECK_EQ(handles_there(shared), there);
	CHECK_EQ(GetThreadId(back), GetThreadId(thread));
	CHECK(CloseHandle(thread));
	CHECK_EQ(ResumeThread(back), 1);
	target_runs(shared, 1);
	CHECK_EQ(WaitForSingleObject(back, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK_EQ(thread_finish(back), 4);
}

TEST(DH_10)
{
	HANDLE copy = NULL;

	CHECK(DuplicateHandle(GetCurrentProcess(), shared->process, GetCurrentProcess(), &copy, 0,
			      TRUE, DUPLICATE_SAME_ACCESS));
	CHECK_EQ(flags_of(copy) & HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
	CHECK(CloseHandle(copy));
	copy = duplicate(shared->process, 0, DUPLICATE_SAME_ACCESS);
	CHECK_EQ(flags_of(copy) & HANDLE_FLAG_INHERIT, 0);
	CHECK(CloseHandle(copy));
}

TEST(DH_11)
{
	struct target *t = target_start();
	HANDLE copy = NULL;

	target_kill(t);
	CHECK_EQ(WaitForSingleObject(t->process, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK_FAILS(DuplicateHandle(GetCurrentProcess(), shared->process, t->process, &copy, 0,
				    FALSE, DUPLICATE_SAME_ACCESS), ERROR_ACCESS_DENIED);
	target_free(t);
}

TEST(DH_12)
{
	DWORD there = handles_there(shared);
	HANDLE remote = NULL;

	CHECK(DuplicateHandle(GetCurrentProcess(), GetCurrentProcess(), shared->process, &remote,
			      PROCESS_QUERY_INFORMATION, FALSE, 0));
	CHECK_EQ(handles_there(shared), there + 1);
	CHECK(DuplicateHandle(shared->process, remote, NULL, NULL, 0, FALSE, DUPLICATE_CLOSE_SOURCE));
	CHECK_EQ(handles_there(shared), there);
}
