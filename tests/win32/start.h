/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * start.h - targets, and what else the systems have different names for
 *
 * A target is this program once more.  It waits for lines and answers each; it ends when told, or
 * when nobody can tell it anything any more.  So it never outlives the test.
 */
#ifndef TESTS_WIN32_START_H
#define TESTS_WIN32_START_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tendril/win32.h>

struct target {
	DWORD id;
	HANDLE process;   /* PROCESS_ALL_ACCESS; may be closed and set to NULL by a test */
	uint64_t slide;   /* to be added to an address of ours */
	struct channel *channel;
};

/*
 * A new target, started by the main thread, whose end it does not outlive.  One that does not start
 * ends the program.
 */
struct target *target_start(void);
/* Let it end by itself, check that it can, and free it. */
void target_end(struct target *t);
/* End it at once.  The handle stays open, and the target must still be freed. */
void target_kill(struct target *t);
/* Take away what the system keeps of one that was ended for whoever started it (Linux: its zombie). */
void target_reap(struct target *t);
/* Forget a target that has ended, or ends now; close the handle. */
void target_free(struct target *t);

/* Where a function or variable of this program is in the target. */
LPTHREAD_START_ROUTINE target_function(const struct target *t, LPTHREAD_START_ROUTINE function);
LPVOID target_address(const struct target *t, const volatile void *variable);

/*
 * Call one of our functions in the target's main thread and give what it returns.  begin does not
 * wait, for calls that block; one answer must be fetched before the next call.
 */
uint64_t target_call(struct target *t, LPTHREAD_START_ROUTINE function, uint64_t argument);
void target_begin(struct target *t, LPTHREAD_START_ROUTINE function, uint64_t argument);
uint64_t target_answer(struct target *t);
/* Does it still answer? */
bool target_is_alive(struct target *t);

/* What a leak would show in. */
struct counts {
	DWORD caller_handles, handles, threads, regions;
};

/*
 * regions costs more than the others; 0 unless wanted.  Not while the target's main thread is in a
 * call: it may have to count.
 */
struct counts target_counts(struct target *t, bool with_regions);
DWORD target_threads(struct target *t);
/* GetProcessHandleCount(), but where that is a stub the handles are counted all the same. */
DWORD handles_here(void);
DWORD handles_there(struct target *t);

/* Pipes inside a process, for gates: each byte lets one reader go. */
struct gate;
struct gate *gate_create(void);
void gate_open(struct gate *gate, unsigned int n);
/* Return: how often the read was interrupted before a byte came (CRT-42). */
unsigned int gate_pass(struct gate *gate);

/* Milliseconds on a clock that is never set, and how much too short what it measures may be. */
uint64_t clock_ms(void);
uint64_t clock_step_ms(void);
/* Let others run. */
void yield_processor(void);
/* After so many seconds, unless asked again, call on_end and end the program with 3.  0: no limit. */
void limit_seconds(unsigned int seconds, void (*on_end)(void));
/* Straight to the standard output; all that on_end may use. */
void say_at_once(const char *text);
/* The calling thread as the system itself knows it, not as libtendril says. */
DWORD system_thread_id(void);
DWORD system_process_id(void);

/* First of all, also in a target: a fault ends the process and asks nobody. */
void prepare_system(void);
/* The program is a target: serve until told to end. */
int target_main(void);

#endif /* TESTS_WIN32_START_H */
