/* SPDX-License-Identifier: BSD-2-Clause */
/* library_name.c - which module or file is meant by a name */
#include "win32/library.h"

#include <string.h>

#include "win32/utf16.h"

#define EXTENSION ".so"

int library_file_name(char text[LIBRARY_NAME_BYTES])
{
	size_t bytes = strlen(text);

	if (bytes == 0)
		return -ENOENT; /* to dlopen() that would be the program */
	if (strpbrk(text, "/."))
		return 0;
	if (bytes + sizeof(EXTENSION) > LIBRARY_NAME_BYTES)
		return -E2BIG;
	memcpy(text + bytes, EXTENSION, sizeof(EXTENSION));
	return 0;
}

int library_name_from_utf16(const WCHAR *text, size_t max_units, char ret_name[LIBRARY_NAME_BYTES])
{
	char name[LIBRARY_NAME_BYTES];
	size_t units = utf16_length(text, max_units);

	if (units == max_units || utf8_from_utf16(text, units, name, sizeof(name)) >= sizeof(name))
		return -E2BIG;
	strcpy(ret_name, name);
	return 0;
}

const struct elf_module *library_at(const struct elf_modules *modules, raddr_t base)
{
	for (size_t i = 0; base && i < modules->n_modules; i++)
		if (modules->module[i].low == base)
			return &modules->module[i];
	return NULL;
}
