/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library.c - LoadLibrary() and its kin in the calling process
 *
 * A module's handle is the address where its first segment begins, as on Windows; which one that is
 * the loader's list tells, and what dlopen() gives stays in here.
 */
#include "win32/library.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "proc/proc.h"
#include "remote/agent.h"
#include "win32/utf16.h"

#define LOADING_NS  (5 * NS_PER_S) /* as long as another thread may be at it: disks are slow */
#define ORDINAL_MAX 0xffff

#define AUTO_MODULES __attribute__((cleanup(elf_modules_done)))

#define OURS(name) extern void ours_##name(void) __asm__(#name);
#include "win32/own_names.inc"
#undef OURS

/* By name, because a program that is linked statically has no table of its own for us to ask. */
static const struct {
	const char *name;
	uintptr_t address;
} own_functions[] = {
#define OURS(name) { #name, (uintptr_t)ours_##name },
#include "win32/own_names.inc"
#undef OURS
};

/* The libraries of Windows whose functions we have. */
static const char *const own_names[] = { "kernel32", "kernelbase", "ntdll", "psapi" };

static bool is_own_name(const char *name)
{
	const char *file = strrchr(name, '\\') ? strrchr(name, '\\') + 1 : name;

	for (size_t i = 0; i < ARRAY_SIZE(own_names); i++) {
		size_t bytes = strlen(own_names[i]);

		if (strncasecmp(file, own_names[i], bytes) == 0 &&
		    (!file[bytes] || strcasecmp(file + bytes, ".dll") == 0))
			return true;
	}
	return false;
}

/* Where the module begins that this is linked into: the library, or a program. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static raddr_t own_base(void)
{
	return (uintptr_t)&__ehdr_start;
}

static HMODULE module_handle(raddr_t base)
{
	return (HMODULE)(uintptr_t)base;
}

static int read_modules(struct elf_modules *ret_modules)
{
	int64_t deadline = now_ns() + LOADING_NS;
	int r;

	while ((r = elf_modules_read(getpid(), ret_modules)) == -EAGAIN && now_ns() < deadline)
		nap_ns(NS_PER_MS / 10);
	return r;
}

/* The module of a handle, NULL being the program.  Return: 0, -ELIBACC: there is none, ... */
static int module_of(HMODULE handle, const struct elf_modules *modules,
		     const struct elf_module **ret_module)
{
	const struct elf_module *module =
		handle ? library_at(modules, (uintptr_t)handle) : &modules->module[0];

	if (!module)
		return -ELIBACC;
	*ret_module = module;
	return 0;
}

static int find_module(const char *name, HMODULE *ret_handle)
{
	AUTO_MODULES struct elf_modules modules = { 0 };
	const struct elf_module *module = NULL;
	int r;

	if (name && is_own_name(name)) {
		*ret_handle = module_handle(own_base());
		return 0;
	}
	r = read_modules(&modules);
	if (r < 0)
		return r;
	module = name ? elf_find_module(&modules, name) : &modules.module[0];
	if (!module || !module->low)
		return -ELIBACC;
	*ret_handle = module_handle(module->low);
	return 0;
}

WINBASEAPI HMODULE WINAPI GetModuleHandleA(LPCSTR lpModuleName)
{
	HMODULE handle = NULL;

	(void)error_report(find_module(lpModuleName, &handle), NULL);
	return handle;
}

WINBASEAPI HMODULE WINAPI GetModuleHandleW(LPCWSTR lpModuleName)
{
	char name[LIBRARY_NAME_BYTES];
	HMODULE handle = NULL;
	int r = lpModuleName ? library_name_from_utf16(lpModuleName, sizeof(name), name) : 0;

	if (r == 0)
		r = find_module(lpModuleName ? name : NULL, &handle);
	(void)error_report(r == -E2BIG ? -ELIBACC : r, NULL);
	return handle;
}

/* Where a library begins whose handle is the loader's. */
static HMODULE handle_of_loaded(void *loaded)
{
	struct link_map *map;
	Dl_info info;

	if (dlinfo(loaded, RTLD_DI_LINKMAP, &map) < 0 || !dladdr(map->l_ld, &info))
		return NULL;
	return module_handle((uintptr_t)info.dli_fbase);
}

