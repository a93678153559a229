/* SPDX-License-Identifier: BSD-2-Clause */
/* functions.h - what the files of this room share about functions by name */
#ifndef SYMBOLIZE_FUNCTIONS_H
#define SYMBOLIZE_FUNCTIONS_H

#include "symbolize/space.h"

struct named_function {
	uint64_t low, high;
	const char *symbol; /* without its version */
	size_t stem;	    /* so many bytes of it are not the compiler's suffix */
	const char *name;   /* as users read it; NULL: not asked for yet */
	bool exported;
};

/* In order of address, then of names.  A name can be there twice, from two tables. */
struct function_table {
	struct named_function *function;
	size_t n, room;
};

/* What the tables of an opened file name.  NULL: out of memory. */
const struct function_table *object_functions(struct object *object);
/* As users read it; NULL: out of memory. */
const char *object_function_name(struct object *object, struct named_function *function);

#define IDENTIFIER_MAX 256

struct pattern {
	char *text;	     /* owns the two; to be freed */
	const char *library; /* NULL: any */
	const char *symbol;
	bool is_glob;
	/* What a mangled name has in it when its readable form can match; empty: not known. */
	char identifier[IDENTIFIER_MAX];
};

/* Return: 0; -EINVAL: there is no name in it; -ENOMEM. */
int pattern_read(const char *text, struct pattern *ret_pattern);

/* Is it of a file that can be used, and that goes by this name (NULL: any)? */
bool mapping_is_searched(const struct mapping *mapping, const char *library);

#endif /* SYMBOLIZE_FUNCTIONS_H */
