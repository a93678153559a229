/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * screen.h - the terminal: text in cells, keys, and everything put back at the end
 *
 * The only place that knows ncurses.  There is one terminal, so there is one screen.  All text is
 * raw until it comes in here.
 */
#ifndef CMD_WATCH_SCREEN_H
#define CMD_WATCH_SCREEN_H

#include "base/base.h"

enum screen_look {
	LOOK_PLAIN = 0,
	LOOK_BOLD,
	LOOK_FAINT,
	LOOK_BAR,     /* title and selected line: reversed */
	LOOK_HEADING,
	LOOK_WARNING,
	LOOK_ALARM,
	LOOK_LINE,    /* and the colours of the chart's lines behind it */
};
#define SCREEN_LINE_COLOURS 6
#define SCREEN_HIGHLIGHT 0x100 /* or'ed to a look */

/* A key is a character, or one of these, above all characters. */
enum screen_key {
	SCREEN_NO_KEY = 0,
	SCREEN_ENTER = '\n',
	SCREEN_ESCAPE = 27,
	SCREEN_UP = 0x200000, SCREEN_DOWN, SCREEN_LEFT, SCREEN_RIGHT, SCREEN_PAGE_UP,
	SCREEN_PAGE_DOWN, SCREEN_HOME, SCREEN_END, SCREEN_DELETE, SCREEN_BACKSPACE, SCREEN_BACKTAB,
	SCREEN_REDRAW,
	SCREEN_F1, /* and F2, F3, F4 behind it */
	SCREEN_OTHER = SCREEN_F1 + 12,
};

/*
 * Return: 0; -ENOTTY: stdin or stdout is no terminal; -ENOTSUP: it cannot place the cursor, or is
 * not known; ret_term then is what TERM says, raw.
 */
int screen_open(bool with_colours, const char **ret_term);
/* Give the terminal back as it was; screen_resume() takes it again. */
void screen_suspend(void);
void screen_resume(void);
void screen_close(void);
/* Ask the terminal how large it is. */
void screen_measure(void);
int screen_rows(void);
int screen_columns(void);
bool screen_is_utf8(void);
bool screen_has_colours(void);

void screen_clear(void);
/* Write text into the cells from column on, cut or filled with blanks to width.  width 0: to the
 * edge, and no blanks.  Return: the column behind it. */
int screen_put(int row, int column, int width, int look, const char *text);
int screen_put_right(int row, int column, int width, int look, const char *text);
/* One character of ours. */
void screen_put_cell(int row, int column, int look, wchar_t c);
/* How many cells it takes. */
int screen_width(const char *text);
void screen_cursor(int row, int column); /* row -1: none */
void screen_show(void);

/* The next key, SCREEN_NO_KEY when there is none now. */
uint32_t screen_key(void);

#endif /* CMD_WATCH_SCREEN_H */
