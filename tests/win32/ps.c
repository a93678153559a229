/* SPDX-License-Identifier: BSD-2-Clause */
/* ps.c - PSAPI: ids of processes, modules of one, and their names */
#include "test.h"

#define BOTH_RIGHTS (PROCESS_QUERY_INFORMATION | PROCESS_VM_READ)
#define MODULES_MAX 256

_Static_assert(sizeof(MODULEINFO) == 24 && offsetof(MODULEINFO, EntryPoint) == 16, "");

struct modules {
	HMODULE handle[MODULES_MAX];
	MODULEINFO info[MODULES_MAX];
	size_t n;
};

static void read_modules(HANDLE process, struct modules *ret)
{
	DWORD bytes = 0;

	CHECK(EnumProcessModules(process, ret->handle, sizeof(ret->handle), &bytes));
	CHECK(bytes <= sizeof(ret->handle));
	ret->n = bytes / sizeof(HMODULE);
	for (size_t i = 0; i < ret->n; i++)
		CHECK(GetModuleInformation(process, ret->handle[i], &ret->info[i],
					   sizeof(ret->info[i])));
}

static size_t modules_with(const struct modules *modules, uintptr_t address)
{
	size_t n = 0;

	for (size_t i = 0; i < modules->n; i++)
		n += address - (uintptr_t)modules->info[i].lpBaseOfDll < modules->info[i].SizeOfImage;
	return n;
}

static const char *last_component(const char *path)
{
	const char *last = path;

	for (const char *at = path; *at; at++)
		if (*at == '/' || *at == '\\')
			last = at + 1;
	return last;
}

static size_t occurrences(const DWORD *ids, size_t n, DWORD id)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += ids[i] == id;
	return found;
}

TEST(PS_01)
{
	static struct modules modules;
	HMODULE few[3] = { NULL, (HMODULE)(uintptr_t)1, (HMODULE)(uintptr_t)2 };
	DWORD all = 0, bytes = 0;

	read_modules(shared->process, &modules);
	CHECK(modules.n >= 2);
	all = (DWORD)(modules.n * sizeof(HMODULE));
	CHECK(EnumProcessModules(shared->process, few, sizeof(few[0]), &bytes));
	CHECK_EQ(bytes, all);
	CHECK_EQ(few[0], modules.handle[0]);
	CHECK_EQ(few[1], 1);
	bytes = 0;
	CHECK(EnumProcessModules(shared->process, few, 0, &bytes));
	CHECK_EQ(bytes, all);
	bytes = 0;
	CHECK(EnumProcessModulesEx(shared->process, few, sizeof(few[0]), &bytes, LIST_MODULES_ALL));
	CHECK_EQ(bytes, all);
}

TEST(PS_01_processes)
{
	static DWORD ids[65536];
	DWORD bytes = 0, few[2] = { 0, UNTOUCHED };

	CHECK(EnumProcesses(ids, sizeof(ids), &bytes));
	CHECK(bytes < sizeof(ids));
	CHECK_EQ(bytes % sizeof(DWORD), 0);
	CHECK_EQ(occurrences(ids, bytes / sizeof(DWORD), GetCurrentProcessId()), 1);
	CHECK_EQ(occurrences(ids, bytes / sizeof(DWORD), shared->id), 1);
	CHECK(EnumProcesses(few, sizeof(few[0]), &bytes));
	CHECK_EQ(bytes, sizeof(few[0]));
	CHECK_EQ(few[1], UNTOUCHED);
}

static void check_names(HANDLE process, HMODULE module)
{
	char path[1024] = "", name[1024] = "";
	WCHAR wide_path[1024] = { 0 }, wide_name[1024] = { 0 };
	DWORD length = GetModuleFileNameExA(process, module, path, sizeof(path));

	CHECK(length > 0);
	CHECK_EQ(length, strlen(path));
	CHECK_EQ(GetModuleFileNameExW(process, module, wide_path, 1024), length);
	for (size_t i = 0; i <= length; i++)
		CHECK_EQ(wide_path[i], (unsigned char)path[i]);
	length = GetModuleBaseNameA(process, module, name, sizeof(name));
	CHECK_EQ(length, strlen(name));
	CHECK(strcmp(name, last_component(path)) == 0);
	CHECK_EQ(GetModuleBaseNameW(process, module, wide_name, 1024), length);
	for (size_t i = 0; i <= length; i++)
		CHECK_EQ(wide_name[i], (unsigned char)name[i]);
}

TEST(PS_02)
{
	static struct modules modules;
	HANDLE process = target_open(shared, BOTH_RIGHTS);

	REQUIRE(process != NULL);
	read_modules(process, &modules);
	for (size_t i = 0; i < modules.n; i++) {
		CHECK_EQ(modules.info[i].lpBaseOfDll, modules.handle[i]);
		CHECK(modules.info[i].SizeOfImage > 0);
		CHECK_EQ(modules_with(&modules, (uintptr_t)modules.handle[i]), 1);
		check_names(process, modules.handle[i]);
	}
	check_names(process, NULL);
	CHECK(CloseHandle(process));
}

