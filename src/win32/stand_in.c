/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stand_in.c - our own functions as thread functions in a process that we are not loaded in
 *
 * Windows has kernel32.dll at one address in all processes, and so programs give
 * CreateRemoteThread() their own address of LoadLibraryA() and the like.  Such an address means the
 * function, not what the target may happen to have there: what does the same in the target is run,
 * with the target's own libc.
 */
#include "win32/library.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/syscall.h>

#include "remote/call.h"
#include "remote/module.h"
#include "win32/utf16.h"

/* A call in the target that is being put together. */
struct call {
	struct tendril_target *target;
	struct tendril_error *error;
	uint64_t param;
	struct elf_modules modules;
	const char *function, *follow; /* by their names in the target; follow may be NULL */
	enum agent_value value;
	struct tendril_argument argument[4];
	size_t n_arguments;
	char text[LIBRARY_NAME_BYTES]; /* that an argument points to */
};

static void add_integer(struct call *call, uint64_t value)
{
	call->argument[call->n_arguments++] =
		(struct tendril_argument){ .kind = TENDRIL_INTEGER, .value = value };
}

static void add_text(struct call *call)
{
	call->argument[call->n_arguments++] = (struct tendril_argument){
		.kind = TENDRIL_BYTES, .data = call->text, .bytes = strlen(call->text) + 1
	};
}

/* The thread does nothing but return it. */
static int give(struct call *call, uint64_t value)
{
	call->function = "getpid"; /* not called, but there must be one */
	call->value = AGENT_VALUE_GIVEN;
	add_integer(call, value);
	return 0;
}

/*
 * A text of the target, up to the first unit that is 0.  Page by page, since what is behind it may
 * not be there.  Return: 0, -EFAULT: not there, -E2BIG: no end, -ESRCH, ...
 */
static int read_text(struct call *call, void *text, size_t room, size_t unit)
{
	static const char zero[2];

	for (size_t got = 0; got < room;) {
		size_t bytes = PAGE_BYTES - (call->param + got) % PAGE_BYTES;
		size_t at = got - got % unit;
		int r;

		if (bytes > room - got)
			bytes = room - got;
		r = tendril_read(call->target, call->param + got, (char *)text + got, bytes, NULL,
				 call->error);
		if (r < 0)
			return r;
		got += bytes;
		for (; at + unit <= got; at += unit)
			if (memcmp((char *)text + at, zero, unit) == 0)
				return 0;
	}
	return -E2BIG;
}

static int read_name(struct call *call)
{
	return read_text(call, call->text, sizeof(call->text), sizeof(call->text[0]));
}

static int read_name_w(struct call *call)
{
	WCHAR text[LIBRARY_NAME_BYTES];
	int r = read_text(call, text, sizeof(text), sizeof(text[0]));

	return r < 0 ? r : library_name_from_utf16(text, ARRAY_SIZE(text), call->text);
}

/*
 * The name is read here and a copy is handed over, so a pointer that is none is harmless: as any
 * other name of no library.
 */
static int load(struct call *call, int (*read)(struct call *call))
{
	int r = read(call);

	if (r == 0)
		r = library_file_name(call->text);
	if (r == -EFAULT || r == -E2BIG || r == -ENOENT)
		return give(call, 0);
	call->function = "dlopen";
	call->follow = "dladdr";
	call->value = AGENT_VALUE_MODULE;
	add_text(call);
	add_integer(call, RTLD_NOW);
	return r;
}

static int load_library_a(struct call *call)
{
	return load(call, read_name);
}

static int load_library_w(struct call *call)
{
	return load(call, read_name_w);
}

static int free_library(struct call *call)
{
	const struct elf_module *module = library_at(&call->modules, call->param);

	if (module == &call->modules.module[0])
		return give(call, TRUE);
	if (!module || strlen(module->path) >= sizeof(call->text))
		return give(call, FALSE);
	strcpy(call->text, module->path);
	call->function = "dlopen";
	call->follow = "dlclose";
	call->value = AGENT_VALUE_CLOSED;
	add_text(call);
	add_integer(call, RTLD_NOW | RTLD_NOLOAD);
	add_integer(call, module->base);
	add_integer(call, TRUE);
	return 0;
}

static int get_module_handle(struct call *call, int (*read)(struct call *call))
{
	const struct elf_module *module = &call->modules.module[0];
	int r = call->param ? read(call) : 0;

	if (r < 0 && r != -EFAULT && r != -E2BIG)
		return r;
	if (call->param)
		module = r == 0 ? elf_find_module(&call->modules, call->text) : NULL;
	return give(call, module ? module->low : 0);
}

static int get_module_handle_a(struct call *call)
{
	return get_module_handle(call, read_name);
}

static int get_module_handle_w(struct call *call)
{
	return get_module_handle(call, read_name_w);
}

static int exit_process(struct call *call)
{
	call->function = "exit";
	add_integer(call, call->param);
	return 0;
}

static int exit_thread(struct call *call)
{
	return give(call, call->param);
}

static int get_process_id(struct call *call)
{
	call->function = "getpid";
	return 0;
}

static int get_thread_id(struct call *call)
{
	call->function = "syscall"; /* not every libc has a gettid() */
	add_integer(call, SYS_gettid);
	return 0;
}

static int sleep_ms(struct call *call)
{
	DWORD ms = (DWORD)call->param;

	call->function = "poll";
	add_integer(call, 0);
	add_integer(call, 0);
	add_integer(call, ms != INFINITE && ms > INT_MAX ? INT_MAX : ms);
	return 0;
}

