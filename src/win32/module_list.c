/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * module_list.c - what is loaded in a process
 *
 * The loader's list tells names, order and spans, but lies in the process's own memory; the
 * kernel's list of mappings cannot be forged.  So the loader's entries are taken where something is
 * mapped and no other one is already, and what the loader does not tell (another namespace of
 * dlmopen(), a 32-bit program, one that has only just begun or has spoilt its list) is added from
 * the mappings.  So every address of a file's code lies in exactly one module.  The vDSO is one,
 * too: the loader lists it, and code in it is called.  Code that was made at run time is none.
 */
#include "win32/enumerate.h"

#include <string.h>

#include "elf/symbols.h"
#include "proc/proc.h"

#define VDSO_NAME   "linux-vdso.so.1"
#define BYTES_32BIT (UINT64_C(1) << 32)
#define MODULES_MAX 65536 /* the default limit of mappings */
#define KERNEL_HALF (UINT64_C(1) << 63)

struct look {
	struct elf_modules loader;
	struct proc_maps maps;
	bool *is_claimed; /* for each mapping: it belongs to a module */
	char *executable; /* path; NULL: not known, or the loader has told */
	struct module_list list;
};

static void look_done(struct look *look)
{
	elf_modules_done(&look->loader);
	proc_maps_done(&look->maps);
	free(look->is_claimed);
	free(look->executable);
	module_list_done(&look->list);
}

void module_list_done(struct module_list *list)
{
	for (size_t i = 0; i < list->n_modules; i++)
		free(list->module[i].path);
	free(list->module);
	*list = (struct module_list){ 0 };
}

