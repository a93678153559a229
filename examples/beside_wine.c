/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * beside_wine.c - count what failing calls of CreateRemoteThread() leave behind
 *
 *     beside_wine target                    use handles in a tight loop for five minutes; says
 *                                           `PID ANSWER STATE` (addresses in hexadecimal)
 *     beside_wine caller PID ANSWER STATE   make 2,000 failing calls into it; says `NAME|NUMBER`
 *
 * One source for Windows, where Wine runs it, and for Linux.  examples/demo-wine.sh compiles and
 * runs both, and holds what they say beside each other.
 *
 * The target matters.  Its first thread sleeps and another one opens and closes handles: whatever
 * a failing call wrongly does to handles there hits the one that is in use.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <tendril/win32.h>

#define N_CALLS        2000
#define ANSWER         42
#define PATIENCE_MS    10000
#define LOOK_EVERY_MS  5
#define LIFETIME_MS    300000 /* should nobody end it */
#define HIGHEST_HANDLE 0x8000

/* 64 TiB: no argument check refuses it, but there is no room, which shows only when memory for the
 * stack is mapped in the target. */
#define STACK_BYTES ((SIZE_T)1 << 46)

/* What the caller reads in the target, and where it asks for a count. */
struct state {
	DWORD n_operations;
	DWORD n_broken;
	DWORD n_asked; /* written by the caller */
	DWORD n_answered;
	DWORD n_handles;
};

static volatile struct state state;

/* Wine 8.0 has GetProcessHandleCount() as a stub that says 0: there each value is tried. */
static DWORD count_own_handles(void)
{
	DWORD count = 0, flags;
	ULONG_PTR value;

	if (GetProcessHandleCount(GetCurrentProcess(), &count) && count > 0)
		return count;
	count = 0;
	for (value = 4; value <= HIGHEST_HANDLE; value += 4)
		if (GetHandleInformation((HANDLE)value, &flags))
			count++;
	return count;
}

/* Nobody but us knows this handle.  If it stops being ours, somebody has closed it. */
static BOOL use_a_handle(void)
{
	HANDLE self = OpenProcess(PROCESS_QUERY_INFORMATION, FALSE, GetCurrentProcessId());
	BOOL is_ours = self && GetProcessId(self) == GetCurrentProcessId();

	return self && CloseHandle(self) && is_ours;
}

static DWORD WINAPI be_busy(LPVOID unused)
{
	(void)unused;
	for (;;) {
		DWORD n_asked = state.n_asked;

		/* Here, where no handle of the loop is open, so that counts can be compared. */
		if (state.n_answered != n_asked) {
			state.n_handles = count_own_handles();
			state.n_answered = n_asked;
		}
		if (!use_a_handle())
			state.n_broken++;
		state.n_operations++;
	}
	return 0;
}

static DWORD WINAPI answer(LPVOID unused)
{
	(void)unused;
	return ANSWER;
}

static int run_target(void)
{
	HANDLE busy = CreateThread(NULL, 0, be_busy, NULL, 0, NULL);

	if (!busy)
		return 1;
	printf("%u %" PRIxPTR " %" PRIxPTR "\n", (unsigned)GetCurrentProcessId(), (ULONG_PTR)answer,
	       (ULONG_PTR)&state);
	fflush(stdout);
	WaitForSingleObject(busy, LIFETIME_MS);
	return 0;
}

struct target {
	HANDLE process;
	LPTHREAD_START_ROUTINE answer;
	struct state *state; /* an address there */
};

static void say(const char *name, DWORD number)
{
	printf("%s|%u\n", name, (unsigned)number);
	fflush(stdout); /* in case the next call does not come back */
}

static unsigned now_ms(void)
{
	struct timeval now;

	gettimeofday(&now, NULL);
	return (unsigned)now.tv_sec * 1000u + (unsigned)now.tv_usec / 1000u;
}

static void pause_shortly(void)
{
	WaitForSingleObject(GetCurrentProcess(), LOOK_EVERY_MS);
}

