/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent_entry.S - the edges of the code that runs inside the target (the rest is remote/agent.c)
 *
 * All of it is copied to another address in another process: nothing here may refer to anything
 * outside the section "tendril_agent".
 */
#include <asm/unistd.h>
#include "arch/agent_layout.h"

#define PROT_READ_WRITE 3

	.section tendril_agent, "ax", @progbits

/*
 * Here the borrowed thread begins, on the arena's own stack: rdi = struct agent *.
 * agent_borrow() returns in rax the stack pointer of the way home, and in rdx the address of a
 * "syscall; ret" when it is to wait for the tracer to fetch it, 0 when it goes home by itself.
 */
	.globl agent_borrow_entry
	.hidden agent_borrow_entry
	.type agent_borrow_entry, @function
agent_borrow_entry:
	xorl	%ebp, %ebp
	movq	%rdi, %rbx
	/* All but the code becomes writable, the stack that we stand on included: no push before.
	 * Where there is nothing to be done, it is so already. */
	xorl	%eax, %eax
	movq	AGENT_REST(%rbx), %rdi
	movq	AGENT_REST_BYTES(%rbx), %rsi
	testq	%rsi, %rsi
	jz	6f
	movl	$PROT_READ_WRITE, %edx
	movl	$__NR_mprotect, %eax
	syscall
6:	movq	%rax, %rcx
	movq	AGENT_HOME_UNMAP(%rbx), %rax
	movq	AGENT_FETCH(%rbx), %rdx
	testq	%rcx, %rcx
	jnz	5f
	movq	%rbx, %rdi
	call	agent_borrow
5:	movq	%rax, %rsp
	testq	%rdx, %rdx
	jz	1f
	/* ppoll(NULL, 0, &patience, NULL): from here on no instruction of the arena is needed. */
	movq	%rdx, %rcx
	xorl	%edi, %edi
	xorl	%esi, %esi
	leaq	AGENT_PATIENCE(%rbx), %rdx
	xorl	%r10d, %r10d
	movl	$8, %r8d
	movl	$__NR_ppoll, %eax
	jmp	*%rcx
1:	/* rt_sigreturn(2) expects the restorer's address popped. */
	addq	$8, %rsp
	movl	$__NR_rt_sigreturn, %eax
	syscall
	ud2
	.size agent_borrow_entry, . - agent_borrow_entry

/*
 * The start routine that the target's pthread_create() is given: rdi = struct agent *.
 * agent_thread() and agent_thread_exit() return NULL when a reaper will unmap the arena, or the
 * struct agent when it has to be done here: by jumping to the target's munmap(), which returns
 * straight to libc.
 */
	.globl agent_thread_entry
	.hidden agent_thread_entry
	.type agent_thread_entry, @function
agent_thread_entry:
	subq	$8, %rsp
	call	agent_thread
	addq	$8, %rsp
	jmp	leave_arena
	.size agent_thread_entry, . - agent_thread_entry

/* The clean-up handler that runs when the function calls pthread_exit() or is cancelled. */
	.globl agent_exit_entry
	.hidden agent_exit_entry
	.type agent_exit_entry, @function
agent_exit_entry:
	subq	$8, %rsp
	call	agent_thread_exit
	addq	$8, %rsp
leave_arena:
	testq	%rax, %rax
	jz	2f
	movq	AGENT_ARENA(%rax), %rdi
	movq	AGENT_ARENA_BYTES(%rax), %rsi
	movq	AGENT_MUNMAP(%rax), %rax
	jmp	*%rax
2:	ret
	.size agent_exit_entry, . - agent_exit_entry

/*
 * uint64_t agent_call(uint64_t function, const uint64_t arguments[6], uint64_t *ret_home)
 *
 * All that its caller relies on is on the stack, at *ret_home, so that the function can also be
 * left from wherever it is.
 */
	.globl agent_call
	.hidden agent_call
	.type agent_call, @function
agent_call:
	.cfi_startproc
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	pushq	%rdx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbx, 48
	.cfi_rel_offset rbp, 40
	.cfi_rel_offset r12, 32
	.cfi_rel_offset r13, 24
	.cfi_rel_offset r14, 16
	.cfi_rel_offset r15, 8
	movq	%rsp, (%rdx)
	movq	%rdi, %r11
	movq	%rsi, %r10
	movq	0(%r10), %rdi
	movq	8(%r10), %rsi
	movq	16(%r10), %rdx
	movq	24(%r10), %rcx
	movq	32(%r10), %r8
	movq	40(%r10), %r9
	xorl	%eax, %eax
	call	*%r11
	.globl agent_call_return
	.hidden agent_call_return
agent_call_return:
	movq	(%rsp), %rdx
	movq	$0, (%rdx)
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore r12
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbp
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbx
	ret
	.cfi_endproc
	.size agent_call, . - agent_call

/*
 * long agent_spawn_reaper(int *gone, uint64_t arena, uint64_t bytes, uint64_t exit_loop,
 *			   int *ret_tid)
 *
 * A task without a stack: it waits until the kernel has cleared *gone at the end of this thread,
 * and unmaps the arena, stack and all, from code that is not in it.
 */
#define REAPER_FLAGS 0x150f00 /* VM FS FILES SIGHAND THREAD SYSVSEM PARENT_SETTID */
	.globl agent_spawn_reaper
	.hidden agent_spawn_reaper
	.type agent_spawn_reaper, @function
agent_spawn_reaper:
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	movq	%rdi, %rbx
	movq	%rsi, %r12
	movq	%rdx, %r13
	movq	%rcx, %r14
	movq	%r8, %rdx
	movl	$REAPER_FLAGS, %edi
	xorl	%esi, %esi
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	movl	$__NR_clone, %eax
	syscall
	testq	%rax, %rax
	jz	3f
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	ret
3:	movl	(%rbx), %edx
	testl	%edx, %edx
	jz	4f
	movq	%rbx, %rdi
	xorl	%esi, %esi		/* FUTEX_WAIT, not private: so the kernel wakes it */
	xorl	%r10d, %r10d
	movl	$__NR_futex, %eax
	syscall
	jmp	3b
4:	movq	%r12, %rdi
	movq	%r13, %rsi
	movl	$__NR_exit, %edx
	movl	$__NR_munmap, %eax
	jmp	*%r14
	.size agent_spawn_reaper, . - agent_spawn_reaper

	.section .note.GNU-stack, "", @progbits
