/* SPDX-License-Identifier: BSD-2-Clause */
/* ec.c - exit codes, and TerminateProcess() */
#include "test.h"

static DWORD process_code(HANDLE process)
{
	DWORD code = UNTOUCHED;

	CHECK(GetExitCodeProcess(process, &code));
	return code;
}

static DWORD thread_code(HANDLE thread)
{
	DWORD code = UNTOUCHED;

	CHECK(GetExitCodeThread(thread, &code));
	return code;
}

TEST(EC_01)
{
	HANDLE thread = thread_create(shared, value, 2, CREATE_SUSPENDED);

	REQUIRE(thread != NULL);
	CHECK_EQ(process_code(shared->process), STILL_ACTIVE);
	CHECK_EQ(process_code(GetCurrentProcess()), STILL_ACTIVE);
	CHECK_EQ(thread_code(GetCurrentThread()), STILL_ACTIVE);
	CHECK_EQ(thread_code(thread), STILL_ACTIVE);
	CHECK_EQ(ResumeThread(thread), 1);
	target_runs(shared, 1);
	CHECK_EQ(thread_finish(thread), 2);
}

TEST(EC_02)
{
	static const DWORD codes[] = { 0, 1, 42, 255 };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct target *t = target_start();
		HANDLE thread = thread_create(t, leave, codes[i], 0);

		CHECK_EQ(WaitForSingleObject(t->process, PATIENCE_MS), WAIT_OBJECT_0);
		CHECK_EQ(process_code(t->process), codes[i]);
		CHECK(CloseHandle(thread));
		target_free(t);
	}
}

TEST(EC_03)
{
	static const DWORD codes[] = { 0, 7, 256, 0xdeadbeef };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct target *t = target_start();
		HANDLE thread = thread_create(t, gated, 1, 0), second = target_open(t, PROCESS_ALL_ACCESS);

		SetLastError(UNTOUCHED);
		CHECK(TerminateProcess(t->process, codes[i]));
		CHECK_EQ(GetLastError(), UNTOUCHED);
		CHECK_EQ(WaitForSingleObject(t->process, PATIENCE_MS), WAIT_OBJECT_0);
		CHECK_EQ(process_code(t->process), codes[i]);
		CHECK_EQ(process_code(second), codes[i]);
		CHECK_EQ(thread_finish(thread), codes[i]);
		CHECK(CloseHandle(second));
		target_free(t);
	}
}

TEST(EC_04)
{
	static const DWORD codes[] = { 0, 255, 256, 259, 0x80000001, 0xffffffff };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		CHECK_EQ(target_run(shared, value, codes[i]), codes[i]);
		target_runs(shared, 1);
	}
}

TEST(EC_05)
{
	HANDLE bad[] = { NULL, (HANDLE)0x7777774 };
	DWORD code;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_FAILS(GetExitCodeProcess(bad[i], &code), ERROR_INVALID_HANDLE);
		CHECK_FAILS(GetExitCodeThread(bad[i], &code), ERROR_INVALID_HANDLE);
		CHECK_FAILS(TerminateProcess(bad[i], 1), ERROR_INVALID_HANDLE);
	}
	CHECK_FAILS(GetExitCodeProcess(GetCurrentThread(), &code), ERROR_INVALID_HANDLE);
	CHECK_FAILS(GetExitCodeThread(GetCurrentProcess(), &code), ERROR_INVALID_HANDLE);
	CHECK_FAILS(GetExitCodeThread(shared->process, &code), ERROR_INVALID_HANDLE);
	CHECK_FAILS(TerminateProcess(GetCurrentThread(), 1), ERROR_INVALID_HANDLE);
}

TEST(EC_06)
{
	HANDLE limited = target_open(shared, PROCESS_QUERY_LIMITED_INFORMATION);
	HANDLE none = target_open(shared, PROCESS_ALL_ACCESS & ~(DWORD)(PROCESS_QUERY_INFORMATION |
						PROCESS_QUERY_LIMITED_INFORMATION));
	HANDLE thread_limited = OpenThread(THREAD_QUERY_LIMITED_INFORMATION, FALSE,
					   GetCurrentThreadId());
	HANDLE thread_none = OpenThread(SYNCHRONIZE, FALSE, GetCurrentThreadId());
	DWORD code;

	CHECK_EQ(process_code(limited), STILL_ACTIVE);
	CHECK_FAILS(GetExitCodeProcess(none, &code), ERROR_ACCESS_DENIED);
	CHECK_EQ(thread_code(thread_limited), STILL_ACTIVE);
	CHECK_FAILS(GetExitCodeThread(thread_none, &code), ERROR_ACCESS_DENIED);
	CHECK(CloseHandle(limited));
	CHECK(CloseHandle(none));
	CHECK(CloseHandle(thread_limited));
	CHECK(CloseHandle(thread_none));
}

TEST(EC_08)
{
	struct target *t = target_start();
	HANDLE second = target_open(t, PROCESS_ALL_ACCESS), thread = thread_create(t, leave, 42, 0);

	CHECK_EQ(WaitForSingleObject(t->process, PATIENCE_MS), WAIT_OBJECT_0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(process_code(t->process), 42);
		CHECK_EQ(process_code(second), 42);
	}
	CHECK(CloseHandle(thread));
	target_free(t); /* its own handle, and on Linux the zombie with it */
	CHECK_EQ(process_code(second), 42);
	CHECK(CloseHandle(second));
}

TEST(EC_09)
{
	struct target *t = target_start();

	CHECK(TerminateProcess(t->process, 5));
	CHECK_EQ(WaitForSingleObject(t->process, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK_FAILS(TerminateProcess(t->process, 6), ERROR_ACCESS_DENIED);
	CHECK_EQ(process_code(t->process), 5);
	target_free(t);
}

/* Also when it has ended by itself. */
TEST(EC_09_exited)
{
	struct target *t = target_start();
	HANDLE thread = thread_create(t, leave, 9, 0);

	CHECK_EQ(WaitForSingleObject(t->process, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK_FAILS(TerminateProcess(t->process, 6), ERROR_ACCESS_DENIED);
	CHECK_EQ(process_code(t->process), 9);
	CHECK(CloseHandle(thread));
	target_free(t);
}

TEST(EC_10)
{
	HANDLE weak = target_open(shared, PROCESS_ALL_ACCESS & ~(DWORD)PROCESS_TERMINATE);

	CHECK_FAILS(TerminateProcess(weak, 1), ERROR_ACCESS_DENIED);
	CHECK_EQ(WaitForSingleObject(shared->process, 0), WAIT_TIMEOUT);
	CHECK(target_is_alive(shared));
	CHECK(CloseHandle(weak));
}
