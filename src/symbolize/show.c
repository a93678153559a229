/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolize/show.h"

#include <inttypes.h>
#include <string.h>

/* Which frame to look at */

static bool begins(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

/* A module that opens handles on behalf of whoever calls it. */
static bool is_runtime_module(const char *module)
{
	static const char *const starts[] = { "libc.so", "libc-2.", "ld-linux", "ld-2.", "ld-musl",
					      "libc.musl", "libpthread", "librt.so", "libdl.so",
					      "libresolv", "libnss_", "libstdc++", "libgcc_s",
					      "libc++", "[vdso]" };
	const char *name = lines_base_name(module);

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		if (begins(name, starts[i]))
			return true;
	return false;
}

/* The same of languages that link it into each program. */
static bool is_runtime_function(const char *function)
{
	static const char *const starts[] = { "std::", "core::", "alloc::", "<std::", "<core::",
					      "__", "syscall.", "runtime.", "os.", "internal/" };

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		if (begins(function, starts[i]))
			return true;
	return false;
}

static bool is_runtime(const struct frame *frame)
{
	return frame->is_signal || !frame->module || is_runtime_module(frame->module) ||
	       (frame->function && is_runtime_function(frame->function));
}

/* A Python function, in a perf map: what runs it is not the place to look at. */
static bool is_script(const struct frame *frame)
{
	return frame->module && !strcmp(frame->module, "[jit]") && frame->function &&
	       begins(frame->function, "py::");
}

/*
 * The first frame outside of the runtime.  In a static program libc's functions are in the same
 * module; Debian's have no debug information, so the first of the module that has some is meant.
 */
size_t frames_find_own(const struct frame *frames, size_t n)
{
	size_t first = 0;

	for (size_t i = 0; i < n; i++)
		if (is_script(&frames[i]))
			return i;
	while (first < n && is_runtime(&frames[first]))
		first++;
	for (size_t i = first; i < n; i++) {
		if (!frames[i].module || strcmp(frames[i].module, frames[first].module) != 0)
			break;
		if (frames[i].file && !is_runtime(&frames[i]))
			return i;
	}
	return first;
}

/* Told */

struct text frame_place(const struct frame *frame)
{
	struct text text, file;

	if (frame->file) {
		file = lines_escape(frame->file);
		if (frame->line)
			(void)snprintf(text.s, sizeof(text.s), " (%.900s:%u)", file.s, frame->line);
		else
			(void)snprintf(text.s, sizeof(text.s), " (%.900s)", file.s);
		return text;
	}
	text.s[0] = '\0';
	if (frame->function && frame->offset)
		(void)snprintf(text.s, sizeof(text.s), "+0x%" PRIx64, frame->offset);
	return text;
}

struct text frame_function(const struct frame *frame)
{
	struct text text, name;

	if (frame->is_signal)
		return lines_escape("[signal handler called]");
	if (frame->function)
		return lines_escape(frame->function);
	name = lines_escape(frame->module ? lines_base_name(frame->module) : "?");
	(void)snprintf(text.s, sizeof(text.s), "%.900s+0x%" PRIx64, name.s, frame->offset);
	return text;
}

/* A long name (C++) gives way to the place behind it, which is what is looked for. */
static void shorten(struct text *function, size_t room)
{
	if (output_text_width(function->s) <= room)
		return;
	lines_cut(function->s, room > 23 ? room - 3 : 20);
	(void)strncat(function->s, "...", sizeof(function->s) - strlen(function->s) - 1);
}

void frame_print(const struct lines *lines, unsigned int indent, size_t number,
		 const struct frame *frame, bool is_marked)
{
	struct text function = frame_function(frame), place = frame_place(frame), module = { "" };
	size_t others;

	if (frame->module && frame->function)
		module = lines_escape(lines_base_name(frame->module));
	others = 9 + indent + output_text_width(place.s) + output_text_width(module.s) +
		 (*module.s ? 4 : 0) + (frame->inlined ? 10 : 0);
	if (lines->width)
		shorten(&function, lines->width > others ? lines->width - others : 0);
	lines_print(lines, is_marked ? LINES_BOLD : NULL, "%*s  %s #%-2zu %s%s%s%s%s", (int)indent,
		    "", is_marked ? ">" : " ", number, function.s, place.s,
		    frame->inlined ? " [inlined]" : "", *module.s ? " in " : "", module.s);
}

void frame_print_json(struct json *json, const struct frame *frame)
{
	json_object(json, NULL);
	json_unsigned(json, "ip", frame->ip);
	json_text(json, "function", frame->function);
	json_text(json, "file", frame->file);
	if (frame->line)
		json_unsigned(json, "line", frame->line);
	else
		json_null(json, "line");
	json_text(json, "module", frame->module);
	json_unsigned(json, "offset", frame->offset);
	json_unsigned(json, "module_offset", frame->module_offset);
	json_bool(json, "inlined", frame->inlined);
	json_bool(json, "signal_frame", frame->is_signal);
	json_end_object(json);
}

const char *unwind_end_name(enum unwind_end end)
{
	static const char *const names[] = {
		[UNWIND_COMPLETE] = "complete", [UNWIND_CUT] = "cut",
		[UNWIND_NO_RULES] = "no-rules", [UNWIND_TOO_DEEP] = "too-deep",
		[UNWIND_BROKEN] = "broken",
	};

	return (size_t)end < ARRAY_SIZE(names) ? names[end] : "unknown";
}

const char *unwind_end_reason(enum unwind_end end)
{
	static const char *const reasons[] = {
		[UNWIND_CUT] = "the copy of the stack ended here",
		[UNWIND_NO_RULES] = "nothing tells how to go on from here",
		[UNWIND_TOO_DEEP] = "too many frames to go on",
		[UNWIND_BROKEN] = "the stack makes no sense from here on",
	};

	return (size_t)end < ARRAY_SIZE(reasons) ? reasons[end] : NULL;
}
