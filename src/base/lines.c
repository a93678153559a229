/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/lines.h"

#include <string.h>

#include "base/output.h"

#define LINE_BYTES 4096

struct text lines_escape(const char *raw)
{
	struct text text;

	escape_text(raw ? raw : "?", text.s, sizeof(text.s));
	return text;
}

struct text lines_duration(int64_t ns)
{
	double s = ns > 0 ? (double)ns / NS_PER_S : 0;
	struct text text;

	if (s < 120)
		(void)snprintf(text.s, sizeof(text.s), "%.1f s", s);
	else if (s < 7200)
		(void)snprintf(text.s, sizeof(text.s), "%.0f min", s / 60);
	else if (s < 172800)
		(void)snprintf(text.s, sizeof(text.s), "%.1f h", s / 3600);
	else
		(void)snprintf(text.s, sizeof(text.s), "%.1f days", s / 86400);
	return text;
}

const char *lines_plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

const char *lines_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

void lines_cut(char *line, size_t width)
{
	size_t bytes = strlen(line);

	if (width == 0)
		return;
	if (bytes > 4 * width) /* a character has at most 4 bytes; those of no width may go, too */
		bytes = 4 * width;
	do {
		while (bytes > 0 && ((unsigned char)line[bytes] & 0xc0) == 0x80)
			bytes--;
		line[bytes] = '\0';
	} while (output_text_width(line) > width && bytes-- > 0);
}

void lines_print(const struct lines *lines, const char *colour, const char *format, ...)
{
	bool coloured = lines->colour && colour;
	char line[LINE_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	lines_cut(line, lines->width);
	(void)fprintf(lines->out, "%s%s%s\n", coloured ? colour : "", line,
		      coloured ? "\x1b[0m" : "");
}
