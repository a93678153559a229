/* SPDX-License-Identifier: BSD-2-Clause */
/* crt.c - CreateRemoteThread(), CreateRemoteThreadEx(), CreateThread() */
#include "test.h"

#define KIB ((SIZE_T)1024)
#define ALL_FIVE (PROCESS_CREATE_THREAD | PROCESS_QUERY_INFORMATION | PROCESS_VM_OPERATION | \
		  PROCESS_VM_WRITE | PROCESS_VM_READ)

static const uint64_t values[] = { 0, 255, 256, 259, 0x80000001, 0xffffffff, 0x123456789abcdef0,
				   UINT64_MAX };
#define N_VALUES ((unsigned int)(sizeof(values) / sizeof(values[0])))

static struct report last_report(struct target *t)
{
	struct report got = { 0 };

	target_runs(t, 1);
	CHECK(ReadProcessMemory(t->process, target_address(t, &cell), &got, sizeof(got), NULL));
	return got;
}

/* The simplest call on another handle than the target's own. */
static HANDLE create_by(HANDLE process)
{
	return CreateRemoteThread(process, NULL, 0, target_function(shared, value), NULL, 0, NULL);
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
	CHECK_EQ(target_runs(shared, 0), before + 2);
}

TEST(CRT_02)
{
	for (size_t i = 0; i < N_VALUES; i++) {
		CHECK_EQ(target_run(shared, report, values[i]), 1);
		CHECK_EQ(last_report(shared).argument, values[i]);
	}
}

TEST(CRT_03)
{
	for (size_t i = 0; i < N_VALUES; i++)
		CHECK_EQ(target_run(shared, value, values[i]), (DWORD)values[i]);
	target_runs(shared, N_VALUES);
}

TEST(CRT_04)
{
	DWORD id = 0;
	HANDLE thread = CreateRemoteThread(shared->process, NULL, 0, target_function(shared, report),
					   NULL, 0, &id);

	REQUIRE(thread != NULL);
	CHECK_EQ(GetThreadId(thread), id);
	CHECK_EQ(thread_finish(thread), 1);
	CHECK_EQ(last_report(shared).thread_id, id);
}

TEST(CRT_05)
{
	HANDLE thread = thread_create(shared, value, 6, 0); /* with NULL */

	REQUIRE(thread != NULL);
	CHECK(GetThreadId(thread) != 0);
	CHECK_EQ(thread_finish(thread), 6);
	target_runs(shared, 1);
}

TEST(CRT_06)
{
	HANDLE thread = thread_create(shared, value, 6, 0);

	CHECK_EQ(GetProcessIdOfThread(thread), shared->id);
	thread_finish(thread);
	target_runs(shared, 1);
}

TEST(CRT_07)
{
	HANDLE thread;

	SetLastError(UNTOUCHED);
	thread = create_by(shared->process);
	CHECK_EQ(GetLastError(), UNTOUCHED);
	thread_finish(thread);
	target_runs(shared, 1);
}

TEST(CRT_08)
{
	HANDLE query = target_open(shared, PROCESS_QUERY_INFORMATION);

	CHECK_FAILS(create_by(NULL), ERROR_INVALID_HANDLE);
	CHECK_FAILS(create_by(query), ERROR_ACCESS_DENIED);
	CHECK(CloseHandle(query));
}

TEST(CRT_09)
{
	HANDLE wrong[] = { NULL, target_open(shared, PROCESS_QUERY_INFORMATION), GetCurrentThread() };
	LPTHREAD_START_ROUTINE start = target_function(shared, value);
	DWORD id = UNTOUCHED;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		CHECK(!CreateRemoteThread(wrong[i], NULL, 0, start, NULL, 0, &id));
		CHECK_EQ(id, UNTOUCHED);
	}
	CHECK(CloseHandle(wrong[1]));
}

TEST(CRT_09_stack)
{
	DWORD id = UNTOUCHED;

	CHECK(!CreateRemoteThread(shared->process, NULL, (SIZE_T)1 << 46,
				  target_function(shared, value), NULL, 0, &id));
	CHECK_EQ(id, UNTOUCHED);
}

static DWORD WINAPI local_function(LPVOID argument)
{
	return (DWORD)(uintptr_t)argument + GetCurrentThreadId();
}

