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

/* Run dlopen() or dlclose(), and dlerror() in the same thread when it fails. */
static int run_loader(struct tendril_target *target, const char *function,
		      enum agent_follow follow_when, const struct tendril_argument *arguments,
		      size_t n_arguments, int64_t timeout_ms, uint64_t *ret_value,
		      char text[AGENT_TEXT_BYTES], struct tendril_error *error)
{
	struct plan_request request;
	struct tendril_thread *thread;
	uint64_t address;
	int r = tendril_resolve(target, function, &address, error);

	if (r < 0)
		return r;
	r = call_request(&request, address, arguments, n_arguments, error);
	if (r == 0)
		r = tendril_resolve(target, "dlerror", &request.follow, error);
	request.follow_when = follow_when;
	request.opens_files = follow_when == AGENT_FOLLOW_ON_NULL;
	if (r == 0)
		r = start_thread(target, &request, &thread, error);
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

static int open_library(struct tendril_target *target, const char *path, uint64_t flags,
			int64_t timeout_ms, uint64_t *ret_handle, char text[AGENT_TEXT_BYTES],
			struct tendril_error *error)
{
	const struct tendril_argument arguments[] = {
		{ .kind = TENDRIL_BYTES, .data = path, .bytes = strlen(path) + 1 },
		{ .kind = TENDRIL_INTEGER, .value = flags },
	};

	return run_loader(target, "dlopen", AGENT_FOLLOW_ON_NULL, arguments, 2, timeout_ms,
			  ret_handle, text, error);
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
	r = open_library(target, path, RTLD_NOW, timeout_ms, &handle, text, error);
	if (r < 0)
		return r;
	if (!handle)
		return loader_refuses(text, error);
	if (ret_handle)
		*ret_handle = handle;
	return 0;
}

static int close_library(struct tendril_target *target, uint64_t handle, int64_t timeout_ms,
			 struct tendril_error *error)
{
	const struct tendril_argument argument = { .kind = TENDRIL_INTEGER, .value = handle };
	char text[AGENT_TEXT_BYTES];
	uint64_t result;
	int r = run_loader(target, "dlclose", AGENT_FOLLOW_ON_NONZERO, &argument, 1, timeout_ms,
			   &result, text, error);

	if (r < 0)
		return r;
	return (int)result ? loader_refuses(text, error) : 0;
}

/* The loader's own path of a library that is there. */
static int find_library(struct tendril_target *target, const char *name, char *ret_path,
			size_t bytes, struct tendril_error *error)
{
	struct elf_modules modules;
	struct elf_module *module;
	int r = link_map_read(target, &modules, error);

	if (r < 0)
		return r;
	module = elf_find_module(&modules, name);
	if (!module || module == &modules.module[0] || strlen(module->path) >= bytes)
		r = fail(error, -ENOENT, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NO_SYMBOL,
			 "process %d has no library %.100s", target->pid, name);
	else
		memcpy(ret_path, module->path, strlen(module->path) + 1);
	elf_modules_done(&modules);
	return r;
}

int tendril_unload(struct tendril_target *target, const char *path, int64_t timeout_ms,
		   struct tendril_error *error)
{
	char own_path[4096], text[AGENT_TEXT_BYTES];
	uint64_t handle;
	int r = find_library(target, path, own_path, sizeof(own_path), error);

	if (r < 0)
		return r;
	/* The handle that it was opened with, which counts one more opening... */
	r = open_library(target, own_path, RTLD_NOW | RTLD_NOLOAD, timeout_ms, &handle, text,
			 error);
	if (r < 0)
		return r;
	if (!handle)
		return fail(error, -ENOENT, TENDRIL_STAGE_WAIT, TENDRIL_RULE_NO_SYMBOL,
			    "process %d has no library %.100s", target->pid, path);
	/* ...so it is closed twice. */
	r = close_library(target, handle, timeout_ms, error);
	return r < 0 ? r : close_library(target, handle, timeout_ms, error);
}
