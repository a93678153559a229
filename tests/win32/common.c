/* SPDX-License-Identifier: BSD-2-Clause */
/* common.c - what tests of all sections do with threads, and the functions that these run */
#include "test.h"

#include <errno.h>

struct report cell;
const char constant[64] = "read-only data";
volatile LONG spot[16];

static struct gate *gate, *done; /* in the target */
static volatile LONG n_runs;
static __thread int own = 17;

/* In the caller */

HANDLE thread_create(struct target *t, LPTHREAD_START_ROUTINE function, uint64_t argument,
		     DWORD flags)
{
	HANDLE thread = CreateRemoteThread(t->process, NULL, 0, target_function(t, function),
					   (LPVOID)(uintptr_t)argument, flags, NULL);

	CHECK(thread != NULL);
	return thread;
}

DWORD thread_finish(HANDLE thread)
{
	DWORD code = UNTOUCHED;

	CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK(GetExitCodeThread(thread, &code));
	CHECK(CloseHandle(thread));
	return code;
}

DWORD target_run(struct target *t, LPTHREAD_START_ROUTINE function, uint64_t argument)
{
	HANDLE thread = thread_create(t, function, argument, 0);

	return thread ? thread_finish(thread) : UNTOUCHED;
}

HANDLE target_open(struct target *t, DWORD access)
{
	HANDLE process = OpenProcess(access, FALSE, t->id);

	CHECK(process != NULL);
	return process;
}

static DWORD WINAPI wait_for_runs(LPVOID n_more)
{
	for (uintptr_t n = (uintptr_t)n_more; n > 0; n--)
		gate_pass(done);
	return (DWORD)n_runs;
}

unsigned int target_runs(struct target *t, unsigned int n_more)
{
	return (unsigned int)target_call(t, wait_for_runs, n_more);
}

void target_open_gate(struct target *t, unsigned int n)
{
	CHECK_EQ(target_call(t, open_gate, n), 1);
}

void target_set(struct target *t, volatile LONG *variable, LONG to)
{
	CHECK(WriteProcessMemory(t->process, target_address(t, variable), &to, sizeof(to), NULL));
}

LONG target_get(struct target *t, volatile LONG *variable)
{
	LONG is = (LONG)UNTOUCHED;

	CHECK(ReadProcessMemory(t->process, target_address(t, variable), &is, sizeof(is), NULL));
	return is;
}

/* In the target */

__attribute__((constructor)) static void create_gates(void)
{
	gate = gate_create();
	done = gate_create();
}

static void note_run(void)
{
	__atomic_fetch_add(&n_runs, 1, __ATOMIC_SEQ_CST);
	gate_open(done, 1);
}

DWORD WINAPI value(LPVOID argument)
{
	note_run();
	return (DWORD)(uintptr_t)argument;
}

DWORD WINAPI increment(LPVOID variable)
{
	return (DWORD)__atomic_add_fetch((LONG *)variable, 1, __ATOMIC_SEQ_CST);
}

DWORD WINAPI add(LPVOID argument)
{
	struct sum *sum = argument;

	sum->sum = sum->a + sum->b;
	return (DWORD)sum->sum;
}

/* Everything that a full thread must be able to do. */
DWORD WINAPI report(LPVOID argument)
{
	volatile double third = 1.0;
	volatile __attribute__((aligned(16))) char aligned[16]; /* if the stack is */
	char *copy = malloc(1000);
	char text[64];

	third /= 3.0;
	own++;
	errno = 5;
	snprintf(text, sizeof(text), "%.0f", third * 3000000);
	strcpy(copy, text);
	cell.thread_id = system_thread_id();
	cell.process_id = system_process_id();
	cell.argument = (uint64_t)(uintptr_t)argument;
	cell.frame = (uint64_t)(uintptr_t)aligned;
	cell.own_errno = (uint64_t)errno;
	cell.fraction = (uint64_t)atoi(copy);
	cell.copy = (uint64_t)own;
	free(copy);
	note_run();
	return 1;
}

/* Page by page from the top, as a big frame would. */
__attribute__((noinline)) DWORD WINAPI use_stack(LPVOID argument)
{
	size_t bytes = (size_t)argument;
	volatile char *low = __builtin_alloca(bytes);

	for (size_t at = bytes; at > 0; at = at > 1024 ? at - 1024 : 0)
		low[at - 1] = 1;
	return (DWORD)bytes;
}

DWORD WINAPI gated(LPVOID argument)
{
	gate_pass(gate);
	note_run();
	return (DWORD)(uintptr_t)argument;
}

DWORD WINAPI pass_gate(LPVOID unused)
{
	(void)unused;
	return gate_pass(gate);
}

DWORD WINAPI open_gate(LPVOID n)
{
	gate_open(gate, (unsigned int)(uintptr_t)n);
	return 1;
}

DWORD WINAPI own_value(LPVOID unused)
{
	(void)unused;
	return (DWORD)own;
}

DWORD WINAPI spin(LPVOID variable)
{
	volatile LONG *at = variable;

	while (*at == 0)
		;
	return (DWORD)*at;
}

DWORD WINAPI counting(LPVOID variable)
{
	volatile LONG *at = variable;

	while (at[1] == 0)
		at[0]++;
	return (DWORD)at[0];
}

DWORD WINAPI crash(LPVOID address)
{
	*(volatile int *)address = 1;
	return 0;
}

DWORD WINAPI leave(LPVOID code)
{
	exit((int)(uintptr_t)code);
}

__attribute__((noinline)) DWORD WINAPI patched(LPVOID argument)
{
	return (DWORD)(uintptr_t)argument + 1;
}

__attribute__((noinline)) DWORD WINAPI patch_source(LPVOID argument)
{
	return (DWORD)(uintptr_t)argument + 2;
}