static int load(const char *name, HMODULE *ret_handle)
{
	char file[LIBRARY_NAME_BYTES];
	void *loaded;
	Dl_info info;
	int r;

	if (is_own_name(name))
		return find_module(name, ret_handle);
	/* To one that is linked statically dlopen() brings another libc, and nobody lists what it
	 * has loaded. */
	if (!dladdr(own_functions, &info))
		return -EOPNOTSUPP;
	if (strlen(name) >= sizeof(file))
		return -ELIBACC;
	strcpy(file, name);
	r = library_file_name(file);
	loaded = r == 0 ? dlopen(file, RTLD_NOW) : NULL;
	if (!loaded)
		return -ELIBACC;
	*ret_handle = handle_of_loaded(loaded);
	return 0;
}

WINBASEAPI HMODULE WINAPI LoadLibraryA(LPCSTR lpLibFileName)
{
	HMODULE handle = NULL;

	(void)error_report(lpLibFileName ? load(lpLibFileName, &handle) : -EINVAL, NULL);
	return handle;
}

WINBASEAPI HMODULE WINAPI LoadLibraryW(LPCWSTR lpLibFileName)
{
	char name[LIBRARY_NAME_BYTES];
	HMODULE handle = NULL;
	int r = -EINVAL;

	if (lpLibFileName)
		r = library_name_from_utf16(lpLibFileName, sizeof(name), name);
	if (r == 0)
		r = load(name, &handle);
	(void)error_report(r == -E2BIG ? -ELIBACC : r, NULL);
	return handle;
}

static bool may_load(HANDLE file, DWORD flags)
{
	if (!file && !(flags & ~LOAD_WITH_ALTERED_SEARCH_PATH))
		return true;
	return error_report(-EINVAL, NULL);
}

WINBASEAPI HMODULE WINAPI LoadLibraryExA(LPCSTR lpLibFileName, HANDLE hFile, DWORD dwFlags)
{
	return may_load(hFile, dwFlags) ? LoadLibraryA(lpLibFileName) : NULL;
}

WINBASEAPI HMODULE WINAPI LoadLibraryExW(LPCWSTR lpLibFileName, HANDLE hFile, DWORD dwFlags)
{
	return may_load(hFile, dwFlags) ? LoadLibraryW(lpLibFileName) : NULL;
}

/* The loader's handle, which counts: to be closed.  NULL: the loader does not know it. */
static void *open_loaded(const struct elf_modules *modules, const struct elf_module *module)
{
	bool is_program = module == &modules->module[0];

	return dlopen(is_program ? NULL : module->path, RTLD_NOW | RTLD_NOLOAD);
}

/* Should the library that goes be the only one that needs us, we would return into nothing. */
static void stay_loaded(void)
{
	Dl_info info;
	void *self = NULL;

	if (dladdr(own_functions, &info) && info.dli_fname)
		self = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
	if (self)
		(void)dlclose(self);
}

static int unload(HMODULE handle)
{
	AUTO_MODULES struct elf_modules modules = { 0 };
	const struct elf_module *module = NULL;
	struct elf_loader_lock loader;
	struct agent call;
	int r = handle ? read_modules(&modules) : -ELIBACC;

	if (r == 0)
		r = module_of(handle, &modules, &module);
	if (r < 0 || module == &modules.module[0] || module->low == own_base())
		return r;
	elf_find_loader_lock(&modules, &loader);
	call = (struct agent){
		.function = (uintptr_t)dlopen,
		.follow = (uintptr_t)dlclose,
		.arguments = { (uintptr_t)module->path, RTLD_NOW | RTLD_NOLOAD, module->base, TRUE },
		.loader_mutex = loader.mutex,
		.mutex_lock = loader.lock,
		.mutex_unlock = loader.unlock,
	};
	stay_loaded();
	return agent_close_library(&call) ? 0 : -ELIBACC;
}

WINBASEAPI BOOL WINAPI FreeLibrary(HMODULE hLibModule)
{
	return error_report(unload(hLibModule), NULL);
}

/* What a thread frees when it has left all the functions that it is in, some of them in there. */
static pthread_key_t freed_at_end;
static int freed_at_end_result;

static void free_at_end(void *handle)
{
	(void)unload(handle);
}

