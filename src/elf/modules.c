/* SPDX-License-Identifier: BSD-2-Clause */
/* modules.c - the link map of a live process, from its own memory */
#include "elf/private.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Bounds on what a target can make us read; real processes stay far below. */
#define MODULES_MAX	     4096
#define DYNAMIC_ENTRIES	     64	 /* read at once; most libraries have some 30 */
#define NAME_BYTES	     256 /* read at once; up to PATH_MAX when that is not enough */
#define MAPS_LOOKS_MAX	     64	 /* modules whose span is looked up in /proc/PID/maps */
#define TRIES_WHILE_CHANGING 3

/* struct r_debug and struct link_map of <link.h>, as they are in the target.  glibc and musl have
 * the same. */
struct debug_image {
	int32_t version, pad1;
	uint64_t map, brk;
	int32_t state, pad2;
	uint64_t ldbase;
};

#define STATE_CONSISTENT 0

struct node {
	uint64_t base, name, dynamic, next, previous;
};

/* What is known before the link map is read. */
struct start {
	struct elf_auxv auxv;
	struct elf_module program; /* path is not set */
	bool has_interpreter;
	raddr_t debug; /* the loader's struct r_debug */
	size_t n_maps_looks;
};

void elf_modules_done(struct elf_modules *modules)
{
	if (!modules)
		return;
	for (size_t i = 0; i < modules->n_modules; i++)
		free(modules->module[i].path);
	free(modules->module);
	*modules = (struct elf_modules){ 0 };
}

#define AUTO_MODULES __attribute__((cleanup(elf_modules_done)))

/* Where a program is whose headers are at AT_PHDR: the kernel does not say. */
static raddr_t program_base(const Elf64_Phdr *ph, size_t n, raddr_t phdr)
{
	for (size_t i = 0; i < n; i++)
		if (ph[i].p_type == PT_PHDR)
			return phdr - ph[i].p_vaddr;
	for (size_t i = 0; i < n; i++) /* static: they follow the ELF header */
		if (ph[i].p_type == PT_LOAD && ph[i].p_offset == 0)
			return phdr - sizeof(Elf64_Ehdr) - ph[i].p_vaddr;
	return 0;
}

static int read_program(const struct elf_modules *modules, struct start *start)
{
	struct elf_module *program = &start->program;
	Elf64_Phdr ph[ELF_PHDRS_MAX];
	Elf64_Ehdr elf = { 0 };
	size_t n = start->auxv.n_phdr;
	struct elf_piece piece[] = {
		{ start->auxv.phdr, ph, n * sizeof(ph[0]), 0 },
		{ start->auxv.phdr - sizeof(elf), &elf, sizeof(elf), 0 },
	};
	int r;

	if (n == 0 || n > ELF_PHDRS_MAX)
		return -ENOEXEC;
	r = elf_read_pieces(modules, piece, ARRAY_SIZE(piece));
	if (r < 0)
		return r;
	if (piece[0].got < piece[0].bytes)
		return -ENOEXEC;
	if (piece[1].got == sizeof(elf) && elf_is_header(&elf) && elf.e_machine != EM_X86_64)
		return -ENOEXEC;
	for (size_t i = 0; i < n; i++)
		if (ph[i].p_type == PT_INTERP)
			start->has_interpreter = true;
	program->base = program_base(ph, n, start->auxv.phdr);
	program->dynamic = elf_module_apply_headers(program, ph, n);
	return program->dynamic ? elf_module_read_dynamic(modules, program) : 0;
}

/* A program started as `ld.so program` (or linked without DT_DEBUG): the loader is asked for its
 * own symbols.  -ENOENT: it has none, so this is a static program. */
static int debug_by_symbol(const struct elf_modules *modules, const struct start *start,
			   raddr_t *ret_debug)
{
	struct elf_module loader = start->program;
	raddr_t pointer;
	int r = 0;

	if (start->has_interpreter && start->auxv.base) {
		loader = (struct elf_module){ 0 };
		r = elf_module_read_at(modules, start->auxv.base, &loader);
	}
	if (r == 0)
		r = elf_module_read_hashes(modules, &loader, 1);
	if (r == 0)
		r = elf_lookup_in(modules, &loader, "_r_debug", ret_debug);
	if (r != -ENOENT)
		return r == -EFAULT || r == -ENOTSUP ? -ENOENT : r;
	r = elf_lookup_in(modules, &loader, "_dl_debug_addr", &pointer);
	if (r < 0)
		return r == -ENOTSUP ? -ENOENT : r;
	/* musl: a pointer to it */
	r = elf_read(modules, pointer, ret_debug, sizeof(*ret_debug));
	if (r == -EFAULT)
		return -ENOENT;
	return r == 0 && *ret_debug < loader.base ? -EAGAIN : r; /* not relocated yet */
}

