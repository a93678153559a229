/* SPDX-License-Identifier: BSD-2-Clause */
/* id.c - the ids of processes and threads */
#include "test.h"

TEST(ID_01)
{
	DWORD id = 0;
	HANDLE thread = CreateRemoteThread(shared->process, NULL, 0, target_function(shared, value),
					   NULL, CREATE_SUSPENDED, &id);

	REQUIRE(CHECK(thread != NULL));
	CHECK_EQ(GetProcessId(shared->process), shared->id);
	CHECK_EQ(GetThreadId(thread), id);
	CHECK_EQ(GetProcessIdOfThread(thread), shared->id);
	CHECK_EQ(GetProcessId(GetCurrentProcess()), GetCurrentProcessId());
	CHECK_EQ(GetThreadId(GetCurrentThread()), GetCurrentThreadId());
	CHECK_EQ(GetProcessIdOfThread(GetCurrentThread()), GetCurrentProcessId());
	CHECK_EQ(GetCurrentProcessId(), system_process_id());
	CHECK_EQ(GetCurrentThreadId(), system_thread_id());
	CHECK_EQ(ResumeThread(thread), 1);
	target_runs(shared, 1);
	CHECK_EQ(thread_finish(thread), 0);
}

TEST(ID_02)
{
	HANDLE bad[] = { NULL, (HANDLE)0x7777774 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_FAILS(GetProcessId(bad[i]), ERROR_INVALID_HANDLE);
		CHECK_FAILS(GetThreadId(bad[i]), ERROR_INVALID_HANDLE);
		CHECK_FAILS(GetProcessIdOfThread(bad[i]), ERROR_INVALID_HANDLE);
	}
	CHECK_FAILS(GetProcessId(GetCurrentThread()), ERROR_INVALID_HANDLE);
	CHECK_FAILS(GetThreadId(GetCurrentProcess()), ERROR_INVALID_HANDLE);
	CHECK_FAILS(GetThreadId(shared->process), ERROR_INVALID_HANDLE);
	CHECK_FAILS(GetProcessIdOfThread(shared->process), ERROR_INVALID_HANDLE);
}

TEST(ID_03)
{
	HANDLE limited = target_open(shared, PROCESS_QUERY_LIMITED_INFORMATION);
	HANDLE none = target_open(shared, SYNCHRONIZE);
	HANDLE thread_limited = OpenThread(THREAD_QUERY_LIMITED_INFORMATION, FALSE,
					   GetCurrentThreadId());
	HANDLE thread_none = OpenThread(SYNCHRONIZE, FALSE, GetCurrentThreadId());

	CHECK_EQ(GetProcessId(limited), shared->id);
	CHECK_FAILS(GetProcessId(none), ERROR_ACCESS_DENIED);
	CHECK_EQ(GetThreadId(thread_limited), GetCurrentThreadId());
	CHECK_EQ(GetProcessIdOfThread(thread_limited), GetCurrentProcessId());
	CHECK_FAILS(GetThreadId(thread_none), ERROR_ACCESS_DENIED);
	CHECK_FAILS(GetProcessIdOfThread(thread_none), ERROR_ACCESS_DENIED);
	CHECK(CloseHandle(limited));
	CHECK(CloseHandle(none));
	CHECK(CloseHandle(thread_limited));
	CHECK(CloseHandle(thread_none));
}

TEST(ID_04)
{
	struct target *t = target_start();
	HANDLE thread = thread_create(t, gated, 0, 0);
	DWORD id;

	REQUIRE(thread != NULL);
	id = GetThreadId(thread);
	target_kill(t);
	CHECK_EQ(WaitForSingleObject(t->process, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK_EQ(GetProcessId(t->process), t->id);
	CHECK_EQ(GetThreadId(thread), id);
	CHECK_EQ(GetProcessIdOfThread(thread), t->id);
	CHECK(CloseHandle(thread));
	target_free(t);
}
