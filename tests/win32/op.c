/* SPDX-License-Identifier: BSD-2-Clause */
/* op.c - OpenProcess() and OpenThread() */
#include "test.h"

#define FIVE (PROCESS_CREATE_THREAD | PROCESS_QUERY_INFORMATION | PROCESS_VM_OPERATION | \
	      PROCESS_VM_WRITE | PROCESS_VM_READ)

static DWORD flags_of(HANDLE handle)
{
	DWORD flags = UNTOUCHED;

	CHECK(GetHandleInformation(handle, &flags));
	return flags;
}

TEST(OP_01)
{
	HANDLE process = target_open(shared, PROCESS_ALL_ACCESS), thread;
	DWORD code = UNTOUCHED, n = 0;
	LONG number = 0;
	LPVOID memory;

	REQUIRE(process != NULL);
	CHECK_EQ(GetProcessId(process), shared->id);
	CHECK(GetProcessHandleCount(process, &n) && n > 0);
	CHECK(GetExitCodeProcess(process, &code));
	CHECK_EQ(code, STILL_ACTIVE);
	CHECK_EQ(WaitForSingleObject(process, 0), WAIT_TIMEOUT);
	CHECK(ReadProcessMemory(process, target_address(shared, &spot[0]), &number, sizeof(number),
				NULL));
	memory = VirtualAllocEx(process, NULL, 1, MEM_COMMIT, PAGE_READWRITE);
	CHECK(memory != NULL);
	CHECK(WriteProcessMemory(process, memory, &number, sizeof(number), NULL));
	CHECK(VirtualFreeEx(process, memory, 0, MEM_RELEASE));
	thread = CreateRemoteThread(process, NULL, 0, target_function(shared, value), NULL, 0, NULL);
	REQUIRE(thread != NULL);
	target_runs(shared, 1);
	CHECK_EQ(thread_finish(thread), 0);
	CHECK(CloseHandle(process));
}

TEST(OP_02)
{
	CHECK_FAILS(OpenProcess(PROCESS_ALL_ACCESS, FALSE, 0), ERROR_INVALID_PARAMETER);
	CHECK_FAILS(OpenProcess(SYNCHRONIZE, FALSE, 0), ERROR_INVALID_PARAMETER);
}

TEST(OP_03)
{
	static const DWORD ids[] = { 0x7ffffffc, 0xfffffffc };

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		CHECK_FAILS(OpenProcess(PROCESS_ALL_ACCESS, FALSE, ids[i]), ERROR_INVALID_PARAMETER);
		CHECK_FAILS(OpenProcess(SYNCHRONIZE, FALSE, ids[i]), ERROR_INVALID_PARAMETER);
	}
}

/* All rights but one, and what then must fail. */
TEST(OP_04)
{
	HANDLE no_read = target_open(shared, PROCESS_ALL_ACCESS & ~(DWORD)PROCESS_VM_READ);
	HANDLE no_write = target_open(shared, PROCESS_ALL_ACCESS & ~(DWORD)PROCESS_VM_WRITE);
	HANDLE no_change = target_open(shared, PROCESS_ALL_ACCESS & ~(DWORD)PROCESS_VM_OPERATION);
	LPVOID at = target_address(shared, &cell);
	char byte = 0;

	CHECK_FAILS(ReadProcessMemory(no_read, at, &byte, 1, NULL), ERROR_ACCESS_DENIED);
	CHECK(ReadProcessMemory(no_write, at, &byte, 1, NULL));
	CHECK_FAILS(WriteProcessMemory(no_write, at, &byte, 1, NULL), ERROR_ACCESS_DENIED);
	CHECK(WriteProcessMemory(no_read, at, &byte, 1, NULL));
	CHECK_FAILS(VirtualAllocEx(no_change, NULL, 1, MEM_COMMIT, PAGE_READWRITE),
		    ERROR_ACCESS_DENIED);
	CHECK_FAILS(WriteProcessMemory(no_change, at, &byte, 1, NULL), ERROR_ACCESS_DENIED);
	CHECK(CloseHandle(no_read));
	CHECK(CloseHandle(no_write));
	CHECK(CloseHandle(no_change));
}

