/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spin_x86_64.S - known values in every register, compared all the time
 *
 * The stack while it spins:
 *     -128..-8(%rsp)  red zone, known values: nobody else may write there
 *     0(%rsp)         struct spin_area *
 *     8(%rsp)         loops left
 *     16(%rsp)        1 when something was wrong
 */
#define LEVEL	   0
#define LOOPS	   8
#define WRONG	   16
#define MXCSR	   24
#define MASKS_WANT 32
#define MASKS_SEEN 96
#define X87_WANT   160
#define X87_SEEN   168
#define WANT	   176
#define SEEN	   2224

	.section .rodata
	.balign 8
mxcsr_known:   .long 0x7f80
mxcsr_default: .long 0x1f80
v_rax: .quad 0x1111aaaa00000001
v_rbx: .quad 0x2222aaaa00000003
v_rcx: .quad 0x3333aaaa00000005
v_rdx: .quad 0x4444aaaa00000007
v_rsi: .quad 0x5555aaaa00000009
v_rdi: .quad 0x6666aaaa0000000b
v_rbp: .quad 0x7777aaaa0000000d
v_r8:  .quad 0x8888aaaa0000000f
v_r9:  .quad 0x9999aaaa00000011
v_r10: .quad 0xaaaaaaaa00000013
v_r11: .quad 0xbbbbaaaa00000015
v_r12: .quad 0xccccaaaa00000017
v_r13: .quad 0xddddaaaa00000019
v_r14: .quad 0xeeeeaaaa0000001b
v_r15: .quad 0xffffaaaa0000001d

	.macro each_general what
	.irp r, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
	\what \r
	.endr
	.endm

	.macro load_general r
	movq	v_\r(%rip), %\r
	.endm

	.macro check_general r
	cmpq	v_\r(%rip), %\r
	jne	.Lwrong
	.endm

	.macro vectors insn, prefix, at, n, store
	.set	i, 0
	.rept	\n
	vector_one \insn, \prefix, %i, \at, \store
	.set	i, i + 1
	.endr
	.endm

	.altmacro
	.macro vector_one insn, prefix, i, at, store
	.if \store
	\insn	%\prefix\i, \at+64*\i(%rdi)
	.else
	\insn	\at+64*\i(%rdi), %\prefix\i
	.endif
	.endm

	.text
	.globl	spin_clock
	.type	spin_clock, @function
spin_clock:
	rdtsc
	shlq	$32, %rdx
	orq	%rdx, %rax
	ret
	.size	spin_clock, . - spin_clock

	.globl	spin_registers
	.type	spin_registers, @function
spin_registers:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	subq	$24, %rsp
	movq	%rdi, 0(%rsp)
	movq	LOOPS(%rdi), %rax
	movq	%rax, 8(%rsp)
	movq	$0, 16(%rsp)
	ldmxcsr	mxcsr_known(%rip)
	fldl	X87_WANT(%rdi)
	cmpq	$1, LEVEL(%rdi)
	je	.Lload_avx
	ja	.Lload_avx512
	vectors	movdqu, xmm, WANT, 16, 0
	jmp	.Lload_general
.Lload_avx:
	vectors	vmovdqu, ymm, WANT, 16, 0
	jmp	.Lload_general
.Lload_avx512:
	vectors	vmovdqu64, zmm, WANT, 32, 0
	.irp	mask, 0, 1, 2, 3, 4, 5, 6, 7
	kmovq	MASKS_WANT+8*\mask(%rdi), %k\mask
	.endr
.Lload_general:
	each_general load_general
	.irp	at, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128
	movq	%r15, -\at(%rsp)
	.endr

.Lspin:
	each_general check_general
	.irp	at, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128
	cmpq	%r15, -\at(%rsp)
	jne	.Lwrong
	.endr
	decq	8(%rsp)
	jnz	.Lspin
	jmp	.Lstore
.Lwrong:
	movq	$1, 16(%rsp)
.Lstore:
	movq	0(%rsp), %rdi
	cmpq	$1, LEVEL(%rdi)
	je	.Lstore_avx
	ja	.Lstore_avx512
	vectors	movdqu, xmm, SEEN, 16, 1
	jmp	.Ldone
.Lstore_avx:
	vectors	vmovdqu, ymm, SEEN, 16, 1
	vzeroupper
	jmp	.Ldone
.Lstore_avx512:
	vectors	vmovdqu64, zmm, SEEN, 32, 1
	.irp	mask, 0, 1, 2, 3, 4, 5, 6, 7
	kmovq	%k\mask, MASKS_SEEN+8*\mask(%rdi)
	.endr
	vzeroupper
.Ldone:
	fstpl	X87_SEEN(%rdi)
	movq	16(%rsp), %rax
	movq	%rax, WRONG(%rdi)
	stmxcsr	MXCSR(%rdi)
	ldmxcsr	mxcsr_default(%rip)
	addq	$24, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
	.size	spin_registers, . - spin_registers

/*
 * int spin_sequence(struct rseq *area, uint64_t loops)
 *
 * A restartable sequence that lasts for a while.  0: it was left at its end, undisturbed; 1: it was
 * aborted, as the kernel does when it has stopped the thread for anything; 2: neither, and yet the
 * kernel had lost sight of it.
 */
	.section .data.rel.ro, "aw", @progbits
	.balign	32
.Lsequence:
	.long	0, 0
	.quad	.Lbegin, .Lend - .Lbegin, .Labort

	.text
	.globl	spin_sequence
	.type	spin_sequence, @function
spin_sequence:
	leaq	.Lsequence(%rip), %rax
	movq	%rax, 8(%rdi)
.Lbegin:
	decq	%rsi
	jnz	.Lbegin
	cmpq	%rax, 8(%rdi)
	jne	.Llost
.Lend:
	movq	$0, 8(%rdi)
	xorl	%eax, %eax
	ret
.Llost:
	movl	$2, %eax
	ret
	.long	0x53053053
.Labort:
	movl	$1, %eax
	ret
	.size	spin_sequence, . - spin_sequence

	.section .note.GNU-stack, "", @progbits
