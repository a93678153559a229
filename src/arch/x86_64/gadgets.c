/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gadgets.c - instructions of the target's own libc that we make use of where they stand
 */
#include "arch/arch.h"

#include <asm/unistd.h>
#include <string.h>

static const uint8_t syscall_ret[] = { 0x0f, 0x05, 0xc3 };
static const uint8_t restorer[] = { 0x48, 0xc7, 0xc0, __NR_rt_sigreturn, 0, 0, 0, 0x0f, 0x05 };
static const uint8_t restorer_short[] = { 0xb8, __NR_rt_sigreturn, 0, 0, 0, 0x0f, 0x05 };

static raddr_t find(const uint8_t *text, size_t bytes, raddr_t base, const uint8_t *pattern,
		    size_t pattern_bytes)
{
	const uint8_t *at = memmem(text, bytes, pattern, pattern_bytes);

	return at ? base + (size_t)(at - text) : 0;
}

/*
 * Follow the instructions from at until the next system call, as long as they are of the few
 * kinds that such a loop consists of, none of which touches memory.  What is known on entry:
 * every register is ours to choose; edx holds __NR_exit.  True when eax holds it at the end.
 */
static bool leads_to_exit(const uint8_t *text, size_t bytes, size_t at)
{
	bool eax_is_exit = false;

	for (int steps = 0; steps < 6 && at + 5 < bytes; steps++) {
		const uint8_t *i = text + at;

		if (i[0] == 0x0f && i[1] == 0x05)
			return eax_is_exit;
		if (i[0] == 0xeb) { /* jmp rel8 */
			at += 2 + (size_t)(int64_t)(int8_t)i[1];
		} else if (i[0] == 0x31 && i[1] == 0xff) { /* xor %edi,%edi */
			at += 2;
		} else if (i[0] == 0x89 && i[1] == 0xd0) { /* mov %edx,%eax */
			eax_is_exit = true;
			at += 2;
		} else if (i[0] == 0xb8 && i[1] == __NR_exit && !i[2] && !i[3] && !i[4]) {
			eax_is_exit = true; /* mov $60,%eax */
			at += 5;
		} else {
			return false;
		}
	}
	return false;
}

static raddr_t find_exit_loop(const uint8_t *text, size_t bytes, raddr_t base)
{
	for (size_t i = 0; i + 8 < bytes; i++) {
		const uint8_t *at = memchr(text + i, 0x0f, bytes - 8 - i);

		if (!at)
			return 0;
		i = (size_t)(at - text);
		if (at[1] == 0x05 && at[2] == 0xeb && leads_to_exit(text, bytes, i + 2))
			return base + i;
	}
	return 0;
}

void arch_find_gadgets(const uint8_t *text, size_t bytes, raddr_t base,
		       struct arch_gadgets *gadgets)
{
	if (!gadgets->syscall_ret)
		gadgets->syscall_ret = find(text, bytes, base, syscall_ret, sizeof(syscall_ret));
	if (!gadgets->sigreturn)
		gadgets->sigreturn = find(text, bytes, base, restorer, sizeof(restorer));
	if (!gadgets->sigreturn)
		gadgets->sigreturn =
			find(text, bytes, base, restorer_short, sizeof(restorer_short));
	if (!gadgets->exit_loop)
		gadgets->exit_loop = find_exit_loop(text, bytes, base);
}
