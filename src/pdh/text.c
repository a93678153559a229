/* SPDX-License-Identifier: BSD-2-Clause */
/* text.c - UTF-8 and UTF-16, names that fit into paths, patterns, the caller's buffers */
#include "pdh/pdh_internal.h"

#define REPLACEMENT   0xfffdu /* what is shown for a character that is broken */
#define SURROGATE_LOW 0xdc00u

/* One character of UTF-8, and its bytes; 0: broken.  text is not at its end. */
static size_t decode(const char *text, uint32_t *ret_character)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 :
		   s[0] < 0xf5 ? 4 : 0;
	uint32_t c = n > 1 ? s[0] & (0xffu >> (n + 1)) : s[0];

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fu);
	}
	if (n == 0 || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret_character = c;
	return n;
}

static size_t encode(uint32_t c, char *out)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	if (n == 1) {
		out[0] = (char)c;
		return 1;
	}
	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)((0xf00 >> n & 0xff) | c);
	return n;
}

/* Controls of both sets, and what would not be seen or turn a line round. */
static bool is_shown(uint32_t c)
{
	return c >= 0x20 && (c < 0x7f || c >= 0xa0) && !is_unseen_character(c);
}

void text_tame(char *text)
{
	static const char from[] = "()\\/#*\"", to[] = "[]_____";
	char *out = text;

	for (const char *s = text; *s;) {
		const char *found = strchr(from, *s);
		uint32_t c = 0;
		size_t n = decode(s, &c);

		if (found || n == 0 || !is_shown(c)) {
			*out++ = found ? to[found - from] : '_';
			s += n ? n : 1;
			continue;
		}
		memmove(out, s, n);
		out += n;
		s += n;
	}
	*out = '\0';
}

static bool is_same_letter(char a, char b)
{
	if (a >= 'A' && a <= 'Z')
		a = (char)(a + ('a' - 'A'));
	if (b >= 'A' && b <= 'Z')
		b = (char)(b + ('a' - 'A'));
	return a == b;
}

/* Only the last * has to be tried again: what was before it matched the shortest way. */
bool text_matches(const char *pattern, const char *text)
{
	const char *star = NULL, *again = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			again = text;
		} else if (*pattern && is_same_letter(*pattern, *text)) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

/* UTF-16 */

PDH_STATUS text_of_wide(const WCHAR *wide, char **ret_text)
{
	AUTO_FREE char *text = NULL;
	size_t n = 0, used = 0;

	while (wide && n < PDH_MAX_COUNTER_PATH && wide[n])
		n++;
	if (!wide || n == PDH_MAX_COUNTER_PATH)
		return PDH_INVALID_ARGUMENT;
	text = malloc(n * 3 + 1); /* a pair becomes four bytes */
	if (!text)
		return PDH_MEMORY_ALLOCATION_FAILURE;
	for (size_t i = 0; i < n; i++) {
		uint32_t c = wide[i];

		if (c >= 0xd800 && c < SURROGATE_LOW && (wide[i + 1] & 0xfc00) == SURROGATE_LOW)
			c = 0x10000 + ((c & 0x3ff) << 10) + (wide[++i] & 0x3ffu);
		else if (c >= 0xd800 && c < 0xe000)
			return PDH_INVALID_ARGUMENT;
		used += encode(c, text + used);
	}
	text[used] = '\0';
	*ret_text = text;
	text = NULL;
	return ERROR_SUCCESS;
}

PDH_STATUS text_of_optional(const WCHAR *wide, char **ret_text)
{
	return wide ? text_of_wide(wide, ret_text) : ERROR_SUCCESS;
}

/* Return: how many units; out NULL: only count them. */
static size_t to_wide(const char *text, WCHAR *out)
{
	size_t n = 0;

	while (*text) {
		uint32_t c = REPLACEMENT;
		size_t bytes = decode(text, &c);
		bool is_pair = c >= 0x10000;

		if (out && is_pair) {
			out[n] = (WCHAR)(0xd800 + ((c - 0x10000) >> 10));
			out[n + 1] = (WCHAR)(SURROGATE_LOW + (c & 0x3ff));
		} else if (out) {
			out[n] = (WCHAR)c;
		}
		n += is_pair ? 2 : 1;
		text += bytes ? bytes : 1;
	}
	if (out)
		out[n] = 0;
	return n;
}

/* The computer */

void text_machine(char ret_name[MACHINE_BYTES])
{
	if (gethostname(ret_name, MACHINE_BYTES) < 0)
		ret_name[0] = '\0';
	ret_name[MACHINE_BYTES - 1] = '\0';
	text_tame(ret_name);
	if (!ret_name[0])
		strcpy(ret_name, "localhost");
}

bool text_is_this_machine(const char *machine)
{
	char own[MACHINE_BYTES];

	if (!strncmp(machine, "\\\\", 2))
		machine += 2;
	text_machine(own);
	return !strcasecmp(machine, own);
}

/* Buffers */

void *packer_reserve(struct packer *packer, size_t bytes)
{
	size_t at = packer->used;

	packer->used += bytes;
	return packer->used <= packer->room ? packer->base + at : NULL;
}

void *packer_text(struct packer *packer, const char *text)
{
	size_t bytes;
	void *out;

	if (!text)
		return NULL;
	bytes = packer->is_wide ? (to_wide(text, NULL) + 1) * sizeof(WCHAR) : strlen(text) + 1;
	out = packer_reserve(packer, bytes);
	if (out && packer->is_wide)
		(void)to_wide(text, out);
	else if (out)
		memcpy(out, text, bytes);
	return out;
}

PDH_STATUS packer_begin(struct packer *packer, void *buffer, const DWORD *size, DWORD unit)
{
	if (!size || (*size > 0 && !buffer))
		return PDH_INVALID_ARGUMENT;
	packer->base = buffer;
	packer->room = (size_t)*size * unit;
	return ERROR_SUCCESS;
}

PDH_STATUS packer_end(const struct packer *packer, DWORD *size, DWORD unit)
{
	size_t needed = packer->used / unit;

	if (needed > UINT32_MAX)
		return PDH_MEMORY_ALLOCATION_FAILURE;
	*size = (DWORD)needed;
	return packer->used > packer->room ? PDH_MORE_DATA : ERROR_SUCCESS;
}
