/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * circle.S - debug information as no compiler writes it
 *
 * It leads in circles: a typedef of itself, an enumeration that is kept as itself.  In each of many
 * namespaces, one in the other, the second has to be gone through twice, because what is said to be
 * behind it is in it.
 */
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
	.globl returns_volatile
	.type returns_volatile, %function
returns_volatile:
	ret
	.size returns_volatile, . - returns_volatile
	.globl returns_named_void
	.type returns_named_void, %function
returns_named_void:
	ret
	.size returns_named_void, . - returns_named_void
	.globl returns_negative_value
	.type returns_negative_value, %function
returns_negative_value:
	ret
	.size returns_negative_value, . - returns_negative_value
	.globl behind_namespaces
	.type behind_namespaces, %function
behind_namespaces:
	ret
	.size behind_namespaces, . - behind_namespaces
.Lend:
	.section .debug_abbrev, "", %progbits
.Labbrev:
	.byte 1, 0x11, 1, 0x11, 0x01, 0x12, 0x07, 0, 0	   /* unit: low_pc, high_pc */
	.byte 2, 0x2e, 0, 0x11, 0x01, 0x49, 0x13, 0, 0	   /* subprogram: low_pc, type */
	.byte 3, 0x16, 0, 0x49, 0x13, 0, 0		   /* typedef: type */
	.byte 4, 0x04, 0, 0x49, 0x13, 0, 0		   /* enumeration: type */
	.byte 5, 0x39, 1, 0x01, 0x13, 0, 0		   /* namespace: sibling */
	.byte 6, 0x16, 0, 0, 0				   /* typedef of nothing */
	.byte 7, 0x35, 0, 0x49, 0x13, 0, 0		   /* volatile: type */
	.byte 8, 0x0f, 0, 0, 0				   /* pointer to nothing */
	.byte 9, 0x04, 1, 0x0b, 0x0b, 0, 0		   /* enumeration: byte_size */
	.byte 10, 0x28, 0, 0x1c, 0x0d, 0, 0		   /* enumerator: const_value */
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
.Lvoid:
	.byte 6
.Lvolatile:
	.byte 7
	.4byte .Lpointer - .Lunit
.Lpointer:
	.byte 8
	.byte 2
	.8byte returns_named_void
	.4byte .Lvoid - .Lunit
	.byte 2
	.8byte returns_volatile
	.4byte .Lvolatile - .Lunit
.Lvalues:
	.byte 9, 2
	.byte 10, 1
	.byte 10, 0x7f
	.byte 0
	.byte 2
	.8byte returns_negative_value
	.4byte .Lvalues - .Lunit
	.rept 40
	.byte 5
	.4byte (. + 4) - .Lunit
	.endr
	.rept 40
	.byte 0
	.endr
	.byte 2
	.8byte behind_namespaces
	.4byte .Lpointer - .Lunit
	.byte 0
.Lunit_end:
	.section .note.GNU-stack, "", %progbits
