/* SPDX-License-Identifier: BSD-2-Clause */
/* libraries.c - plants: handles that a library opens for its caller */
#include "plant.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int library_open(const char *path);
int stripped_open(const char *path);

PLANT(in_library)
{
	int fd = library_open("/dev/null");

	forget(fd);
}

PLANT(in_stripped)
{
	int fd = stripped_open("/dev/null"); /* LEAK through stripped_open */

	forget(fd);
}

/* Beside this program. */
static void *load(const char *name)
{
	char path[PATH_MAX];
	void *module;

	if (!realpath("/proc/self/exe", path))
		need(-1, "realpath");
	(void)snprintf(strrchr(path, '/') + 1, 64, "%s", name);
	module = dlopen(path, RTLD_NOW);
	if (!module) {
		(void)fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	return module;
}

PLANT(in_loaded)
{
	void *module = load("plant_module.so");
	int (*open_there)(const char *path);
	int fd;

	*(void **)&open_there = dlsym(module, "library_open");
	fd = open_there("/dev/null");
	forget(fd);
}

/* Gone when anybody asks: the stack has to be understood nevertheless. */
PLANT(in_unloaded)
{
	void *module = load("plant_module.so");
	int (*open_there)(const char *path);
	int fd;

	*(void **)&open_there = dlsym(module, "library_open");
	fd = open_there("/dev/null"); /* LEAK */
	(void)dlclose(module);
	forget(fd);
}
