/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch.h - all that differs between processors
 *
 * One directory an architecture supplies every function here.  Nothing outside src/arch knows a
 * register, an instruction or the layout of a signal frame.
 */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include <stddef.h>
#include <sys/user.h>

#include "base/base.h"

#define ARCH_XSTATE_BYTES_MAX 16384

/* The whole user-visible state of one stopped thread. */
struct arch_state {
	struct user_regs_struct regs;
	uint64_t sigmask;
	size_t xstate_bytes;
	_Alignas(64) uint8_t xstate[ARCH_XSTATE_BYTES_MAX]; /* as PTRACE_GETREGSET gives it */
};

#define ARCH_STORE_WORDS_MAX 16

/* Where in the target's own text are the few instructions that we lean on. */
struct arch_gadgets {
	raddr_t syscall_ret; /* syscall; ret */
	raddr_t sigreturn;   /* the libc's own signal restorer */
	raddr_t exit_loop;   /* the syscall of a loop that calls exit(2) for ever, which, entered
				with another system call's number, makes that one and then exits
				without touching a stack; 0: none found */
	struct arch_store {
		raddr_t at;      /* stores a system call's result at displacement from a register,
				    drops some words from the stack, returns; 0: none found */
		uint8_t base;    /* the register's number */
		int8_t displacement;
		uint8_t n_words; /* dropped */
	} store;
};

/* Look for them in a piece of text mapped at base; fills what is still 0. */
void arch_find_gadgets(const uint8_t *text, size_t bytes, raddr_t base,
		       struct arch_gadgets *gadgets);

/* General registers only; 0 or negative errno (-ESRCH: not stopped, or gone). */
int arch_read_registers(pid_t tid, struct arch_state *state);
int arch_write_registers(pid_t tid, const struct arch_state *state);
/* Floating point and vector registers, and the signal mask; written back only if they were read. */
int arch_read_extended(pid_t tid, struct arch_state *state);
int arch_write_extended(pid_t tid, const struct arch_state *state);

raddr_t arch_ip(const struct arch_state *state);
raddr_t arch_sp(const struct arch_state *state);
raddr_t arch_tls(const struct arch_state *state);

/* In which system call is the thread; -1: none. */
long arch_syscall_number(const struct arch_state *state);
int64_t arch_syscall_result(const struct arch_state *state);
uint64_t arch_syscall_argument(const struct arch_state *state, unsigned n);

/* Was the call broken off by our stop, so that it has to be taken up again? */
bool arch_is_interrupted(const struct arch_state *state);
/* Does this call always end with EINTR at a stop? */
bool arch_reports_eintr(long number);
/* epoll_wait() and a few more report EINTR at a mere ptrace stop.  Make the kernel take the call up
 * again unless a handler really runs. */
void arch_hide_interruption(struct arch_state *state);
/* Does the kernel keep for this call what a signal return would make it forget: how long it has
 * still to wait? */
bool arch_keeps_time(const struct arch_state *state);
/* Make the kernel take it up again as if it had not begun, instead. */
void arch_make_anew(struct arch_state *state);
/* Turn a thread stopped at the entry of a system call into one that is about to make it. */
void arch_rewind_entry(struct arch_state *state);

/* Prepare registers for a system call made with gadget and returning to the word at sp. */
void arch_set_syscall(struct arch_state *state, raddr_t syscall_ret, raddr_t sp, long number,
		      const uint64_t arguments[6]);
/* Prepare registers for the start of the agent. */
void arch_set_entry(struct arch_state *state, raddr_t ip, raddr_t sp, raddr_t argument);

/*
 * The way home: a few signal frames written below the borrowed thread's stack, so that it can
 * put itself back whatever becomes of us.
 *
 *     unmap:  munmap(arena), then home       entered when nothing may be left
 *     leave:  clock_gettime(left), then home tells the new thread that we are out of the arena
 *     home:   the original registers, vector state and signal mask
 */
#define ARCH_WAY_HOME_BYTES_MAX (ARCH_XSTATE_BYTES_MAX + 2048)

struct arch_way_home {
	raddr_t address; /* where bytes[] belongs in the target */
	size_t n_bytes;
	raddr_t unmap;   /* a stack pointer: a word with the restorer, then the frame */
	raddr_t leave;
	raddr_t home;
	_Alignas(64) uint8_t bytes[ARCH_WAY_HOME_BYTES_MAX];
};

struct arch_arena {
	raddr_t address;
	uint64_t bytes;
	raddr_t left; /* 16 bytes there become non-zero when the borrowed thread is out */
};

/* text: the bytes before the system call instruction, where it was interrupted in one. */
#define ARCH_CALL_TEXT_BYTES 5
void arch_build_way_home(struct arch_way_home *way, const struct arch_state *original,
			 const uint8_t text[ARCH_CALL_TEXT_BYTES],
			 const struct arch_gadgets *gadgets, const struct arch_arena *arena);

/*
 * The way in: frames written below the way home, by which the thread maps the arena, fills it with
 * what stands beside them, and enters it, without another stop:
 *
 *     map:     mmap(arena), read and write; its result is stored in the frame "protect"
 *     tell:    process_vm_writev(itself): copies it to where the next one reads it
 *     copy:    process_vm_writev(itself): the pieces go into the arena, and "protect", which was a
 *              munmap() of what map got, and then home, becomes what its name says.  Nothing of
 *              this happens when map has failed.
 *     protect: mprotect(code), read and execute
 *     check:   process_vm_writev(itself): if the code can still be written, the next frame becomes
 *              munmap(arena), and then home
 *     enter
 *
 * No step is made on memory that is not known to be ours, and each one that fails leads home.
 */
#define ARCH_PIECES_MAX       3
#define ARCH_WAY_IN_BYTES_MAX 12288