static void check_local(HANDLE thread, DWORD id, DWORD argument)
{
	REQUIRE(thread != NULL);
	CHECK_EQ(GetThreadId(thread), id);
	CHECK_EQ(GetProcessIdOfThread(thread), GetCurrentProcessId());
	CHECK_EQ(thread_finish(thread), id + argument);
}

TEST(CRT_10)
{
	HANDLE self = OpenProcess(PROCESS_ALL_ACCESS, FALSE, GetCurrentProcessId());
	HANDLE each[] = { self, GetCurrentProcess() };

	REQUIRE(self != NULL);
	for (DWORD i = 0; i < 2; i++) {
		DWORD id = 0;
		HANDLE thread = CreateRemoteThread(each[i], NULL, 0, local_function,
						   (LPVOID)(uintptr_t)i, 0, &id);

		check_local(thread, id, i);
	}
	CHECK(CloseHandle(self));
}

TEST(CRT_11)
{
	HANDLE closed = target_open(shared, PROCESS_ALL_ACCESS);

	CHECK(CloseHandle(closed));
	CHECK_FAILS(create_by(NULL), ERROR_INVALID_HANDLE);
	CHECK_FAILS(create_by((HANDLE)(uintptr_t)0x7777774), ERROR_INVALID_HANDLE);
	CHECK_FAILS(create_by(closed), ERROR_INVALID_HANDLE);
}

TEST(CRT_12)
{
	HANDLE thread = thread_create(shared, gated, 0, 0);

	CHECK_FAILS(create_by(thread), ERROR_INVALID_HANDLE);
	CHECK_FAILS(create_by(GetCurrentThread()), ERROR_INVALID_HANDLE);
	target_open_gate(shared, 1);
	thread_finish(thread);
	target_runs(shared, 1);
}

TEST(CRT_13)
{
	HANDLE process = target_open(shared, PROCESS_ALL_ACCESS & ~PROCESS_CREATE_THREAD);

	CHECK_FAILS(create_by(process), ERROR_ACCESS_DENIED);
	CHECK(CloseHandle(process));
}

TEST(CRT_14)
{
	DWORD rights[] = { PROCESS_QUERY_INFORMATION, PROCESS_VM_OPERATION, PROCESS_VM_WRITE,
			   PROCESS_VM_READ };

	for (int i = 0; i < 4; i++) {
		HANDLE process = target_open(shared, ALL_FIVE & ~rights[i]);
		int n_created = 0;

		for (int j = 0; j < 10; j++) {
			HANDLE thread = create_by(process);

			n_created += thread != NULL;
			if (!thread)
				CHECK_EQ(GetLastError(), ERROR_ACCESS_DENIED);
			else
				thread_finish(thread);
		}
		CHECK(n_created == 0 || n_created == 10);
		target_runs(shared, (unsigned int)n_created);
		CHECK(CloseHandle(process));
	}
}

TEST(CRT_15)
{
	HANDLE process = target_open(shared, ALL_FIVE), thread = create_by(process);

	CHECK(thread != NULL);
	thread_finish(thread);
	target_runs(shared, 1);
	CHECK(CloseHandle(process));
}

TEST(CRT_16)
{
	struct target *t = target_start();

	target_run(t, value, 0);
	target_kill(t);
	CHECK_FAILS(create_by(t->process), ERROR_ACCESS_DENIED);
	target_reap(t);
	CHECK_FAILS(create_by(t->process), ERROR_ACCESS_DENIED);
	target_free(t);
}

