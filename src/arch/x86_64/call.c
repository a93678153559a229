/* SPDX-License-Identifier: BSD-2-Clause */
/* call.c - a function's call, and the system calls in it, as their tracer sees them */
#include "arch/arch.h"

#include <asm/unistd.h>
#include <sched.h>

#define TRAP_FLAG 0x100

const uint8_t arch_breakpoint[ARCH_BREAKPOINT_BYTES] = {0xcc}; /* int3 */

raddr_t arch_breakpoint_hit(const struct arch_state *state)
{
	return state->regs.rip - ARCH_BREAKPOINT_BYTES;
}

void arch_set_ip(struct arch_state *state, raddr_t ip)
{
	state->regs.orig_rax = (uint64_t)-1;
	state->regs.rip = ip;
}

raddr_t arch_call_return_slot(const struct arch_state *entry)
{
	return entry->regs.rsp;
}

raddr_t arch_call_frame(const struct arch_state *entry)
{
	return entry->regs.rsp + 8; /* as it is when the call has returned */
}

uint64_t arch_call_argument(const struct arch_state *entry, unsigned n)
{
	const struct user_regs_struct *r = &entry->regs;
	const uint64_t arguments[] = {r->rdi, r->rsi, r->rdx, r->rcx, r->r8, r->r9};

	return arguments[n];
}

void arch_set_call_argument(struct arch_state *entry, unsigned n, uint64_t value)
{
	struct user_regs_struct *r = &entry->regs;
	unsigned long long int *const arguments[] = {&r->rdi, &r->rsi, &r->rdx,
						     &r->rcx, &r->r8,  &r->r9};

	*arguments[n] = value;
}

uint64_t arch_call_result(const struct arch_state *state)
{
	return state->regs.rax;
}

void arch_rewind_to_syscall(struct arch_state *state, long number)
{
	state->regs.rax = (uint64_t)number;
	state->regs.orig_rax = (uint64_t)-1;
	state->regs.rip -= ARCH_SYSCALL_BYTES;
}

void arch_fail_syscall(struct arch_state *state, int error)
{
	state->regs.orig_rax = (uint64_t)-1;
	state->regs.rip += ARCH_SYSCALL_BYTES;
	state->regs.rcx = state->regs.rip; /* as the instruction leaves it */
	state->regs.r11 = state->regs.eflags & ~TRAP_FLAG;
	state->regs.rax = (uint64_t) - (int64_t)error;
}

void arch_skip_syscall(struct arch_state *state)
{
	state->regs.orig_rax = (uint64_t)-1;
}

void arch_set_syscall_result(struct arch_state *state, int64_t result)
{
	state->regs.orig_rax = (uint64_t)-1;
	state->regs.rax = (uint64_t)result;
}

void arch_set_syscall_here(struct arch_state *state, raddr_t instruction, long number,
			   const uint64_t arguments[6])
{
	arch_set_syscall(state, instruction, state->regs.rsp, number, arguments);
}

void arch_fork_arguments(bool as_sibling, long *ret_number, uint64_t ret_arguments[6])
{
	*ret_number = __NR_clone;
	ret_arguments[0] = as_sibling ? CLONE_PARENT : 0; /* and no signal to anybody at its end */
	for (unsigned i = 1; i < 6; i++)
		ret_arguments[i] = 0;
}

void arch_dwarf_registers(const struct arch_state *state, uint64_t ret_registers[17])
{
	const struct user_regs_struct *r = &state->regs;
	const uint64_t all[17] = {r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi,
				  r->rbp, r->rsp, r->r8,  r->r9,  r->r10, r->r11,
				  r->r12, r->r13, r->r14, r->r15, r->rip};

	for (unsigned i = 0; i < 17; i++)
		ret_registers[i] = all[i];
}
