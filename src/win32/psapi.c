/* SPDX-License-Identifier: BSD-2-Clause */
/* psapi.c - ids of processes, modules of one, and their names */
#include <elf.h>
#include <string.h>
#include <sys/uio.h>

#include "win32/enumerate.h"
#include "win32/utf16.h"

#define MODULE_RIGHTS (PROCESS_QUERY_INFORMATION | PROCESS_VM_READ)

/* Processes */

struct id_array {
	DWORD *id;
	size_t room, n;
};

static int add_id(void *context, const struct running_process *process)
{
	struct id_array *array = context;

	if (array->n < array->room)
		array->id[array->n++] = (DWORD)process->pid;
	return 0;
}

WINBASEAPI BOOL WINAPI EnumProcesses(DWORD *lpidProcess, DWORD cb, LPDWORD lpcbNeeded)
{
	struct id_array array = { .id = lpidProcess, .room = cb / sizeof(DWORD) };
	const struct running_told told = { .process = add_id, .ids_only = true, .context = &array };
	int r = !lpcbNeeded || (!lpidProcess && array.room > 0) ? -EFAULT : running_tell(&told);

	if (r < 0)
		return error_report(r, NULL);
	*lpcbNeeded = (DWORD)(array.n * sizeof(DWORD));
	return TRUE;
}

/* Modules */

/* Looked at afterwards: if it lives, what was read was its own, not that of a reused pid. */
static int check_alive(const struct object *object)
{
	return object->fd >= 0 && pidfd_is_ended(object->fd) ? -ESRCH : 0;
}

static int read_modules(HANDLE handle, struct object **ret_object, struct module_list *ret_list)
{
	int r = object_get(handle, OBJECT_PROCESS, MODULE_RIGHTS, ret_object);

	if (r == 0)
		r = check_alive(*ret_object);
	if (r == 0)
		r = module_list_read((*ret_object)->id, ret_list);
	return r == 0 ? check_alive(*ret_object) : r;
}

static int enumerate(HANDLE process, HMODULE *out, DWORD bytes, LPDWORD ret_bytes, DWORD filter)
{
	AUTO_OBJECT struct object *object = NULL;
	AUTO_MODULE_LIST struct module_list list = { 0 };
	size_t n = 0;
	int r = read_modules(process, &object, &list);

	if (r == 0 && filter & ~LIST_MODULES_ALL)
		r = -EINVAL;
	if (r == 0 && (!ret_bytes || (!out && bytes >= sizeof(*out))))
		r = -EFAULT;
	if (r < 0)
		return r;
	if (filter == LIST_MODULES_DEFAULT ||
	    filter & (list.is_32bit ? LIST_MODULES_32BIT : LIST_MODULES_64BIT))
		n = list.n_modules;
	for (size_t i = 0; i < n && i < bytes / sizeof(*out); i++)
		out[i] = (HMODULE)(uintptr_t)list.module[i].base;
	*ret_bytes = (DWORD)(n * sizeof(*out));
	return 0;
}

WINBASEAPI BOOL WINAPI EnumProcessModules(HANDLE hProcess, HMODULE *lphModule, DWORD cb,
					  LPDWORD lpcbNeeded)
{
	return error_report(enumerate(hProcess, lphModule, cb, lpcbNeeded, LIST_MODULES_DEFAULT),
			    NULL);
}

WINBASEAPI BOOL WINAPI EnumProcessModulesEx(HANDLE hProcess, HMODULE *lphModule, DWORD cb,
					    LPDWORD lpcbNeeded, DWORD dwFilterFlag)
{
	return error_report(enumerate(hProcess, lphModule, cb, lpcbNeeded, dwFilterFlag), NULL);
}

/* NULL is the executable.  -EBADF: no module is there. */
static int find_module(const struct module_list *list, HMODULE handle, const struct module **ret)
{
	for (size_t i = 0; i < list->n_modules; i++)
		if (!handle || list->module[i].base == (uintptr_t)handle) {
			*ret = &list->module[i];
			return 0;
		}
	return -EBADF;
}

/* Its header is in memory like the rest of it.  0: it has no entry, or none that it could have. */
static raddr_t entry_point(pid_t pid, const struct module *module)
{
	Elf64_Ehdr elf;
	struct iovec local = { &elf, sizeof(elf) };
	struct iovec remote = { (void *)(uintptr_t)module->base, sizeof(elf) };
	raddr_t entry;

	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)sizeof(elf) ||
	    memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf.e_entry == 0)
		return 0;
	entry = (elf.e_type == ET_EXEC ? 0 : module->bias) + elf.e_entry;
	return entry - module->base < module->bytes ? entry : 0;
}

WINBASEAPI BOOL WINAPI GetModuleInformation(HANDLE hProcess, HMODULE hModule,
					    LPMODULEINFO lpmodinfo, DWORD cb)
{
	AUTO_OBJECT struct object *object = NULL;
	AUTO_MODULE_LIST struct module_list list = { 0 };
	const struct module *module = NULL;
	raddr_t entry;
	int r = read_modules(hProcess, &object, &list);

	if (r == 0)
		r = cb < sizeof(*lpmodinfo) ? -ENOBUFS : !lpmodinfo ? -EFAULT : 0;
	if (r == 0)
		r = find_module(&list, hModule, &module);
	if (r < 0)
		return error_report(r, NULL);
	entry = entry_point(object->id, module);
	lpmodinfo->lpBaseOfDll = (LPVOID)(uintptr_t)module->base;
	lpmodinfo->SizeOfImage = module->bytes < UINT32_MAX ? (DWORD)module->bytes : UINT32_MAX;
	lpmodinfo->EntryPoint = (LPVOID)(uintptr_t)entry;
	return TRUE;
}

