/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * win32_addresses.c - our functions by the addresses that they have in all kinds of programs
 *
 * Built in all the ways that programs are linked with the library.  In one that is not
 * position-independent a function of a shared library has an address in the program's own table, and
 * everything stands at addresses that the target, too, can have code at.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tendril/win32.h>

static pid_t victim;
static HANDLE process;
static char *room;
static unsigned int n_tests, n_failed;

static void check(bool ok, const char *what)
{
	n_failed += !ok;
	printf("%sok %u - %s\n", ok ? "" : "not ", ++n_tests, what);
}

static DWORD run(uintptr_t function, const void *argument)
{
	HANDLE thread = CreateRemoteThread(process, NULL, 0, (LPTHREAD_START_ROUTINE)function,
					   (LPVOID)(uintptr_t)argument, 0, NULL);
	DWORD code = 0;

	if (!thread)
		return 0;
	WaitForSingleObject(thread, INFINITE);
	GetExitCodeThread(thread, &code);
	CloseHandle(thread);
	return code;
}

static DWORD loaded(void)
{
	HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPMODULE, (DWORD)victim);
	MODULEENTRY32 entry = { .dwSize = sizeof(entry) };
	DWORD found = 0;

	for (BOOL ok = Module32First(snapshot, &entry); ok; ok = Module32Next(snapshot, &entry))
		if (strcmp(entry.szModule, "plug.so") == 0)
			found = (DWORD)(uintptr_t)entry.modBaseAddr;
	CloseHandle(snapshot);
	return found;
}

static void check_load(uintptr_t load_library, const char *what)
{
	DWORD code = load_library ? run(load_library, room) : 0;

	check(code != 0 && code == loaded(), what);
}

/* What the library itself calls the function, which in a table of the program has another address. */
static uintptr_t address_in_library(void)
{
	void *library = dlopen("libtendril.so.0", RTLD_NOW | RTLD_NOLOAD);
	uintptr_t address = library ? (uintptr_t)dlsym(library, "LoadLibraryA") : 0;

	if (library)
		dlclose(library);
	return address;
}

static LPTHREAD_START_ROUTINE in_data = (LPTHREAD_START_ROUTINE)(void (*)(void))LoadLibraryA;

static void check_all(void)
{
	HMODULE kernel32 = GetModuleHandleA("kernel32.dll");

	check_load((uintptr_t)GetProcAddress(kernel32, "LoadLibraryA"), "by GetProcAddress()");
	check_load((uintptr_t)LoadLibraryA, "by an address in code");
	check_load((uintptr_t)in_data, "by an address in data");
	if (IS_SHARED)
		check_load(address_in_library(), "by the library's own address");
	check(run((uintptr_t)GetCurrentProcessId, NULL) == (DWORD)victim,
	      "a function of another file of the library");
	check((uintptr_t)GetProcAddress(kernel32, "CloseHandle") == (uintptr_t)CloseHandle,
	      "GetProcAddress() knows the address that the program has");
}

/* It says a line when it is ready, and ends when its input does. */
static bool start_victim(const char *directory)
{
	int to[2], from[2];
	char path[4096], c = 0;

	snprintf(path, sizeof(path), "%s/win32_target", directory);
	if (access(path, X_OK) < 0 || pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		return false;
	victim = fork();
	if (victim == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	while (c != '\n')
		if (read(from[0], &c, 1) != 1)
			return false;
	return true;
}

int main(void)
{
	const char *directory = getenv("TENDRIL_TARGETS");
	char path[4096];

	if (!directory || !start_victim(directory)) {
		printf("1..0 # SKIP there is no victim\n");
		return 0;
	}
	process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, (DWORD)victim);
	room = VirtualAllocEx(process, NULL, sizeof(path), MEM_COMMIT, PAGE_READWRITE);
	snprintf(path, sizeof(path), "%s/plug.so", directory);
	WriteProcessMemory(process, room, path, strlen(path) + 1, NULL);
	check_all();
	check(WaitForSingleObject(process, 0) == WAIT_TIMEOUT, "the victim lives");
	kill(victim, SIGKILL);
	waitpid(victim, NULL, 0);
	CloseHandle(process);
	printf("1..%u\n", n_tests);
	return n_failed > 0;
}
