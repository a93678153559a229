/* SPDX-License-Identifier: BSD-2-Clause */
/* th.c - Toolhelp: snapshots of processes, threads and modules */
#include "test.h"

#define NO_SUCH_ID 0x7ffffffcu
#define MODULES_MAX 256

/* As programs that were compiled know them. */
_Static_assert(sizeof(PROCESSENTRY32) == 304 && offsetof(PROCESSENTRY32, szExeFile) == 44 &&
	       sizeof(PROCESSENTRY32W) == 568 && offsetof(PROCESSENTRY32W, szExeFile) == 44, "");
_Static_assert(sizeof(THREADENTRY32) == 28 && offsetof(THREADENTRY32, tpBasePri) == 16, "");
_Static_assert(sizeof(MODULEENTRY32) == 568 && offsetof(MODULEENTRY32, szModule) == 48 &&
	       sizeof(MODULEENTRY32W) == 1080 && offsetof(MODULEENTRY32W, szExePath) == 560, "");

static HANDLE take(DWORD flags, DWORD id)
{
	HANDLE snapshot = CreateToolhelp32Snapshot(flags, id);

	CHECK(snapshot != INVALID_HANDLE_VALUE);
	CHECK(snapshot != NULL);
	return snapshot;
}

static const char *last_component(const char *path)
{
	const char *last = path;

	for (const char *at = path; *at; at++)
		if (*at == '/' || *at == '\\')
			last = at + 1;
	return last;
}

/* The file of this program, and so of its targets. */
static const char *own_name(void)
{
	static char path[MAX_PATH];

	CHECK(GetModuleFileNameExA(GetCurrentProcess(), NULL, path, sizeof(path)) > 0);
	return last_component(path);
}

/* How often a process is listed; the last one's entry. */
static unsigned int find_process(HANDLE snapshot, DWORD id, PROCESSENTRY32 *ret_entry)
{
	PROCESSENTRY32 entry = { .dwSize = sizeof(entry) };
	unsigned int n = 0;

	for (BOOL ok = Process32First(snapshot, &entry); ok; ok = Process32Next(snapshot, &entry))
		if (entry.th32ProcessID == id) {
			*ret_entry = entry;
			n++;
		}
	return n;
}

static unsigned int count_processes(HANDLE snapshot)
{
	PROCESSENTRY32 entry = { .dwSize = sizeof(entry) };
	unsigned int n = 0;

	for (BOOL ok = Process32First(snapshot, &entry); ok; ok = Process32Next(snapshot, &entry))
		n++;
	return n;
}

static unsigned int count_threads_of(HANDLE snapshot, DWORD owner)
{
	THREADENTRY32 entry = { .dwSize = sizeof(entry) };
	unsigned int n = 0;

	for (BOOL ok = Thread32First(snapshot, &entry); ok; ok = Thread32Next(snapshot, &entry))
		n += entry.th32OwnerProcessID == owner;
	return n;
}

/* How often a thread is listed, now; *ret_owner of the last one. */
static unsigned int find_thread(DWORD id, DWORD *ret_owner)
{
	HANDLE snapshot = take(TH32CS_SNAPTHREAD, 0);
	THREADENTRY32 entry = { .dwSize = sizeof(entry) };
	unsigned int n = 0;

	for (BOOL ok = Thread32First(snapshot, &entry); ok; ok = Thread32Next(snapshot, &entry))
		if (entry.th32ThreadID == id) {
			*ret_owner = entry.th32OwnerProcessID;
			n++;
		}
	CHECK(CloseHandle(snapshot));
	return n;
}

TEST(TH_01)
{
	HANDLE snapshot = take(TH32CS_SNAPPROCESS, 0);
	PROCESSENTRY32 entry = { 0 };

	CHECK_EQ(find_process(snapshot, GetCurrentProcessId(), &entry), 1);
	CHECK(strcmp(entry.szExeFile, own_name()) == 0);
	CHECK_EQ(find_process(snapshot, shared->id, &entry), 1);
	CHECK(strcmp(entry.szExeFile, own_name()) == 0);
	CHECK_EQ(entry.th32ParentProcessID, GetCurrentProcessId());
	CHECK_EQ(entry.dwSize, sizeof(entry));
	CHECK_EQ(entry.cntUsage, 0);
	CHECK_EQ(entry.th32DefaultHeapID, 0);
	CHECK_EQ(entry.dwFlags, 0);
	CHECK(CloseHandle(snapshot));
}

