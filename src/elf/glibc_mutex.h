/* SPDX-License-Identifier: BSD-2-Clause */
/* glibc_mutex.h - pthread_mutex_t as glibc's ABI for x86-64 has it, to be found in another process */
#ifndef ELF_GLIBC_MUTEX_H
#define ELF_GLIBC_MUTEX_H

#include <stdint.h>

struct glibc_mutex {
	uint32_t lock, count; /* lock 2: somebody waits for it */
	int32_t owner;
	uint32_t n_users;
	int32_t kind;
	uint32_t elision;
	uint64_t previous, next;
};

#endif /* ELF_GLIBC_MUTEX_H */
