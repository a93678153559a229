/* SPDX-License-Identifier: BSD-2-Clause */
/* ll.c - sequences that people use (LL): above all, have another process load a library */
#include "test.h"

#define STEPS 1000000u /* of the library's initialisation */
#define ROUNDS 300     /* "hundreds of times" */
#define CODE_BYTES 16  /* of patched() and patch_source(), which are shorter */

#ifdef _WIN32
#define LIBRARY "ll_library.dll"
#define MISSING "missing.dll"
#else
#define LIBRARY "ll_library.so"
#define MISSING "missing.so"
#endif

/* A file beside this program. */
static const char *beside(const char *name)
{
	static char path[2048];
	DWORD n = GetModuleFileNameA(NULL, path, 1024);

	while (n > 0 && path[n - 1] != '/' && path[n - 1] != '\\')
		n--;
	snprintf(path + n, sizeof(path) - n, "%s", name);
	return path;
}

/* What is in a module of Windows's own, by name, as everybody does it. */
static LPTHREAD_START_ROUTINE function_of_windows(const char *name)
{
	HMODULE kernel32 = GetModuleHandleA("kernel32.dll");

	CHECK(kernel32 != NULL);
	return (LPTHREAD_START_ROUTINE)(uintptr_t)GetProcAddress(kernel32, name);
}

/* Text or other bytes in memory of the target that is allocated for them. */
static LPVOID put(struct target *t, const void *bytes, size_t n)
{
	LPVOID there = VirtualAllocEx(t->process, NULL, n, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);

	CHECK(there != NULL);
	CHECK(WriteProcessMemory(t->process, there, bytes, n, NULL));
	return there;
}

static void take_back(struct target *t, LPVOID there)
{
	CHECK(VirtualFreeEx(t->process, there, 0, MEM_RELEASE));
}

static DWORD run_windows(struct target *t, const char *name, LPVOID argument)
{
	LPTHREAD_START_ROUTINE function = function_of_windows(name);
	HANDLE thread;

	if (!CHECK(function != NULL))
		return UNTOUCHED;
	thread = CreateRemoteThread(t->process, NULL, 0, function, argument, 0, NULL);
	return CHECK(thread != NULL) ? thread_finish(thread) : UNTOUCHED;
}

static DWORD load_there(struct target *t, const char *path)
{
	LPVOID text = put(t, path, strlen(path) + 1);
	DWORD code = run_windows(t, "LoadLibraryA", text);

	take_back(t, text);
	return code;
}

/* Where a module of that file is in the target; NULL: it is not listed. */
static HMODULE listed(struct target *t, const char *name)
{
	HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPMODULE, t->id);
	MODULEENTRY32 entry = { .dwSize = sizeof(entry) };
	HMODULE found = NULL;

	if (!CHECK(snapshot != INVALID_HANDLE_VALUE))
		return NULL;
	for (BOOL ok = Module32First(snapshot, &entry); ok && !found;
	     ok = Module32Next(snapshot, &entry))
		if (strcmp(entry.szModule, name) == 0)
			found = (HMODULE)entry.modBaseAddr;
	CloseHandle(snapshot);
	return found;
}

/* Load the library; where it is.  A failed check if it is not. */
static HMODULE load(struct target *t)
{
	DWORD code = load_there(t, beside(LIBRARY));
	HMODULE module = listed(t, LIBRARY);

	CHECK(module != NULL);
	CHECK_EQ(code, (DWORD)(uintptr_t)module);
	return module;
}

static void unload(struct target *t, HMODULE module)
{
	CHECK_EQ(run_windows(t, "FreeLibrary", module), TRUE);
}

/* How far behind the library's beginning something is, which is the same in every process. */
static uintptr_t offset_of(const char *name)
{
	HMODULE here = LoadLibraryA(beside(LIBRARY));
	uintptr_t address = (uintptr_t)GetProcAddress(here, name);

	CHECK(here != NULL);
	CHECK(address != 0);
	CHECK(FreeLibrary(here));
	return address - (uintptr_t)here;
}