TEST(TH_01_each_once)
{
	HANDLE snapshot = take(TH32CS_SNAPPROCESS, 0);
	PROCESSENTRY32 entry = { .dwSize = sizeof(entry) }, same;
	DWORD *ids = calloc(count_processes(snapshot) + 1, sizeof(*ids));
	unsigned int n = 0;

	for (BOOL ok = Process32First(snapshot, &entry); ok; ok = Process32Next(snapshot, &entry))
		ids[n++] = entry.th32ProcessID;
	CHECK(n >= 2);
	for (unsigned int i = 0; i < n; i++)
		CHECK_EQ(find_process(snapshot, ids[i], &same), 1);
	free(ids);
	CHECK(CloseHandle(snapshot));
}

TEST(TH_01_wide)
{
	HANDLE snapshot = take(TH32CS_SNAPPROCESS, 0);
	PROCESSENTRY32 entry = { .dwSize = sizeof(entry) };
	PROCESSENTRY32W wide = { .dwSize = sizeof(wide) };
	BOOL ok = Process32First(snapshot, &entry);

	CHECK(ok);
	CHECK(Process32FirstW(snapshot, &wide));
	CHECK_EQ(wide.th32ProcessID, entry.th32ProcessID);
	for (; ok && wide.th32ProcessID != shared->id; ok = Process32NextW(snapshot, &wide))
		;
	CHECK_EQ(wide.th32ProcessID, shared->id);
	for (size_t i = 0; i <= strlen(own_name()); i++)
		CHECK_EQ(wide.szExeFile[i], (unsigned char)own_name()[i]);
	CHECK(CloseHandle(snapshot));
}

#define TOO_SHORT ERROR_BAD_LENGTH, ERROR_INVALID_PARAMETER, ERROR_INSUFFICIENT_BUFFER

TEST(TH_02)
{
	HANDLE snapshot = take(TH32CS_SNAPPROCESS | TH32CS_SNAPTHREAD | TH32CS_SNAPMODULE, 0);
	DWORD sizes[] = { 0, 4 };
	PROCESSENTRY32 process = { 0 };
	PROCESSENTRY32W wide_process = { 0 };
	THREADENTRY32 thread = { 0 };
	MODULEENTRY32 module = { 0 };
	MODULEENTRY32W wide_module = { 0 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		process.dwSize = wide_process.dwSize = thread.dwSize = sizes[i];
		module.dwSize = wide_module.dwSize = sizes[i];
		CHECK_FAILS_ANY(Process32First(snapshot, &process), TOO_SHORT);
		CHECK_FAILS_ANY(Process32FirstW(snapshot, &wide_process), TOO_SHORT);
		CHECK_FAILS_ANY(Thread32First(snapshot, &thread), TOO_SHORT);
		CHECK_FAILS_ANY(Module32First(snapshot, &module), TOO_SHORT);
		CHECK_FAILS_ANY(Module32FirstW(snapshot, &wide_module), TOO_SHORT);
	}
	process.dwSize = sizeof(process);
	CHECK(Process32First(snapshot, &process));
	CHECK(CloseHandle(snapshot));
}

TEST(TH_03)
{
	HANDLE snapshot = take(TH32CS_SNAPPROCESS | TH32CS_SNAPTHREAD | TH32CS_SNAPMODULE, 0);
	PROCESSENTRY32 process = { .dwSize = sizeof(process) };
	THREADENTRY32 thread = { .dwSize = sizeof(thread) };
	MODULEENTRY32 module = { .dwSize = sizeof(module) };
	unsigned int n = count_processes(snapshot);

	CHECK_FAILS(Process32Next(snapshot, &process), ERROR_NO_MORE_FILES);
	for (BOOL ok = Thread32First(snapshot, &thread); ok; ok = Thread32Next(snapshot, &thread))
		;
	CHECK_FAILS(Thread32Next(snapshot, &thread), ERROR_NO_MORE_FILES);
	for (BOOL ok = Module32First(snapshot, &module); ok; ok = Module32Next(snapshot, &module))
		;
	CHECK_FAILS(Module32Next(snapshot, &module), ERROR_NO_MORE_FILES);
	CHECK_EQ(count_processes(snapshot), n);
	CHECK(CloseHandle(snapshot));
}

