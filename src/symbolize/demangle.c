/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * demangle.c - C++ and Rust names as their authors wrote them
 *
 * A few hundred bytes of a mangled name can stand for gigabytes of a readable one, by references to
 * its own parts, and libiberty writes them all.  So what is written is counted, and left at a
 * bound.
 */
#include "symbolize/object.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <string.h>

#define MANGLED_MAX  8192 /* its recursion goes as deep as the name is long */
#define RAW_MAX	     1024

struct writing {
	char text[READABLE_MAX];
	size_t n;
	jmp_buf full;
};

static void write_piece(const char *piece, size_t bytes, void *data)
{
	struct writing *writing = data;

	/* The library cannot be told to stop; nothing that it holds is lost (v3 allocates nothing
	 * here, Rust's punycode a few bytes). */
	if (bytes > sizeof(writing->text) - writing->n)
		longjmp(writing->full, 1);
	memcpy(writing->text + writing->n, piece, bytes);
	writing->n += bytes;
}

static bool demangle(const char *name, struct writing *writing)
{
	if (setjmp(writing->full) != 0)
		return false;
	writing->n = 0;
	/* Rust's old names are C++'s too, with a hash behind them: ask for Rust first. */
	if (rust_demangle_callback(name, DMGL_NO_OPTS, write_piece, writing))
		return writing->n > 0;
	writing->n = 0;
	return cplus_demangle_v3_callback(name, DMGL_NO_OPTS, write_piece, writing) &&
	       writing->n > 0;
}

bool is_mangled(const char *name)
{
	return strncmp(name, "_Z", 2) == 0 || strncmp(name, "_R", 2) == 0;
}

bool demangle_into(const char *name, char out[READABLE_MAX + 1])
{
	struct writing writing;

	if (!is_mangled(name) || strnlen(name, MANGLED_MAX + 1) > MANGLED_MAX ||
	    !demangle(name, &writing))
		return false;
	memcpy(out, writing.text, writing.n);
	out[writing.n] = '\0';
	return true;
}

const char *object_demangle(struct object *object, const char *name)
{
	size_t bytes = strnlen(name, MANGLED_MAX + 1);
	struct writing writing;

	if (is_mangled(name) && bytes <= MANGLED_MAX && demangle(name, &writing))
		return object_text(object, writing.text, writing.n);
	return object_text(object, name, bytes < RAW_MAX ? bytes : RAW_MAX);
}
