/* SPDX-License-Identifier: BSD-2-Clause */
/* raw_syscall.h - system calls without a libc, for code that runs inside the target */
#ifndef ARCH_RAW_SYSCALL_H
#define ARCH_RAW_SYSCALL_H

#include <asm/unistd.h>

#if defined(__x86_64__)
static inline __attribute__((always_inline)) long raw_syscall(long number, long a, long b, long c,
							      long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}
#define ARCH_PAUSE() __builtin_ia32_pause()
#else
#error "no raw system calls for this architecture yet"
#endif

#endif /* ARCH_RAW_SYSCALL_H */
