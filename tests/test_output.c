/* SPDX-License-Identifier: BSD-2-Clause */
/* test_output.c - tables and JSON, from text that nobody has checked */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/output.h"

#include <cmocka.h> /* behind base.h: its macro fail() is not our function */

static void expect(FILE *out, char **text, const char *wanted)
{
	assert_int_equal(fflush(out), 0);
	assert_string_equal(*text, wanted);
}

static void expect_json_string(const char *raw, const char *wanted)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	json_write_string(out, raw);
	expect(out, &text, wanted);
	(void)fclose(out);
	free(text);
}

#define FFFD "\xef\xbf\xbd"

static void test_json_strings(void **state)
{
	(void)state;
	expect_json_string("", "\"\"");
	expect_json_string("a\"b\\c/", "\"a\\\"b\\\\c/\"");
	expect_json_string("\n\t\r\x1b\x01\x7f", "\"\\n\\t\\u000d\\u001b\\u0001\\u007f\"");
	expect_json_string("\xc2\x9b[31m", "\"\\u009b[31m\""); /* C1: a terminal obeys it */
	expect_json_string("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\xb1",
			   "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\xb1\"");
}

static void test_json_strings_of_broken_utf8(void **state)
{
	(void)state;
	expect_json_string("\xff", "\"" FFFD "\"");
	expect_json_string("a\x80z", "\"a" FFFD "z\"");
	expect_json_string("\xc3", "\"" FFFD "\"");             /* cut short */
	expect_json_string("\xe2\x82", "\"" FFFD FFFD "\"");    /* each byte for itself */
	expect_json_string("\xc3\"", "\"" FFFD "\\\"\"");       /* the quote is not swallowed */
	expect_json_string("\xc0\xaf", "\"" FFFD FFFD "\"");    /* overlong */
	expect_json_string("\xe0\x80\xaf", "\"" FFFD FFFD FFFD "\"");
	expect_json_string("\xed\xa0\x80", "\"" FFFD FFFD FFFD "\""); /* surrogate */
	expect_json_string("\xf4\x90\x80\x80", "\"" FFFD FFFD FFFD FFFD "\"");
	expect_json_string("\xf0\x9f\x8c", "\"" FFFD FFFD FFFD "\"");
}

static void expect_escaped(const char *raw, const char *wanted)
{
	char out[128];

	escape_text(raw, out, sizeof(out));
	assert_string_equal(out, wanted);
}

/* An override of direction would let a line of a table read backwards. */
static void test_unseen_characters(void **state)
{
	(void)state;
	expect_escaped("a\xe2\x80\xae" "b", "a\\xe2\\x80\\xaeb"); /* U+202E */
	expect_escaped("\xe2\x80\x8b", "\\xe2\\x80\\x8b");         /* no width */
	expect_escaped("\xe2\x80\xa8", "\\xe2\\x80\\xa8");         /* the end of a line */
	expect_escaped("\xef\xbb\xbf", "\\xef\\xbb\\xbf");
	expect_escaped("\xc2\xad\xd8\x9c", "\\xc2\\xad\\xd8\\x9c");
	expect_escaped("\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"); /* a tag */
	/* Their neighbours are as others are. */
	expect_escaped("\xe2\x80\x90\xe2\x80\xaf\xe2\x82\xac\xc2\xae\xf0\x9f\x8c\xb1",
		       "\xe2\x80\x90\xe2\x80\xaf\xe2\x82\xac\xc2\xae\xf0\x9f\x8c\xb1");
	expect_json_string("\xe2\x80\xae\xef\xbb\xbf\xe2\x82\xac", "\"\\u202e\\ufeff\xe2\x82\xac\"");
}

static void test_json_documents(void **state)
{
	char *text = NULL;
	size_t bytes = 0;
	struct json json = { .out = open_memstream(&text, &bytes) };

	(void)state;
	assert_non_null(json.out);
	json_object(&json, NULL);
	json_signed(&json, "a", INT64_MIN);
	json_unsigned(&json, "b", UINT64_MAX);
	json_array(&json, "c");
	json_real(&json, NULL, 1.5);
	json_real(&json, NULL, NAN);
	json_real(&json, NULL, INFINITY);
	json_object(&json, NULL);
	json_end_object(&json);
	json_end_array(&json);
	json_text(&json, "d", NULL);
	json_bool(&json, "e\n", true);
	json_null(&json, "f");
	json_end_object(&json);
	expect(json.out, &text,
	       "{\"a\":-9223372036854775808,\"b\":18446744073709551615,\"c\":[1.500,null,null,{}],"
	       "\"d\":null,\"e\\n\":true,\"f\":null}\n");
	json_array(&json, NULL); /* a second one does not begin with a comma */
	json_end_array(&json);
	assert_int_equal(fflush(json.out), 0);
	assert_non_null(strstr(text, "}\n[]\n"));
	(void)fclose(json.out);
	free(text);
}

static void test_json_real_has_a_point_in_every_locale(void **state)
{
	char *text = NULL;
	size_t bytes = 0;
	struct json json = { .out = open_memstream(&text, &bytes) };

	(void)state;
	assert_non_null(json.out);
	(void)setlocale(LC_NUMERIC, "de_DE.UTF-8"); /* where there is none, "." is what it is */
	json_real(&json, NULL, -1234.5);
	(void)setlocale(LC_NUMERIC, "C");
	expect(json.out, &text, "-1234.500");
	(void)fclose(json.out);
	free(text);
}

