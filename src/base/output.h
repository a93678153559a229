/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * output.h - columns and rows -> an aligned table for people, or JSON for programs
 *
 * All results are written here, so that all escaping is here too: text is raw until it comes in,
 * whatever a process called itself.  In JSON every byte that is not part of valid UTF-8 becomes
 * U+FFFD, and control characters (also those of C1 and DEL) are \u00XX; in tables escape_text()
 * does the same for terminals.
 */
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include <stdio.h>

#include "base/base.h"

enum output_type {
	OUTPUT_TEXT = 0,
	OUTPUT_UNSIGNED,
	OUTPUT_SIGNED,
	OUTPUT_REAL, /* three digits behind the point */
	OUTPUT_BOOL, /* "yes" or "-" in a table */
};

enum output_align { OUTPUT_LEFT = 0, OUTPUT_RIGHT };

struct output_column {
	const char *name;      /* the heading of the table; NULL: only in JSON */
	const char *json_name; /* NULL: only in the table */
	enum output_align align;
	enum output_type type;
};

/* One cell.  Zeroes are "not known": null in JSON, "-" in a table. */
struct output_value {
	bool known;
	union {
		const char *text; /* raw; copied */
		uint64_t number;
		int64_t signed_number;
		double real;
		bool boolean;
	};
};

static inline struct output_value output_text(const char *text)
{
	return (struct output_value){ .known = text != NULL, .text = text };
}

static inline struct output_value output_unsigned(uint64_t number)
{
	return (struct output_value){ .known = true, .number = number };
}

static inline struct output_value output_bool(bool boolean)
{
	return (struct output_value){ .known = true, .boolean = boolean };
}

struct output_table;

/* The columns stay the caller's and must outlive the table.  NULL: out of memory. */
struct output_table *output_table_new(const struct output_column *columns, size_t n_columns);
void output_table_free(struct output_table *table);
/* Add a row of as many values as there are columns.  Return: 0, -ENOMEM. */
int output_table_add(struct output_table *table, const struct output_value *values);

/*
 * Write it with headings.  A last column of text is cut at width (0: never), so that a terminal's
 * lines do not wrap.
 * Return: 0, or -EIO: writing failed.
 */
int output_table_print(const struct output_table *table, FILE *out, size_t width);
/* Write it as one array of objects, one document. */
int output_table_print_json(const struct output_table *table, FILE *out);

/* Documents of other forms.  A name is NULL in arrays and for the outermost value. */

#define JSON_DEPTH_MAX 16

struct json {
	FILE *out;
	unsigned depth;
	bool filled[JSON_DEPTH_MAX]; /* something was written at this depth already */
};

void json_object(struct json *json, const char *name);
void json_array(struct json *json, const char *name);
/* Close what was opened last; behind the outermost a newline is written. */
void json_end_object(struct json *json);
void json_end_array(struct json *json);
void json_text(struct json *json, const char *name, const char *text); /* NULL: null */
void json_unsigned(struct json *json, const char *name, uint64_t number);
void json_signed(struct json *json, const char *name, int64_t number);
void json_real(struct json *json, const char *name, double number); /* not finite: null */
void json_bool(struct json *json, const char *name, bool boolean);
void json_null(struct json *json, const char *name);

/* A string with its quotes. */
void json_write_string(FILE *out, const char *text);

/* How many columns of a terminal the valid UTF-8 text takes. */
size_t output_text_width(const char *text);
/* The raw text as a terminal may see it, in allocated memory; NULL: out of memory. */
char *output_escape(const char *text);

#endif /* BASE_OUTPUT_H */
