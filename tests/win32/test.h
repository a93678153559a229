/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test.h - one source of tests for Linux and Windows
 *
 * A section of the Win32 semantics is a file here, and a program.  A test is named after the
 * sentence that it holds us to; sentences.txt has its words:
 *
 *	TEST(CRT_03)            or, if one is not enough, TEST(CRT_03_negative)
 *	{
 *		CHECK_EQ(target_run(shared, value, 7), 7);
 *	}
 *
 * A failing check is told and counted, and the test goes on; REQUIRE ends it.  The program is its
 * own target (start.h).  After each test the frame looks that the caller and the shared target have
 * as many handles as before and the target as many threads (LK-06), and that the target answers.
 *
 * Only what <windows.h> has may be used, and C.  What the systems do differently is in start.c.
 */
#ifndef TESTS_WIN32_TEST_H
#define TESTS_WIN32_TEST_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tendril/win32.h>

#include "start.h"

/* Windows' headers have these as macros: here too, so that nobody has a variable of that name. */
#ifndef far
#define far
#define near
#endif

#define UNTOUCHED 0x2bcd1234u /* no error, code, count or id that means anything */
#define PATIENCE_MS 20000     /* for what should come at once */

#define TEST(id) \
	static void test_##id(void); \
	__attribute__((constructor)) static void test_register_##id(void) \
	{ \
		test_register(#id, __LINE__, test_##id); \
	} \
	static void test_##id(void)

#define CHECK(condition) test_check(!!(condition), __FILE__, __LINE__, #condition)

/* Both sides are numbers, handles or pointers, and are shown. */
#define CHECK_EQ(is, wanted) \
	test_check_equal(TEST_NUMBER(is), TEST_NUMBER(wanted), __FILE__, __LINE__, \
			 #is " == " #wanted)

/* The call gives 0, FALSE or NULL, and this last error. */
#define CHECK_FAILS(call, error) \
	(SetLastError(UNTOUCHED), \
	 test_check_failure(TEST_NUMBER(call), 0, __FILE__, __LINE__, #call, (DWORD[]){ error }, 1))

/* ... or one of these. */
#define CHECK_FAILS_ANY(call, ...) \
	(SetLastError(UNTOUCHED), \
	 test_check_failure(TEST_NUMBER(call), 0, __FILE__, __LINE__, #call, \
			    (DWORD[]){ __VA_ARGS__ }, \
			    sizeof((DWORD[]){ __VA_ARGS__ }) / sizeof(DWORD)))

/* The call gives 0xffffffff (WAIT_FAILED, or what suspend and resume return), and this error. */
#define CHECK_FAILS_ONES(call, error) \
	(SetLastError(UNTOUCHED), \
	 test_check_failure((DWORD)(call), 0xffffffffu, __FILE__, __LINE__, #call, \
			    (DWORD[]){ error }, 1))

/* Without this the rest of the test makes no sense.  In functions that return nothing. */
#define REQUIRE(condition) \
	do { \
		if (!CHECK(condition)) \
			return; \
	} while (0)

/* Not silently: it is counted, and the reason shown. */
#define SKIP(reason) \
	do { \
		test_skip(reason); \
		return; \
	} while (0)

/* Numbers of any width and sign, and pointers. */
#define TEST_NUMBER(x) ((uint64_t)(uintptr_t)(x))

/* What the shared tests work on; started by the frame, and again when a test ended it. */
extern struct target *shared;

void test_register(const char *id, int line, void (*run)(void));
bool test_check(bool ok, const char *file, int line, const char *what);
bool test_check_equal(uint64_t is, uint64_t wanted, const char *file, int line, const char *what);
bool test_check_failure(uint64_t value, uint64_t failure, const char *file, int line,
			const char *what, const DWORD *errors, size_t n);
void test_skip(const char *reason);
/* A line of explanation below the verdict. */
__attribute__((format(printf, 1, 2))) void test_note(const char *format, ...);

/* Threads in a target */

/* CreateRemoteThread() with the defaults; NULL is a failed check. */
HANDLE thread_create(struct target *t, LPTHREAD_START_ROUTINE function, uint64_t argument,
		     DWORD flags);
/* Wait for the end of a thread, close the handle, and give its exit code. */
DWORD thread_finish(HANDLE thread);
/* Run one of our functions there by a remote thread, and give its exit code. */
DWORD target_run(struct target *t, LPTHREAD_START_ROUTINE function, uint64_t argument);
/* A handle of the target with so many rights; NULL is a failed check. */
HANDLE target_open(struct target *t, DWORD access);

/*
 * Functions that run in targets, from common.c.  target_function(t, value) is where one of ours is
 * in the target; any function of the section's file will do.
 */
struct sum {
	uint64_t a, b, sum;
};

struct report { /* in the target's cell */
	uint64_t thread_id, process_id, argument, frame, own_errno, fraction, copy;
};

DWORD WINAPI value(LPVOID argument);      /* returns its argument, and counts */
DWORD WINAPI increment(LPVOID variable);  /* adds one to a LONG there, and returns it */
DWORD WINAPI add(LPVOID sum);             /* a struct sum there */
DWORD WINAPI report(LPVOID argument);     /* does what a full thread can, into cell; 1 */
DWORD WINAPI use_stack(LPVOID bytes);     /* touches so much of its stack */
DWORD WINAPI gated(LPVOID argument);      /* blocks in a read until gate_open(); counts, returns it */
DWORD WINAPI pass_gate(LPVOID unused);    /* the same without a count; how often interrupted */
DWORD WINAPI open_gate(LPVOID n);         /* what target_open_gate() has done by the main thread */
DWORD WINAPI own_value(LPVOID unused);    /* a variable of each thread that report() increments; 17 */
DWORD WINAPI spin(LPVOID variable);       /* until the LONG there is not 0; returns it */
DWORD WINAPI counting(LPVOID variable);   /* increments the LONG there until the next one is not 0 */
DWORD WINAPI crash(LPVOID address);       /* writes there */
DWORD WINAPI leave(LPVOID code);          /* exit() */
DWORD WINAPI patched(LPVOID argument);    /* returns argument + 1: */
DWORD WINAPI patch_source(LPVOID argument); /* ... + 2, and is the same code otherwise */

extern struct report cell;         /* also a place to write to, for tests */
extern const char constant[64];    /* "read-only data", in memory that is */
extern volatile LONG spot[16];     /* for spin() and counting(); zero */

/* How many threads have run value(), gated() or report(), once there were n more than at the last call. */
unsigned int target_runs(struct target *t, unsigned int n_more);
/* Let n threads in gated() go. */
void target_open_gate(struct target *t, unsigned int n);
/* Set a LONG of the target, as spin() and counting() wait for. */
void target_set(struct target *t, volatile LONG *variable, LONG to);
LONG target_get(struct target *t, volatile LONG *variable);

#endif /* TESTS_WIN32_TEST_H */
