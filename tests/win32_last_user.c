/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * win32_last_user.c - the last library that needs ours is given back by ours
 *
 * This program is not linked with ours: it comes and would go with the library that is loaded here,
 * and FreeLibrary() would return into memory that is not there.
 */
#include <dlfcn.h>
#include <stdio.h>

#include <tendril/win32.h>

int main(int argc, char **argv)
{
	void *user = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
	BOOL (*free_library)(HMODULE);
	HMODULE (*module_handle)(LPCSTR);

	printf("1..1\n");
	if (!user) {
		printf("not ok 1 - %s\n", argc == 2 ? dlerror() : "usage: win32_last_user LIBRARY");
		return 1;
	}
	*(void **)&free_library = dlsym(user, "FreeLibrary");
	*(void **)&module_handle = dlsym(user, "GetModuleHandleA");
	printf("%sok 1 - it comes back\n", free_library(module_handle("last_user")) &&
					   !dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) ? "" : "not ");
	return 0;
}
