/* SPDX-License-Identifier: BSD-2-Clause */
/* module.c - symbols, and shared libraries that come and go */
#include "remote/module.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "remote/call.h"

#define NEAR_MISSES 3

struct parsed {
	char library[256];
	char name[512];
	uint64_t offset;
};

static bool parse_number(const char *text, uint64_t *ret_value)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret_value = strtoull(text, &end, 0);
	return errno == 0 && *end == '\0';
}

/* What a name stands for. */
struct symbol {
	uint64_t address; /* or that of a function which, called in the target, returns it */
	bool is_resolver;
	uint64_t offset;
};

/* library!name+offset */
static int parse(const char *symbol, struct parsed *ret)
{
	const char *bang = strchr(symbol, '!');
	const char *name = bang ? bang + 1 : symbol;
	const char *plus = strrchr(name, '+');
	size_t library_bytes = bang ? (size_t)(bang - symbol) : 0;
	size_t name_bytes = plus ? (size_t)(plus - name) : strlen(name);

	if ((bang && library_bytes == 0) || library_bytes >= sizeof(ret->library) ||
	    name_bytes == 0 || name_bytes >= sizeof(ret->name))
		return -EINVAL;
	memcpy(ret->library, symbol, library_bytes);
	ret->library[library_bytes] = '\0';
	memcpy(ret->name, name, name_bytes);
	ret->name[name_bytes] = '\0';
	ret->offset = 0;
	return !plus || parse_number(plus + 1, &ret->offset) ? 0 : -EINVAL;
}

static int no_such_symbol(const struct tendril_target *target, const struct parsed *parsed,
			  const struct elf_modules *modules, struct elf_module *module,
			  struct tendril_error *error)
{
	char names[NEAR_MISSES][ELF_NAME_BYTES], shown[64], list[NEAR_MISSES * ELF_NAME_BYTES + 64];
	size_t n, used = 0;

	if (!error)
		return -ENOENT;
	escape_text(parsed->name, shown, sizeof(shown));
	n = elf_near_misses(modules, module, parsed->name, names, NEAR_MISSES);
	list[0] = '\0';
	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
					 i == 0 ? "; did you mean " : i + 1 < n ? ", " : " or ",
					 names[i]);
	return fail(error, -ENOENT, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NO_SYMBOL,
		    "process %d has no dynamic symbol %s%s%s%s", target->pid, shown,
		    parsed->library[0] ? " in " : "", parsed->library, n ? list : "");
}

static int find_symbol(const struct tendril_target *target, const struct elf_modules *modules,
		       const struct parsed *parsed, struct symbol *ret, struct tendril_error *error)
{
	struct elf_module *module = NULL;
	int r;

	if (modules->libc == ELF_LIBC_NONE)
		return refuse_without_libc(target, modules, error);
	if (parsed->library[0]) {
		module = elf_find_module(modules, parsed->library);
		if (!module)
			return fail(error, -ENOENT, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NO_SYMBOL,
				    "process %d has no library %.100s (see /proc/%d/maps)",
				    target->pid, parsed->library, target->pid);
	}
	r = elf_lookup_or_resolver(modules, module, parsed->name, &ret->address, &ret->is_resolver);
	if (r == -ENOENT)
		return no_such_symbol(target, parsed, modules, module, error);
	if (r < 0)
		return target_explain(target, r, TENDRIL_STAGE_CHECK, error);
	ret->offset = parsed->offset;
	return 0;
}

int link_map_read(struct tendril_target *target, struct elf_modules *ret_modules,
		  struct tendril_error *error)
{
	int64_t deadline = now_ns() + target->timeout_ms * (int64_t)NS_PER_MS;
	int r;

	while ((r = elf_modules_read(target->pid, ret_modules)) == -EAGAIN && now_ns() < deadline)
		nap_ns(NS_PER_MS / 10); /* the loader is changing it at the moment */
	if (r == -ENOEXEC)
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_ARCHITECTURE,
			    "process %d is not a 64-bit x86-64 one", target->pid);
	return r < 0 ? target_explain(target, r, TENDRIL_STAGE_CHECK, error) : 0;
}

static int read_symbol(struct tendril_target *target, const char *text, struct symbol *ret,
		       struct tendril_error *error)
{
	struct elf_modules modules;
	struct parsed parsed;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (parse_number(text, &ret->address))
		return 0;
	if (parse(text, &parsed) < 0)
		return fail(error, -EINVAL, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NO_SYMBOL,
			    "%.100s is not a symbol: want name, library!name, name+0x10 or an address",
			    text);
	r = link_map_read(target, &modules, error);
	if (r < 0)
		return r;
	r = find_symbol(target, &modules, &parsed, ret, error);
	elf_modules_done(&modules);
	return r;
}

int tendril_resolve(struct tendril_target *target, const char *symbol, uint64_t *ret_address,
		    struct tendril_error *error)
{
	struct symbol found;
	int r = read_symbol(target, symbol, &found, error);

	if (r < 0)
		return r;
	if (found.is_resolver)
		return fail(error, -ENOENT, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NO_SYMBOL,
			    "%.100s is an indirect function: its address is known to its resolver "
			    "only, which tendril_resolve_function() calls",
			    symbol);
	*ret_address = found.address + found.offset;
	return 0;
}

int tendril_resolve_function(struct tendril_target *target, const char *symbol, int64_t timeout_ms,
			     uint64_t *ret_address, struct tendril_error *error)
{
	struct symbol found;
	int r = read_symbol(target, symbol, &found, error);

	if (r == 0 && found.is_resolver)
		r = tendril_call(target, found.address, NULL, 0, timeout_ms, &found.address, error);
	if (r < 0)
		return r;
	*ret_address = found.address + found.offset;
	return 0;
}

