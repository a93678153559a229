/* SPDX-License-Identifier: BSD-2-Clause */
/* module.c - one module: its headers, dynamic section and hash table */
#include "elf/private.h"

#include <string.h>

#define DYNAMIC_MAX  1024
#define PAGE_MASK_4K 0xfffULL

void elf_module_take_path(struct elf_module *module, char *path)
{
	const char *slash = strrchr(path, '/');

	free(module->path);
	module->path = path;
	module->name = slash ? slash + 1 : path;
}

raddr_t elf_module_apply_headers(struct elf_module *module, const Elf64_Phdr *ph, size_t n)
{
	uint64_t low = UINT64_MAX, high = 0;
	raddr_t dynamic = 0;

	for (size_t i = 0; i < n; i++) {
		if (ph[i].p_type == PT_DYNAMIC)
			dynamic = module->base + ph[i].p_vaddr;
		if (ph[i].p_type != PT_LOAD || ph[i].p_memsz > UINT64_MAX - ph[i].p_vaddr)
			continue;
		if (ph[i].p_vaddr < low)
			low = ph[i].p_vaddr;
		if (ph[i].p_vaddr + ph[i].p_memsz > high)
			high = ph[i].p_vaddr + ph[i].p_memsz;
	}
	if (low < high) {
		module->low = module->base + (low & ~PAGE_MASK_4K);
		module->high = module->base + ((high + PAGE_MASK_4K) & ~PAGE_MASK_4K);
	}
	if (module->low >= module->high)
		module->low = module->high = 0;
	return dynamic;
}

bool elf_is_header(const Elf64_Ehdr *elf)
{
	return !memcmp(elf->e_ident, ELFMAG, SELFMAG) && elf->e_ident[EI_CLASS] == ELFCLASS64 &&
	       elf->e_phentsize == sizeof(Elf64_Phdr);
}

bool elf_module_span(const struct elf_modules *modules, struct elf_module *module,
		     const struct elf_headers *headers, size_t got)
{
	const Elf64_Ehdr *elf = &headers->elf;
	Elf64_Phdr ph[ELF_PHDRS_MAX];
	size_t bytes = elf->e_phnum * sizeof(Elf64_Phdr);

	if (got < sizeof(*elf) || !elf_is_header(elf) || elf->e_phnum > ELF_PHDRS_MAX)
		return false;
	if (elf->e_phoff <= got && bytes <= got - elf->e_phoff)
		memcpy(ph, (const unsigned char *)headers + elf->e_phoff, bytes);
	else if (elf_read(modules, module->base + elf->e_phoff, ph, bytes) < 0)
		return false;
	if (elf_module_apply_headers(module, ph, elf->e_phnum) == module->dynamic)
		return module->high != 0;
	module->low = module->high = 0;
	return false;
}

/*
 * glibc writes addresses into the dynamic section, musl leaves it as it is in the file, and of
 * the vDSO it is never writable.  What lies inside the module tells.
 */
static raddr_t table_address(const struct elf_module *module, uint64_t value)
{
	if (value >= module->low && value < module->high)
		return value;
	if (module->base + value >= module->low && module->base + value < module->high)
		return module->base + value;
	return value < module->base ? module->base + value : value;
}

bool elf_module_apply_dynamic(struct elf_module *module, const Elf64_Dyn *entry, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t value = entry[i].d_un.d_val;

		if (entry[i].d_tag == DT_NULL)
			return true;
		if (entry[i].d_tag == DT_SYMTAB)
			module->symtab = table_address(module, value);
		else if (entry[i].d_tag == DT_STRTAB)
			module->strtab = table_address(module, value);
		else if (entry[i].d_tag == DT_STRSZ)
			module->strtab_bytes = value;
		else if (entry[i].d_tag == DT_GNU_HASH)
			module->gnu_hash = table_address(module, value);
		else if (entry[i].d_tag == DT_HASH)
			module->sysv_hash = table_address(module, value);
		else if (entry[i].d_tag == DT_VERSYM)
			module->versym = table_address(module, value);
		else if (entry[i].d_tag == DT_DEBUG) {
			module->has_debug = true;
			module->debug = value;
		}
	}
	return false;
}

int elf_module_read_dynamic(const struct elf_modules *modules, struct elf_module *module)
{
	Elf64_Dyn entry[DYNAMIC_MAX];
	struct elf_piece piece = { module->dynamic, entry, sizeof(entry), 0 };
	int r = elf_read_pieces(modules, &piece, 1);

	if (r < 0)
		return r;
	(void)elf_module_apply_dynamic(module, entry, piece.got / sizeof(entry[0]));
	return 0;
}

/* A hash table whose header is not readable, or nonsense, is as good as none. */
static void apply_hash_header(struct elf_module *module, const uint32_t *word, size_t got)
{
	if (module->gnu_hash && got == 16 && word[0] && word[2]) {
		module->n_buckets = word[0];
		module->first_symbol = word[1];
		module->n_bloom = word[2];
		module->bloom_shift = word[3];
	} else if (!module->gnu_hash && got >= 8 && word[0]) {
		module->n_buckets = word[0];
		module->n_chain = word[1];
	}
}

int elf_module_read_hashes(const struct elf_modules *modules, struct elf_module *module, size_t n)
{
	enum { BATCH = 64 };
	struct elf_piece piece[BATCH];
	uint32_t words[BATCH][4];

	for (size_t at = 0; at < n; at += BATCH) {
		size_t many = n - at < BATCH ? n - at : BATCH;
		int r;

		for (size_t i = 0; i < many; i++) {
			const struct elf_module *m = &module[at + i];

			piece[i] = (struct elf_piece){ m->sysv_hash, words[i], 8, 0 };
			if (m->gnu_hash)
				piece[i] = (struct elf_piece){ m->gnu_hash, words[i], 16, 0 };
			else if (!m->sysv_hash)
				piece[i].bytes = 0;
		}
		r = elf_read_pieces(modules, piece, many);
		if (r < 0)
			return r;
		for (size_t i = 0; i < many; i++)
			apply_hash_header(&module[at + i], words[i], piece[i].got);
	}
	return 0;
}

int elf_module_read_at(const struct elf_modules *modules, raddr_t base, struct elf_module *module)
{
	Elf64_Phdr ph[ELF_PHDRS_MAX];
	Elf64_Ehdr elf;
	int r;

	module->base = base;
	r = elf_read(modules, base, &elf, sizeof(elf));
	if (r < 0)
		return r;
	if (!elf_is_header(&elf) || elf.e_phnum > ELF_PHDRS_MAX)
		return -EFAULT;
	r = elf_read(modules, base + elf.e_phoff, ph, elf.e_phnum * sizeof(ph[0]));
	if (r < 0)
		return r;
	module->dynamic = elf_module_apply_headers(module, ph, elf.e_phnum);
	return module->dynamic ? elf_module_read_dynamic(modules, module) : 0;
}
