/* SPDX-License-Identifier: BSD-2-Clause */
/* in_assembly.S - a function of which an assembler knows the lines, but not what it returns */
	.text
	.globl in_assembly
	.type in_assembly, %function
in_assembly:
	ret
	.size in_assembly, . - in_assembly
	.section .note.GNU-stack, "", %progbits
