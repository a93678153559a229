/* SPDX-License-Identifier: BSD-2-Clause */
/* lookup.c - one name, through the hash tables of the modules */
#include "elf/private.h"

#include <ctype.h>
#include <string.h>

#define BATCH	       32   /* modules asked in one system call */
#define CHAIN_CHUNK    64   /* entries of a chain read at once; most have less than 8 */
#define CHAIN_MAX      4096 /* a target could make it endless */
#define NAME_MAX_BYTES 4096

#define VERSION_HIDDEN 0x8000u

struct query {
	const char *name;
	size_t bytes; /* with the NUL */
	uint32_t gnu, sysv;
};

/* What the hash tables say before any chain is followed. */
struct probe {
	uint64_t bloom;
	uint32_t bucket;
};

struct match {
	bool found;
	bool hidden;   /* an old version: only for programs that were linked against it */
	bool indirect; /* its resolver's address is all that is known */
	uint16_t version;
	raddr_t address;
};

static uint32_t hash_gnu(const char *name)
{
	uint32_t h = 5381;

	for (const unsigned char *s = (const unsigned char *)name; *s; s++)
		h = h * 33 + *s;
	return h;
}

static uint32_t hash_sysv(const char *name)
{
	uint32_t h = 0;

	for (const unsigned char *s = (const unsigned char *)name; *s; s++) {
		h = (h << 4) + *s;
		h ^= (h >> 24) & 0xf0;
	}
	return h & 0x0fffffff;
}

bool elf_symbol_is_definition(const Elf64_Sym *symbol)
{
	unsigned int bind = ELF64_ST_BIND(symbol->st_info), type = ELF64_ST_TYPE(symbol->st_info);

	/* SHN_ABS: versions, and sizes that a linker script made; not addresses */
	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS || !symbol->st_value)
		return false;
	if (bind != STB_GLOBAL && bind != STB_WEAK && bind != STB_GNU_UNIQUE)
		return false;
	return type == STT_NOTYPE || type == STT_OBJECT || type == STT_FUNC || type == STT_COMMON ||
	       type == STT_GNU_IFUNC;
}

/* 1 when the string there is the name, 0 when not. */
static int has_name(const struct elf_modules *modules, const struct elf_module *module,
		    uint32_t offset, const struct query *query)
{
	char text[256];
	size_t at = 0;

	if (offset >= module->strtab_bytes || module->strtab_bytes - offset < query->bytes)
		return 0;
	while (at < query->bytes) {
		size_t n = query->bytes - at < sizeof(text) ? query->bytes - at : sizeof(text);
		int r = elf_read(modules, module->strtab + offset + at, text, n);

		if (r < 0)
			return r == -EFAULT ? 0 : r;
		if (memcmp(text, query->name + at, n) != 0)
			return 0;
		at += n;
	}
	return 1;
}

/* Take symbol number index if it has the name and is a better match than what is there. */
static int consider(const struct elf_modules *modules, const struct elf_module *module,
		    const struct query *query, uint32_t index, struct match *match)
{
	Elf64_Sym symbol;
	uint16_t version = 1;
	struct elf_piece piece[] = {
		{ module->symtab + (uint64_t)index * sizeof(symbol), &symbol, sizeof(symbol), 0 },
		{ module->versym + 2ULL * index, &version, module->versym ? 2 : 0, 0 },
	};
	bool hidden;
	int r = elf_read_pieces(modules, piece, ARRAY_SIZE(piece));

	if (r < 0)
		return r;
	if (piece[0].got < sizeof(symbol) || !elf_symbol_is_definition(&symbol))
		return 0;
	hidden = version & VERSION_HIDDEN;
	if (match->found && (!match->hidden || (hidden && version <= match->version)))
		return 0;
	r = has_name(modules, module, symbol.st_name, query);
	if (r <= 0)
		return r;
	match->found = true;
	match->hidden = hidden;
	match->indirect = ELF64_ST_TYPE(symbol.st_info) == STT_GNU_IFUNC;
	match->version = version;
	match->address = module->base + symbol.st_value;
	return 0;
}

static bool is_final(const struct match *match)
{
	return match->found && !match->hidden;
}

