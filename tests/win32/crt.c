/* SPDX-License-Identifier: BSD-2-Clause */
/* crt.c - CreateRemoteThread(), CreateRemoteThreadEx(), CreateThread() */
#include "test.h"

static const uint64_t values[] = { 0, 255, 256, 259, 0x80000001, 0xffffffff, 0x123456789abcdef0,
				   UINT64_MAX };

static struct report last_report(struct target *t)
{
	struct report got = { 0 };

	CHECK(ReadProcessMemory(t->process, target_address(t, &cell), &got, sizeof(got), NULL));
	return got;
}

TEST(CRT_01)
{
	unsigned int before = target_runs(shared, 0);
	HANDLE thread = thread_create(shared, value, 5, 0);

	REQUIRE(thread != NULL);
	CHECK_EQ(thread_finish(thread), 5);
	CHECK_EQ(target_runs(shared, 1), before + 1);
	CHECK_EQ(target_run(shared, report, 0), 1);
	CHECK_EQ(last_report(shared).process_id, shared->id);
	target_runs(shared, 1);
}

TEST(CRT_02)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		CHECK_EQ(target_run(shared, report, values[i]), 1);
		CHECK_EQ(last_report(shared).argument, values[i]);
	}
	target_runs(shared, sizeof(values) / sizeof(values[0]));
}

TEST(CRT_03)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		CHECK_EQ(target_run(shared, value, values[i]), (DWORD)values[i]);
	target_runs(shared, sizeof(values) / sizeof(values[0]));
}