static const struct output_column columns[] = {
	{ "PID", "pid", OUTPUT_RIGHT, OUTPUT_SIGNED },
	{ "NAME", "name", OUTPUT_LEFT, OUTPUT_TEXT },
	{ NULL, "hidden", OUTPUT_LEFT, OUTPUT_BOOL },
	{ "COUNT", "count", OUTPUT_RIGHT, OUTPUT_UNSIGNED },
	{ "SECONDS", NULL, OUTPUT_RIGHT, OUTPUT_REAL },
	{ "WHAT", "what", OUTPUT_LEFT, OUTPUT_TEXT },
};

static struct output_table *make_table(void)
{
	struct output_table *table = output_table_new(columns, ARRAY_SIZE(columns));
	struct output_value first[ARRAY_SIZE(columns)] = {
		{ .known = true, .signed_number = 7 }, output_text("a\nb\x1b"), output_bool(true),
		output_unsigned(12345678), { .known = true, .real = 2.25 },
		output_text("some longer text \xff"),
	};
	struct output_value second[ARRAY_SIZE(columns)] = {
		{ .known = true, .signed_number = -100 }, output_text("\xe4\xb8\xad\xc3\xbc"),
	};

	assert_non_null(table);
	assert_int_equal(output_table_add(table, first), 0);
	assert_int_equal(output_table_add(table, second), 0);
	return table;
}

static void test_table(void **state)
{
	struct output_table *table = make_table();
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	assert_int_equal(output_table_print(table, out, 0), 0);
	expect(out, &text,
	       " PID  NAME           COUNT  SECONDS  WHAT\n"
	       "   7  a\\x0ab\\x1b  12345678    2.250  some longer text \\xff\n"
	       "-100  \xe4\xb8\xad\xc3\xbc                -        -  -\n");
	(void)fclose(out);
	free(text);
	output_table_free(table);
}

static void test_table_is_cut_at_the_terminal(void **state)
{
	struct output_table *table = make_table();
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	assert_int_equal(output_table_print(table, out, 44), 0);
	expect(out, &text,
	       " PID  NAME           COUNT  SECONDS  WHAT\n"
	       "   7  a\\x0ab\\x1b  12345678    2.250  some lo\n"
	       "-100  \xe4\xb8\xad\xc3\xbc                -        -  -\n");
	(void)fclose(out);
	free(text);
	output_table_free(table);
}

static void test_table_as_json(void **state)
{
	struct output_table *table = make_table();
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	assert_int_equal(output_table_print_json(table, out), 0);
	expect(out, &text,
	       "[{\"pid\":7,\"name\":\"a\\nb\\u001b\",\"hidden\":true,\"count\":12345678,"
	       "\"what\":\"some longer text " FFFD "\"},"
	       "{\"pid\":-100,\"name\":\"\xe4\xb8\xad\xc3\xbc\",\"hidden\":null,\"count\":null,"
	       "\"what\":null}]\n");
	(void)fclose(out);
	free(text);
	output_table_free(table);
}

static void test_empty_table(void **state)
{
	struct output_table *table = output_table_new(columns, ARRAY_SIZE(columns));
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	assert_int_equal(output_table_print_json(table, out), 0);
	assert_int_equal(output_table_print(table, out, 3), 0);
	expect(out, &text, "[]\nPID  NAME  COUNT  SECONDS  WHA\n");
	(void)fclose(out);
	free(text);
	output_table_free(table);
	output_table_free(NULL);
}

static void test_many_rows(void **state)
{
	struct output_table *table = output_table_new(columns, ARRAY_SIZE(columns));
	char *text = NULL;
	size_t bytes = 0, lines = 0;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct output_value row[ARRAY_SIZE(columns)] = {
			[1] = output_text("x"),
		};

		assert_int_equal(output_table_add(table, row), 0);
	}
	assert_int_equal(output_table_print(table, out, 0), 0);
	for (const char *s = text; (s = strchr(s, '\n')); s++)
		lines++;
	assert_int_equal(lines, 1001);
	(void)fclose(out);
	free(text);
	output_table_free(table);
}

static void test_failed_writing_is_reported(void **state)
{
	struct output_table *table = make_table();
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	if (!full) {
		output_table_free(table);
		printf("# skipped: %s: no /dev/full\n", __func__);
		skip();
	}
	assert_int_equal(output_table_print(table, full, 0), -EIO);
	assert_int_equal(output_table_print_json(table, full), -EIO);
	(void)fclose(full);
	output_table_free(table);
}

static void test_widths(void **state)
{
	(void)state;
	assert_int_equal(output_text_width(""), 0);
	assert_int_equal(output_text_width("abc"), 3);
	assert_int_equal(output_text_width("\xc3\xbc"), 1);
	assert_int_equal(output_text_width("\xe4\xb8\xad"), 2);
	assert_int_equal(output_text_width("e\xcc\x81"), 1); /* with an accent of its own */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_strings),
		cmocka_unit_test(test_json_strings_of_broken_utf8),
		cmocka_unit_test(test_unseen_characters),
		cmocka_unit_test(test_json_documents),
		cmocka_unit_test(test_json_real_has_a_point_in_every_locale),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_table_is_cut_at_the_terminal),
		cmocka_unit_test(test_table_as_json),
		cmocka_unit_test(test_empty_table),
		cmocka_unit_test(test_many_rows),
		cmocka_unit_test(test_failed_writing_is_reported),
		cmocka_unit_test(test_widths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