static int follow_gnu(const struct elf_modules *modules, const struct elf_module *module,
		      const struct query *query, uint32_t first, struct match *match)
{
	raddr_t chains = module->gnu_hash + 16 + 8ULL * module->n_bloom + 4ULL * module->n_buckets;
	uint32_t chain[CHAIN_CHUNK];

	if (first < module->first_symbol)
		return 0;
	for (uint32_t done = 0; done < CHAIN_MAX; done += CHAIN_CHUNK) {
		uint64_t at = (uint64_t)first - module->first_symbol + done;
		struct elf_piece piece = { chains + 4 * at, chain, sizeof(chain), 0 };
		int r = elf_read_pieces(modules, &piece, 1);

		if (r < 0)
			return r;
		for (uint32_t i = 0; i < piece.got / 4; i++) {
			if ((chain[i] | 1) == (query->gnu | 1))
				r = consider(modules, module, query, first + done + i, match);
			if (r < 0 || is_final(match) || (chain[i] & 1))
				return r;
		}
		if (piece.got < sizeof(chain))
			return 0;
	}
	return 0;
}

static int follow_sysv(const struct elf_modules *modules, const struct elf_module *module,
		       const struct query *query, uint32_t first, struct match *match)
{
	raddr_t chains = module->sysv_hash + 8 + 4ULL * module->n_buckets;
	uint32_t index = first;

	for (int i = 0; i < CHAIN_MAX && index != STN_UNDEF && index < module->n_chain; i++) {
		int r = consider(modules, module, query, index, match);

		if (r < 0 || is_final(match))
			return r;
		r = elf_read(modules, chains + 4ULL * index, &index, sizeof(index));
		if (r < 0)
			return r == -EFAULT ? 0 : r;
	}
	return 0;
}

static bool may_have(const struct elf_module *module, const struct query *query,
		     const struct elf_piece *piece, const struct probe *probe)
{
	uint64_t bits = 1ULL << (query->gnu % 64) |
			1ULL << (((uint64_t)query->gnu >> (module->bloom_shift % 64)) % 64);

	if (piece[1].got < sizeof(probe->bucket))
		return false;
	return !module->gnu_hash || (piece[0].got == 8 && (probe->bloom & bits) == bits);
}

/* The bloom word and the bucket of up to BATCH modules, in one system call. */
static int probe_modules(const struct elf_modules *modules, const struct elf_module *module,
			 size_t n, const struct query *query, struct elf_piece *piece,
			 struct probe *probe)
{
	for (size_t i = 0; i < n; i++) {
		const struct elf_module *m = &module[i];
		struct elf_piece *bloom = &piece[2 * i], *bucket = &piece[2 * i + 1];

		*bloom = (struct elf_piece){ 0, &probe[i].bloom, 0, 0 };
		*bucket = (struct elf_piece){ 0, &probe[i].bucket, 0, 0 };
		if (!m->n_buckets || !m->symtab || !m->strtab)
			continue;
		bucket->bytes = 4;
		if (m->gnu_hash) {
			bloom->bytes = 8;
			bloom->address = m->gnu_hash + 16 + 8ULL * (query->gnu / 64 % m->n_bloom);
			bucket->address = m->gnu_hash + 16 + 8ULL * m->n_bloom +
					  4ULL * (query->gnu % m->n_buckets);
		} else {
			bucket->address = m->sysv_hash + 8 + 4ULL * (query->sysv % m->n_buckets);
		}
	}
	return elf_read_pieces(modules, piece, 2 * n);
}

/* Of up to BATCH modules: the first default version, else the first old one.  What an earlier
 * batch found stays unless this is better. */
static int search(const struct elf_modules *modules, struct elf_module *module, size_t n,
		  const struct query *query, struct match *best, struct elf_module **ret_module)
{
	struct elf_piece piece[2 * BATCH];
	struct probe probe[BATCH];
	int r = probe_modules(modules, module, n, query, piece, probe);

	for (size_t i = 0; r == 0 && i < n && !is_final(best); i++) {
		struct match match = { 0 };

		if (!may_have(&module[i], query, &piece[2 * i], &probe[i]))
			continue;
		r = module[i].gnu_hash ?
			    follow_gnu(modules, &module[i], query, probe[i].bucket, &match) :
			    follow_sysv(modules, &module[i], query, probe[i].bucket, &match);
		if (r == 0 && match.found && (!best->found || !match.hidden)) {
			*best = match;
			*ret_module = &module[i];
		}
	}
	return r;
}