/* How the thread's function and the one that follows it are called in the target. */
static int resolve_both(struct tendril_target *target, const char *function, const char *follow,
			struct plan_request *request, struct tendril_error *error)
{
	int r = tendril_resolve(target, function, &request->function, error);

	return r < 0 ? r : tendril_resolve(target, follow, &request->follow, error);
}

static int run_request(struct tendril_target *target, const struct plan_request *request,
		       int64_t timeout_ms, uint64_t *ret_value, char text[AGENT_TEXT_BYTES],
		       struct tendril_error *error)
{
	struct tendril_thread *thread;
	int r = start_thread(target, request, &thread, error);

	if (r < 0)
		return r;
	r = await_value(thread, timeout_ms, ret_value, error);
	if (r == 0) {
		memcpy(text, thread->box->text, AGENT_TEXT_BYTES);
		text[AGENT_TEXT_BYTES - 1] = '\0';
	}
	tendril_thread_close(thread);
	return r;
}

static int loader_refuses(const char *text, struct tendril_error *error)
{
	char shown[200];

	escape_text(text[0] ? text : "the loader gave no reason", shown, sizeof(shown));
	return fail(error, -ELIBACC, TENDRIL_STAGE_WAIT, TENDRIL_RULE_NONE, "%s", shown);
}

/* dlopen(), and dlerror() in the same thread when it fails. */
static int open_library(struct tendril_target *target, const char *path, int64_t timeout_ms,
			uint64_t *ret_handle, char text[AGENT_TEXT_BYTES],
			struct tendril_error *error)
{
	const struct tendril_argument arguments[] = {
		{ .kind = TENDRIL_BYTES, .data = path, .bytes = strlen(path) + 1 },
		{ .kind = TENDRIL_INTEGER, .value = RTLD_NOW },
	};
	struct plan_request request;
	int r = call_request(&request, 0, arguments, ARRAY_SIZE(arguments), error);

	if (r == 0)
		r = resolve_both(target, "dlopen", "dlerror", &request, error);
	if (r < 0)
		return r;
	request.follow_when = AGENT_FOLLOW_ON_NULL;
	request.opens_files = true;
	return run_request(target, &request, timeout_ms, ret_handle, text, error);
}

int tendril_load(struct tendril_target *target, const char *path, int64_t timeout_ms,
		 uint64_t *ret_handle, struct tendril_error *error)
{
	char text[AGENT_TEXT_BYTES];
	uint64_t handle;
	int r;

	if (path[0] != '/')
		return fail(error, -EINVAL, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "%.100s is not an absolute path, and the target's working directory is "
			    "its own",
			    path);
	r = open_library(target, path, timeout_ms, &handle, text, error);
	if (r < 0)
		return r;
	if (!handle)
		return loader_refuses(text, error);
	if (ret_handle)
		*ret_handle = handle;
	return 0;
}

static int no_such_library(const struct tendril_target *target, const char *name,
			   struct tendril_error *error)
{
	return fail(error, -ENOENT, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NO_SYMBOL,
		    "process %d has no library %.100s", target->pid, name);
}

#define STAYS 2 /* the thread's value when the program itself needs the library */

/* One thread opens it once more, which gives the handle that it was opened with, and closes it twice. */
static int close_library(struct tendril_target *target, const struct elf_modules *modules,
			 const struct elf_module *module, int64_t timeout_ms, uint64_t *ret_value,
			 struct tendril_error *error)
{
	const struct tendril_argument arguments[] = {
		{ .kind = TENDRIL_BYTES, .data = module->path, .bytes = strlen(module->path) + 1 },
		{ .kind = TENDRIL_INTEGER, .value = RTLD_NOW | RTLD_NOLOAD },
		{ .kind = TENDRIL_INTEGER, .value = module->base },
		{ .kind = TENDRIL_INTEGER, .value = STAYS },
	};
	char text[AGENT_TEXT_BYTES];
	struct plan_request request;
	int r = call_request(&request, 0, arguments, ARRAY_SIZE(arguments), error);

	if (r == 0)
		r = resolve_both(target, "dlopen", "dlclose", &request, error);
	if (r < 0)
		return r;
	request.value = AGENT_VALUE_CLOSED;
	elf_find_loader_lock(modules, &request.loader);
	return run_request(target, &request, timeout_ms, ret_value, text, error);
}

static int unload(struct tendril_target *target, const struct elf_modules *modules,
		  const char *name, int64_t timeout_ms, struct tendril_error *error)
{
	/* By the loader's own path. */
	const struct elf_module *module = elf_find_module(modules, name);
	uint64_t value;
	int r;

	if (!module || module == &modules->module[0])
		return no_such_library(target, name, error);
	r = close_library(target, modules, module, timeout_ms, &value, error);
	if (r == 0 && value == 0)
		return no_such_library(target, name, error);
	if (r == 0 && value == STAYS)
		return loader_refuses("the program itself needs it", error);
	return r;
}

int tendril_unload(struct tendril_target *target, const char *path, int64_t timeout_ms,
		   struct tendril_error *error)
{
	struct elf_modules modules;
	int r = link_map_read(target, &modules, error);

	if (r < 0)
		return r;
	r = unload(target, &modules, path, timeout_ms, error);
	elf_modules_done(&modules);
	return r;
}
