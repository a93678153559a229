/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/output.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define REPLACEMENT 0xfffd

/*
 * Take one character off valid or broken UTF-8.  A broken byte is taken alone and gives
 * REPLACEMENT; *ret_bytes tells how long it was.
 */
static uint32_t decode(const unsigned char *s, size_t *ret_bytes)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 :
		   s[0] < 0xf5 ? 4 : 0;
	uint32_t c = n == 1 ? s[0] : n == 0 ? 0 : s[0] & (0x7fu >> n);

	*ret_bytes = 1;
	if (n == 0)
		return REPLACEMENT;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80) /* the NUL at the end stops here too */
			return REPLACEMENT;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return REPLACEMENT;
	*ret_bytes = n;
	return c;
}

/* Terminals */

struct range {
	uint32_t low, high;
};

static bool in_ranges(uint32_t c, const struct range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (c >= ranges[i].low && c <= ranges[i].high)
			return true;
	return false;
}

/* wcwidth() would need a locale, which a library does not set. */
static size_t char_width(uint32_t c)
{
	static const struct range none[] = { { 0x300, 0x36f }, { 0x200b, 0x200f },
					     { 0x202a, 0x202e }, { 0x2060, 0x206f },
					     { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff } };
	static const struct range wide[] = { { 0x1100, 0x115f }, { 0x2e80, 0xa4cf },
					     { 0xac00, 0xd7a3 }, { 0xf900, 0xfaff },
					     { 0xfe30, 0xfe6f }, { 0xff00, 0xff60 },
					     { 0xffe0, 0xffe6 }, { 0x1f300, 0x1f64f },
					     { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd } };

	if (c < 0x300)
		return 1;
	if (in_ranges(c, none, ARRAY_SIZE(none)))
		return 0;
	return in_ranges(c, wide, ARRAY_SIZE(wide)) ? 2 : 1;
}

size_t output_text_width(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t width = 0, n;

	for (; *s; s += n)
		width += char_width(decode(s, &n));
	return width;
}

char *output_escape(const char *text)
{
	size_t room = strlen(text) * 4 + 1; /* every byte as \xNN */
	char *escaped = malloc(room);

	if (escaped)
		escape_text(text, escaped, room);
	return escaped;
}

/* How many bytes of text fill at most width columns. */
static size_t cut_at_width(const char *text, size_t width)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t used = 0, n;

	for (; *s; s += n) {
		used += char_width(decode(s, &n));
		if (used > width)
			break;
	}
	return (size_t)((const char *)s - text);
}

/* JSON */

void json_write_string(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	putc('"', out);
	for (; *s; s += n) {
		uint32_t c = decode(s, &n);

		if (c == '"' || c == '\\')
			(void)fprintf(out, "\\%c", (int)c);
		else if (c == '\n')
			(void)fputs("\\n", out);
		else if (c == '\t')
			(void)fputs("\\t", out);
		else if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			(void)fprintf(out, "\\u%04x", (unsigned)c);
		else if (c <= 0xffff && is_unseen_character(c))
			(void)fprintf(out, "\\u%04x", (unsigned)c);
		else if (c == REPLACEMENT)
			(void)fputs("\xef\xbf\xbd", out);
		else
			(void)fwrite(s, 1, n, out);
	}
	putc('"', out);
}

static void begin(struct json *json, const char *name)
{
	if (json->filled[json->depth])
		(void)fputs(",", json->out);
	json->filled[json->depth] = true;
	if (!name)
		return;
	json_write_string(json->out, name);
	putc(':', json->out);
}

static void open_level(struct json *json, const char *name, char bracket)
{
	begin(json, name);
	putc(bracket, json->out);
	if (json->depth + 1 < JSON_DEPTH_MAX) /* our own documents are never so deep */
		json->depth++;
	json->filled[json->depth] = false;
}

static void close_level(struct json *json, char bracket)
{
	putc(bracket, json->out);
	if (json->depth > 0)
		json->depth--;
	if (json->depth == 0) {
		putc('\n', json->out);
		json->filled[0] = false;
	}
}

