/* SPDX-License-Identifier: BSD-2-Clause */
/* test_utf16.c - between UTF-8 and UTF-16, also of what is neither */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "win32/utf16.h"

#include <cmocka.h>

#define ROOM 32

/* In memory of its own, so that AddressSanitizer sees every step beyond. */
static void *exactly(const void *bytes, size_t n)
{
	void *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	if (n > 0)
		memcpy(copy, bytes, n);
	return copy;
}

static void widens_to(const char *text, size_t bytes, const WCHAR *expected, size_t units)
{
	AUTO_FREE char *copy = exactly(text, bytes);
	WCHAR out[ROOM];

	memset(out, 0xee, sizeof(out));
	assert_int_equal(utf16_from_utf8(copy, bytes, out, ROOM), units);
	assert_memory_equal(out, expected, units * sizeof(out[0]));
	assert_int_equal(out[units], 0);
	assert_int_equal(out[units + 1], 0xeeee);
}

#define WIDENS_TO(text, ...)                                                                       \
	do {                                                                                       \
		const WCHAR expected_[] = { __VA_ARGS__ };                                         \
		widens_to(text, sizeof(text) - 1, expected_, ARRAY_SIZE(expected_));               \
	} while (0)

static void test_characters_of_every_length_become_units(void **state)
{
	(void)state;
	widens_to("", 0, NULL, 0);
	WIDENS_TO("a\x7f", 'a', 0x7f);
	WIDENS_TO("\xc2\x80\xdf\xbf", 0x80, 0x7ff);
	WIDENS_TO("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", 0x800, 0xd7ff, 0xe000,
		  0xffff);
	WIDENS_TO("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 0xd800, 0xdc00, 0xdbff, 0xdfff);
	WIDENS_TO("a\0b", 'a', 0, 'b');
}

static void test_what_is_no_utf8_is_replaced(void **state)
{
	(void)state;
	WIDENS_TO("\x80\xbfz", 0xfffd, 0xfffd, 'z');                   /* inside of a character */
	WIDENS_TO("\xc0\xaf\xc1\x81", 0xfffd, 0xfffd, 0xfffd, 0xfffd); /* overlong */
	WIDENS_TO("\xe0\x80\xaf", 0xfffd, 0xfffd, 0xfffd);
	WIDENS_TO("\xed\xa0\x80", 0xfffd, 0xfffd, 0xfffd);             /* half a pair */
	WIDENS_TO("\xf4\x90\x80\x80", 0xfffd, 0xfffd, 0xfffd, 0xfffd); /* beyond Unicode */
	WIDENS_TO("\xf5\xff\xfe", 0xfffd, 0xfffd, 0xfffd);
	/* the longest beginning of one is one, and what follows is not swallowed */
	WIDENS_TO("\xe2\x82z", 0xfffd, 'z');
	WIDENS_TO("\xf0\x9f\x98\xc3\xa4", 0xfffd, 0xe4);
	WIDENS_TO("a\xf0\x9f\x98", 'a', 0xfffd); /* cut off by the end */
	WIDENS_TO("\xc3", 0xfffd);
}

static void narrows_to(const WCHAR *text, size_t units, const char *expected)
{
	AUTO_FREE WCHAR *copy = exactly(text, units * sizeof(*text));
	char out[ROOM];

	memset(out, '#', sizeof(out));
	assert_int_equal(utf8_from_utf16(copy, units, out, ROOM), strlen(expected));
	assert_string_equal(out, expected);
	assert_int_equal(out[strlen(expected) + 1], '#');
}

static void test_units_become_characters_of_every_length(void **state)
{
	const WCHAR short_ones[] = { 'a', 0x7f, 0x80, 0x7ff };
	const WCHAR long_ones[] = { 0x800, 0xffff, 0xd800, 0xdc00, 0xdbff, 0xdfff };

	(void)state;
	narrows_to(NULL, 0, "");
	narrows_to(short_ones, 4, "a\x7f\xc2\x80\xdf\xbf");
	narrows_to(long_ones, 6, "\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
}

static void test_halves_of_pairs_are_replaced(void **state)
{
	const WCHAR high_last[] = { 'a', 0xd83d };
	const WCHAR wrong_way[] = { 0xde00, 0xd83d, 'z' };
	const WCHAR two_high[] = { 0xd83d, 0xd83d, 0xde00 };

	(void)state;
	narrows_to(high_last, 2, "a\xef\xbf\xbd");
	narrows_to(wrong_way, 3, "\xef\xbf\xbd\xef\xbf\xbdz");
	narrows_to(two_high, 3, "\xef\xbf\xbd\xf0\x9f\x98\x80");
}

/* Every room from none to enough: whole characters, always ended, and nothing behind the room. */
static void test_what_does_not_fit_is_cut_between_characters(void **state)
{
	static const char text[] = "a\xf0\x9f\x98\x80z";
	static const WCHAR wide[] = { 'a', 0xd83d, 0xde00, 'z' };
	static const size_t units[] = { 0, 0, 1, 1, 3, 4 }, bytes[] = { 0, 0, 1, 1, 1, 1, 5, 6 };

	(void)state;
	for (size_t room = 0; room < ARRAY_SIZE(units); room++) {
		AUTO_FREE WCHAR *out = malloc(room ? room * sizeof(*out) : 1);

		assert_int_equal(utf16_from_utf8(text, strlen(text), out, room), 4);
		assert_memory_equal(out, wide, units[room] * sizeof(*out));
		assert_true(room == 0 || out[units[room]] == 0);
	}
	for (size_t room = 0; room < ARRAY_SIZE(bytes); room++) {
		AUTO_FREE char *out = malloc(room ? room : 1), *copy = malloc(room ? room : 1);

		assert_int_equal(utf8_from_utf16(wide, 4, out, room), 6);
		assert_int_equal(utf8_copy(text, copy, room), 6);
		assert_memory_equal(out, text, bytes[room]);
		assert_memory_equal(copy, text, bytes[room]);
		assert_true(room == 0 || (out[bytes[room]] == 0 && copy[bytes[room]] == 0));
	}
	/* What does not fit ends it, though something shorter behind it would. */
	assert_int_equal(utf16_from_utf8("\xf0\x9f\x98\x80z", 5, (WCHAR[2]){ 7, 7 }, 2), 3);
}

static void test_bytes_that_are_no_characters_are_copied(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(utf8_copy("\xff\x1b\n\xc3", out, sizeof(out)), 4);
	assert_string_equal(out, "\xff\x1b\n\xc3");
}

static void test_every_character_survives_there_and_back(void **state)
{
	(void)state;
	for (uint32_t c = 1; c < 0x110000; c++) {
		WCHAR wide[3] = { (WCHAR)c, 0 }, again[4];
		size_t units = 1;
		char text[8];
		size_t bytes;

		if (c >= 0xd800 && c < 0xe000)
			continue;
		if (c > 0xffff) {
			wide[0] = (WCHAR)(0xd7c0 + (c >> 10));
			wide[1] = (WCHAR)(0xdc00 + (c & 0x3ff));
			units = 2;
		}
		bytes = utf8_from_utf16(wide, units, text, sizeof(text));
		assert_int_equal(bytes, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
		assert_int_equal(utf16_from_utf8(text, bytes, again, 4), units);
		assert_memory_equal(again, wide, units * sizeof(wide[0]));
	}
}

static void test_length_is_bounded(void **state)
{
	const WCHAR text[] = { 'a', 'b', 0, 'c' };

	(void)state;
	assert_int_equal(utf16_length(text, 4), 2);
	assert_int_equal(utf16_length(text, 2), 2);
	assert_int_equal(utf16_length(text, 1), 1);
	assert_int_equal(utf16_length(NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_characters_of_every_length_become_units),
		cmocka_unit_test(test_what_is_no_utf8_is_replaced),
		cmocka_unit_test(test_units_become_characters_of_every_length),
		cmocka_unit_test(test_halves_of_pairs_are_replaced),
		cmocka_unit_test(test_what_does_not_fit_is_cut_between_characters),
		cmocka_unit_test(test_bytes_that_are_no_characters_are_copied),
		cmocka_unit_test(test_every_character_survives_there_and_back),
		cmocka_unit_test(test_length_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
