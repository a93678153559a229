/* SPDX-License-Identifier: BSD-2-Clause */
/* ch.c - CloseHandle() and the pseudo-handles */
#include "test.h"

TEST(CH_01)
{
	DWORD before = handles_here();
	HANDLE process = target_open(shared, SYNCHRONIZE), thread = thread_create(shared, gated, 0, 0);

	CHECK_EQ(handles_here(), before + 2);
	CHECK(CloseHandle(process));
	CHECK_EQ(handles_here(), before + 1);
	CHECK(CloseHandle(thread));
	CHECK_EQ(handles_here(), before);
	target_open_gate(shared, 1);
	target_runs(shared, 1);
}

TEST(CH_02)
{
	HANDLE process = target_open(shared, SYNCHRONIZE), thread = thread_create(shared, value, 0, 0);

	CHECK(CloseHandle(process));
	CHECK_FAILS(CloseHandle(process), ERROR_INVALID_HANDLE);
	CHECK(CloseHandle(thread));
	CHECK_FAILS(CloseHandle(thread), ERROR_INVALID_HANDLE);
	target_runs(shared, 1);
}

TEST(CH_03)
{
	CHECK_FAILS(CloseHandle(NULL), ERROR_INVALID_HANDLE);
	CHECK_FAILS(CloseHandle((HANDLE)(uintptr_t)0x7777774), ERROR_INVALID_HANDLE);
	CHECK_FAILS(CloseHandle((HANDLE)(uintptr_t)0x7ffffff0), ERROR_INVALID_HANDLE);
}

TEST(CH_04)
{
	DWORD before = handles_here();

	for (int i = 0; i < 3; i++) {
		CHECK(CloseHandle(GetCurrentProcess()));
		CHECK(CloseHandle(GetCurrentThread()));
	}
	CHECK_EQ(GetProcessId(GetCurrentProcess()), GetCurrentProcessId());
	CHECK_EQ(GetThreadId(GetCurrentThread()), GetCurrentThreadId());
	CHECK_EQ(handles_here(), before);
}

TEST(CH_05)
{
	struct target *t = target_start();
	HANDLE thread = thread_create(t, gated, 7, 0);
	unsigned int before = target_runs(t, 0);

	CHECK(CloseHandle(t->process));
	t->process = NULL;
	CHECK(CloseHandle(thread));
	CHECK(target_is_alive(t));
	target_open_gate(t, 1);
	CHECK_EQ(target_runs(t, 1), before + 1);
	target_end(t);
}

TEST(CH_06)
{
	CHECK_EQ(GetCurrentProcess(), (intptr_t)-1);
	CHECK(GetCurrentProcess() == INVALID_HANDLE_VALUE);
	CHECK_EQ(GetCurrentThread(), (intptr_t)-2);
}
