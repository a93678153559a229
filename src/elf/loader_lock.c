/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader_lock.c - glibc's lock around dlopen() and dlclose()
 *
 * The loader's data has no public layout, but since glibc 2.4 these stand in it one behind the other:
 * how many namespaces there are (1 to 16), the lock around loading, that around the list; both
 * recursive mutexes, which look like little else.  What looks otherwise is left alone.
 */
#include "elf/glibc_mutex.h"
#include "elf/private.h"

#include <pthread.h>
#include <string.h>

#define LOADER_DATA_BYTES 4096 /* less than struct rtld_global and what follows it in ld.so */
#define NAMESPACES_MAX	  16

struct loader_locks {
	uint64_t n_namespaces;
	struct glibc_mutex load, list;
};

static bool is_recursive(const struct glibc_mutex *mutex)
{
	return mutex->kind == PTHREAD_MUTEX_RECURSIVE_NP && mutex->lock <= 2 &&
	       mutex->elision == 0 && mutex->previous == 0 && mutex->next == 0;
}

static bool are_loader_locks(const struct loader_locks *locks)
{
	return locks->n_namespaces >= 1 && locks->n_namespaces <= NAMESPACES_MAX &&
	       is_recursive(&locks->load) && is_recursive(&locks->list);
}

static raddr_t find_mutex(const struct elf_modules *modules)
{
	uint8_t data[LOADER_DATA_BYTES];
	struct elf_piece piece = { .buffer = data, .bytes = sizeof(data) };
	struct loader_locks locks;

	if (modules->libc != ELF_LIBC_GLIBC ||
	    elf_lookup(modules, "_rtld_global", &piece.address, NULL) < 0 ||
	    elf_read_pieces(modules, &piece, 1) < 0)
		return 0;
	for (size_t at = 0; at + sizeof(locks) <= piece.got; at += sizeof(uint64_t)) {
		memcpy(&locks, data + at, sizeof(locks));
		if (are_loader_locks(&locks))
			return piece.address + at + offsetof(struct loader_locks, load);
	}
	return 0;
}

void elf_find_loader_lock(const struct elf_modules *modules, struct elf_loader_lock *ret_lock)
{
	raddr_t mutex = find_mutex(modules), lock, unlock;

	*ret_lock = (struct elf_loader_lock){ 0 };
	if (mutex && elf_lookup(modules, "pthread_mutex_lock", &lock, NULL) == 0 &&
	    elf_lookup(modules, "pthread_mutex_unlock", &unlock, NULL) == 0)
		*ret_lock = (struct elf_loader_lock){ mutex, lock, unlock };
}