/* Texts */

/* A caller's buffer, in one of two kinds of characters. */
struct out {
	char *narrow;
	WCHAR *wide; /* used if narrow is NULL */
	size_t room;
};

static int check_out(const struct out *out)
{
	return out->room == 0 ? -ENOBUFS : !out->narrow && !out->wide ? -EFAULT : 0;
}

/* How long the whole is. */
static size_t put(const struct out *out, const char *text)
{
	if (out->narrow)
		return utf8_copy(text, out->narrow, out->room);
	return utf16_from_utf8(text, strlen(text), out->wide, out->room);
}

static DWORD module_text(HANDLE process, HMODULE handle, struct out out, bool with_directory)
{
	AUTO_OBJECT struct object *object = NULL;
	AUTO_MODULE_LIST struct module_list list = { 0 };
	const struct module *module = NULL;
	size_t whole;
	int r = read_modules(process, &object, &list);

	if (r == 0)
		r = check_out(&out);
	if (r == 0)
		r = find_module(&list, handle, &module);
	if (!error_report(r, NULL))
		return 0;
	whole = put(&out, with_directory ? module->path : module->name);
	return (DWORD)(whole < out.room ? whole : out.room);
}

WINBASEAPI DWORD WINAPI GetModuleBaseNameA(HANDLE hProcess, HMODULE hModule, LPSTR lpBaseName,
					   DWORD nSize)
{
	struct out out = { .narrow = lpBaseName, .room = nSize };

	return module_text(hProcess, hModule, out, false);
}

WINBASEAPI DWORD WINAPI GetModuleBaseNameW(HANDLE hProcess, HMODULE hModule, LPWSTR lpBaseName,
					   DWORD nSize)
{
	struct out out = { .wide = lpBaseName, .room = nSize };

	return module_text(hProcess, hModule, out, false);
}

WINBASEAPI DWORD WINAPI GetModuleFileNameExA(HANDLE hProcess, HMODULE hModule, LPSTR lpFilename,
					     DWORD nSize)
{
	struct out out = { .narrow = lpFilename, .room = nSize };

	return module_text(hProcess, hModule, out, true);
}

WINBASEAPI DWORD WINAPI GetModuleFileNameExW(HANDLE hProcess, HMODULE hModule, LPWSTR lpFilename,
					     DWORD nSize)
{
	struct out out = { .wide = lpFilename, .room = nSize };

	return module_text(hProcess, hModule, out, true);
}

static size_t length_of(const struct out *out, const char *text)
{
	return out->narrow ? strlen(text) : utf16_from_utf8(text, strlen(text), NULL, 0);
}

/* The executable's path, whole or not at all. */
static int image_text(HANDLE process, DWORD flags, struct out out, DWORD *ret_length)
{
	AUTO_OBJECT struct object *object = NULL;
	AUTO_FREE char *path = NULL;
	int r = object_get(process, OBJECT_PROCESS, PROCESS_QUERY_LIMITED_INFORMATION, &object);

	if (r == 0)
		r = flags & ~PROCESS_NAME_NATIVE ? -EINVAL : check_out(&out);
	if (r == 0)
		r = check_alive(object);
	if (r == 0)
		r = executable_path(object->id, &path);
	if (r == 0)
		r = check_alive(object);
	if (r == 0 && length_of(&out, path) >= out.room)
		r = -ENOBUFS;
	if (r == 0)
		*ret_length = (DWORD)put(&out, path);
	return r;
}

static DWORD image_name(HANDLE process, struct out out)
{
	DWORD length = 0;

	return error_report(image_text(process, 0, out, &length), NULL) ? length : 0;
}

WINBASEAPI DWORD WINAPI GetProcessImageFileNameA(HANDLE hProcess, LPSTR lpImageFileName,
						 DWORD nSize)
{
	return image_name(hProcess, (struct out){ .narrow = lpImageFileName, .room = nSize });
}

WINBASEAPI DWORD WINAPI GetProcessImageFileNameW(HANDLE hProcess, LPWSTR lpImageFileName,
						 DWORD nSize)
{
	return image_name(hProcess, (struct out){ .wide = lpImageFileName, .room = nSize });
}

WINBASEAPI BOOL WINAPI QueryFullProcessImageNameA(HANDLE hProcess, DWORD dwFlags, LPSTR lpExeName,
						  PDWORD lpdwSize)
{
	struct out out = { .narrow = lpExeName, .room = lpdwSize ? *lpdwSize : 0 };

	return error_report(image_text(hProcess, dwFlags, out, lpdwSize), NULL);
}

WINBASEAPI BOOL WINAPI QueryFullProcessImageNameW(HANDLE hProcess, DWORD dwFlags, LPWSTR lpExeName,
						  PDWORD lpdwSize)
{
	struct out out = { .wide = lpExeName, .room = lpdwSize ? *lpdwSize : 0 };

	return error_report(image_text(hProcess, dwFlags, out, lpdwSize), NULL);
}
