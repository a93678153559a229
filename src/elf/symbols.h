/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbols.h - the modules and dynamic symbols of a live process, read from its own memory
 *
 * Through AT_PHDR, PT_DYNAMIC, DT_DEBUG and the loader's link map, so that mount namespaces,
 * chroots and deleted (upgraded) files make no difference.  Everything read is untrusted: each
 * count, length and chain is bounded.
 */
#ifndef ELF_SYMBOLS_H
#define ELF_SYMBOLS_H

#include "base/base.h"

enum elf_libc {
	ELF_LIBC_NONE = 0, /* static, or a runtime of its own */
	ELF_LIBC_GLIBC,
	ELF_LIBC_MUSL,
};

struct elf_module {
	raddr_t base;      /* what is added to the addresses in its file (l_addr) */
	raddr_t low, high; /* the mapped span of its PT_LOADs, [low, high) */
	raddr_t dynamic;
	char *path;        /* as the loader knows it; of the program: as /proc/PID/exe says */
	const char *name;  /* last component of path */
	/* What else a lookup needs, filled by elf_modules_read(): lookups write nothing here, so
	 * threads may share a struct elf_modules.  0 when the module has none. */
	raddr_t symtab, strtab, gnu_hash, sysv_hash, versym;
	uint64_t strtab_bytes;
	/* headers of gnu_hash (all four) or of sysv_hash (the first, and n_chain) */
	uint32_t n_buckets, first_symbol, n_bloom, bloom_shift, n_chain;
	raddr_t debug; /* the program's DT_DEBUG: 0 until the loader has filled it */
	bool has_debug;
};

struct elf_modules {
	pid_t pid;
	pid_t reader; /* private: a thread of pid that still has memory; leaders can have exited */
	struct elf_module *module; /* in the loader's search order, the program first */
	size_t n_modules;
	enum elf_libc libc;
	const struct elf_module *libc_module;   /* NULL when there is none */
	const struct elf_module *loader_module; /* glibc: ld.so; musl: the same as libc_module */
};

/*
 * Read the link map of a process.
 * Return: 0; -ENOEXEC: not a 64-bit x86-64 ELF process (dynamic or not is told by ->n_modules
 * and ->libc: a static program gives 0 and one module, without libc); -ESRCH; -EACCES; -ENOMEM;
 * -EMFILE; -EAGAIN: only just exec'ed, or its loader is changing the link map at the moment (or
 * keeps it broken): once more, a little later.
 */
int elf_modules_read(pid_t pid, struct elf_modules *ret_modules);
void elf_modules_done(struct elf_modules *modules);

/* A defined symbol (functions and objects; indirect functions are refused with -ENOTSUP, because
 * their address is known only by running their resolver).  The default version wins.
 * Return: 0, -ENOENT, -ESRCH, -ENOTSUP. */
int elf_lookup_in(const struct elf_modules *modules, struct elf_module *module, const char *name,
		  raddr_t *ret_address);
/* The first definition in search order; *ret_module may be NULL. */
int elf_lookup(const struct elf_modules *modules, const char *name, raddr_t *ret_address,
	       struct elf_module **ret_module);

/* Indirect functions too, of which it gives the resolver's address: a function without parameters
 * that returns the address of the function.  module NULL: the first in search order.
 * Return: 0, -ENOENT, -ESRCH. */
int elf_lookup_or_resolver(const struct elf_modules *modules, struct elf_module *module,
			   const char *name, raddr_t *ret_address, bool *ret_is_resolver);

/* By file name, with or without directory and version suffix ("libc", "libc.so.6",
 * "/lib/x86_64-linux-gnu/libc.so.6"); NULL when there is none. */
struct elf_module *elf_find_module(const struct elf_modules *modules, const char *name);

/* glibc's recursive mutex around loading and unloading, and its functions for mutexes. */
struct elf_loader_lock {
	raddr_t mutex, lock, unlock;
};

/* All 0: it has none (musl), or none that is recognised. */
void elf_find_loader_lock(const struct elf_modules *modules, struct elf_loader_lock *ret_lock);

/* Up to n names of symbols close to name (edit distance), best first, each escaped and
 * terminated; module may be NULL: all.  Returns how many were found. */
#define ELF_NAME_BYTES 96
size_t elf_near_misses(const struct elf_modules *modules, struct elf_module *module,
		       const char *name, char (*ret_names)[ELF_NAME_BYTES], size_t n);

#endif /* ELF_SYMBOLS_H */
