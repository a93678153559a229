/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inject_me.c - a library for inject.c to load: says so where it is loaded, and when it goes
 *
 *     cc -shared -fPIC inject_me.c -o inject_me.so
 *     x86_64-w64-mingw32-gcc -shared inject_me.c -o inject_me.dll
 */
#include <stdio.h>

__attribute__((constructor)) static void loaded(void)
{
	puts("inject_me: I am here");
	fflush(stdout);
}

__attribute__((destructor)) static void unloaded(void)
{
	puts("inject_me: I am leaving");
	fflush(stdout);
}