TEST(PS_02_executable_first)
{
	static struct modules modules;
	MODULEINFO info = { 0 };
	char first[1024] = "", executable[1024] = "", image[1024] = "", own[1024] = "";
	uintptr_t code = (uintptr_t)target_function(shared, value);
	DWORD size = sizeof(image);

	read_modules(shared->process, &modules);
	CHECK(GetModuleInformation(shared->process, NULL, &info, sizeof(info)));
	CHECK_EQ(info.lpBaseOfDll, modules.handle[0]);
	CHECK(code - (uintptr_t)info.lpBaseOfDll < info.SizeOfImage);
	CHECK((uintptr_t)info.EntryPoint - (uintptr_t)info.lpBaseOfDll < info.SizeOfImage);
	CHECK(GetModuleFileNameExA(shared->process, NULL, executable, sizeof(executable)));
	CHECK(GetModuleFileNameExA(shared->process, modules.handle[0], first, sizeof(first)));
	CHECK(GetModuleFileNameExA(GetCurrentProcess(), NULL, own, sizeof(own)));
	CHECK(strcmp(first, executable) == 0);
	CHECK(strcmp(first, own) == 0);
	CHECK(QueryFullProcessImageNameA(shared->process, 0, image, &size));
	CHECK_EQ(size, strlen(image));
	CHECK(strcmp(image, executable) == 0);
}

/* As the system itself has them: of our program, of its libraries, and where those jump to. */
TEST(PS_02_code)
{
	static struct modules modules;
	const uintptr_t codes[] = { (uintptr_t)value, (uintptr_t)CloseHandle, (uintptr_t)strtol,
				    (uintptr_t)__builtin_return_address(0) };

	read_modules(GetCurrentProcess(), &modules);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		CHECK_EQ(modules_with(&modules, codes[i]), 1);
	CHECK_EQ(modules_with(&modules, (uintptr_t)&modules), 1);
	CHECK_EQ(modules_with(&modules, (uintptr_t)&codes), 0);
}

TEST(PS_02_no_such_module)
{
	HMODULE none = (HMODULE)(uintptr_t)8;
	MODULEINFO info;
	char name[64];

	CHECK_FAILS(GetModuleInformation(shared->process, none, &info, sizeof(info)),
		    ERROR_INVALID_HANDLE);
	CHECK_FAILS(GetModuleBaseNameA(shared->process, none, name, sizeof(name)),
		    ERROR_INVALID_HANDLE);
	CHECK_FAILS(GetModuleFileNameExA(shared->process, none, name, sizeof(name)),
		    ERROR_INVALID_HANDLE);
	CHECK_FAILS(GetModuleInformation(shared->process, NULL, &info, sizeof(info) - 1),
		    ERROR_INSUFFICIENT_BUFFER);
}

static void check_refused(HANDLE process, DWORD error)
{
	HMODULE modules[4];
	MODULEINFO info;
	WCHAR wide[64];
	DWORD bytes;
	char name[64];

	CHECK_FAILS(EnumProcessModules(process, modules, sizeof(modules), &bytes), error);
	CHECK_FAILS(EnumProcessModulesEx(process, modules, sizeof(modules), &bytes,
					 LIST_MODULES_DEFAULT), error);
	CHECK_FAILS(GetModuleInformation(process, NULL, &info, sizeof(info)), error);
	CHECK_FAILS(GetModuleBaseNameA(process, NULL, name, sizeof(name)), error);
	CHECK_FAILS(GetModuleBaseNameW(process, NULL, wide, 64), error);
	CHECK_FAILS(GetModuleFileNameExA(process, NULL, name, sizeof(name)), error);
	CHECK_FAILS(GetModuleFileNameExW(process, NULL, wide, 64), error);
}

TEST(PS_03)
{
	HANDLE query = target_open(shared, PROCESS_QUERY_INFORMATION);
	HANDLE read = target_open(shared, PROCESS_VM_READ);
	HANDLE both = target_open(shared, BOTH_RIGHTS);
	HMODULE modules[4];
	DWORD bytes = 0;

	check_refused(query, ERROR_ACCESS_DENIED);
	check_refused(read, ERROR_ACCESS_DENIED);
	CHECK(EnumProcessModules(both, modules, sizeof(modules), &bytes));
	CHECK(bytes > 0);
	CHECK(CloseHandle(query));
	CHECK(CloseHandle(read));
	CHECK(CloseHandle(both));
	check_refused(both, ERROR_INVALID_HANDLE);
	check_refused(NULL, ERROR_INVALID_HANDLE);
	check_refused(GetCurrentThread(), ERROR_INVALID_HANDLE);
}

/* Only the name needs less. */
TEST(PS_03_image_name)
{
	HANDLE limited = target_open(shared, PROCESS_QUERY_LIMITED_INFORMATION);
	HANDLE read = target_open(shared, PROCESS_VM_READ);
	char path[1024] = "";
	DWORD size = sizeof(path);

	CHECK(QueryFullProcessImageNameA(limited, 0, path, &size));
	CHECK(GetProcessImageFileNameA(limited, path, sizeof(path)) > 0);
	size = sizeof(path);
	CHECK_FAILS(QueryFullProcessImageNameA(read, 0, path, &size), ERROR_ACCESS_DENIED);
	CHECK_FAILS(GetProcessImageFileNameA(read, path, sizeof(path)), ERROR_ACCESS_DENIED);
	size = 3;
	CHECK_FAILS(QueryFullProcessImageNameA(limited, 0, path, &size),
		    ERROR_INSUFFICIENT_BUFFER);
	CHECK_FAILS(GetProcessImageFileNameA(limited, path, 3), ERROR_INSUFFICIENT_BUFFER);
	CHECK(CloseHandle(limited));
	CHECK(CloseHandle(read));
}