TEST(OP_04_others)
{
	HANDLE no_end = target_open(shared, PROCESS_ALL_ACCESS & ~(DWORD)PROCESS_TERMINATE);
	HANDLE no_thread = target_open(shared, PROCESS_ALL_ACCESS & ~(DWORD)PROCESS_CREATE_THREAD);
	HANDLE no_copy = target_open(shared, PROCESS_ALL_ACCESS & ~(DWORD)PROCESS_DUP_HANDLE);
	HANDLE no_wait = target_open(shared, PROCESS_ALL_ACCESS & ~(DWORD)SYNCHRONIZE);
	HANDLE only_wait = target_open(shared, SYNCHRONIZE), copy = NULL;
	DWORD code;

	CHECK_FAILS(TerminateProcess(no_end, 1), ERROR_ACCESS_DENIED);
	CHECK_FAILS(CreateRemoteThread(no_thread, NULL, 0, target_function(shared, value), NULL, 0,
				       NULL), ERROR_ACCESS_DENIED);
	CHECK_FAILS(DuplicateHandle(no_copy, (HANDLE)4, GetCurrentProcess(), &copy, 0, FALSE,
				    DUPLICATE_SAME_ACCESS), ERROR_ACCESS_DENIED);
	CHECK_FAILS_ONES(WaitForSingleObject(no_wait, 0), ERROR_ACCESS_DENIED);
	CHECK_FAILS(GetExitCodeProcess(only_wait, &code), ERROR_ACCESS_DENIED);
	CHECK_EQ(WaitForSingleObject(only_wait, 0), WAIT_TIMEOUT);
	CHECK(CloseHandle(no_end));
	CHECK(CloseHandle(no_thread));
	CHECK(CloseHandle(no_copy));
	CHECK(CloseHandle(no_wait));
	CHECK(CloseHandle(only_wait));
}

