/* SPDX-License-Identifier: BSD-2-Clause */
/* signal_frame.h - struct rt_sigframe, up to where rt_sigreturn(2) reads (arch/x86/kernel/signal_64.c) */
#ifndef ARCH_X86_64_SIGNAL_FRAME_H
#define ARCH_X86_64_SIGNAL_FRAME_H

#include "arch/arch.h"

#define UC_FP_XSTATE         1u
#define UC_SIGCONTEXT_SS     2u
#define UC_STRICT_RESTORE_SS 4u

#define USER_CS 0x33
#define USER_DS 0x2b
#define SEGMENTS_64BIT ((uint64_t)USER_DS << 48 | USER_CS) /* cs, gs = 0, fs = 0, ss */

/* What has to be set for one system call, and for where to go on from it. */
struct frame_call {
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
};

struct signal_frame {
	uint64_t restorer;
	uint64_t uc_flags, uc_link;
	uint64_t ss_sp;
	uint32_t ss_flags, pad;
	uint64_t ss_size;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	struct frame_call call;
	uint64_t eflags;
	uint64_t segments;
	uint64_t err, trapno, oldmask, cr2;
	uint64_t fpstate;
	uint64_t reserved[8];
	uint64_t sigmask;
};

/* A frame that blocks all signals and changes nothing else outside the registers. */
void signal_frame_init(struct signal_frame *frame, const struct arch_gadgets *gadgets);
/* One that restores the general registers and the signal mask, and makes an interrupted call again. */
void signal_frame_set_home(struct signal_frame *frame, const struct arch_state *original,
			   const uint8_t text[ARCH_CALL_TEXT_BYTES]);
/* The extended state, with the marks that rt_sigreturn(2) looks for; how many bytes it takes. */
size_t signal_frame_xstate_bytes(const struct arch_state *original);
void signal_frame_put_xstate(uint8_t *out, const struct arch_state *original);

#endif /* ARCH_X86_64_SIGNAL_FRAME_H */