TEST(TH_03_not_asked_for)
{
	HANDLE threads = take(TH32CS_SNAPTHREAD, 0), processes = take(TH32CS_SNAPPROCESS, 0);
	PROCESSENTRY32 process = { .dwSize = sizeof(process) };
	THREADENTRY32 thread = { .dwSize = sizeof(thread) };
	MODULEENTRY32 module = { .dwSize = sizeof(module) };

	CHECK_FAILS(Process32First(threads, &process), ERROR_NO_MORE_FILES);
	CHECK_FAILS(Module32First(threads, &module), ERROR_NO_MORE_FILES);
	CHECK_FAILS(Thread32First(processes, &thread), ERROR_NO_MORE_FILES);
	CHECK(CloseHandle(threads));
	CHECK(CloseHandle(processes));
}

TEST(TH_04)
{
	DWORD owner = 0, id;
	HANDLE thread = thread_create(shared, gated, 1, 0);

	REQUIRE(thread != NULL);
	id = GetThreadId(thread);
	CHECK_EQ(find_thread(GetCurrentThreadId(), &owner), 1);
	CHECK_EQ(owner, GetCurrentProcessId());
	CHECK_EQ(find_thread(id, &owner), 1);
	CHECK_EQ(owner, shared->id);
	target_open_gate(shared, 1);
	CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK_EQ(find_thread(id, &owner), 0);
	CHECK(CloseHandle(thread));
	target_runs(shared, 1);
}

TEST(TH_04_suspended)
{
	DWORD owner = 0, id;
	HANDLE thread = thread_create(shared, value, 1, CREATE_SUSPENDED);

	REQUIRE(thread != NULL);
	id = GetThreadId(thread);
	CHECK_EQ(find_thread(id, &owner), 1);
	CHECK_EQ(owner, shared->id);
	CHECK_EQ(ResumeThread(thread), 1);
	CHECK_EQ(WaitForSingleObject(thread, PATIENCE_MS), WAIT_OBJECT_0);
	CHECK_EQ(find_thread(id, &owner), 0);
	CHECK(CloseHandle(thread));
	target_runs(shared, 1);
}