TEST(OP_05)
{
	HANDLE yes = OpenProcess(SYNCHRONIZE, TRUE, shared->id);
	HANDLE no = OpenProcess(SYNCHRONIZE, FALSE, shared->id);

	CHECK_EQ(flags_of(yes) & HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
	CHECK_EQ(flags_of(no) & HANDLE_FLAG_INHERIT, 0);
	CHECK(SetHandleInformation(yes, HANDLE_FLAG_INHERIT, 0));
	CHECK(SetHandleInformation(no, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT));
	CHECK_EQ(flags_of(yes) & HANDLE_FLAG_INHERIT, 0);
	CHECK_EQ(flags_of(no) & HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
	CHECK(SetHandleInformation(no, 0, 0)); /* nothing is in the mask */
	CHECK_EQ(flags_of(no) & HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
	CHECK(CloseHandle(yes));
	CHECK(CloseHandle(no));
}

TEST(OP_06)
{
	HANDLE first = target_open(shared, FIVE), second = target_open(shared, FIVE);

	CHECK(first != second);
	CHECK(CloseHandle(first));
	CHECK_EQ(GetProcessId(second), shared->id);
	CHECK(CloseHandle(second));
}

TEST(OP_07)
{
	HANDLE thread = thread_create(shared, gated, 0x80000001, 0), opened;
	DWORD id, code = UNTOUCHED;

	REQUIRE(thread != NULL);
	id = GetThreadId(thread);
	opened = OpenThread(THREAD_ALL_ACCESS, FALSE, id);
	REQUIRE(CHECK(opened != NULL));
	CHECK(opened != thread);
	CHECK_EQ(GetThreadId(opened), id);
	CHECK_EQ(GetProcessIdOfThread(opened), shared->id);
	CHECK(GetExitCodeThread(opened, &code));
	CHECK_EQ(code, STILL_ACTIVE);
	CHECK_EQ(WaitForSingleObject(opened, 0), WAIT_TIMEOUT);
	CHECK(CloseHandle(thread));
	target_open_gate(shared, 1);
	target_runs(shared, 1);
	CHECK_EQ(thread_finish(opened), 0x80000001);
}

/* The caller's own, and one that the target made itself. */
TEST(OP_07_own)
{
	HANDLE own = OpenThread(THREAD_QUERY_INFORMATION | SYNCHRONIZE, TRUE, GetCurrentThreadId());

	REQUIRE(CHECK(own != NULL));
	CHECK_EQ(GetThreadId(own), GetCurrentThreadId());
	CHECK_EQ(GetProcessIdOfThread(own), GetCurrentProcessId());
	CHECK_EQ(WaitForSingleObject(own, 0), WAIT_TIMEOUT);
	CHECK_EQ(flags_of(own) & HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
	CHECK(CloseHandle(own));
}

static DWORD WINAPI own_id(LPVOID unused)
{
	(void)unused;
	return GetCurrentThreadId();
}

TEST(OP_07_first)
{
	DWORD id = (DWORD)target_call(shared, own_id, 0); /* on the target's first thread */
	HANDLE first = OpenThread(THREAD_ALL_ACCESS, FALSE, id);

	REQUIRE(CHECK(first != NULL));
	CHECK_EQ(GetProcessIdOfThread(first), shared->id);
	CHECK_EQ(WaitForSingleObject(first, 0), WAIT_TIMEOUT);
	CHECK(CloseHandle(first));
}

TEST(OP_08)
{
	HANDLE thread = thread_create(shared, value, 1, 0);
	DWORD id;

	REQUIRE(thread != NULL);
	id = GetThreadId(thread);
	target_runs(shared, 1);
	CHECK_EQ(thread_finish(thread), 1);
	CHECK_FAILS(OpenThread(THREAD_ALL_ACCESS, FALSE, 0), ERROR_INVALID_PARAMETER);
	CHECK_FAILS(OpenThread(THREAD_ALL_ACCESS, FALSE, 0x7ffffffc), ERROR_INVALID_PARAMETER);
	CHECK_FAILS(OpenThread(SYNCHRONIZE, FALSE, id), ERROR_INVALID_PARAMETER);
}

TEST(OP_09)
{
	HANDLE thread = thread_create(shared, gated, 0, 0);

	REQUIRE(thread != NULL);
	CHECK_FAILS(OpenProcess(PROCESS_ALL_ACCESS, FALSE, GetThreadId(thread)),
		    ERROR_INVALID_PARAMETER);
	CHECK_FAILS(OpenProcess(SYNCHRONIZE, FALSE, GetThreadId(thread)), ERROR_INVALID_PARAMETER);
	target_open_gate(shared, 1);
	target_runs(shared, 1);
	CHECK_EQ(thread_finish(thread), 0);
}

TEST(OP_12)
{
	HANDLE process = target_open(shared, PROCESS_QUERY_INFORMATION);
	HANDLE thread = OpenThread(THREAD_QUERY_INFORMATION, FALSE, GetCurrentThreadId());
	HANDLE limited = NULL;

	CHECK_EQ(GetProcessId(process), shared->id);
	CHECK_EQ(GetThreadId(thread), GetCurrentThreadId());
	/* So a duplicate with the limited right has no more than the source. */
	CHECK(DuplicateHandle(GetCurrentProcess(), process, GetCurrentProcess(), &limited,
			      PROCESS_QUERY_LIMITED_INFORMATION, FALSE, 0));
	CHECK_EQ(GetProcessId(limited), shared->id);
	CHECK(CloseHandle(limited));
	CHECK(CloseHandle(process));
	CHECK(CloseHandle(thread));
}

TEST(OP_13)
{
	struct target *t = target_start();
	DWORD code = UNTOUCHED;
	char byte;

	target_kill(t);
	CHECK_EQ(WaitForSingleObject(t->process, PATIENCE_MS), WAIT_OBJECT_0);
	/* Whoever has the number now: this is still the one that ended. */
	for (int i = 0; i < 20; i++) {
		struct target *other = target_start();

		CHECK_EQ(WaitForSingleObject(t->process, 0), WAIT_OBJECT_0);
		CHECK(GetExitCodeProcess(t->process, &code) && code != STILL_ACTIVE);
		CHECK_FAILS_ANY(ReadProcessMemory(t->process, target_address(t, constant), &byte, 1,
						  NULL), ERROR_ACCESS_DENIED, ERROR_PARTIAL_COPY);
		target_end(other);
	}
	target_free(t);
}

TEST(OP_14)
{
	HANDLE handles[64];

	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
		handles[i] = target_open(shared, SYNCHRONIZE);
		CHECK(handles[i] != NULL && handles[i] != INVALID_HANDLE_VALUE);
	}
	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++)
		CHECK(CloseHandle(handles[i]));
}