static int match_among(const struct elf_modules *modules, struct elf_module *module, size_t n,
		       const char *name, struct match *ret_match, struct elf_module **ret_module)
{
	struct query query = { name, strlen(name) + 1, hash_gnu(name), hash_sysv(name) };
	struct match match = { 0 };
	int r = 0;

	if (query.bytes == 1 || query.bytes > NAME_MAX_BYTES)
		return -ENOENT;
	for (size_t at = 0; r == 0 && at < n && !is_final(&match); at += BATCH)
		r = search(modules, module + at, n - at < BATCH ? n - at : BATCH, &query, &match,
			   ret_module);
	if (r < 0)
		return r;
	if (!match.found)
		return -ENOENT;
	*ret_match = match;
	return 0;
}

static int lookup_among(const struct elf_modules *modules, struct elf_module *module, size_t n,
			const char *name, raddr_t *ret_address, struct elf_module **ret_module)
{
	struct elf_module *where = NULL;
	struct match match;
	int r = match_among(modules, module, n, name, &match, &where);

	if (r < 0)
		return r;
	if (match.indirect)
		return -ENOTSUP;
	*ret_address = match.address;
	if (ret_module)
		*ret_module = where;
	return 0;
}

int elf_lookup_in(const struct elf_modules *modules, struct elf_module *module, const char *name,
		  raddr_t *ret_address)
{
	return lookup_among(modules, module, 1, name, ret_address, NULL);
}

int elf_lookup(const struct elf_modules *modules, const char *name, raddr_t *ret_address,
	       struct elf_module **ret_module)
{
	return lookup_among(modules, modules->module, modules->n_modules, name, ret_address,
			    ret_module);
}

int elf_lookup_or_resolver(const struct elf_modules *modules, struct elf_module *module,
			   const char *name, raddr_t *ret_address, bool *ret_is_resolver)
{
	struct elf_module *where = NULL;
	struct match match;
	int r = match_among(modules, module ? module : modules->module,
			    module ? 1 : modules->n_modules, name, &match, &where);

	if (r < 0)
		return r;
	*ret_address = match.address;
	*ret_is_resolver = match.indirect;
	return 0;
}

/* /usr/lib and /lib are one directory on most systems; which one the loader took is chance. */
static const char *without_usr(const char *path)
{
	return !strncmp(path, "/usr/", 5) ? path + 4 : path;
}

static bool is_version(const char *text)
{
	return text[0] == '.' && text[strspn(text, ".0123456789")] == '\0';
}

/* Is file the same library as name, but for a version?  libc: libc.so, libc.so.6, libc-2.31.so;
 * libz.so: libz.so.1, libz.so.1.2. */
static bool is_versioned(const char *file, const char *name)
{
	size_t length = strlen(name);
	const char *rest = file + length;

	if (strncmp(file, name, length) != 0)
		return false;
	if (strstr(name, ".so"))
		return is_version(rest);
	if (*rest == '-' && isdigit((unsigned char)rest[1]))
		rest += 1 + strspn(rest + 1, ".0123456789") - 1;
	return !strncmp(rest, ".so", 3) && (!rest[3] || is_version(rest + 3));
}

struct elf_module *elf_find_module(const struct elf_modules *modules, const char *name)
{
	bool by_path = strchr(name, '/');

	if (!*name)
		return NULL;
	for (size_t i = 0; i < modules->n_modules; i++) {
		struct elf_module *m = &modules->module[i];

		if (!strcmp(by_path ? m->path : m->name, name))
			return m;
	}
	for (size_t i = 0; i < modules->n_modules; i++) {
		struct elf_module *m = &modules->module[i];

		if (by_path ? !strcmp(without_usr(m->path), without_usr(name)) :
			      is_versioned(m->name, name))
			return m;
	}
	/* musl's libc goes by the name of the loader */
	if (modules->libc_module && (!strcmp(name, "libc") || !strcmp(name, "libc.so")))
		return modules->module + (modules->libc_module - modules->module);
	return NULL;
}