static BOOL read_state(const struct target *target, struct state *ret_state)
{
	return ReadProcessMemory(target->process, target->state, ret_state, sizeof(*ret_state),
				 NULL);
}

/* The busy thread counts for us, between two of its operations. */
static BOOL ask_state(const struct target *target, struct state *ret_state)
{
	unsigned begun_ms = now_ms();
	DWORD n_asked;

	if (!read_state(target, ret_state))
		return FALSE;
	n_asked = ret_state->n_asked + 1;
	if (!WriteProcessMemory(target->process, &target->state->n_asked, &n_asked, sizeof(n_asked),
				NULL))
		return FALSE;
	do {
		pause_shortly();
		if (!read_state(target, ret_state))
			return FALSE;
		if (ret_state->n_answered == n_asked)
			return TRUE;
	} while (now_ms() - begun_ms < PATIENCE_MS);
	return FALSE;
}

static HANDLE create_in(const struct target *target, SIZE_T stack_bytes)
{
	DWORD id;

	return CreateRemoteThread(target->process, NULL, stack_bytes, target->answer, NULL, 0, &id);
}

/* Told on the way too: a later call may not come back. */
static void say_progress(DWORD n_made, DWORD n_failed)
{
	say("made", n_made);
	say("failed", n_failed);
	say("caller_after", count_own_handles());
}

static void make_failing_calls(const struct target *target)
{
	unsigned spent_ms = 0;
	DWORD n_made = 0, n_failed = 0;

	say_progress(0, 0);
	while (n_made < N_CALLS) {
		unsigned begun_ms = now_ms();

		do {
			HANDLE thread = create_in(target, STACK_BYTES);

			if (thread)
				CloseHandle(thread);
			else
				n_failed++;
		} while (++n_made % 100 != 0);
		spent_ms += now_ms() - begun_ms;
		say_progress(n_made, n_failed);
	}
	say("milliseconds", spent_ms);
}

/* Does a thread run in it, and does its own thread go on? */
static BOOL still_works(const struct target *target)
{
	HANDLE thread = create_in(target, 0);
	struct state before, after;
	BOOL has_answered;
	DWORD code = 0;

	if (!thread)
		return FALSE;
	has_answered = WaitForSingleObject(thread, PATIENCE_MS) == WAIT_OBJECT_0 &&
		       GetExitCodeThread(thread, &code) && code == ANSWER;
	CloseHandle(thread);
	return has_answered && ask_state(target, &before) && ask_state(target, &after) &&
	       after.n_operations != before.n_operations;
}

static int run_caller(const struct target *target)
{
	struct state before, after;

	if (!ask_state(target, &before)) {
		fprintf(stderr, "beside_wine: the target does not answer\n");
		return 3;
	}
	say("target_before", before.n_handles);
	say("caller_before", count_own_handles());
	make_failing_calls(target);
	if (ask_state(target, &after)) {
		say("target_after", after.n_handles);
		say("broken", after.n_broken - before.n_broken);
	}
	say("works", (DWORD)still_works(target));
	return 0;
}

int main(int argc, char **argv)
{
	struct target target;
	int r;

	if (argc == 2 && strcmp(argv[1], "target") == 0)
		return run_target();
	if (argc != 5 || strcmp(argv[1], "caller") != 0) {
		fprintf(stderr, "usage: beside_wine target | caller PID ANSWER STATE\n");
		return 2;
	}
	target.answer = (LPTHREAD_START_ROUTINE)(ULONG_PTR)strtoull(argv[3], NULL, 16);
	target.state = (struct state *)(ULONG_PTR)strtoull(argv[4], NULL, 16);
	target.process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)strtoul(argv[2], NULL, 10));
	if (!target.process) {
		fprintf(stderr, "beside_wine: OpenProcess: error %u\n", (unsigned)GetLastError());
		return 3;
	}
	r = run_caller(&target);
	CloseHandle(target.process);
	return r;
}