static void create_key(void)
{
	freed_at_end_result = pthread_key_create(&freed_at_end, free_at_end);
}

WINBASEAPI VOID WINAPI FreeLibraryAndExitThread(HMODULE hLibModule, DWORD dwExitCode)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, create_key);
	if (freed_at_end_result == 0)
		(void)pthread_setspecific(freed_at_end, hLibModule);
	ExitThread(dwExitCode);
}

/* Its own, not one of those that it needs. */
static void *symbol_in(const struct elf_modules *modules, const struct elf_module *module,
		       const char *name)
{
	void *loaded = open_loaded(modules, module);
	void *symbol = loaded ? dlsym(loaded, name) : NULL;
	Dl_info info;

	if (loaded)
		(void)dlclose(loaded);
	if (!symbol || !dladdr(symbol, &info) || (uintptr_t)info.dli_fbase != module->low)
		return NULL;
	return symbol;
}

static uintptr_t own_function(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_functions); i++)
		if (strcmp(own_functions[i].name, name) == 0)
			return own_functions[i].address;
	return 0;
}

static int find_function(HMODULE handle, const char *name, uintptr_t *ret_function)
{
	AUTO_MODULES struct elf_modules modules = { 0 };
	const struct elf_module *module = NULL;
	uintptr_t function = 0;
	int r = 0;

	if ((uintptr_t)name <= ORDINAL_MAX)
		return -ELIBBAD; /* a number: functions have none here */
	if (handle && (uintptr_t)handle == own_base())
		function = own_function(name);
	if (!function)
		r = read_modules(&modules);
	if (r == 0 && !function)
		r = module_of(handle, &modules, &module);
	if (r == 0 && !function)
		function = (uintptr_t)symbol_in(&modules, module, name);
	if (r < 0 || !function)
		return r < 0 ? r : -ELIBBAD;
	*ret_function = function;
	return 0;
}

WINBASEAPI FARPROC WINAPI GetProcAddress(HMODULE hModule, LPCSTR lpProcName)
{
	uintptr_t function = 0;

	(void)error_report(find_function(hModule, lpProcName, &function), NULL);
	return (FARPROC)function;
}

/* The path of a module's file; the kernel's, if the loader's depends on the directory. */
static int file_name(HMODULE handle, char ret_path[LIBRARY_NAME_BYTES])
{
	__attribute__((cleanup(proc_maps_done))) struct proc_maps maps = { 0 };
	AUTO_MODULES struct elf_modules modules = { 0 };
	const struct elf_module *module = NULL;
	const struct proc_map *map;
	const char *path;
	int r = read_modules(&modules);

	if (r == 0)
		r = module_of(handle, &modules, &module);
	if (r < 0)
		return r;
	path = module->path;
	if (path[0] != '/' && proc_maps_read(getpid(), &maps) == 0) {
		map = proc_maps_find(&maps, module->low);
		path = map && map->path[0] == '/' ? map->path : path;
	}
	if (strlen(path) >= LIBRARY_NAME_BYTES)
		return -ENAMETOOLONG;
	strcpy(ret_path, path);
	return 0;
}

/* Return: what the function does: how much was written, room if it was cut. */
static DWORD report_name(int code, size_t whole, DWORD room)
{
	if (!error_report(code, NULL))
		return 0;
	if (whole < room)
		return (DWORD)whole;
	(void)error_report(-ENOBUFS, NULL);
	return room;
}

WINBASEAPI DWORD WINAPI GetModuleFileNameA(HMODULE hModule, LPSTR lpFilename, DWORD nSize)
{
	char path[LIBRARY_NAME_BYTES];
	int r = lpFilename ? file_name(hModule, path) : -EINVAL;

	return report_name(r, r < 0 ? 0 : utf8_copy(path, lpFilename, nSize), nSize);
}

WINBASEAPI DWORD WINAPI GetModuleFileNameW(HMODULE hModule, LPWSTR lpFilename, DWORD nSize)
{
	char path[LIBRARY_NAME_BYTES];
	int r = lpFilename ? file_name(hModule, path) : -EINVAL;

	return report_name(r, r < 0 ? 0 : utf16_from_utf8(path, strlen(path), lpFilename, nSize),
			   nSize);
}