static int add_module(struct module_list *list, struct module module, const char *path,
		      const char *name)
{
	if (list->n_modules == MODULES_MAX)
		return -ENOMEM;
	if (list->n_modules == list->room) {
		size_t room = list->room ? list->room * 2 : 32;
		struct module *more = realloc(list->module, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		list->module = more;
		list->room = room;
	}
	/* Both names in one piece of memory, one behind the other. */
	module.path = malloc(strlen(path) + strlen(name) + 2);
	if (!module.path)
		return -ENOMEM;
	strcpy(module.path, path);
	strip_deleted(module.path);
	module.name = strcpy(module.path + strlen(module.path) + 1, name);
	list->module[list->n_modules++] = module;
	return 0;
}

static bool is_vdso(const struct proc_map *map)
{
	return strcmp(map->path, "[vdso]") == 0;
}

static bool same_file(const struct proc_map *a, const struct proc_map *b)
{
	return a->inode == b->inode && a->device == b->device;
}

/*
 * The loader says [low, high): believed as far as it is mapped from one file or from none, and as
 * nobody else has it.  Return: the end; low: nothing of it.
 */
static raddr_t claim(struct look *look, raddr_t low, raddr_t high)
{
	const struct proc_map *first = proc_maps_find(&look->maps, low), *file = NULL;
	raddr_t end = low;

	if (!first || first->low != low)
		return low;
	for (size_t i = (size_t)(first - look->maps.map); i < look->maps.n_maps; i++) {
		const struct proc_map *map = &look->maps.map[i];

		if (map->low >= high || look->is_claimed[i])
			break;
		if (map->inode != 0 && file && !same_file(map, file))
			break;
		if (map->inode == 0 && map->path[0] && !is_vdso(map)) /* a stack, the heap */
			break;
		if (map->inode != 0)
			file = map;
		look->is_claimed[i] = true;
		/* Of a file the whole: nobody else can have the rest of its code. */
		end = map->inode != 0 || map->high < high ? map->high : high;
	}
	return end;
}

/* Absolute, if the loader or the kernel knows it so. */
static const char *path_of(const struct look *look, const struct elf_module *module)
{
	const struct proc_map *map = proc_maps_find(&look->maps, module->low);

	if (module->path[0] == '/' || !map || map->path[0] != '/')
		return module->path;
	return map->path;
}

static int add_from_loader(struct look *look)
{
	for (size_t i = 0; i < look->loader.n_modules; i++) {
		const struct elf_module *module = &look->loader.module[i];
		raddr_t end = claim(look, module->low, module->high);
		const char *path = path_of(look, module);
		const char *name = module->name[0] ? module->name : last_component(path);
		int r = 0;

		if (end > module->low)
			r = add_module(&look->list,
				       (struct module){ .base = module->low,
							.bytes = end - module->low,
							.bias = module->base },
				       path, name);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * The mappings from number `at` on that one loading of one file has made: their offsets rise.  The
 * memory right behind the last one, once, is its .bss.  Returns the number behind them.
 */
static size_t end_of_file(const struct look *look, size_t at, bool *ret_has_code)
{
	const struct proc_map *map = look->maps.map;
	bool has_code = map[at].execute;
	size_t i;

	for (i = at + 1; i < look->maps.n_maps && !look->is_claimed[i]; i++) {
		if (!same_file(&map[i], &map[at]) || map[i].offset < map[i - 1].offset)
			break;
		has_code = has_code || map[i].execute;
	}
	*ret_has_code = has_code;
	if (i < look->maps.n_maps && !look->is_claimed[i] && map[i].inode == 0 && !map[i].path[0] &&
	    map[i].low == map[i - 1].high)
		i++;
	return i;
}

static int add_from_maps(struct look *look)
{
	size_t next;

	for (size_t i = 0; i < look->maps.n_maps; i = next) {
		const struct proc_map *map = &look->maps.map[i];
		bool has_code = true;
		const char *path;
		int r;

		next = i + 1;
		if (look->is_claimed[i] || map->low >= KERNEL_HALF)
			continue;
		if (map->inode != 0)
			next = end_of_file(look, i, &has_code);
		else if (!is_vdso(map))
			continue;
		if (!has_code)
			continue;
		path = map->inode != 0 ? map->path : VDSO_NAME;
		r = add_module(&look->list,
			       (struct module){ .base = map->low,
						.bytes = look->maps.map[next - 1].high - map->low,
						.bias = map->low },
			       path, "");
		if (r < 0)
			return r;
	}
	return 0;
}

/* From the mappings the name is the file's, which is known when " (deleted)" is gone. */
static void name_by_path(struct module_list *list)
{
	for (size_t i = 0; i < list->n_modules; i++)
		if (!list->module[i].name[0])
			list->module[i].name = last_component(list->module[i].path);
}

static void put_executable_first(struct look *look)
{
	struct module_list *list = &look->list;

	for (size_t i = 1; look->executable && i < list->n_modules; i++) {
		struct module found = list->module[i];

		if (strcmp(found.path, look->executable) != 0)
			continue;
		memmove(&list->module[1], &list->module[0], i * sizeof(found));
		list->module[0] = found;
		return;
	}
}

static bool is_32bit(const struct look *look)
{
	const struct proc_maps *maps = &look->maps;

	return maps->n_maps > 0 && maps->map[maps->n_maps - 1].high <= BYTES_32BIT;
}

/* Nothing is mapped: it has ended, or is the kernel's own. */
static int why_empty(pid_t pid)
{
	struct proc_process process;
	int r = proc_process_read_stat(pid, &process);

	return r < 0 ? r : process.kernel_thread ? -EACCES : -ESRCH;
}

/* First the loader's list, then the mappings: what is loaded in between is found in those. */
static int read_both(pid_t pid, struct look *look)
{
	int r = elf_modules_read(pid, &look->loader);

	if (r == -ESRCH || r == -ENOMEM || r == -EMFILE || r == -ENFILE)
		return r;
	r = proc_maps_read(pid, &look->maps);
	if (r == 0 && look->maps.n_maps == 0)
		r = why_empty(pid);
	if (r < 0)
		return r;
	look->is_claimed = calloc(look->maps.n_maps, sizeof(look->is_claimed[0]));
	return look->is_claimed ? 0 : -ENOMEM;
}

int module_list_read(pid_t pid, struct module_list *ret_list)
{
	__attribute__((cleanup(look_done))) struct look look = { 0 };
	int r = read_both(pid, &look);

	if (r == 0)
		r = add_from_loader(&look);
	if (r == 0 && look.list.n_modules == 0)
		(void)executable_path(pid, &look.executable);
	if (r == 0)
		r = add_from_maps(&look);
	if (r < 0)
		return r;
	name_by_path(&look.list);
	put_executable_first(&look);
	look.list.is_32bit = is_32bit(&look);
	*ret_list = look.list;
	look.list = (struct module_list){ 0 };
	return 0;
}
