/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * utf16.h - between UTF-8 and UTF-16
 *
 * Each function writes what fits into room, its terminator included, without a part of a
 * character, and returns how much the whole would take without the terminator: it was cut if that
 * is not below room.  With room 0, out may be NULL.
 */
#ifndef WIN32_UTF16_H
#define WIN32_UTF16_H

#include <tendril/win32.h>

/* room and the value in 16-bit units */
size_t utf16_from_utf8(const char *text, size_t bytes, WCHAR *out, size_t room);
/* room and the value in bytes */
size_t utf8_from_utf16(const WCHAR *text, size_t units, char *out, size_t room);
/* The bytes of a name as they are, be they UTF-8 or not. */
size_t utf8_copy(const char *text, char *out, size_t room);

/* Units before the terminator; max_units if there is none among them. */
size_t utf16_length(const WCHAR *text, size_t max_units);

#endif /* WIN32_UTF16_H */
