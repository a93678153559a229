/* SPDX-License-Identifier: BSD-2-Clause */
/* private.h - what the files of this room share: reading another process in few system calls */
#ifndef ELF_PRIVATE_H
#define ELF_PRIVATE_H

#include "elf/symbols.h"

#include <elf.h>

/* What the kernel told the process about itself (getauxval(3)); 0 where it told nothing. */
struct elf_auxv {
	raddr_t phdr, base, vdso;
	uint64_t n_phdr;
};

/*
 * Find a thread of pid that still has memory, and read its auxiliary vector.
 * Return: 0; -ENOEXEC: a kernel thread, or not a 64-bit process; -ESRCH; -EACCES; -EMFILE.
 */
int elf_auxv_read(pid_t pid, pid_t *ret_reader, struct elf_auxv *ret_auxv);

/* The program's path, without " (deleted)"; empty when there is none.  0 or -ENOMEM. */
int elf_program_path(const struct elf_modules *modules, char **ret_path);

/*
 * The mapping around an address, with those of the same file that touch it.  *ret_path may be
 * NULL.  0, -ENOENT, -ESRCH, -EACCES, -EMFILE, -ENOMEM.
 */
int elf_maps_span(const struct elf_modules *modules, raddr_t inside, raddr_t *ret_low,
		  raddr_t *ret_high, char **ret_path);

/* One stretch of the target's memory, and how much of it could be read. */
struct elf_piece {
	raddr_t address;
	void *buffer;
	size_t bytes, got;
};

/* Read each piece as far as it is readable; one that is not does not spoil the others.
 * Return: 0, whatever was readable; -ESRCH, -EACCES. */
int elf_read_pieces(const struct elf_modules *modules, struct elf_piece *piece, size_t n);

/* Read all of it: 0, -EFAULT, -ESRCH, -EACCES. */
int elf_read(const struct elf_modules *modules, raddr_t address, void *buffer, size_t bytes);

/* The ELF header, with the program headers behind it where linkers put them. */
#define ELF_HEADERS_BYTES 1024
#define ELF_PHDRS_MAX	  256

struct elf_headers {
	Elf64_Ehdr elf;
	unsigned char rest[ELF_HEADERS_BYTES - sizeof(Elf64_Ehdr)];
};

bool elf_is_header(const Elf64_Ehdr *elf);

/* Set the path; the module owns it then. */
void elf_module_take_path(struct elf_module *module, char *path);

/* Set the span from the PT_LOADs; returns where PT_DYNAMIC is, 0 when there is none. */
raddr_t elf_module_apply_headers(struct elf_module *module, const Elf64_Phdr *ph, size_t n);

/* Set the span from got bytes of what is at the module's base.  False: these are not its
 * headers; or somebody has moved them (patchelf), and they are not where the file offset says. */
bool elf_module_span(const struct elf_modules *modules, struct elf_module *module,
		     const struct elf_headers *headers, size_t got);

/* Take what lookups need from n entries; the span is to be set before.  False: there is more. */
bool elf_module_apply_dynamic(struct elf_module *module, const Elf64_Dyn *entry, size_t n);

/* Read a dynamic section that did not fit, or has not been read yet.  0, -ESRCH, -EACCES. */
int elf_module_read_dynamic(const struct elf_modules *modules, struct elf_module *module);

/* The headers of the hash tables of n modules.  0, -ESRCH, -EACCES. */
int elf_module_read_hashes(const struct elf_modules *modules, struct elf_module *module, size_t n);

/* All of it for a module of which only the base is known: the loader, before the link map is
 * found.  0; -EFAULT: no ELF file there; -ESRCH, -EACCES. */
int elf_module_read_at(const struct elf_modules *modules, raddr_t base, struct elf_module *module);

/* Could the loader bind to it?  Indirect functions too, thread-local variables not. */
bool elf_symbol_is_definition(const Elf64_Sym *symbol);

#endif /* ELF_PRIVATE_H */
