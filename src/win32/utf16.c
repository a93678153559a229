/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * utf16.c - the W functions' UTF-16 from and to the UTF-8 that Linux has
 *
 * Names are bytes on Linux and need not be UTF-8, and a program's UTF-16 may have half a pair: what
 * is no character becomes U+FFFD, one for each longest beginning of a character, as Unicode
 * recommends.
 */
#include "win32/utf16.h"

#include <string.h>

#define NO_CHARACTER    0xfffdu
#define FIRST_HIGH_HALF 0xd800u
#define FIRST_LOW_HALF  0xdc00u
#define BEHIND_HALVES   0xe000u
#define FIRST_PAIR      0x10000u

static size_t bytes_of_lead(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4) /* inside of a character, overlong, or beyond Unicode */
		return 0;
	return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* The first of bytes > 0; returns how many it takes. */
static size_t decode_utf8(const unsigned char *s, size_t bytes, uint32_t *ret_c)
{
	size_t n = bytes_of_lead(s[0]);
	/* The second byte may not make it overlong, half of a pair, or beyond Unicode. */
	unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
	uint32_t c = n > 1 ? s[0] & (0x7fu >> n) : s[0];

	*ret_c = NO_CHARACTER;
	if (n == 0)
		return 1;
	for (size_t i = 1; i < n; i++) {
		if (i == bytes || s[i] < low || s[i] > high)
			return i;
		low = 0x80;
		high = 0xbf;
		c = c << 6 | (s[i] & 0x3fu);
	}
	*ret_c = c;
	return n;
}

/* The first of units > 0; returns how many it takes. */
static size_t decode_utf16(const WCHAR *s, size_t units, uint32_t *ret_c)
{
	*ret_c = s[0];
	if (s[0] < FIRST_HIGH_HALF || s[0] >= BEHIND_HALVES)
		return 1;
	*ret_c = NO_CHARACTER;
	if (s[0] >= FIRST_LOW_HALF || units < 2 || s[1] < FIRST_LOW_HALF || s[1] >= BEHIND_HALVES)
		return 1;
	*ret_c = FIRST_PAIR + ((s[0] - FIRST_HIGH_HALF) << 10) + (s[1] - FIRST_LOW_HALF);
	return 2;
}

static size_t encode_utf16(uint32_t c, WCHAR out[2])
{
	if (c < FIRST_PAIR) {
		out[0] = (WCHAR)c;
		return 1;
	}
	c -= FIRST_PAIR;
	out[0] = (WCHAR)(FIRST_HIGH_HALF + (c >> 10));
	out[1] = (WCHAR)(FIRST_LOW_HALF + (c & 0x3ffu));
	return 2;
}

static size_t encode_utf8(uint32_t c, char out[4])
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < FIRST_PAIR ? 3 : 4;

	if (n == 1) {
		out[0] = (char)c;
		return 1;
	}
	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80u | (c & 0x3fu));
	out[0] = (char)(0xf00u >> n | c);
	return n;
}

size_t utf16_from_utf8(const char *text, size_t bytes, WCHAR *out, size_t room)
{
	size_t whole = 0, used = 0;

	for (size_t at = 0; at < bytes;) {
		WCHAR unit[2];
		uint32_t c;
		size_t n;

		at += decode_utf8((const unsigned char *)text + at, bytes - at, &c);
		n = encode_utf16(c, unit);
		if (used == whole && used + n < room) {
			memcpy(out + used, unit, n * sizeof(unit[0]));
			used += n;
		}
		whole += n;
	}
	if (room > 0)
		out[used] = 0;
	return whole;
}

size_t utf8_from_utf16(const WCHAR *text, size_t units, char *out, size_t room)
{
	size_t whole = 0, used = 0;

	for (size_t at = 0; at < units;) {
		char byte[4];
		uint32_t c;
		size_t n;

		at += decode_utf16(text + at, units - at, &c);
		n = encode_utf8(c, byte);
		if (used == whole && used + n < room) {
			memcpy(out + used, byte, n);
			used += n;
		}
		whole += n;
	}
	if (room > 0)
		out[used] = '\0';
	return whole;
}

size_t utf8_copy(const char *text, char *out, size_t room)
{
	size_t whole = strlen(text), used = 0;

	while (used < whole) {
		uint32_t c;
		size_t n = decode_utf8((const unsigned char *)text + used, whole - used, &c);

		if (used + n >= room)
			break;
		used += n;
	}
	if (room > 0) {
		memcpy(out, text, used);
		out[used] = '\0';
	}
	return whole;
}

size_t utf16_length(const WCHAR *text, size_t max_units)
{
	size_t n = 0;

	while (n < max_units && text[n])
		n++;
	return n;
}