void json_object(struct json *json, const char *name)
{
	open_level(json, name, '{');
}

void json_array(struct json *json, const char *name)
{
	open_level(json, name, '[');
}

void json_end_object(struct json *json)
{
	close_level(json, '}');
}

void json_end_array(struct json *json)
{
	close_level(json, ']');
}

void json_text(struct json *json, const char *name, const char *text)
{
	if (!text) {
		json_null(json, name);
		return;
	}
	begin(json, name);
	json_write_string(json->out, text);
}

void json_unsigned(struct json *json, const char *name, uint64_t number)
{
	begin(json, name);
	(void)fprintf(json->out, "%" PRIu64, number);
}

void json_signed(struct json *json, const char *name, int64_t number)
{
	begin(json, name);
	(void)fprintf(json->out, "%" PRId64, number);
}

/* The point whatever the locale: printf() would write the user's. */
static void format_real(double number, char *out, size_t bytes)
{
	(void)snprintf(out, bytes, "%.3f", number);
	for (char *s = out; *s; s++)
		if (*s != '-' && (*s < '0' || *s > '9'))
			*s = '.';
}

void json_real(struct json *json, const char *name, double number)
{
	char text[352]; /* the largest double has 309 digits */

	if (!isfinite(number)) {
		json_null(json, name);
		return;
	}
	begin(json, name);
	format_real(number, text, sizeof(text));
	(void)fputs(text, json->out);
}

void json_bool(struct json *json, const char *name, bool boolean)
{
	begin(json, name);
	(void)fputs(boolean ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *name)
{
	begin(json, name);
	(void)fputs("null", json->out);
}

/* Tables */

struct output_table {
	const struct output_column *columns;
	size_t n_columns, n_rows, room;
	struct output_value *values; /* row after row; text is owned */
};

struct output_table *output_table_new(const struct output_column *columns, size_t n_columns)
{
	struct output_table *table = calloc(1, sizeof(*table));

	if (table) {
		table->columns = columns;
		table->n_columns = n_columns;
	}
	return table;
}

static bool owns_text(const struct output_table *table, size_t i)
{
	return table->columns[i % table->n_columns].type == OUTPUT_TEXT;
}

void output_table_free(struct output_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_rows * table->n_columns; i++)
		if (owns_text(table, i) && table->values[i].known)
			free((char *)table->values[i].text);
	free(table->values);
	free(table);
}

static int make_room(struct output_table *table)
{
	size_t room = table->room ? table->room * 2 : 32;
	struct output_value *values;

	if (table->n_rows < table->room)
		return 0;
	values = reallocarray(table->values, room * table->n_columns, sizeof(*values));
	if (!values)
		return -ENOMEM;
	table->values = values;
	table->room = room;
	return 0;
}

int output_table_add(struct output_table *table, const struct output_value *values)
{
	struct output_value *row;

	if (make_room(table) < 0)
		return -ENOMEM;
	row = table->values + table->n_rows * table->n_columns;
	for (size_t i = 0; i < table->n_columns; i++) {
		row[i] = values[i];
		if (!owns_text(table, i) || !values[i].known)
			continue;
		row[i].text = strdup(values[i].text);
		if (row[i].text)
			continue;
		while (i-- > 0)
			if (owns_text(table, i) && row[i].known)
				free((char *)row[i].text);
		return -ENOMEM;
	}
	table->n_rows++;
	return 0;
}

/* What a cell looks like in a table, in allocated memory; NULL: out of memory. */
static char *cell_text(const struct output_column *column, const struct output_value *value)
{
	char text[352];

	if (!value->known)
		return strdup("-");
	switch (column->type) {
	case OUTPUT_TEXT:
		return output_escape(value->text);
	case OUTPUT_UNSIGNED:
		(void)snprintf(text, sizeof(text), "%" PRIu64, value->number);
		break;
	case OUTPUT_SIGNED:
		(void)snprintf(text, sizeof(text), "%" PRId64, value->signed_number);
		break;
	case OUTPUT_REAL:
		format_real(value->real, text, sizeof(text));
		break;
	default:
		return strdup(value->boolean ? "yes" : "-");
	}
	return strdup(text);
}