/* Where the loader's struct r_debug is.  -ENOENT: nowhere; -EAGAIN: not yet. */
static int find_debug(const struct elf_modules *modules, const struct start *start,
		      raddr_t *ret_debug)
{
	if (!start->has_interpreter || !start->program.has_debug)
		return start->program.dynamic ? debug_by_symbol(modules, start, ret_debug) :
						-ENOENT;
	*ret_debug = start->program.debug;
	return start->program.debug ? 0 : -EAGAIN;
}

/* A name longer than what was read at once; it ends where the target stops being readable. */
static int read_long_name(const struct elf_modules *modules, raddr_t at, char *text)
{
	struct elf_piece piece = { at, text, PATH_MAX - 1, 0 };
	int r = elf_read_pieces(modules, &piece, 1);

	text[piece.got] = '\0';
	return r;
}

/* The program's path is the kernel's; only of one that was started as an argument of the loader
 * the kernel knows the loader.  musl leaves the vDSO without a name. */
static int set_path(const struct elf_modules *modules, const struct start *start,
		    const struct node *node, struct elf_module *module, const char *name)
{
	bool is_first = node->previous == 0;
	raddr_t low, high;
	char *path = NULL;
	int r = -ENOENT;

	if (is_first && module->dynamic == start->program.dynamic)
		r = elf_program_path(modules, &path);
	else if (is_first)
		r = elf_maps_span(modules, module->dynamic, &low, &high, &path);
	if (r < 0 && r != -ENOENT)
		return r;
	if (!*name && node->base && node->base == start->auxv.vdso)
		name = "linux-vdso.so.1";
	if (!path)
		path = strdup(name);
	if (!path)
		return -ENOMEM;
	elf_module_take_path(module, path);
	return 0;
}

static int set_span(const struct elf_modules *modules, struct start *start,
		    struct elf_module *module, const struct elf_headers *headers, size_t got)
{
	int r;

	if (module->dynamic == start->program.dynamic) {
		module->low = start->program.low;
		module->high = start->program.high;
		return 0;
	}
	if (elf_module_span(modules, module, headers, got))
		return 0;
	if (start->n_maps_looks++ >= MAPS_LOOKS_MAX)
		return 0;
	r = elf_maps_span(modules, module->dynamic, &module->low, &module->high, NULL);
	return r == -ENOENT ? 0 : r;
}

/* All that one entry of the link map leads to, and the next entry, in one system call. */
static int read_module(const struct elf_modules *modules, struct start *start,
		       const struct node *node, struct elf_module *module, struct node *next)
{
	Elf64_Dyn entry[DYNAMIC_ENTRIES];
	struct elf_headers headers;
	char name[PATH_MAX];
	struct elf_piece piece[] = {
		{ node->next, next, node->next ? sizeof(*next) : 0, 0 },
		{ node->base, &headers, node->base ? sizeof(headers) : 0, 0 },
		{ node->name, name, NAME_BYTES, 0 },
		{ node->dynamic, entry, sizeof(entry), 0 },
	};
	int r = elf_read_pieces(modules, piece, ARRAY_SIZE(piece));

	if (r < 0)
		return r;
	if (piece[0].got < piece[0].bytes)
		return -EAGAIN;
	module->base = node->base;
	module->dynamic = node->dynamic;
	r = set_span(modules, start, module, &headers, piece[1].got);
	if (r == 0 && !elf_module_apply_dynamic(module, entry, piece[3].got / sizeof(entry[0])) &&
	    piece[3].got == sizeof(entry))
		r = elf_module_read_dynamic(modules, module);
	name[piece[2].got] = '\0';
	if (r == 0 && strlen(name) == NAME_BYTES)
		r = read_long_name(modules, node->name, name);
	return r < 0 ? r : set_path(modules, start, node, module, name);
}

