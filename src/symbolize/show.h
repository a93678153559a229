/* SPDX-License-Identifier: BSD-2-Clause */
/* show.h - how the frames of a stack are told, to people and to programs */
#ifndef SYMBOLIZE_SHOW_H
#define SYMBOLIZE_SHOW_H

#include "base/lines.h"
#include "base/output.h"
#include "symbolize/symbolize.h"

/* The frame to look at: the innermost one that is not of a runtime; n: there is none. */
size_t frames_find_own(const struct frame *frames, size_t n);

/* "open_log", "[signal handler called]", "libc.so.6+0x1234" */
struct text frame_function(const struct frame *frame);
/* " (src/log.c:9)", "+0x1b", or "" */
struct text frame_place(const struct frame *frame);
/* "  > #1  open_log (src/log.c:9) in server", behind as many more blanks. */
void frame_print(const struct lines *lines, unsigned int indent, size_t number,
		 const struct frame *frame, bool is_marked);
void frame_print_json(struct json *json, const struct frame *frame);

/* "complete", "cut", ... */
const char *unwind_end_name(enum unwind_end end);
/* Why there is no more of it, for people; NULL: there is nothing to say. */
const char *unwind_end_reason(enum unwind_end end);

#endif /* SYMBOLIZE_SHOW_H */