static bool is_last_shown(const struct output_table *table, size_t column)
{
	for (size_t i = column + 1; i < table->n_columns; i++)
		if (table->columns[i].name)
			return false;
	return true;
}

static void print_cell(const struct output_table *table, size_t column, const char *text,
		       size_t column_width, size_t left, FILE *out)
{
	bool last = is_last_shown(table, column);
	size_t width = output_text_width(text);
	size_t blanks = column_width > width ? column_width - width : 0;

	if (table->columns[column].align == OUTPUT_RIGHT)
		(void)fprintf(out, "%*s%s", (int)blanks, "", text);
	else if (!last)
		(void)fprintf(out, "%s%*s", text, (int)blanks, "");
	else
		(void)fwrite(text, 1, left ? cut_at_width(text, left) : strlen(text), out);
	(void)fputs(last ? "\n" : "  ", out);
}

/* One line from the texts of its cells. */
static void print_line(const struct output_table *table, char *const *texts, const size_t *widths,
		       FILE *out, size_t width)
{
	size_t used = 0;

	for (size_t i = 0; i < table->n_columns; i++) {
		if (!table->columns[i].name)
			continue;
		print_cell(table, i, texts[i], widths[i], width > used ? width - used : width, out);
		used += widths[i] + 2;
	}
}

static void free_texts(char **texts, size_t n)
{
	for (size_t i = 0; texts && i < n; i++)
		free(texts[i]);
	free(texts);
}

/* The headings and all cells; their widths are gathered on the way. */
static char **make_texts(const struct output_table *table, size_t *widths)
{
	size_t n = (table->n_rows + 1) * table->n_columns;
	char **texts = calloc(n, sizeof(*texts));

	for (size_t i = 0; texts && i < n; i++) {
		size_t column = i % table->n_columns, width;
		const char *heading = table->columns[column].name;

		texts[i] = i < table->n_columns ? strdup(heading ? heading : "") :
			   cell_text(&table->columns[column], &table->values[i - table->n_columns]);
		if (!texts[i]) {
			free_texts(texts, n);
			return NULL;
		}
		width = output_text_width(texts[i]);
		if (width > widths[column])
			widths[column] = width;
	}
	return texts;
}

int output_table_print(const struct output_table *table, FILE *out, size_t width)
{
	AUTO_FREE size_t *widths = calloc(table->n_columns, sizeof(*widths));
	char **texts = widths ? make_texts(table, widths) : NULL;

	if (!texts)
		return -ENOMEM;
	for (size_t row = 0; row <= table->n_rows; row++)
		print_line(table, texts + row * table->n_columns, widths, out, width);
	free_texts(texts, (table->n_rows + 1) * table->n_columns);
	return fflush(out) == EOF || ferror(out) ? -EIO : 0;
}

static void print_json_value(struct json *json, const struct output_column *column,
			     const struct output_value *value)
{
	if (!value->known)
		json_null(json, column->json_name);
	else if (column->type == OUTPUT_TEXT)
		json_text(json, column->json_name, value->text);
	else if (column->type == OUTPUT_UNSIGNED)
		json_unsigned(json, column->json_name, value->number);
	else if (column->type == OUTPUT_SIGNED)
		json_signed(json, column->json_name, value->signed_number);
	else if (column->type == OUTPUT_REAL)
		json_real(json, column->json_name, value->real);
	else
		json_bool(json, column->json_name, value->boolean);
}

int output_table_print_json(const struct output_table *table, FILE *out)
{
	struct json json = { .out = out };

	json_array(&json, NULL);
	for (size_t row = 0; row < table->n_rows; row++) {
		json_object(&json, NULL);
		for (size_t i = 0; i < table->n_columns; i++)
			if (table->columns[i].json_name)
				print_json_value(&json, &table->columns[i],
						 &table->values[row * table->n_columns + i]);
		json_end_object(&json);
	}
	json_end_array(&json);
	return fflush(out) == EOF || ferror(out) ? -EIO : 0;
}
