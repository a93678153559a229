/* SPDX-License-Identifier: BSD-2-Clause */
/* tt.c - TerminateThread(), ExitThread(), and the ends of threads and processes */
#include "test.h"

static const DWORD codes[] = { 0, 255, 256, 259, 0x80000001, 0xffffffff };

#define N_CODES (sizeof(codes) / sizeof(codes[0]))

static HANDLE start_spinning(struct target *t)
{
	target_set(t, &spot[0], 0);
	return thread_create(t, spin, (uintptr_t)target_address(t, spot), 0);
}

TEST(TT_01)
{
	for (size_t i = 0; i < N_CODES; i++) {
		HANDLE spinning = start_spinning(shared);
		HANDLE blocked = thread_create(shared, gated, 1, 0);

		REQUIRE(spinning != NULL && blocked != NULL);
		CHECK(TerminateThread(spinning, codes[i]));
		CHECK(TerminateThread(blocked, codes[i]));
		CHECK_EQ(thread_finish(spinning), codes[i]);
		CHECK_EQ(thread_finish(blocked), codes[i]);
	}
}

TEST(TT_01_own)
{
	static volatile LONG never;

	for (size_t i = 0; i < N_CODES; i++) {
		HANDLE thread = CreateThread(NULL, 0, spin, (LPVOID)&never, 0, NULL);

		REQUIRE(thread != NULL);
		CHECK(TerminateThread(thread, codes[i]));
		CHECK_EQ(thread_finish(thread), codes[i]);
	}
}

TEST(TT_02)
{
	HANDLE other = thread_create(shared, gated, 8, 0), thread = start_spinning(shared);

	REQUIRE(other != NULL && thread != NULL);
	CHECK(TerminateThread(thread, 5));
	CHECK_EQ(thread_finish(thread), 5);
	CHECK(target_is_alive(shared));
	CHECK_EQ(WaitForSingleObject(other, 0), WAIT_TIMEOUT);
	target_open_gate(shared, 1);
	CHECK_EQ(thread_finish(other), 8);
	CHECK_EQ(target_run(shared, report, 0), 1);
	target_runs(shared, 2);
}

TEST(TT_03)
{
	HANDLE thread = start_spinning(shared), other;

	REQUIRE(thread != NULL);
	other = OpenThread(THREAD_ALL_ACCESS & ~THREAD_TERMINATE, FALSE, GetThreadId(thread));
	CHECK(other != NULL);
	CHECK_FAILS(TerminateThread(other, 1), ERROR_ACCESS_DENIED);
	CHECK_FAILS(TerminateThread(NULL, 1), ERROR_INVALID_HANDLE);
	CHECK_FAILS(TerminateThread(shared->process, 1), ERROR_INVALID_HANDLE);
	CHECK_FAILS(TerminateThread((HANDLE)(uintptr_t)0x7ffffff0, 1), ERROR_INVALID_HANDLE);
	CHECK_EQ(WaitForSingleObject(thread, 0), WAIT_TIMEOUT);
	CHECK(CloseHandle(other));
	target_set(shared, &spot[0], 3);
	CHECK_EQ(thread_finish(thread), 3);
}

TEST(TT_04)
{
	HANDLE thread = thread_create(shared, value, 11, 0);

	REQUIRE(thread != NULL);
	CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	(void)TerminateThread(thread, 12);
	CHECK_EQ(thread_finish(thread), 11);
	target_runs(shared, 1);
}

/* A thread that was ended once is ended. */
TEST(TT_04_terminated)
{
	HANDLE thread = start_spinning(shared);

	REQUIRE(thread != NULL);
	CHECK(TerminateThread(thread, 11));
	CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	(void)TerminateThread(thread, 12);
	CHECK_EQ(thread_finish(thread), 11);
}

static DWORD WINAPI exit_thread(LPVOID code)
{
	ExitThread((DWORD)(uintptr_t)code);
	return 1;
}

static DWORD WINAPI terminate_itself(LPVOID code)
{
	TerminateThread(GetCurrentThread(), (DWORD)(uintptr_t)code);
	return 1;
}

TEST(TT_05)
{
	for (size_t i = 0; i < N_CODES; i++) {
		CHECK_EQ(target_run(shared, exit_thread, codes[i]), codes[i]);
		CHECK_EQ(target_run(shared, terminate_itself, codes[i]), codes[i]);
	}
}

TEST(TT_06)
{
	struct target *t = target_start();
	HANDLE blocked = thread_create(t, gated, 1, 0), thread;
	DWORD code = UNTOUCHED;

	REQUIRE(blocked != NULL);
	thread = thread_create(t, leave, 33, 0);
	REQUIRE(thread != NULL);
	CHECK_EQ(WaitForSingleObject(t->process, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK(GetExitCodeProcess(t->process, &code));
	CHECK_EQ(code, 33);
	CHECK_EQ(thread_finish(thread), 33);
	CHECK_EQ(thread_finish(blocked), 33);
	target_free(t);
}

TEST(TT_07)
{
	unsigned int before = target_runs(shared, 0);
	HANDLE thread = thread_create(shared, value, 1, CREATE_SUSPENDED);

	REQUIRE(thread != NULL);
	CHECK(TerminateThread(thread, 21));
	CHECK_EQ(thread_finish(thread), 21);
	CHECK_EQ(target_runs(shared, 0), before);
}

/* By another handle, of one who did not make it; resumed afterwards, in vain. */
TEST(TT_07_other)
{
	unsigned int before = target_runs(shared, 0);
	HANDLE thread = thread_create(shared, value, 1, CREATE_SUSPENDED), other;

	REQUIRE(thread != NULL);
	other = OpenThread(THREAD_TERMINATE, FALSE, GetThreadId(thread));
	CHECK(other != NULL);
	CHECK(TerminateThread(other, 22));
	CHECK(CloseHandle(other));
	(void)ResumeThread(thread);
	CHECK_EQ(thread_finish(thread), 22);
	CHECK_EQ(target_runs(shared, 0), before);
}