/*
 * Found by the linker, which says 0 for what a program that is linked statically does not use: so
 * nothing is linked only because it stands here.
 */
#define OURS(name) extern void ours_##name(void) __asm__(#name) __attribute__((weak))

OURS(LoadLibraryA);
OURS(LoadLibraryW);
OURS(FreeLibrary);
OURS(GetModuleHandleA);
OURS(GetModuleHandleW);
OURS(ExitProcess);
OURS(ExitThread);
OURS(GetCurrentProcessId);
OURS(GetCurrentThreadId);
OURS(Sleep);

struct stand_in {
	const char *name;
	uintptr_t address;
	int (*prepare)(struct call *call);
};

#define STAND_IN(name, prepare) { #name, (uintptr_t)ours_##name, prepare }

static const struct stand_in stand_ins[] = {
	STAND_IN(LoadLibraryA, load_library_a),
	STAND_IN(LoadLibraryW, load_library_w),
	STAND_IN(FreeLibrary, free_library),
	STAND_IN(GetModuleHandleA, get_module_handle_a),
	STAND_IN(GetModuleHandleW, get_module_handle_w),
	STAND_IN(ExitProcess, exit_process),
	STAND_IN(ExitThread, exit_thread),
	STAND_IN(GetCurrentProcessId, get_process_id),
	STAND_IN(GetCurrentThreadId, get_thread_id),
	STAND_IN(Sleep, sleep_ms),
};

/* By the linker: where the module begins that this is linked into, and where its code ends. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _etext[] __attribute__((visibility("hidden")));

/*
 * In a program that is not position-independent the address of a function of a library is that of
 * an entry in the program's own table, also to the library.  dlsym() can tell the other one.  Only
 * of an address of ours the loader is asked: it has a lock, which dlopen() holds for long.
 */
static const char *name_in_library(uint64_t address)
{
	Dl_info found;

	if (address < (uintptr_t)__ehdr_start || address >= (uintptr_t)_etext)
		return NULL;
	if (!dladdr((const void *)(uintptr_t)address, &found))
		return NULL;
	return (uintptr_t)found.dli_saddr == address ? found.dli_sname : NULL;
}

static const struct stand_in *find_stand_in(uint64_t address)
{
	const char *name;

	for (size_t i = 0; i < ARRAY_SIZE(stand_ins); i++)
		if (address && stand_ins[i].address == address)
			return &stand_ins[i];
	name = name_in_library(address);
	for (size_t i = 0; name && i < ARRAY_SIZE(stand_ins); i++)
		if (strcmp(stand_ins[i].name, name) == 0)
			return &stand_ins[i];
	return NULL;
}

static int find_function(struct call *call, const char *name, raddr_t *ret_address)
{
	int r = elf_lookup(&call->modules, name, ret_address, NULL);

	if (r == -ENOENT || r == -ENOTSUP)
		return fail(call->error, -ENOEXEC, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NO_SYMBOL,
			    "process %d has no %s() that could be called", call->target->pid, name);
	return r < 0 ? target_explain(call->target, r, TENDRIL_STAGE_CHECK, call->error) : 0;
}

static int make_request(struct call *call, const struct tendril_thread_options *options,
			struct plan_request *ret_request)
{
	raddr_t function = 0, follow = 0;
	int r = find_function(call, call->function, &function);

	if (r == 0 && call->follow)
		r = find_function(call, call->follow, &follow);
	if (r == 0)
		r = call_request(ret_request, function, call->argument, call->n_arguments,
				 call->error);
	if (r == 0)
		r = call_options(options, ret_request, call->error);
	if (r < 0)
		return r;
	ret_request->follow = follow;
	ret_request->value = call->value;
	if (call->value == AGENT_VALUE_CLOSED)
		elf_find_loader_lock(&call->modules, &ret_request->loader);
	ret_request->opens_files = strcmp(call->function, "dlopen") == 0;
	return 0;
}

static int prepare_and_start(struct call *call, const struct stand_in *stand_in,
			     const struct tendril_thread_options *options,
			     struct tendril_thread **ret_thread)
{
	struct plan_request request;
	int r;

	if (call->modules.libc == ELF_LIBC_NONE)
		return refuse_without_libc(call->target, &call->modules, call->error);
	r = stand_in->prepare(call);
	if (r == 0)
		r = make_request(call, options, &request);
	return r < 0 ? r : start_thread(call->target, &request, ret_thread, call->error);
}

static int start_stand_in(struct tendril_target *target, const struct stand_in *stand_in,
			  uint64_t param, const struct tendril_thread_options *options,
			  struct tendril_thread **ret_thread, struct tendril_error *error)
{
	struct call call = { .target = target, .error = error, .param = param };
	int r = link_map_read(target, &call.modules, error);

	if (r < 0)
		return r;
	r = prepare_and_start(&call, stand_in, options, ret_thread);
	elf_modules_done(&call.modules);
	return r;
}

int stand_in_create(struct tendril_target *target, uint64_t start, uint64_t param,
		    const struct tendril_thread_options *options,
		    struct tendril_thread **ret_thread, struct tendril_error *error)
{
	const struct stand_in *stand_in = target->is_self ? NULL : find_stand_in(start);

	if (stand_in)
		return start_stand_in(target, stand_in, param, options, ret_thread, error);
	return tendril_create(target, start, param, options, ret_thread, error);
}