TEST(CRT_16_exited)
{
	struct target *t = target_start();
	HANDLE thread = thread_create(t, leave, 3, 0);

	CHECK_EQ(WaitForSingleObject(t->process, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK_FAILS(create_by(t->process), ERROR_ACCESS_DENIED);
	CHECK(CloseHandle(thread));
	target_free(t);
}

static volatile LONG n_made, n_silent;

/* Until it fails.  The last error of the one that fails is there. */
static DWORD WINAPI create_until_it_fails(LPVOID argument)
{
	struct target *t = argument;
	HANDLE thread;

	do {
		SetLastError(0);
		thread = CreateRemoteThread(t->process, NULL, 0, target_function(t, value), NULL, 0,
					    NULL);
		if (thread) {
			__atomic_add_fetch(&n_made, 1, __ATOMIC_SEQ_CST);
			CloseHandle(thread);
		} else if (GetLastError() == 0) {
			n_silent++;
		}
	} while (thread);
	return 1;
}

TEST(CRT_17)
{
	for (LONG i = 0; i < 12; i++) {
		struct target *t = target_start();
		HANDLE creator;

		n_made = n_silent = 0;
		creator = CreateThread(NULL, 0, create_until_it_fails, t, 0, NULL);
		REQUIRE(creator != NULL);
		while (__atomic_load_n(&n_made, __ATOMIC_SEQ_CST) < i)
			yield_processor();
		target_kill(t);
		CHECK_EQ(thread_finish(creator), 1);
		CHECK_EQ(n_silent, 0);
		target_free(t);
	}
}

static void check_stack(SIZE_T size, DWORD flags, SIZE_T use)
{
	HANDLE thread = CreateRemoteThread(shared->process, NULL, size,
					   target_function(shared, use_stack), (LPVOID)use, flags,
					   NULL);

	REQUIRE(thread != NULL);
	CHECK_EQ(thread_finish(thread), use);
}

TEST(CRT_18)
{
	check_stack(0, 0, 512 * KIB);
}

TEST(CRT_19)
{
	check_stack(1, 0, 900 * KIB); /* committed as needed, of the default reserve */
	check_stack(64 * KIB, 0, 64 * KIB);
	check_stack(1000 * KIB, 0, 1000 * KIB);
	check_stack(1024 * KIB, 0, 1024 * KIB);
	check_stack(5000 * KIB + 1, 0, 5000 * KIB);
	check_stack(65536 * KIB, 0, 65536 * KIB - 64 * KIB);
}

TEST(CRT_20)
{
	check_stack(64 * KIB, STACK_SIZE_PARAM_IS_A_RESERVATION, 40 * KIB);
	check_stack(65 * KIB, STACK_SIZE_PARAM_IS_A_RESERVATION, 100 * KIB);
	check_stack(2048 * KIB, STACK_SIZE_PARAM_IS_A_RESERVATION, 2000 * KIB);
	check_stack(32768 * KIB, STACK_SIZE_PARAM_IS_A_RESERVATION, 32700 * KIB);
}

TEST(CRT_21)
{
	SIZE_T sizes[] = { 1, 4095, 4097 };

	for (int i = 0; i < 3; i++) {
		check_stack(sizes[i], 0, 64 * KIB);
		check_stack(sizes[i], STACK_SIZE_PARAM_IS_A_RESERVATION, 40 * KIB);
	}
}

static void check_no_stack(SIZE_T size, DWORD flags)
{
	CHECK_FAILS_ANY(CreateRemoteThread(shared->process, NULL, size,
					   target_function(shared, value), NULL, flags, NULL),
			ERROR_NOT_ENOUGH_MEMORY, ERROR_COMMITMENT_LIMIT, ERROR_INVALID_PARAMETER);
	CHECK(target_is_alive(shared));
}

TEST(CRT_22)
{
	check_no_stack((SIZE_T)1 << 46, 0);
	check_no_stack((SIZE_T)1 << 46, STACK_SIZE_PARAM_IS_A_RESERVATION);
	check_no_stack((SIZE_T)1 << 60, 0);
	CHECK_EQ(target_run(shared, value, 3), 3);
	target_runs(shared, 1);
}

TEST(CRT_23)
{
	check_no_stack((SIZE_T)-1, 0);
	check_no_stack((SIZE_T)-1 - 4096, 0);
	check_no_stack((SIZE_T)-1, STACK_SIZE_PARAM_IS_A_RESERVATION);
	CHECK_EQ(target_run(shared, value, 3), 3);
	target_runs(shared, 1);
}

TEST(CRT_24)
{
	unsigned int before = target_runs(shared, 0);
	DWORD threads = target_threads(shared), code = 0;
	HANDLE thread = thread_create(shared, value, 11, CREATE_SUSPENDED);

	REQUIRE(thread != NULL);
	CHECK_EQ(target_threads(shared), threads + 1);
	CHECK(GetThreadId(thread) != 0);
	CHECK_EQ(GetProcessIdOfThread(thread), shared->id);
	CHECK_EQ(WaitForSingleObject(thread, 50), WAIT_TIMEOUT);
	CHECK(GetExitCodeThread(thread, &code));
	CHECK_EQ(code, STILL_ACTIVE);
	CHECK_EQ(target_runs(shared, 0), before);
	CHECK_EQ(ResumeThread(thread), 1);
	CHECK_EQ(thread_finish(thread), 11);
	CHECK_EQ(target_runs(shared, 1), before + 1);
}

TEST(CRT_25)
{
	CHECK(CloseHandle(thread_create(shared, value, 1, 0)));
	CHECK(target_runs(shared, 1) > 0); /* comes back when it has run */
}

TEST(CRT_26)
{
	DWORD flags[] = { 0x1, 0x40, 0x80000000 };

	for (int i = 0; i < 3; i++) {
		HANDLE thread;

		SetLastError(UNTOUCHED);
		thread = CreateRemoteThread(shared->process, NULL, 0, target_function(shared, value),
					    NULL, flags[i], NULL);
		if (CHECK(!thread))
			CHECK_EQ(GetLastError(), ERROR_INVALID_PARAMETER);
		else
			thread_finish(thread);
	}
}

static DWORD inherit_flag(HANDLE handle)
{
	DWORD flags = UNTOUCHED;

	CHECK(GetHandleInformation(handle, &flags));
	return flags & HANDLE_FLAG_INHERIT;
}

TEST(CRT_27)
{
	HANDLE thread = thread_create(shared, value, 0, 0);

	CHECK_EQ(inherit_flag(thread), 0);
	thread_finish(thread);
	target_runs(shared, 1);
}

TEST(CRT_28)
{
	for (BOOL inherit = FALSE; inherit <= TRUE; inherit++) {
		SECURITY_ATTRIBUTES attributes = { sizeof(attributes), NULL, inherit };
		HANDLE thread = CreateRemoteThread(shared->process, &attributes, 0,
						   target_function(shared, value), NULL, 0, NULL);

		REQUIRE(thread != NULL);
		CHECK_EQ(inherit_flag(thread), inherit ? HANDLE_FLAG_INHERIT : 0);
		thread_finish(thread);
	}
	target_runs(shared, 2);
}

/* Each right of a thread is used by what needs it. */
TEST(CRT_29)
{
	HANDLE thread = thread_create(shared, gated, 0, 0), copy = NULL;
	DWORD code;

	REQUIRE(thread != NULL);
	CHECK_EQ(WaitForSingleObject(thread, 0), WAIT_TIMEOUT);
	CHECK(GetExitCodeThread(thread, &code));
	CHECK_EQ(SuspendThread(thread), 0);
	CHECK_EQ(ResumeThread(thread), 1);
	CHECK(SetThreadPriority(thread, THREAD_PRIORITY_BELOW_NORMAL));
	CHECK_EQ(GetThreadPriority(thread), THREAD_PRIORITY_BELOW_NORMAL);
	CHECK(DuplicateHandle(GetCurrentProcess(), thread, GetCurrentProcess(), &copy,
			      THREAD_ALL_ACCESS, FALSE, 0));
	CHECK(TerminateThread(copy, 4));
	CHECK(CloseHandle(copy));
	CHECK_EQ(thread_finish(thread), 4);
}

TEST(CRT_30)
{
	DWORD flags[] = { 0, CREATE_SUSPENDED };

	for (int i = 0; i < 2; i++) {
		HANDLE thread = thread_create(shared, gated, 0, flags[i]);

		CHECK_EQ(GetThreadPriority(thread), THREAD_PRIORITY_NORMAL);
		if (flags[i])
			CHECK_EQ(ResumeThread(thread), 1);
		target_open_gate(shared, 1);
		thread_finish(thread);
	}
	target_runs(shared, 2);
}

static LPTHREAD_START_ROUTINE wrong_start(const struct target *t, int i)
{
	LPTHREAD_START_ROUTINE wrong[] = {
		NULL, (LPTHREAD_START_ROUTINE)(uintptr_t)16,
		(LPTHREAD_START_ROUTINE)(uintptr_t)target_address(t, &cell),
		(LPTHREAD_START_ROUTINE)(uintptr_t)0x8000000000000000,
	};

	return wrong[i];
}

TEST(CRT_31)
{
	struct target *t = target_start();

	for (int i = 0; i < 4; i++) {
		HANDLE thread;

		SetLastError(UNTOUCHED);
		thread = CreateRemoteThread(t->process, NULL, 0, wrong_start(t, i), NULL,
					    CREATE_SUSPENDED, NULL);
		if (!thread)
			CHECK(GetLastError() != UNTOUCHED);
		else
			CHECK(CloseHandle(thread));
		CHECK(target_is_alive(t));
	}
	target_kill(t);
	target_free(t);
}

/* It is refused, or the process ends by it. */
TEST(CRT_31_runs)
{
	for (int i = 0; i < 4; i++) {
		struct target *t = target_start();
		HANDLE thread;

		SetLastError(UNTOUCHED);
		thread = CreateRemoteThread(t->process, NULL, 0, wrong_start(t, i), NULL, 0, NULL);
		if (thread) {
			CHECK_EQ(WaitForSingleObject(t->process, PATIENCE_MS), WAIT_OBJECT_0);
			CHECK_EQ(thread_finish(thread), STATUS_ACCESS_VIOLATION);
		} else {
			CHECK(GetLastError() != UNTOUCHED);
			CHECK(target_is_alive(t));
		}
		target_free(t);
	}
}

TEST(CRT_32)
{
	struct target *t = target_start();
	HANDLE other = thread_create(t, gated, 0, 0), thread = thread_create(t, crash, 8, 0);
	DWORD code = 0;

	CHECK_EQ(WaitForSingleObject(t->process, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK(GetExitCodeProcess(t->process, &code));
	CHECK_EQ(code, STATUS_ACCESS_VIOLATION);
	CHECK_EQ(thread_finish(thread), STATUS_ACCESS_VIOLATION);
	CHECK_EQ(thread_finish(other), STATUS_ACCESS_VIOLATION);
	target_free(t);
}

TEST(CRT_33)
{
	HANDLE thread = thread_create(shared, value, 12, 0);
	DWORD id = GetThreadId(thread), code;

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
		code = 0;
		CHECK(GetExitCodeThread(thread, &code));
		CHECK_EQ(code, 12);
		CHECK_EQ(GetThreadId(thread), id);
		CHECK_EQ(GetProcessIdOfThread(thread), shared->id);
	}
	CHECK(CloseHandle(thread));
	target_runs(shared, 1);
}

TEST(CRT_34)
{
	unsigned int before = target_runs(shared, 0);

	CHECK(CloseHandle(thread_create(shared, gated, 0, 0)));
	target_open_gate(shared, 1);
	CHECK_EQ(target_runs(shared, 1), before + 1);
}

TEST(CRT_35)
{
	DWORD threads = target_threads(shared), id[60] = { 0 };
	HANDLE thread[60];

	for (unsigned int i = 0; i < 60; i++) {
		thread[i] = CreateRemoteThread(shared->process, NULL, 0,
					       target_function(shared, gated),
					       (LPVOID)(uintptr_t)(1000 + i), 0, &id[i]);
		REQUIRE(thread[i] != NULL);
		for (unsigned int j = 0; j < i; j++)
			CHECK(thread[i] != thread[j] && id[i] != id[j]);
	}
	CHECK_EQ(target_threads(shared), threads + 60);
	target_open_gate(shared, 60);
	for (unsigned int i = 0; i < 60; i++)
		CHECK_EQ(thread_finish(thread[i]), 1000 + i);
	target_runs(shared, 60);
}

/* Return: 0, or one more than the thread that went wrong. */
static DWORD WINAPI create_many(LPVOID argument)
{
	struct target *t = argument;

	for (DWORD i = 0; i < 50; i++) {
		HANDLE thread = CreateRemoteThread(t->process, NULL, 0, target_function(t, value),
						   (LPVOID)(uintptr_t)i, 0, NULL);
		DWORD code = UNTOUCHED;

		if (!thread || WaitForSingleObject(thread, PATIENCE_MS) != WAIT_OBJECT_0 ||
		    !GetExitCodeThread(thread, &code) || code != i || !CloseHandle(thread))
			return i + 1;
	}
	return 0;
}

TEST(CRT_36)
{
	struct target *other = target_start();
	HANDLE thread[4];

	for (int i = 0; i < 4; i++)
		thread[i] = CreateThread(NULL, 0, create_many, i % 2 ? other : shared, 0, NULL);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(thread_finish(thread[i]), 0);
	target_runs(shared, 100);
	target_end(other);
}

TEST(CRT_37)
{
	/* The main thread spins, then is in a read; other threads do both. */
	HANDLE busy = thread_create(shared, spin, (uintptr_t)target_address(shared, &spot[1]), 0);
	HANDLE blocked = thread_create(shared, gated, 0, 0);

	target_begin(shared, spin, (uintptr_t)target_address(shared, &spot[0]));
	for (unsigned int i = 0; i < 20; i++)
		CHECK_EQ(target_run(shared, value, i), i);
	target_set(shared, &spot[0], 1);
	CHECK_EQ(target_answer(shared), 1);
	CHECK_EQ(target_run(shared, value, 20), 20);
	target_set(shared, &spot[1], 1);
	CHECK_EQ(thread_finish(busy), 1);
	target_open_gate(shared, 1);
	CHECK_EQ(thread_finish(blocked), 0);
	target_runs(shared, 22);
	target_set(shared, &spot[0], 0);
	target_set(shared, &spot[1], 0);
}

TEST(CRT_38)
{
	unsigned int before = target_runs(shared, 0);
	HANDLE suspended[2];

	for (unsigned int i = 0; i < 2; i++)
		suspended[i] = thread_create(shared, value, i, CREATE_SUSPENDED);
	CHECK_EQ(target_run(shared, value, 5), 5);
	CHECK_EQ(target_runs(shared, 1), before + 1);
	CHECK_EQ(WaitForMultipleObjects(2, suspended, FALSE, 20), WAIT_TIMEOUT);
	for (unsigned int i = 0; i < 2; i++) {
		CHECK_EQ(ResumeThread(suspended[i]), 1);
		CHECK_EQ(thread_finish(suspended[i]), i);
	}
	target_runs(shared, 2);
}

TEST(CRT_39)
{
	struct report got;

	CHECK_EQ(target_run(shared, report, 0), 1);
	got = last_report(shared);
	CHECK_EQ(got.own_errno, 5);
	CHECK_EQ(got.fraction, 1000000);
	CHECK_EQ(got.copy, 18); /* its own 17, and one more */
}

TEST(CRT_40)
{
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(target_run(shared, report, 0), 1);
		CHECK_EQ(last_report(shared).frame % 16, 0);
	}
}

TEST(CRT_41)
{
	struct target *t = target_start();
	HANDLE goes_on = thread_create(t, counting, (uintptr_t)target_address(t, &spot[0]), 0);
	LONG before;

	for (unsigned int i = 0; i < 300; i++)
		CHECK_EQ(target_run(t, value, i), i);
	CHECK_EQ(target_runs(t, 300), 300);
	CHECK_EQ(target_call(t, own_value, 0), 17);
	before = target_get(t, &spot[0]);
	while (target_get(t, &spot[0]) == before)
		yield_processor();
	target_set(t, &spot[1], 1);
	thread_finish(goes_on);
	target_end(t); /* with its own code */
}

TEST(CRT_42)
{
	target_begin(shared, pass_gate, 0);
	for (unsigned int i = 0; i < 30; i++)
		CHECK_EQ(target_run(shared, value, i), i);
	CHECK_EQ(target_run(shared, open_gate, 1), 1);
	CHECK_EQ(target_answer(shared), 0); /* interruptions */
	target_runs(shared, 30);
}

TEST(CRT_44)
{
	DWORD id[2] = { 0 };
	HANDLE there = CreateRemoteThreadEx(shared->process, NULL, 0, target_function(shared, value),
					    (LPVOID)(uintptr_t)8, 0, NULL, &id[0]);
	HANDLE here = CreateRemoteThreadEx(GetCurrentProcess(), NULL, 0, local_function,
					   (LPVOID)(uintptr_t)1, 0, NULL, &id[1]);

	REQUIRE(there != NULL);
	CHECK_EQ(GetThreadId(there), id[0]);
	CHECK_EQ(thread_finish(there), 8);
	check_local(here, id[1], 1);
	CHECK_FAILS(CreateRemoteThreadEx(NULL, NULL, 0, local_function, NULL, 0, NULL, NULL),
		    ERROR_INVALID_HANDLE);
	target_runs(shared, 1);
}

TEST(CRT_45)
{
	DWORD id = 0;
	HANDLE thread = CreateThread(NULL, 0, local_function, (LPVOID)(uintptr_t)1, 0, &id);

	check_local(thread, id, 1);
	thread = CreateThread(NULL, 0, local_function, NULL, CREATE_SUSPENDED, &id);
	CHECK_EQ(WaitForSingleObject(thread, 10), WAIT_TIMEOUT);
	CHECK_EQ(ResumeThread(thread), 1);
	check_local(thread, id, 0);
}

TEST(CRT_47)
{
	struct counts before = target_counts(shared, true);

	for (unsigned int i = 0; i < 500; i++)
		CHECK_EQ(target_run(shared, value, i), i);
	target_runs(shared, 500);
	CHECK_EQ(target_counts(shared, true).regions, before.regions);
}
