/* SPDX-License-Identifier: BSD-2-Clause */
/* machine.c - x86-64 */
#include "symbolize/machine.h"

#include <elf.h>
#include <string.h>

/* struct ucontext: flags, link and stack_t are 40 bytes; then come r8..r15, rdi, rsi, rbp, rbx,
 * rdx, rax, rcx, rsp, rip (struct sigcontext_64 of the kernel). */
#define SAVED(n) (40 + 8 * (n))

static const int in_signal_frame[STACK_REGISTERS] = {
	SAVED(13), SAVED(12), SAVED(14), SAVED(11), /* rax rdx rcx rbx */
	SAVED(9),  SAVED(8),  SAVED(10), SAVED(15), /* rsi rdi rbp rsp */
	SAVED(0),  SAVED(1),  SAVED(2),	 SAVED(3),  SAVED(4),
	SAVED(5),  SAVED(6),  SAVED(7),	 SAVED(16), /* rip */
};

static bool is_signal_return(const unsigned char *code, size_t bytes)
{
	static const unsigned char glibc[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
	static const unsigned char small[] = {0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};

	return (bytes >= sizeof(glibc) && memcmp(code, glibc, sizeof(glibc)) == 0) ||
	       (bytes >= sizeof(small) && memcmp(code, small, sizeof(small)) == 0);
}

static bool keeps_frame_pointer(const unsigned char *code, size_t bytes)
{
	/* push %rbp; mov %rsp,%rbp: the two ways to write the second */
	static const unsigned char one[] = {0x55, 0x48, 0x89, 0xe5},
				   other[] = {0x55, 0x48, 0x8b, 0xec};

	return memmem(code, bytes, one, sizeof(one)) || memmem(code, bytes, other, sizeof(other));
}

/* Is there a `call *operand` of this length just before end? */
static bool is_indirect_call(const unsigned char *end, size_t length)
{
	const unsigned char *code = end - length;
	unsigned int mode, base;
	size_t needs = 2;

	if (code[0] != 0xff || (code[1] & 0x38) != 0x10)
		return false;
	mode = code[1] >> 6;
	base = code[1] & 7;
	if (mode != 3 && base == 4)
		needs++;
	if (mode == 1)
		needs++;
	else if (mode == 2 || (mode == 0 && base == 5))
		needs += 4;
	return needs == length;
}

static bool ends_with_call(const unsigned char *code, size_t bytes, uint64_t ip,
			   uint64_t *ret_callee)
{
	const unsigned char *end = code + bytes;
	int32_t displacement;

	if (bytes >= 5 && end[-5] == 0xe8) {
		memcpy(&displacement, end - 4, sizeof(displacement));
		*ret_callee = ip + (uint64_t)(int64_t)displacement;
		return true;
	}
	for (size_t length = 2; length <= 7 && length <= bytes; length++) {
		if (is_indirect_call(end, length)) {
			*ret_callee = 0;
			return true;
		}
	}
	return false;
}

/* "endbr64" or not, "bnd" or not, "jmp *displacement(%rip)". */
static bool is_stub(const unsigned char *code, size_t bytes, uint64_t address, uint64_t *ret_slot)
{
	static const unsigned char endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	size_t at = bytes >= 4 && memcmp(code, endbr64, 4) == 0 ? 4 : 0;
	int32_t displacement;

	at += at < bytes && code[at] == 0xf2;
	if (at + 6 > bytes || code[at] != 0xff || code[at + 1] != 0x25)
		return false;
	memcpy(&displacement, code + at + 2, sizeof(displacement));
	*ret_slot = address + at + 6 + (uint64_t)(int64_t)displacement;
	return true;
}

const struct machine machine_here = {
	.elf_machine = EM_X86_64,
	.elf_class = ELFCLASS64,
	.ip = STACK_IP,
	.sp = STACK_SP,
	.fp = 6,
	.kept = 1u << 3 | 1u << 6 | 0xfu << 12, /* rbx rbp r12..r15 */
	.in_signal_frame = in_signal_frame,
	.signal_stack_at = 16, /* uc_stack.ss_sp, .ss_size */
	.signal_stack_bytes_at = 32,
	.is_signal_return = is_signal_return,
	.keeps_frame_pointer = keeps_frame_pointer,
	.ends_with_call = ends_with_call,
	.is_stub = is_stub,
};