TEST(LL_01)
{
	HMODULE module = load(shared);

	CHECK(module != NULL);
	unload(shared, module);
}

TEST(LL_01_wide)
{
	const char *path = beside(LIBRARY);
	WCHAR wide[2048];
	LPVOID text;
	DWORD code;
	HMODULE module;

	for (size_t i = 0; i == 0 || path[i - 1]; i++)
		wide[i] = (unsigned char)path[i];
	text = put(shared, wide, 2 * (strlen(path) + 1));
	code = run_windows(shared, "LoadLibraryW", text);
	module = listed(shared, LIBRARY);
	CHECK(module != NULL);
	CHECK_EQ(code, (DWORD)(uintptr_t)module);
	take_back(shared, text);
	unload(shared, module);
}

/* The name itself, in place of what GetProcAddress() gives. */
TEST(LL_01_by_its_name)
{
	const char *path = beside(LIBRARY);
	LPVOID text = put(shared, path, strlen(path) + 1);
	HANDLE thread = CreateRemoteThread(shared->process, NULL, 0,
					   (LPTHREAD_START_ROUTINE)(uintptr_t)LoadLibraryA, text, 0,
					   NULL);
	DWORD code;

	REQUIRE(thread != NULL);
	code = thread_finish(thread);
	CHECK_EQ(code, (DWORD)(uintptr_t)listed(shared, LIBRARY));
	CHECK(code != 0);
	take_back(shared, text);
	unload(shared, listed(shared, LIBRARY));
}

TEST(LL_02)
{
	CHECK_EQ(load_there(shared, beside(MISSING)), 0);
	CHECK(listed(shared, MISSING) == NULL);
}

/* A file that is there, and no library. */
TEST(LL_02_no_library)
{
	const char *path = beside("ll_no_library.txt");
	FILE *file = fopen(path, "w");

	REQUIRE(file != NULL);
	fputs("Not every file is a library.\n", file);
	fclose(file);
	CHECK_EQ(load_there(shared, path), 0);
	CHECK_EQ(remove(path), 0);
}

TEST(LL_03)
{
	uintptr_t offset = offset_of("library_triple");
	HMODULE module = load(shared);
	HANDLE thread;

	REQUIRE(module != NULL);
	thread = CreateRemoteThread(shared->process, NULL, 0,
				    (LPTHREAD_START_ROUTINE)((uintptr_t)module + offset),
				    (LPVOID)14, 0, NULL);
	CHECK(thread != NULL);
	if (thread)
		CHECK_EQ(thread_finish(thread), 42);
	unload(shared, module);
}

TEST(LL_04)
{
	HMODULE module = load(shared);

	REQUIRE(module != NULL);
	CHECK(load(shared) == module);
	CHECK(load(shared) == module);
	unload(shared, module);
	CHECK(listed(shared, LIBRARY) == module);
	unload(shared, module);
	CHECK(listed(shared, LIBRARY) == module);
	unload(shared, module);
	CHECK(listed(shared, LIBRARY) == NULL);
	CHECK_EQ(run_windows(shared, "FreeLibrary", module), FALSE);
}

TEST(LL_04_local)
{
	HMODULE module = LoadLibraryA(beside(LIBRARY));

	REQUIRE(module != NULL);
	CHECK(LoadLibraryA(beside(LIBRARY)) == module);
	CHECK(GetModuleHandleA(LIBRARY) == module);
	CHECK(FreeLibrary(module));
	CHECK(GetModuleHandleA(LIBRARY) == module);
	CHECK(FreeLibrary(module));
	CHECK_FAILS(GetModuleHandleA(LIBRARY), ERROR_MOD_NOT_FOUND);
	CHECK_FAILS(FreeLibrary(module), ERROR_MOD_NOT_FOUND);
}

TEST(LL_04_from_within)
{
	uintptr_t offset = offset_of("library_leave");
	HMODULE module = load(shared);
	HANDLE thread;

	REQUIRE(module != NULL);
	thread = CreateRemoteThread(shared->process, NULL, 0,
				    (LPTHREAD_START_ROUTINE)((uintptr_t)module + offset), module, 0,
				    NULL);
	REQUIRE(thread != NULL);
	CHECK_EQ(thread_finish(thread), 0x89abcdefu);
	CHECK(listed(shared, LIBRARY) == NULL);
}

