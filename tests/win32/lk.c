/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lk.c - nothing is left behind, whatever fails (Q246691, Q272913)
 *
 * The ways to fail that both systems have.  Those by the limits of a process, by a tracer or by a
 * stop are in test_win32.c.
 */
#include "test.h"

#define N_TRIES 120

struct way {
	const char *name;
	HANDLE process;
	SIZE_T stack_bytes;
	DWORD flags;
};

#define N_WAYS 9

/* Where the ways' handles come from, and go to. */
struct ways {
	struct target *ended;
	HANDLE thread, query;
	struct way each[N_WAYS];
};

/* In the target: as gated(), and tells that it is there: one that only begins may open something. */
static volatile LONG n_there;

static DWORD WINAPI stay(LPVOID unused)
{
	__atomic_add_fetch(&n_there, 1, __ATOMIC_SEQ_CST);
	return pass_gate(unused);
}

static void begin_ways(struct ways *ways)
{
	HANDLE closed = target_open(shared, PROCESS_ALL_ACCESS);
	LONG before = target_get(shared, &n_there);

	ways->ended = target_start();
	target_kill(ways->ended);
	ways->thread = thread_create(shared, stay, 0, 0);
	while (target_get(shared, &n_there) == before)
		yield_processor();
	ways->query = target_open(shared, PROCESS_ALL_ACCESS & ~PROCESS_CREATE_THREAD);
	CHECK(CloseHandle(closed));
	memcpy(ways->each, (struct way[N_WAYS]){
		{ "NULL", NULL, 0, 0 },
		{ "closed", closed, 0, 0 },
		{ "never opened", (HANDLE)(uintptr_t)0x7777774, 0, 0 },
		{ "a thread", ways->thread, 0, 0 },
		{ "this thread", GetCurrentThread(), 0, 0 },
		{ "no right", ways->query, 0, 0 },
		{ "ended", ways->ended->process, 0, 0 },
		{ "big stack", shared->process, (SIZE_T)1 << 46, 0 },
		{ "big stack, reserved", shared->process, (SIZE_T)1 << 46,
		  STACK_SIZE_PARAM_IS_A_RESERVATION },
	}, sizeof(ways->each));
}

static void end_ways(struct ways *ways)
{
	target_open_gate(shared, 1);
	thread_finish(ways->thread);
	CHECK(CloseHandle(ways->query));
	target_free(ways->ended);
}

static void fail_once(const struct way *way)
{
	DWORD id = UNTOUCHED;
	HANDLE thread;

	SetLastError(0);
	thread = CreateRemoteThread(way->process, NULL, way->stack_bytes,
				    target_function(shared, value), NULL, way->flags, &id);
	if (thread || GetLastError() == 0 || id != UNTOUCHED) {
		CHECK(!"the call fails, with an error and no id");
		test_note("    %s", way->name);
	}
}

/* Each way many times; the differences, added up. */
static struct counts grown_by_failures(bool with_regions)
{
	struct counts grown = { 0 };
	struct ways ways;

	begin_ways(&ways);
	for (int i = 0; i < N_WAYS; i++) {
		struct counts before = target_counts(shared, with_regions), now;

		for (int j = 0; j < N_TRIES; j++)
			fail_once(&ways.each[i]);
		now = target_counts(shared, with_regions);
		grown.caller_handles += now.caller_handles - before.caller_handles;
		grown.handles += now.handles - before.handles;
		grown.threads += now.threads - before.threads;
		grown.regions += now.regions - before.regions;
	}
	end_ways(&ways);
	return grown;
}

TEST(LK_01)
{
	CHECK_EQ(grown_by_failures(false).caller_handles, 0);
}

TEST(LK_02)
{
	CHECK_EQ(grown_by_failures(false).handles, 0);
}

TEST(LK_03)
{
	CHECK_EQ(grown_by_failures(false).threads, 0);
}

TEST(LK_04)
{
	CHECK_EQ(grown_by_failures(true).regions, 0);
}

