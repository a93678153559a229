/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent.h - what the caller and the code inside the target tell each other
 *
 * The arena: one mapping a remote thread, made by one system call, gone by one.
 *
 *     arena            code, read and execute only; also the guard of the stack above it
 *     + 1 page         the new thread's stack, thread block and TLS on top (glibc);
 *                      nothing with musl, which unmaps the stack that it allocates itself
 *     agent            struct agent, then the arguments' bytes
 *     scratch          the stack of the borrowed thread while it is in here
 *     mailbox          one page, shared with the caller: verdict, value, the loader's text
 */
#ifndef REMOTE_AGENT_H
#define REMOTE_AGENT_H

#include <stdint.h>

#include "arch/agent_layout.h"
#include "remote/park.h"

enum agent_create { /* agent.created, written by the borrowed thread */
	AGENT_CREATE_PENDING = 0,
	AGENT_CREATED = 1,
	AGENT_NOT_CREATED = 2, /* agent.create_result says why */
};

enum agent_verdict { /* mailbox.verdict, changed by compare-and-swap on both sides */
	AGENT_VERDICT_NONE = 0,
	AGENT_VERDICT_RUN = 1,
	AGENT_VERDICT_SUSPEND = 2,
	AGENT_VERDICT_LEAVE = 3,
	AGENT_VERDICT_TOO_LATE = 4, /* the thread heard nothing and left */
};

enum agent_end { /* mailbox.end */
	AGENT_RUNNING = 0,
	AGENT_RETURNED = 1,
	AGENT_EXITED = 2, /* pthread_exit(), or cancelled: there is no value */
};

enum agent_follow { /* when is agent.follow called for a text? */
	AGENT_FOLLOW_NEVER = 0,
	AGENT_FOLLOW_ON_NULL = 1, /* dlopen() */
};

enum agent_value { /* what the thread's value is */
	AGENT_VALUE_RESULT = 0, /* the function's */
	AGENT_VALUE_GIVEN = 1,  /* the first argument; nothing is called */
	AGENT_VALUE_MODULE = 2, /* of dlopen(): where the library begins, or 0; follow is dladdr() */
	AGENT_VALUE_CLOSED = 3, /* dlopen() with RTLD_NOLOAD, then closed once more than opened:
				   was it there?  follow is dlclose(); argument 2 is the library's
				   l_addr, argument 3 the answer if the program itself needs it */
};

#define AGENT_TEXT_BYTES 1024

struct mailbox {
	uint32_t verdict;
	uint32_t end;
	uint64_t value;
	int32_t reaper_tid;
	uint32_t reserved;
	uint64_t mark; /* the agent's */
	struct park_record park;
	uint64_t home_sp, home_ip; /* where the function returns to; home_sp 0: it does not run */
	int32_t tid;               /* as the thread sees itself */
	uint32_t reserved2;
	char text[AGENT_TEXT_BYTES];
};

struct agent_time {
	int64_t s, ns;
};

struct agent {
	/* the caller writes all this before anything runs; first what assembly needs */
	uint64_t arena, arena_bytes;
	uint64_t munmap;
	struct agent_time patience; /* how long a borrowed thread waits to be fetched */
	uint64_t rest, rest_bytes;  /* all but the code: to be made writable */
	uint64_t home_unmap;
	uint64_t fetch;             /* a "syscall; ret" to wait at; 0: go home by itself */
	struct agent_time park;     /* a parked thread looks for its verdict this often, */
	uint32_t park_slices;       /* and this many times, */
	uint32_t park_spins;        /* after so many looks without sleeping */
	struct agent_time suspend;  /* how often a suspended one looks for its creator */

	uint64_t thread_entry, exit_entry, return_entry;
	uint64_t attr_init, attr_setdetachstate, attr_setstack, attr_setstacksize;
	uint64_t pthread_create, getcpuclockid, cleanup_push, cleanup_pop;
	uint64_t stack, stack_bytes; /* stack 0: libc allocates; stack_bytes 0: its default */
	uint64_t mailbox;
	uint64_t exit_loop;
	uint64_t home_leave;
	uint64_t function;
	uint64_t arguments[6];
	uint64_t follow;
	uint64_t loader_mutex, mutex_lock, mutex_unlock; /* 0: no such lock */
	uint32_t follow_when;
	int32_t caller_pid;      /* as the target sees it; 0: it does not */
	char name[16];
	uint32_t heard;          /* by the caller: why there is no thread, or that it is too late for one */
	uint32_t value;          /* enum agent_value */
	uint32_t stays;          /* suspended, whatever becomes of its creator */
	uint32_t reserved2;

	uint64_t mailbox_inode;  /* by which the target knows that memfd still is the mailbox's */
	uint64_t mark;           /* by which the caller knows that this is what it has written */
	/* written in the target, read by the caller */
	uint32_t created;
	int32_t create_result;   /* errno, positive, as pthread_create() returns it */
	int32_t tid;
	int32_t memfd;           /* -1: there is no mailbox so far */
	struct agent_time left;  /* non-zero: the borrowed thread is out of the arena */
	int32_t gone;            /* the kernel clears it at the end of the thread */
};

struct agent_way {
	uint64_t sp, fetch;
};

/* Inside the target. */
void agent_borrow_entry(void);
void agent_thread_entry(void);
void agent_exit_entry(void);
struct agent_way agent_borrow(struct agent *agent);
struct agent *agent_thread(struct agent *agent);
struct agent *agent_thread_exit(struct agent *agent);
/* While it runs *ret_home is a stack pointer.  Who sets a thread's to that, with the instruction
 * pointer at agent_call_return, has it return from here, with the value that is in the register. */
uint64_t agent_call(uint64_t function, const uint64_t arguments[6], uint64_t *ret_home);
void agent_call_return(void);
/* AGENT_VALUE_CLOSED, with what agent->function, follow, arguments and loader_mutex say; here, too. */
uint64_t agent_close_library(const struct agent *agent);
long agent_spawn_reaper(int *gone, uint64_t arena, uint64_t bytes, uint64_t exit_loop,
			int *ret_tid);

/* The linker's names for where the code to be copied begins and ends. */
extern const uint8_t __start_tendril_agent[] __attribute__((visibility("hidden")));
extern const uint8_t __stop_tendril_agent[] __attribute__((visibility("hidden")));

#endif /* REMOTE_AGENT_H */