static int grow(struct elf_modules *modules)
{
	size_t n = modules->n_modules;
	struct elf_module *more;

	if (n >= MODULES_MAX)
		return -ENOEXEC;
	if (n & (n - 1) || n == 1) /* room for 2, 4, 8, ... */
		return 0;
	more = realloc(modules->module, (n ? 2 * n : 2) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	modules->module = more;
	return 0;
}

/*
 * The target runs on while we read: an entry that does not point back to the one before it means
 * that the list was changed under us (or on purpose: so no cycle gets us either).
 */
static int walk(struct elf_modules *modules, struct start *start, raddr_t first)
{
	struct node node, next = { 0 };
	raddr_t at = first, previous = 0;
	int r = elf_read(modules, first, &node, sizeof(node));

	while (r == 0) {
		struct elf_module module = { 0 };

		if (node.previous != previous)
			return -EAGAIN;
		r = grow(modules);
		if (r == 0)
			r = read_module(modules, start, &node, &module, &next);
		if (r < 0)
			return r;
		modules->module[modules->n_modules++] = module;
		if (!node.next)
			return elf_module_read_hashes(modules, modules->module, modules->n_modules);
		previous = at;
		at = node.next;
		node = next;
	}
	return r == -EFAULT ? -EAGAIN : r;
}

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

/* musl is one file, loader and libc; by which name, is the distribution's choice. */
static int is_musl(const struct elf_modules *modules, struct elf_module *module, raddr_t loader)
{
	raddr_t ignored;
	int r;

	if (starts_with(module->name, "ld-musl-") || starts_with(module->name, "libc.musl-"))
		return 1;
	if (module->base != loader && strcmp(module->name, "libc.so") != 0)
		return 0;
	r = elf_lookup_in(modules, module, "_dl_debug_addr", &ignored);
	if (r == 0)
		r = elf_lookup_in(modules, module, "__libc_start_main", &ignored);
	return r == 0 ? 1 : r == -ENOENT || r == -ENOTSUP ? 0 : r;
}

static bool is_glibc(const struct elf_module *module)
{
	return !strcmp(module->name, "libc.so.6") || starts_with(module->name, "libc-2.");
}

static int find_libc(struct elf_modules *modules, raddr_t loader)
{
	for (size_t i = 0; i < modules->n_modules; i++) {
		struct elf_module *module = &modules->module[i];

		if (loader && module->base == loader)
			modules->loader_module = module;
		if (!modules->libc_module && i > 0 && is_glibc(module)) {
			modules->libc = ELF_LIBC_GLIBC;
			modules->libc_module = module;
		}
	}
	for (size_t i = 1; i < modules->n_modules && !modules->libc_module; i++) {
		int r = is_musl(modules, &modules->module[i], loader);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		modules->libc = ELF_LIBC_MUSL;
		modules->libc_module = modules->loader_module = &modules->module[i];
	}
	return 0;
}

/* 0 when there is a link map, and, if that is asked for, when nobody is changing it. */
static int read_debug(const struct elf_modules *modules, const struct start *start,
		      struct debug_image *debug, bool consistent)
{
	int r = elf_read(modules, start->debug, debug, sizeof(*debug));

	if (r == -EFAULT || (r == 0 && !debug->map))
		return -EAGAIN;
	if (r == 0 && consistent && debug->state != STATE_CONSISTENT)
		return -EAGAIN;
	return r;
}

static int read_link_map(pid_t pid, pid_t reader, struct start *start, bool consistent,
			 struct elf_modules *ret_modules)
{
	AUTO_MODULES struct elf_modules modules = { .pid = pid, .reader = reader };
	raddr_t loader = start->has_interpreter ? start->auxv.base : start->program.base;
	struct debug_image before, after;
	int r = read_debug(&modules, start, &before, consistent);

	if (r == 0)
		r = walk(&modules, start, before.map);
	if (r == 0)
		r = read_debug(&modules, start, &after, consistent);
	if (r == 0)
		r = find_libc(&modules, loader);
	if (r < 0)
		return r;
	if (after.map != before.map || (!consistent && modules.libc != ELF_LIBC_MUSL))
		return -EAGAIN;
	*ret_modules = modules;
	modules = (struct elf_modules){ 0 };
	return 0;
}

/*
 * glibc says "changing" while it starts up, when nothing in it may be called yet, and for a moment
 * in dlopen().  musl says so during all of dlopen(), however slow the disk, and never at the
 * start; meanwhile it only appends to the list.  So at last musl's is taken as it is.
 */
static int read_dynamic_program(pid_t pid, pid_t reader, struct start *start,
				struct elf_modules *ret_modules)
{
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < TRIES_WHILE_CHANGING; i++)
		r = read_link_map(pid, reader, start, true, ret_modules);
	if (r == -EAGAIN)
		r = read_link_map(pid, reader, start, false, ret_modules);
	return r;
}

static int only_program(struct elf_modules *modules, const struct start *start)
{
	char *path;
	int r = grow(modules);

	if (r == 0)
		r = elf_program_path(modules, &path);
	if (r < 0)
		return r;
	modules->module[0] = start->program;
	elf_module_take_path(&modules->module[0], path);
	modules->n_modules = 1;
	return elf_module_read_hashes(modules, modules->module, 1);
}

int elf_modules_read(pid_t pid, struct elf_modules *ret_modules)
{
	AUTO_MODULES struct elf_modules modules = { .pid = pid };
	struct start start = { 0 };
	int r = elf_auxv_read(pid, &modules.reader, &start.auxv);

	if (r == 0)
		r = read_program(&modules, &start);
	if (r == 0)
		r = find_debug(&modules, &start, &start.debug);
	if (r == -ENOENT)
		r = only_program(&modules, &start);
	else if (r == 0)
		r = read_dynamic_program(pid, modules.reader, &start, &modules);
	if (r < 0)
		return r;
	*ret_modules = modules;
	modules = (struct elf_modules){ 0 };
	return 0;
}
