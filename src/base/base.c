/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

#include <stdio.h>
#include <string.h>

void nap_ns(int64_t ns)
{
	struct timespec ts = { .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

int fail(struct tendril_error *error, int code, enum tendril_stage stage, enum tendril_rule rule,
	 const char *format, ...)
{
	va_list args;

	if (!error)
		return code;
	error->code = code;
	error->stage = stage;
	error->left = code == -ESRCH ? TENDRIL_LEFT_GONE : TENDRIL_LEFT_NOTHING;
	error->rule = rule;
	va_start(args, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return code;
}

bool is_unseen_character(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0xad, 0xad },	    /* the soft hyphen */
		{ 0x61c, 0x61c },   { 0x180e, 0x180e },
		{ 0x200b, 0x200f }, /* no width; marks of direction */
		{ 0x2028, 0x202e }, /* ends of lines; overrides of direction */
		{ 0x2060, 0x206f }, /* isolates of direction */
		{ 0xfeff, 0xfeff }, { 0xfff9, 0xfffb },
		{ 0xfffe, 0xffff },   /* no characters at all: XML cannot hold them */
		{ 0xe0000, 0xe007f }, /* tags */
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

static uint32_t utf8_character(const unsigned char *s, size_t n)
{
	uint32_t c = s[0] & (0xffu >> (n + 1));

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (s[i] & 0x3fu);
	return c;
}

/* How many bytes the UTF-8 sequence at s has, 0 when it is broken, overlong, a control or unseen. */
static size_t utf8_sequence(const unsigned char *s)
{
	size_t n = s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;

	if (s[0] >= 0xf5 || n == 0)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	if (s[0] == 0xc2 && s[1] < 0xa0) /* C1 controls: a terminal obeys them */
		return 0;
	return is_unseen_character(utf8_character(s, n)) ? 0 : n;
}

void escape_text(const char *text, char *out, size_t bytes)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t used = 0;

	if (bytes == 0)
		return;
	while (*s) {
		size_t n = *s >= 0x20 && *s < 0x7f ? 1 : utf8_sequence(s);
		char hex[8];

		if (n == 0) {
			(void)snprintf(hex, sizeof(hex), "\\x%02x", *s);
			if (used + 4 >= bytes)
				break;
			memcpy(out + used, hex, 4);
			used += 4;
			s++;
			continue;
		}
		if (used + n >= bytes)
			break;
		memcpy(out + used, s, n);
		used += n;
		s += n;
	}
	out[used] = '\0';
}
