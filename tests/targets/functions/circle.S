/* SPDX-License-Identifier: BSD-2-Clause */
/* circle.S - debug information that leads in circles: a typedef of itself, an enumeration that is
 * kept as itself, a namespace that is its own sibling */
	.text
	.globl returns_circle
	.type returns_circle, %function
returns_circle:
	ret
	.size returns_circle, . - returns_circle
	.globl returns_itself
	.type returns_itself, %function
returns_itself:
	ret
	.size returns_itself, . - returns_itself
	.globl behind_circle
	.type behind_circle, %function
behind_circle:
	ret
	.size behind_circle, . - behind_circle
.Lend:
	.section .debug_abbrev, "", %progbits
.Labbrev:
	.byte 1, 0x11, 1, 0x11, 0x01, 0x12, 0x07, 0, 0	   /* unit: low_pc, high_pc */
	.byte 2, 0x2e, 0, 0x11, 0x01, 0x49, 0x13, 0, 0	   /* subprogram: low_pc, type */
	.byte 3, 0x16, 0, 0x49, 0x13, 0, 0		   /* typedef: type */
	.byte 4, 0x04, 0, 0x49, 0x13, 0, 0		   /* enumeration: type */
	.byte 5, 0x39, 1, 0x01, 0x13, 0, 0		   /* namespace: sibling */
	.byte 0
	.section .debug_info, "", %progbits
.Lunit:
	.4byte .Lunit_end - .Lunit_begin
.Lunit_begin:
	.2byte 4
	.4byte .Labbrev
	.byte 8
	.byte 1
	.8byte returns_circle
	.8byte .Lend - returns_circle
	.byte 2
	.8byte returns_circle
	.4byte .Ltypedef - .Lunit
	.byte 2
	.8byte returns_itself
	.4byte .Lenumeration - .Lunit
.Ltypedef:
	.byte 3
	.4byte .Ltypedef - .Lunit
.Lenumeration:
	.byte 4
	.4byte .Lenumeration - .Lunit
.Lnamespace:
	.byte 5
	.4byte .Lnamespace - .Lunit
	.byte 0
	.byte 2
	.8byte behind_circle
	.4byte .Lenumeration - .Lunit
	.byte 0
.Lunit_end:
	.section .note.GNU-stack, "", %progbits
