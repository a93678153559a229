/* SPDX-License-Identifier: BSD-2-Clause */
/* lines.h - lines for people: escaped, coloured, cut at the terminal's edge */
#ifndef BASE_LINES_H
#define BASE_LINES_H

#include <stdio.h>

#include "base/base.h"

#define LINES_BOLD "\x1b[1m"
#define LINES_RED  "\x1b[1;31m"
#define LINES_DIM  "\x1b[2m"

struct lines {
	FILE *out;
	bool colour;
	size_t width; /* of the terminal; 0: lines are not cut */
};

/* A name of the target's, escaped and short enough. */
struct text {
	char s[1024];
};

/* NULL is "?". */
struct text lines_escape(const char *raw);
struct text lines_duration(int64_t ns);
const char *lines_plural(uint64_t n);
/* What is behind the last slash, unless nothing is. */
const char *lines_base_name(const char *path);
/* Take characters off the end until it fits; 0: it always does. */
void lines_cut(char *line, size_t width);
/* One line, with the colour (or NULL) around it.  Its words are escaped already. */
void lines_print(const struct lines *lines, const char *colour, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* BASE_LINES_H */
