/* SPDX-License-Identifier: BSD-2-Clause */
/* ll.c - a library for ll.c to have loaded: notes its initialisation, and has functions to run */
#include <tendril/win32.h>

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#define STEPS 1000000u

/* How far the initialisation has come. */
EXPORT volatile DWORD library_steps;

/* Long enough to be overtaken by a thread that does not wait for it. */
__attribute__((constructor)) static void initialise(void)
{
	while (library_steps < STEPS)
		library_steps++;
}

EXPORT DWORD WINAPI library_triple(LPVOID argument);
EXPORT DWORD WINAPI library_leave(LPVOID self);

EXPORT DWORD WINAPI library_triple(LPVOID argument)
{
	return library_steps == STEPS ? 3 * (DWORD)(ULONG_PTR)argument : 0;
}

/* As a library's own thread ends that was to be there for a while only. */
EXPORT DWORD WINAPI library_leave(LPVOID self)
{
	FreeLibraryAndExitThread(self, 0x89abcdefu);
}
