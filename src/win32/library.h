/* SPDX-License-Identifier: BSD-2-Clause */
/* library.h - modules and functions by name, and our own functions where we are not loaded */
#ifndef WIN32_LIBRARY_H
#define WIN32_LIBRARY_H

#include <limits.h>

#include "elf/symbols.h"
#include "win32/win32_internal.h"

#define LIBRARY_NAME_BYTES PATH_MAX

/*
 * stand_in.c: tendril_create(), but if start is one of our own functions that can be a thread
 * function, and the target is another process, what does the same there runs in its place.
 */
int stand_in_create(struct tendril_target *target, uint64_t start, uint64_t param,
		    const struct tendril_thread_options *options,
		    struct tendril_thread **ret_thread, struct tendril_error *error);

/* What LoadLibrary() looks for: the name, with the extension that libraries have if it has neither
 * one nor a directory.  In place.  Return: 0, -ENOENT: there is no name, -E2BIG. */
int library_file_name(char text[LIBRARY_NAME_BYTES]);
/* A text of UTF-16 as a name.  Return: 0, -E2BIG. */
int library_name_from_utf16(const WCHAR *text, size_t max_units, char ret_name[LIBRARY_NAME_BYTES]);

/* The module that begins there; NULL: none does. */
const struct elf_module *library_at(const struct elf_modules *modules, raddr_t base);

#endif /* WIN32_LIBRARY_H */
