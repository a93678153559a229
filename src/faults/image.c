/* SPDX-License-Identifier: BSD-2-Clause */
/* image.c - what a process runs: its functions that we look for, and the breakpoints there */
#include <elf.h>
#include <string.h>

#include "elf/symbols.h"
#include "faults/explorer.h"

#define AUXV_BYTES   4096
#define VDSO_BYTES   8192
#define NEAR_NAMES   3
#define LIBRARY_NAME 256

struct spot *image_spot(const struct image *image, raddr_t at)
{
	size_t low = 0, high = image->n_spots;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (image->spot[middle].at == at)
			return &image->spot[middle];
		if (image->spot[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void add_spot(struct image *image, struct task *task, raddr_t at, enum spot_kind kind,
		     size_t function)
{
	struct spot spot = {.at = at, .kind = kind, .function = function}, *more;
	size_t place = image->n_spots;

	if (image_spot(image, at) || image->n_spots == SPOTS_MAX)
		return;
	more = realloc(image->spot, (image->n_spots + 1) * sizeof(*more));
	if (!more)
		return;
	image->spot = more;
	if (task_read(task, at, spot.original, sizeof(spot.original)) < 0 ||
	    task_write(task, at, arch_breakpoint, sizeof(arch_breakpoint)) < 0)
		return;
	for (; place > 0 && more[place - 1].at > at; place--)
		more[place] = more[place - 1];
	more[place] = spot;
	image->n_spots++;
}

/* Targets */

/* Two static functions of a program can have the same name; where it is not known from which source
 * they are, they are taken for one. */
static bool is_target(const struct target *target, const char *name,
		      const struct function *function)
{
	bool other_source =
		target->file && function->file &&
		(strcmp(target->file, function->file) != 0 || target->line != function->line);

	return strcmp(target->name, name) == 0 && strcmp(target->module, function->module) == 0 &&
	       !other_source;
}

static size_t find_target(struct explorer *explorer, const struct function *function)
{
	const char *name = function->name ? function->name : function->symbol;
	struct target *more;

	for (size_t i = 0; i < explorer->n_targets; i++)
		if (is_target(&explorer->target[i], name, function))
			return i;
	if (explorer->n_targets == explorer->targets_room) {
		size_t room = explorer->targets_room * 2 + 16;

		more = realloc(explorer->target, room * sizeof(*more));
		if (!more)
			return SIZE_MAX;
		explorer->target = more;
		explorer->targets_room = room;
	}
	explorer->target[explorer->n_targets] = (struct target){
		.name = strdup(name),
		.module = strdup(function->module),
		.file = function->file ? strdup(function->file) : NULL,
		.line = function->line,
		.returns = function->returns,
		.return_bytes = function->return_bytes,
		.writes = function->writes,
		.fails = explorer->options->fails == FAULTS_FAILS_BY_TYPE &&
					 function->returns == RETURNS_VOID
				 ? FAULTS_FAILS_EXIT
				 : explorer->options->fails,
	};
	return explorer->n_targets++;
}

/* glibc's loader has its own, hidden, opendir() and the like, which nobody means. */
static bool is_loaders_copy(const char *pattern, const struct function *function)
{
	const char *name = strrchr(function->module, '/');

	return !strchr(pattern, '!') && !function->exported && name &&
	       strncmp(name, "/ld-linux", 9) == 0;
}

static void add_functions(struct explorer *explorer, struct image *image, struct task *task,
			  const char *pattern, bool exported_only, bool *matched)
{
	struct function *functions;
	size_t n;

	if (space_functions(image->space, pattern, exported_only, &functions, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		size_t target = is_loaders_copy(pattern, &functions[i])
					? SIZE_MAX
					: find_target(explorer, &functions[i]);

		if (target != SIZE_MAX)
			add_spot(image, task, functions[i].low, SPOT_FUNCTION, target);
	}
	*matched = *matched || n > 0;
	free(functions);
}

/* For the message, should it be found nowhere. */
static void note_near(struct explorer *explorer, const struct image *image, const char *pattern)
{
	char *names[NEAR_NAMES];
	size_t n = space_functions_near(image->space, pattern, false, names, NEAR_NAMES), used = 0;

	for (size_t i = 0; i < n; i++) {
		if (used < sizeof(explorer->near))
			used += (size_t)snprintf(explorer->near + used,
						 sizeof(explorer->near) - used, "%s%s",
						 i ? ", " : "", names[i]);
		free(names[i]);
	}
}

static void look_for_functions(struct explorer *explorer, struct image *image, struct task *task)
{
	const struct faults_options *options = explorer->options;
	char pattern[LIBRARY_NAME];

	for (size_t i = 0; i < options->n_functions; i++) {
		add_functions(explorer, image, task, options->functions[i], false,
			      &explorer->matched[i]);
		if (!explorer->matched[i] && !explorer->near[0])
			note_near(explorer, image, options->functions[i]);
	}
	for (size_t i = 0; i < options->n_libraries; i++) {
		snprintf(pattern, sizeof(pattern), "%s!*", options->libraries[i]);
		add_functions(explorer, image, task, pattern, true,
			      &explorer->matched[options->n_functions + i]);
	}
}

/* What the engine itself needs to know */

static raddr_t look_up(struct image *image, const struct elf_modules *modules, const char *name)
{
	struct function *functions;
	raddr_t at = 0;
	size_t n;

	if (modules && elf_lookup(modules, name, &at, NULL) == 0)
		return at;
	if (modules && modules->libc != ELF_LIBC_NONE)
		return 0;
	if (space_functions(image->space, name, false, &functions, &n) < 0)
		return 0;
	if (n)
		at = functions[0].low; /* a static program's */
	free(functions);
	return at;
}

static void look_for_exits(struct image *image, const struct elf_modules *modules)
{
	static const char *const jumps[JUMPS_MAX] = {"longjmp", "siglongjmp", "_longjmp",
						     "__longjmp_chk"};
	static const char *const allocators[ALLOCATORS] = {"malloc", "calloc", "realloc"};

	image->catches = look_up(image, modules, "__cxa_begin_catch");
	for (size_t i = 0; i < JUMPS_MAX; i++)
		image->jump[i] = look_up(image, modules, jumps[i]);
	for (size_t i = 0; i < ALLOCATORS; i++)
		image->allocator[i] = look_up(image, modules, allocators[i]);
}

/* Where the loader tells debuggers that it has changed something (struct r_debug). */
static raddr_t loader_hook(const struct elf_modules *modules, const struct task *task)
{
	struct {
		int version;
		raddr_t map, hook;
	} debug;

	if (!modules->n_modules || !modules->module[0].debug ||
	    task_read(task, modules->module[0].debug, &debug, sizeof(debug)) < 0)
		return 0;
	return debug.hook;
}

void image_resolve(struct explorer *explorer, struct image *image, struct task *task)
{
	struct elf_modules modules;
	bool has_modules = elf_modules_read(task->tgid, &modules) == 0;
	raddr_t start;

	if (space_update(image->space) < 0)
		return;
	look_for_exits(image, has_modules ? &modules : NULL);
	if (has_modules && loader_hook(&modules, task))
		add_spot(image, task, loader_hook(&modules, task), SPOT_LOADER, 0);
	start = look_up(image, has_modules ? &modules : NULL, "__libc_start_main");
	if (explorer->options->whole_program && start)
		add_spot(image, task, start, SPOT_START, 0);
	look_for_functions(explorer, image, task);
	if (has_modules)
		elf_modules_done(&modules);
}

void image_meet_start(struct explorer *explorer, struct image *image, struct task *task,
		      const struct arch_state *state)
{
	char path[64], module[4096];
	struct function main_function = {.low = arch_call_argument(state, 0),
					 .name = "main",
					 .symbol = "main",
					 .module = module,
					 .returns = RETURNS_SIGNED,
					 .return_bytes = 4};
	size_t target;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", task->tgid);
	n = readlink(path, module, sizeof(module) - 1);
	module[n < 0 ? 0 : n] = '\0';
	target = find_target(explorer, &main_function);
	if (target == SIZE_MAX)
		return;
	explorer->target[target].whole = true;
	add_spot(image, task, main_function.low, SPOT_FUNCTION, target);
}

/* Beginning */

static raddr_t find_syscall(const struct task *task, raddr_t vdso)
{
	static uint8_t text[VDSO_BYTES];
	size_t n = vdso ? task_read_some(task, vdso, text, sizeof(text)) : 0;

	for (size_t i = 0x100; i + ARCH_SYSCALL_BYTES <= n; i++)
		if (arch_is_syscall_instruction(text + i))
			return vdso + i;
	return 0;
}

static int read_auxv(const struct task *task, raddr_t *ret_entry, raddr_t *ret_vdso)
{
	AUTO_CLOSE int dir = proc_open(task->tgid);
	AUTO_FREE char *text = NULL;
	const Elf64_auxv_t *auxv;
	size_t bytes;

	if (dir < 0 || proc_read_file(dir, "auxv", AUXV_BYTES, &text, &bytes) < 0)
		return -ESRCH;
	auxv = (const Elf64_auxv_t *)text;
	*ret_entry = *ret_vdso = 0;
	for (size_t i = 0; i < bytes / sizeof(*auxv); i++) {
		if (auxv[i].a_type == AT_ENTRY)
			*ret_entry = auxv[i].a_un.a_val;
		if (auxv[i].a_type == AT_SYSINFO_EHDR)
			*ret_vdso = auxv[i].a_un.a_val;
	}
	return 0;
}

int image_new(struct explorer *explorer, struct task *task, struct image **ret_image)
{
	struct image *image = calloc(1, sizeof(*image));
	struct arch_state state;
	raddr_t entry, vdso;
	int r = image ? read_auxv(task, &entry, &vdso) : -ENOMEM;

	/* A 32-bit program has another kind of registers, and of everything. */
	if (r == 0)
		r = arch_read_registers(task->tid, &state);
	if (r == 0)
		r = space_of_process(explorer->symbolizer, task->tgid, &image->space);
	if (r < 0) {
		free(image);
		return r;
	}
	image->syscall_at = find_syscall(task, vdso);
	image->next = explorer->images;
	explorer->images = image;
	add_spot(image, task, entry, SPOT_PROGRAM, 0);
	*ret_image = image;
	return 0;
}

void images_free(struct explorer *explorer, bool all)
{
	struct image **link = &explorer->images;

	while (*link) {
		struct image *image = *link;

		if (image->is_needed && !all) {
			link = &image->next;
			continue;
		}
		*link = image->next;
		space_free(image->space);
		free(image->spot);
		free(image);
	}
}
