/* SPDX-License-Identifier: BSD-2-Clause */
/* machine.h - what this room has to know about the processor, in one table */
#ifndef SYMBOLIZE_MACHINE_H
#define SYMBOLIZE_MACHINE_H

#include "symbolize/symbolize.h"

#define MACHINE_CODE_BYTES 16 /* as many as any of the functions below looks at */

struct machine {
	uint16_t elf_machine;
	unsigned char elf_class;
	/* DWARF's numbers of the return address, the stack pointer and the frame pointer */
	unsigned int ip, sp, fp;
	/* Which registers a function leaves as they were unless its rules say otherwise; libdw
	 * 0.188 takes rax for rbx there. */
	uint32_t kept;
	/* Where in its frame the kernel keeps each register while a handler runs, counted from the
	 * stack pointer that the trampoline sees. */
	const int *in_signal_frame;
	/* and the beginning and the size of the stack that handlers run on, where there is one */
	int signal_stack_at, signal_stack_bytes_at;
	/* Is code[] the C library's call of rt_sigreturn(2)? */
	bool (*is_signal_return)(const unsigned char *code, size_t bytes);
	/* Does a function in code[] begin by keeping a frame pointer? */
	bool (*keeps_frame_pointer)(const unsigned char *code, size_t bytes);
	/*
	 * Does code[], whose end is at ip, end with a call?  *ret_callee is where it leads when
	 * that can be told, else 0.
	 */
	bool (*ends_with_call)(const unsigned char *code, size_t bytes, uint64_t ip,
			       uint64_t *ret_callee);
	/* Is code[], at address, a jump through a slot in memory, as a linkage table's are? */
	bool (*is_stub)(const unsigned char *code, size_t bytes, uint64_t address,
			uint64_t *ret_slot);
};

extern const struct machine machine_here;

#endif /* SYMBOLIZE_MACHINE_H */
