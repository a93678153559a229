/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * failing_alloc.c - loaded before libc: the FAIL_ALLOC-th malloc(), calloc() or realloc() fails
 *
 * Counted from failing_alloc_begin() on.  Says at the end which one that was.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

void failing_alloc_begin(void);
void failing_alloc_end(void);
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);

static bool counts;
static long made, fails;
static const char *failed = "none\n";
static size_t failed_length = 5;

void failing_alloc_begin(void)
{
	const char *word = getenv("FAIL_ALLOC");

	fails = word ? strtol(word, NULL, 10) : 0;
	counts = true;
}

void failing_alloc_end(void)
{
	counts = false;
	(void)!write(2, failed, failed_length);
}

static bool fail_this(const char *name, size_t length)
{
	if (!counts || ++made != fails)
		return false;
	failed = name;
	failed_length = length;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t bytes)
{
	return fail_this("malloc\n", 7) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
	return fail_this("calloc\n", 7) ? NULL : __libc_calloc(n, bytes);
}

void *realloc(void *old, size_t bytes)
{
	return fail_this("realloc\n", 8) ? NULL : __libc_realloc(old, bytes);
}