TEST(TH_04_each_once)
{
	HANDLE snapshot = take(TH32CS_SNAPTHREAD, 0);
	THREADENTRY32 entry = { .dwSize = sizeof(entry) };
	DWORD *ids = NULL;
	size_t n = 0, n_twice = 0;

	for (BOOL ok = Thread32First(snapshot, &entry); ok; ok = Thread32Next(snapshot, &entry)) {
		ids = realloc(ids, (n + 1) * sizeof(*ids));
		ids[n++] = entry.th32ThreadID;
		CHECK_EQ(entry.dwSize, sizeof(entry));
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			n_twice += ids[i] == ids[k];
	CHECK(n >= 2);
	CHECK_EQ(n_twice, 0);
	free(ids);
	CHECK(CloseHandle(snapshot));
}

struct modules {
	MODULEENTRY32 entry[MODULES_MAX];
	size_t n;
};

static void read_modules(DWORD id, struct modules *ret)
{
	HANDLE snapshot = take(TH32CS_SNAPMODULE, id);
	MODULEENTRY32 entry = { .dwSize = sizeof(entry) };

	ret->n = 0;
	for (BOOL ok = Module32First(snapshot, &entry); ok && ret->n < MODULES_MAX;
	     ok = Module32Next(snapshot, &entry))
		ret->entry[ret->n++] = entry;
	CHECK(CloseHandle(snapshot));
}

static size_t modules_with(const struct modules *modules, const void *address)
{
	size_t n = 0;

	for (size_t i = 0; i < modules->n; i++)
		n += (uintptr_t)address - (uintptr_t)modules->entry[i].modBaseAddr <
		     modules->entry[i].modBaseSize;
	return n;
}

static void check_modules(const struct modules *modules, HANDLE process, DWORD id)
{
	CHECK(modules->n >= 2);
	CHECK(strcmp(modules->entry[0].szModule, own_name()) == 0);
	for (size_t i = 0; i < modules->n; i++) {
		const MODULEENTRY32 *entry = &modules->entry[i];
		unsigned char byte[4];

		CHECK_EQ(entry->th32ProcessID, id);
		CHECK_EQ(entry->hModule, entry->modBaseAddr);
		CHECK(entry->modBaseSize > 0);
		CHECK(entry->szModule[0]);
		CHECK(strcmp(last_component(entry->szExePath), entry->szModule) == 0);
		CHECK_EQ(modules_with(modules, entry->modBaseAddr), 1);
		CHECK(ReadProcessMemory(process, entry->modBaseAddr, byte, sizeof(byte), NULL));
	}
}

TEST(TH_05)
{
	static struct modules modules;
	uintptr_t code = (uintptr_t)target_function(shared, value);

	read_modules(shared->id, &modules);
	check_modules(&modules, shared->process, shared->id);
	CHECK(code - (uintptr_t)modules.entry[0].modBaseAddr < modules.entry[0].modBaseSize);
	CHECK_EQ(modules_with(&modules, (void *)code), 1);
}

TEST(TH_05_caller)
{
	static struct modules zero, own;

	read_modules(0, &zero);
	read_modules(GetCurrentProcessId(), &own);
	check_modules(&zero, GetCurrentProcess(), GetCurrentProcessId());
	CHECK_EQ(modules_with(&zero, (void *)(uintptr_t)value), 1);
	CHECK_EQ(zero.n, own.n);
	for (size_t i = 0; i < zero.n; i++)
		CHECK_EQ(zero.entry[i].modBaseAddr, own.entry[i].modBaseAddr);
}

TEST(TH_05_wide)
{
	static struct modules modules;
	HANDLE snapshot = take(TH32CS_SNAPMODULE, shared->id);
	MODULEENTRY32W wide = { .dwSize = sizeof(wide) };
	BOOL ok = Module32FirstW(snapshot, &wide);

	read_modules(shared->id, &modules);
	for (size_t i = 0; i < modules.n; i++, ok = Module32NextW(snapshot, &wide)) {
		CHECK(ok);
		CHECK_EQ(wide.modBaseAddr, modules.entry[i].modBaseAddr);
		CHECK_EQ(wide.modBaseSize, modules.entry[i].modBaseSize);
		for (size_t k = 0; k <= strlen(modules.entry[i].szModule); k++)
			CHECK_EQ(wide.szModule[k], (unsigned char)modules.entry[i].szModule[k]);
	}
	CHECK(!ok);
	CHECK(CloseHandle(snapshot));
}

static void check_no_process(DWORD id)
{
	DWORD error;

	SetLastError(UNTOUCHED);
	CHECK_EQ(CreateToolhelp32Snapshot(TH32CS_SNAPMODULE, id), INVALID_HANDLE_VALUE);
	error = GetLastError();
	CHECK(error == ERROR_INVALID_PARAMETER || error == ERROR_PARTIAL_COPY ||
	      error == ERROR_ACCESS_DENIED);
}

TEST(TH_06)
{
	struct target *t = target_start();

	check_no_process(NO_SUCH_ID);
	target_kill(t);
	check_no_process(t->id);
	target_free(t);
}

TEST(TH_06_bad_snapshot)
{
	HANDLE snapshot = take(TH32CS_SNAPPROCESS, 0);
	HANDLE bad[] = { NULL, (HANDLE)(uintptr_t)0x7ffffff0, shared->process, snapshot };
	PROCESSENTRY32 process = { .dwSize = sizeof(process) };
	THREADENTRY32 thread = { .dwSize = sizeof(thread) };
	MODULEENTRY32 module = { .dwSize = sizeof(module) };

	CHECK(CloseHandle(snapshot));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_FAILS(Process32First(bad[i], &process), ERROR_INVALID_HANDLE);
		CHECK_FAILS(Process32Next(bad[i], &process), ERROR_INVALID_HANDLE);
		CHECK_FAILS(Thread32First(bad[i], &thread), ERROR_INVALID_HANDLE);
		CHECK_FAILS(Module32First(bad[i], &module), ERROR_INVALID_HANDLE);
	}
}

