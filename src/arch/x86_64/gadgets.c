/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gadgets.c - instructions of the target's own libc that we make use of where they stand
 */
#include "arch/arch.h"

#include <asm/unistd.h>
#include <string.h>

#define STORE_TEXT_BYTES 24

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

/* Words that "add $n,%rsp", pops and "ret" drop, that one last; -1: something else. */
static int count_dropped(const uint8_t *i, const uint8_t *end)
{
	int n = 0;

	if (end - i >= 4 && i[0] == 0x48 && i[1] == 0x83 && i[2] == 0xc4 && i[3] < 128 &&
	    i[3] % 8 == 0) {
		n = i[3] / 8;
		i += 4;
	}
	for (; i < end; n++) {
		bool extended = *i == 0x41;

		if (*i == 0xc3)
			return n;
		if (extended && ++i == end)
			break;
		if ((*i & 0xf8) != 0x58 || (!extended && *i == 0x5c)) /* a pop, but of %rsp */
			break;
		i++;
	}
	return -1;
}

/* mov %rax,(base) or mov %rax,displacement(base), with a base that a system call leaves alone and
 * that is none of its arguments. */
static bool decode_store(const uint8_t *i, size_t bytes, struct arch_store *store)
{
	const uint8_t *end = i + (bytes < STORE_TEXT_BYTES ? bytes : STORE_TEXT_BYTES);
	uint8_t mode = i[2] >> 6, base = (i[2] & 7) | (i[0] & 1) << 3;
	int n;

	if ((i[0] != 0x48 && i[0] != 0x49) || i[1] != 0x89 || (i[2] >> 3 & 7) != 0 || mode > 1)
		return false;
	/* %rbx, %rbp, %r13 to %r15; without a displacement the number of %rbp means another thing. */
	if ((base != 3 && base != 5 && base < 13) || (mode == 0 && (base & 7) == 5))
		return false;
	n = count_dropped(i + 3 + mode, end);
	if (n < 0 || n > ARCH_STORE_WORDS_MAX)
		return false;
	store->base = base;
	store->displacement = mode ? (int8_t)i[3] : 0;
	store->n_words = (uint8_t)n;
	return true;
}

static void find_store(const uint8_t *text, size_t bytes, raddr_t base, struct arch_store *store)
{
	for (size_t i = 1; i + 8 < bytes; i++) {
		const uint8_t *at = memchr(text + i, 0x89, bytes - 8 - i);

		if (!at)
			return;
		i = (size_t)(at - text);
		if (!decode_store(at - 1, bytes - i + 1, store))
			continue;
		store->at = base + i - 1;
		return;
	}
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
	if (!gadgets->store.at)
		find_store(text, bytes, base, &gadgets->store);
}