TEST(LL_05)
{
	struct sum sum = { .a = UINT64_C(0x100000000), .b = 23 };
	LPVOID there = put(shared, &sum, sizeof(sum));

	CHECK_EQ(target_run(shared, add, (uintptr_t)there), 23);
	CHECK(ReadProcessMemory(shared->process, there, &sum, sizeof(sum), NULL));
	CHECK_EQ(sum.sum, UINT64_C(0x100000017));
	take_back(shared, there);
}

TEST(LL_06)
{
	LPVOID code = VirtualAllocEx(shared->process, NULL, CODE_BYTES, MEM_COMMIT | MEM_RESERVE,
				     PAGE_EXECUTE_READWRITE);
	HANDLE thread;

	REQUIRE(code != NULL);
	CHECK(WriteProcessMemory(shared->process, code, (LPCVOID)(uintptr_t)patched, CODE_BYTES,
				 NULL));
	thread = CreateRemoteThread(shared->process, NULL, 0, (LPTHREAD_START_ROUTINE)code,
				    (LPVOID)40, CREATE_SUSPENDED, NULL);
	REQUIRE(thread != NULL);
	CHECK(WriteProcessMemory(shared->process, code, (LPCVOID)(uintptr_t)patch_source,
				 CODE_BYTES, NULL));
	CHECK_EQ(ResumeThread(thread), 1);
	CHECK_EQ(thread_finish(thread), 42);
	take_back(shared, code);
}

TEST(LL_07)
{
	struct target *t = target_start();
	DWORD code = UNTOUCHED;

	CHECK_EQ(run_windows(t, "GetCurrentProcessId", NULL), t->id);
	CHECK_EQ(run_windows(t, "ExitProcess", (LPVOID)93), 93);
	CHECK_EQ(WaitForSingleObject(t->process, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK(GetExitCodeProcess(t->process, &code));
	CHECK_EQ(code, 93);
	CHECK_FAILS(CreateRemoteThread(t->process, NULL, 0, function_of_windows("LoadLibraryA"), NULL,
				       0, NULL),
		    ERROR_ACCESS_DENIED);
	target_free(t);
}

/* Also of use as thread functions. */
TEST(LL_07_others)
{
	LPTHREAD_START_ROUTINE function = function_of_windows("GetCurrentThreadId");
	DWORD id = 0;
	HANDLE thread = CreateRemoteThread(shared->process, NULL, 0, function, NULL, 0, &id);

	REQUIRE(thread != NULL);
	CHECK_EQ(thread_finish(thread), id);
	CHECK_EQ(run_windows(shared, "ExitThread", (LPVOID)(uintptr_t)0x80000001u), 0x80000001u);
}

TEST(LL_08)
{
	struct counts before, after;

	unload(shared, load(shared)); /* what the first time keeps */
	before = target_counts(shared, true);
	for (int i = 0; i < ROUNDS; i++) {
		HMODULE module = (HMODULE)(uintptr_t)load_there(shared, beside(LIBRARY));

		CHECK(module != NULL);
		module = listed(shared, LIBRARY);
		unload(shared, module);
		CHECK_EQ(load_there(shared, beside(MISSING)), 0);
	}
	CHECK(listed(shared, LIBRARY) == NULL);
	after = target_counts(shared, true);
	CHECK_EQ(after.handles, before.handles);
	CHECK_EQ(after.threads, before.threads);
	CHECK_EQ(after.caller_handles, before.caller_handles);
	CHECK(after.regions <= before.regions + 2); /* the heap's */
}

TEST(LL_09)
{
	uintptr_t offset = offset_of("library_steps");
	HMODULE module = load(shared);
	DWORD steps = 0;

	CHECK(ReadProcessMemory(shared->process, (LPCVOID)((uintptr_t)module + offset), &steps,
				sizeof(steps), NULL));
	CHECK_EQ(steps, STEPS);
	unload(shared, module);
}