TEST(LK_04_success)
{
	struct counts before;

	for (int i = 0; i < 2; i++) { /* what the first ones map stays */
		before = target_counts(shared, true);
		for (uint64_t j = 0; j < 64; j++)
			CHECK_EQ(target_run(shared, value, j), j);
		target_runs(shared, 64);
	}
	CHECK_EQ(target_counts(shared, true).regions, before.regions);
}

/*
 * What many threads leave would be a region each at least.  A libc may map something for some of them
 * that it keeps for the next ones, as glibc's arenas.
 */
TEST(LK_04_terminated)
{
	DWORD before = target_counts(shared, true).regions, n_threads = 200;

	for (DWORD i = 0; i < n_threads; i++) {
		HANDLE thread = thread_create(shared, spin,
					      (uintptr_t)target_address(shared, &spot[0]), 0);

		CHECK(TerminateThread(thread, 5));
		CHECK_EQ(thread_finish(thread), 5);
	}
	CHECK(target_counts(shared, true).regions < before + n_threads / 2);
}

TEST(LK_06)
{
	struct counts before = target_counts(shared, true), now;

	for (uint64_t i = 0; i < 100; i++) {
		CHECK_EQ(target_run(shared, value, i), i);
		CHECK(CloseHandle(target_open(shared, PROCESS_ALL_ACCESS)));
	}
	target_runs(shared, 100);
	now = target_counts(shared, true);
	CHECK_EQ(now.caller_handles, before.caller_handles);
	CHECK_EQ(now.handles, before.handles);
	CHECK_EQ(now.threads, before.threads);
	CHECK_EQ(now.regions, before.regions);
}

TEST(LK_06_opens)
{
	DWORD before = target_counts(shared, false).caller_handles, missing[] = { 0, 0x7ffffff0 };
	HANDLE thread = thread_create(shared, gated, 0, 0), other;

	for (int i = 0; i < N_TRIES; i++) {
		CHECK_FAILS(OpenProcess(PROCESS_ALL_ACCESS, FALSE, missing[i % 2]),
			    ERROR_INVALID_PARAMETER);
		CHECK_FAILS(OpenThread(THREAD_ALL_ACCESS, FALSE, missing[i % 2]),
			    ERROR_INVALID_PARAMETER);
		other = OpenThread(THREAD_ALL_ACCESS, FALSE, GetThreadId(thread));
		CHECK(other && CloseHandle(other));
	}
	CHECK_EQ(target_counts(shared, false).caller_handles, before + 1);
	target_open_gate(shared, 1);
	thread_finish(thread);
	target_runs(shared, 1);
}

TEST(LK_06_duplicates)
{
	struct counts before = target_counts(shared, true), now;

	for (uint64_t i = 0; i < 50; i++) {
		HANDLE thread = thread_create(shared, value, i, 0), moved = NULL;

		CHECK(DuplicateHandle(GetCurrentProcess(), thread, GetCurrentProcess(), &moved, 0,
				      FALSE, DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE));
		CHECK_EQ(thread_finish(moved), i);
	}
	target_runs(shared, 50);
	now = target_counts(shared, true);
	CHECK_EQ(now.caller_handles, before.caller_handles);
	CHECK_EQ(now.handles, before.handles);
	CHECK_EQ(now.threads, before.threads);
	CHECK_EQ(now.regions, before.regions);
}

TEST(LK_07)
{
	struct counts before = target_counts(shared, true), now;
	unsigned int runs = target_runs(shared, 0);
	DWORD n_threads = 200;

	for (DWORD i = 0; i < n_threads; i++) {
		HANDLE thread = thread_create(shared, value, 0, CREATE_SUSPENDED);

		CHECK(TerminateThread(thread, 6));
		CHECK_EQ(thread_finish(thread), 6);
	}
	now = target_counts(shared, true);
	CHECK_EQ(now.caller_handles, before.caller_handles);
	CHECK_EQ(now.handles, before.handles);
	CHECK_EQ(now.threads, before.threads);
	CHECK(now.regions < before.regions + n_threads / 2);
	CHECK_EQ(target_runs(shared, 0), runs);
}

