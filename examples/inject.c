/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inject.c - have another process load a library, the classical way; one source for two systems
 *
 *     inject PID LIBRARY
 *     inject PID LIBRARY free      and give it back at once
 *
 *     cc inject.c $(pkg-config --cflags --libs tendril) -o inject
 *     x86_64-w64-mingw32-gcc inject.c -I... -o inject.exe
 *
 * LIBRARY is as the process sees it: best an absolute path.  The process need not be prepared, and
 * need not know Tendril.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tendril/win32.h>

static int complain(const char *what)
{
	fprintf(stderr, "inject: %s: error %u\n", what, (unsigned)GetLastError());
	return 1;
}

/* Run a function of kernel32.dll there, and give what its thread returned. */
static BOOL run_there(HANDLE process, const char *name, LPVOID argument, DWORD *ret_code)
{
	HMODULE kernel32 = GetModuleHandleA("kernel32.dll");
	LPTHREAD_START_ROUTINE function =
		(LPTHREAD_START_ROUTINE)(void *)GetProcAddress(kernel32, name);
	HANDLE thread = CreateRemoteThread(process, NULL, 0, function, argument, 0, NULL);
	BOOL is_done;

	if (!thread)
		return FALSE;
	is_done = WaitForSingleObject(thread, INFINITE) == WAIT_OBJECT_0 &&
		  GetExitCodeThread(thread, ret_code);
	CloseHandle(thread);
	return is_done;
}

/* The path is put into the process's own memory, where its LoadLibraryA() reads it. */
static BOOL load_there(HANDLE process, const char *path, DWORD *ret_handle)
{
	SIZE_T bytes = strlen(path) + 1;
	LPVOID text = VirtualAllocEx(process, NULL, bytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
	BOOL is_done;

	if (!text)
		return FALSE;
	is_done = WriteProcessMemory(process, text, path, bytes, NULL) &&
		  run_there(process, "LoadLibraryA", text, ret_handle);
	VirtualFreeEx(process, text, 0, MEM_RELEASE);
	return is_done;
}

/* A thread's exit code has 32 bits: the rest of the handle is in the list of modules. */
static HMODULE find_module(DWORD process_id, DWORD low)
{
	HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPMODULE, process_id);
	MODULEENTRY32 entry;
	HMODULE found = NULL;
	BOOL is_one;

	if (snapshot == INVALID_HANDLE_VALUE)
		return NULL;
	entry.dwSize = sizeof(entry);
	for (is_one = Module32First(snapshot, &entry); is_one && !found;
	     is_one = Module32Next(snapshot, &entry))
		if ((DWORD)(ULONG_PTR)entry.modBaseAddr == low)
			found = entry.hModule;
	CloseHandle(snapshot);
	return found;
}

static int inject(HANDLE process, const char *path, BOOL frees)
{
	DWORD low = 0, is_freed = FALSE;
	HMODULE module;

	if (!load_there(process, path, &low))
		return complain("LoadLibraryA() there");
	if (low == 0) {
		fprintf(stderr, "inject: the process could not load %s\n", path);
		return 1;
	}
	printf("loaded %s: its handle ends in %08x\n", path, (unsigned)low);
	if (!frees)
		return 0;
	module = find_module(GetProcessId(process), low);
	if (!module || !run_there(process, "FreeLibrary", module, &is_freed))
		return complain("FreeLibrary() there");
	printf(is_freed ? "freed\n" : "not freed\n");
	return is_freed ? 0 : 1;
}

int main(int argc, char **argv)
{
	BOOL frees = argc == 4 && strcmp(argv[3], "free") == 0;
	HANDLE process;
	int r;

	if (argc != 3 && !frees) {
		fprintf(stderr, "usage: inject PID LIBRARY [free]\n");
		return 2;
	}
	process = OpenProcess(PROCESS_CREATE_THREAD | PROCESS_QUERY_INFORMATION |
				      PROCESS_VM_OPERATION | PROCESS_VM_WRITE | PROCESS_VM_READ,
			      FALSE, (DWORD)strtoul(argv[1], NULL, 10));
	if (!process)
		return complain("OpenProcess");
	r = inject(process, argv[2], frees);
	CloseHandle(process);
	return r;
}