TEST(TH_07)
{
	HANDLE snapshot = take(TH32CS_SNAPPROCESS | TH32CS_SNAPTHREAD, 0);
	unsigned int n = count_processes(snapshot), n_threads = count_threads_of(snapshot, shared->id);
	HANDLE thread = thread_create(shared, gated, 1, 0);
	struct target *t = target_start();
	PROCESSENTRY32 entry;

	CHECK_EQ(count_processes(snapshot), n);
	CHECK_EQ(find_process(snapshot, t->id, &entry), 0);
	CHECK_EQ(count_threads_of(snapshot, shared->id), n_threads);
	target_end(t);
	target_open_gate(shared, 1);
	CHECK_EQ(thread_finish(thread), 1);
	target_runs(shared, 1);
	CHECK(CloseHandle(snapshot));
}

TEST(TH_07_one_handle)
{
	DWORD before = handles_here();
	PROCESSENTRY32 entry = { .dwSize = sizeof(entry) };
	HANDLE snapshot;

	snapshot = take(TH32CS_SNAPPROCESS | TH32CS_SNAPTHREAD | TH32CS_SNAPMODULE, 0);
	CHECK_EQ(handles_here(), before + 1);
	CHECK(CloseHandle(snapshot));
	CHECK_EQ(handles_here(), before);
	CHECK_FAILS(Process32First(snapshot, &entry), ERROR_INVALID_HANDLE);
}

/* ...First and ...Next of one snapshot do not move another one on. */
TEST(TH_07_places)
{
	HANDLE one = take(TH32CS_SNAPPROCESS, 0), other = take(TH32CS_SNAPPROCESS, 0);
	PROCESSENTRY32 first = { .dwSize = sizeof(first) }, second = first, entry = first;

	CHECK(Process32First(one, &first));
	CHECK(Process32Next(one, &second));
	CHECK(first.th32ProcessID != second.th32ProcessID);
	CHECK(Process32First(other, &entry));
	CHECK_EQ(entry.th32ProcessID, first.th32ProcessID);
	CHECK(Process32First(one, &entry));
	CHECK_EQ(entry.th32ProcessID, first.th32ProcessID);
	CHECK(Process32Next(other, &entry));
	CHECK_EQ(entry.th32ProcessID, second.th32ProcessID);
	CHECK(CloseHandle(one));
	CHECK(CloseHandle(other));
}

TEST(TH_08)
{
	PROCESSENTRY32 alone = { 0 }, entry = { 0 };
	HANDLE threads[3], snapshot = take(TH32CS_SNAPPROCESS, 0);

	CHECK_EQ(find_process(snapshot, shared->id, &alone), 1);
	CHECK(CloseHandle(snapshot));
	for (size_t i = 0; i < 3; i++)
		threads[i] = thread_create(shared, gated, i, 0);
	snapshot = take(TH32CS_SNAPPROCESS | TH32CS_SNAPTHREAD, 0);
	CHECK_EQ(find_process(snapshot, shared->id, &entry), 1);
	CHECK_EQ(entry.cntThreads, alone.cntThreads + 3);
	CHECK_EQ(count_threads_of(snapshot, shared->id), entry.cntThreads);
	CHECK(CloseHandle(snapshot));
	target_open_gate(shared, 3);
	for (size_t i = 0; i < 3; i++)
		CHECK_EQ(thread_finish(threads[i]), i);
	target_runs(shared, 3);
	snapshot = take(TH32CS_SNAPPROCESS, 0);
	CHECK_EQ(find_process(snapshot, shared->id, &entry), 1);
	CHECK_EQ(entry.cntThreads, alone.cntThreads);
	CHECK(CloseHandle(snapshot));
}
