/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame.c - tests that must fail, and how; tests/test_win32_frame.py looks that they do
 *
 * The second part of a name is what must become of it.
 */
#include "test.h"

TEST(GEN_01_ok)
{
	CHECK(1);
	CHECK_EQ(-1, (intptr_t)-1);
	CHECK_FAILS(CloseHandle(NULL), ERROR_INVALID_HANDLE);
	CHECK_FAILS_ANY(CloseHandle(NULL), ERROR_ACCESS_DENIED, ERROR_INVALID_HANDLE);
	CHECK_FAILS_ONES(ResumeThread(NULL), ERROR_INVALID_HANDLE);
}

TEST(GEN_01_fails_check)
{
	CHECK(UNTOUCHED == 2);
}

TEST(GEN_01_fails_equal)
{
	CHECK_EQ(3, 4);
}

TEST(GEN_01_fails_by_another_error)
{
	CHECK_FAILS(CloseHandle(NULL), ERROR_ACCESS_DENIED);
}

TEST(GEN_01_fails_by_success)
{
	CHECK_FAILS(CloseHandle(GetCurrentProcess()), ERROR_INVALID_HANDLE);
}

TEST(GEN_01_fails_by_no_listed_error)
{
	CHECK_FAILS_ANY(CloseHandle(NULL), ERROR_ACCESS_DENIED, ERROR_INVALID_PARAMETER);
}

TEST(GEN_01_fails_without_ones)
{
	CHECK_FAILS_ONES(0, ERROR_INVALID_HANDLE);
}

TEST(GEN_01_fails_require)
{
	REQUIRE(shared == NULL);
	test_note("goes on after all");
}

static DWORD WINAPI fail_here(LPVOID unused)
{
	(void)unused;
	CHECK(!"in another thread");
	return 0;
}

TEST(GEN_01_fails_in_a_thread)
{
	thread_finish(CreateThread(NULL, 0, fail_here, NULL, 0, NULL));
}

TEST(GEN_02_fails_by_a_handle)
{
	target_open(shared, SYNCHRONIZE);
}

static DWORD WINAPI open_one(LPVOID unused)
{
	(void)unused;
	return OpenProcess(SYNCHRONIZE, FALSE, GetCurrentProcessId()) != NULL;
}

TEST(GEN_02_fails_by_a_handle_there)
{
	CHECK_EQ(target_call(shared, open_one, 0), 1);
}

TEST(GEN_03_fails_by_a_thread)
{
	CHECK(CloseHandle(thread_create(shared, gated, 0, 0)));
}

TEST(GEN_04_fails_by_a_dead_target)
{
	target_kill(shared);
}

TEST(GEN_04_ok_with_the_next)
{
	CHECK_EQ(target_run(shared, value, 4), 4);
	target_runs(shared, 1);
}

TEST(GEN_05_skips)
{
	SKIP("it is told why");
}

TEST(GEN_05_hangs)
{
	target_call(shared, spin, (uintptr_t)target_address(shared, &spot[0]));
}

TEST(GEN_05_ok_after_that)
{
	CHECK(target_is_alive(shared));
}