/* In the target: handles that nobody else knows.  Return: how many did not stay ours. */
static DWORD WINAPI use_handles(LPVOID n)
{
	DWORD n_broken = 0;

	for (uintptr_t i = 0; i < (uintptr_t)n; i++) {
		HANDLE self = OpenProcess(PROCESS_QUERY_INFORMATION, FALSE, GetCurrentProcessId());

		n_broken += GetProcessId(self) != GetCurrentProcessId();
		n_broken += !CloseHandle(self);
	}
	return n_broken;
}

TEST(LK_08)
{
	HANDLE own[16];
	struct ways ways;

	begin_ways(&ways);
	for (int i = 0; i < 16; i++)
		own[i] = target_open(shared, PROCESS_QUERY_INFORMATION);
	for (int i = 0; i < N_WAYS; i++) {
		target_begin(shared, use_handles, 200);
		for (int j = 0; j < N_TRIES; j++)
			fail_once(&ways.each[i]);
		CHECK_EQ(target_answer(shared), 0);
	}
	for (int i = 0; i < 16; i++) {
		CHECK_EQ(GetProcessId(own[i]), shared->id);
		CHECK(CloseHandle(own[i]));
	}
	end_ways(&ways);
}

/* One thread there spins, another one is in a read, and the main thread opens and closes. */
TEST(LK_09)
{
	HANDLE busy = thread_create(shared, spin, (uintptr_t)target_address(shared, &spot[0]), 0);
	uint64_t began, longest = 0;
	struct ways ways;

	begin_ways(&ways);
	for (int i = 0; i < N_WAYS; i++) {
		target_begin(shared, use_handles, 200);
		for (int j = 0; j < N_TRIES; j++) {
			began = clock_ms();
			fail_once(&ways.each[i]);
			longest = clock_ms() - began > longest ? clock_ms() - began : longest;
		}
		CHECK_EQ(target_answer(shared), 0);
	}
	CHECK(longest < PATIENCE_MS / 2);
	end_ways(&ways);
	target_set(shared, &spot[0], 1);
	CHECK_EQ(thread_finish(busy), 1);
	target_set(shared, &spot[0], 0);
}

/* A target that is a caller: creates threads in the process of that id until it is ended. */
static volatile LONG n_created;
static uint64_t victim_function;

static DWORD WINAPI create_for_ever(LPVOID id)
{
	HANDLE process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)(uintptr_t)id);

	for (;;) {
		HANDLE thread = CreateRemoteThread(process, NULL, 0,
			(LPTHREAD_START_ROUTINE)(uintptr_t)victim_function, NULL, 0, NULL);

		if (thread) {
			CloseHandle(thread);
			__atomic_add_fetch(&n_created, 1, __ATOMIC_SEQ_CST);
		}
	}
	return 0;
}

static DWORD WINAPI do_nothing(LPVOID unused)
{
	(void)unused;
	return 0;
}

TEST(LK_10)
{
	struct target *victim = target_start();
	DWORD threads = target_threads(victim);
	uint64_t deadline;

	for (LONG i = 0; i < 25; i++) {
		struct target *caller = target_start();
		uint64_t function = (uintptr_t)target_function(victim, do_nothing);

		CHECK(WriteProcessMemory(caller->process, target_address(caller, &victim_function),
					 &function, sizeof(function), NULL));
		target_begin(caller, create_for_ever, victim->id);
		while (target_get(caller, &n_created) < i)
			yield_processor();
		target_kill(caller);
		target_free(caller);
		CHECK(target_is_alive(victim));
		CHECK_EQ(target_run(victim, value, 7), 7);
	}
	deadline = clock_ms() + PATIENCE_MS;
	while (target_threads(victim) > threads && clock_ms() < deadline)
		yield_processor();
	CHECK_EQ(target_threads(victim), threads);
	target_end(victim);
}