struct arch_way_in {
	raddr_t address; /* where bytes[] belongs in the target; the way begins here */
	size_t n_bytes;
	_Alignas(16) uint8_t bytes[ARCH_WAY_IN_BYTES_MAX];
};

struct arch_entry {
	raddr_t arena;
	uint64_t arena_bytes, code_bytes;
	struct arch_piece {
		raddr_t to;
		const void *data;
		size_t bytes;
	} piece[ARCH_PIECES_MAX]; /* the first one is the code */
	size_t n_pieces;
	raddr_t ip, sp, argument; /* where to enter, and with what */
	pid_t pid;                /* the target's own, as it sees itself */
	bool waits;               /* when it fails: wait at syscall_ret to be taken home */
	int64_t patience_ns;      /* for so long */
};

/* False: it would need more than bytes[] has. */
bool arch_build_way_in(struct arch_way_in *in, const struct arch_way_home *home,
		       const struct arch_gadgets *gadgets, const struct arch_entry *entry);
/* Prepare registers for a signal return with the frame at address. */
void arch_set_signal_return(struct arch_state *state, const struct arch_gadgets *gadgets,
			    raddr_t frame);

/*
 * A parked thread: two frames and a record, written below its stack.  It waits in futex(2) while a
 * word of the record has a value, and returns to where it was when it has not.
 */
#define ARCH_PARK_RECORD_BYTES_MAX 512
#define ARCH_PARK_BYTES_MAX	   (ARCH_XSTATE_BYTES_MAX + ARCH_PARK_RECORD_BYTES_MAX + 2048)

struct arch_waiting {
	size_t record_bytes;
	size_t word_offset; /* in the record */
	uint32_t value;
};

struct arch_park {
	raddr_t stay;   /* where bytes[] belongs in the target, and the stack pointer is to be */
	raddr_t record; /* whose bytes the caller fills in */
	size_t n_bytes;
	_Alignas(64) uint8_t bytes[ARCH_PARK_BYTES_MAX];
};

void arch_build_park(struct arch_park *park, const struct arch_state *original,
		     const uint8_t text[ARCH_CALL_TEXT_BYTES], const struct arch_gadgets *gadgets,
		     const struct arch_waiting *waiting);
/* Prepare registers for the wait. */
void arch_set_parked(struct arch_state *state, const struct arch_park *park,
		     const struct arch_gadgets *gadgets, const struct arch_waiting *waiting);

/* Where the record is, if the thread is parked; the caller looks whether there is one. */
struct arch_parked {
	raddr_t record[2]; /* of a thread that waits by frames */
	raddr_t word;      /* what it waits for by a call of its own; 0: nothing */
};
void arch_find_parked(const struct arch_state *state, struct arch_parked *ret_parked);
/* What to write where, so that it no longer returns to the wait but home. */
void arch_park_turn(raddr_t record, raddr_t *ret_at, raddr_t *ret_home);

/* Prepare registers for a function's call that does not return, and for the return from one.  The word
 * at the stack pointer, where the first would return to, is the caller's to write. */
void arch_set_call(struct arch_state *state, raddr_t function, uint64_t argument);
void arch_set_return(struct arch_state *state, raddr_t ip, raddr_t sp, uint64_t value);

/*
 * Look for signal frames among n words of stack at address sp.  Calls visit() with the
 * interrupted instruction pointer of each one that looks real; stops and returns false when it
 * returns false.
 */
bool arch_visit_signal_frames(const uint64_t *words, size_t n,
			      bool (*visit)(void *data, raddr_t ip), void *data);

/* Is text[0..1] the system call instruction? */
bool arch_is_syscall_instruction(const uint8_t text[2]);
#define ARCH_SYSCALL_BYTES 2
#define ARCH_RED_ZONE_BYTES 128

/*
 * A function's call as its tracer sees it.  entry: the state at the function's first instruction.
 */
#define ARCH_BREAKPOINT_BYTES 1
extern const uint8_t arch_breakpoint[ARCH_BREAKPOINT_BYTES];
/* The address of the breakpoint that has just been hit. */
raddr_t arch_breakpoint_hit(const struct arch_state *state);
void arch_set_ip(struct arch_state *state, raddr_t ip);
/* Where in memory the call's return address is. */
raddr_t arch_call_return_slot(const struct arch_state *entry);
/* The stack pointer when it has returned; a higher one: it was left by a jump. */
raddr_t arch_call_frame(const struct arch_state *entry);
uint64_t arch_call_argument(const struct arch_state *entry, unsigned n);
void arch_set_call_argument(struct arch_state *entry, unsigned n, uint64_t value);
uint64_t arch_call_result(const struct arch_state *state);

/* From just behind a system call instruction (that was made to do nothing) to just before it. */
void arch_rewind_to_syscall(struct arch_state *state, long number);
/* From just before it to just behind it, with this error (positive). */
void arch_fail_syscall(struct arch_state *state, int error);
/* At a system call's entry: it is not made. */
void arch_skip_syscall(struct arch_state *state);
/* At its exit: what it returned. */
void arch_set_syscall_result(struct arch_state *state, int64_t result);
/* Make a system call with the instruction at this address, and leave the stack alone. */
void arch_set_syscall_here(struct arch_state *state, raddr_t instruction, long number,
			   const uint64_t arguments[6]);
/* The system call that makes a copy of the process, child of the caller or of its parent. */
void arch_fork_arguments(bool as_sibling, long *ret_number, uint64_t ret_arguments[6]);
/* In DWARF's order, as symbolize/symbolize.h wants them. */
void arch_dwarf_registers(const struct arch_state *state, uint64_t ret_registers[17]);

#endif /* ARCH_ARCH_H */
