/* SPDX-License-Identifier: BSD-2-Clause */
#define NCURSES_WIDECHAR 1
#include "cmd/watch/screen.h"

#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <wchar.h>

#define TEXT_BYTES 512 /* no cell of text is longer */
#define ESCAPE_MS  50  /* the rest of a key's sequence comes within that, also over ssh */

static struct {
	SCREEN *terminal;
	bool is_utf8, has_colours;
} screen;

/* The terminal */

static void choose_colours(void)
{
	static const short colours[SCREEN_LINE_COLOURS] = { COLOR_CYAN, COLOR_YELLOW, COLOR_GREEN,
							  COLOR_MAGENTA, COLOR_RED, COLOR_BLUE };

	if (start_color() == ERR || use_default_colors() == ERR)
		return;
	init_pair(1, COLOR_YELLOW, -1);
	init_pair(2, COLOR_RED, -1);
	for (short i = 0; i < SCREEN_LINE_COLOURS; i++)
		init_pair((short)(3 + i), colours[i], -1);
	screen.has_colours = true;
}

static void set_modes(void)
{
	(void)cbreak();
	(void)noecho();
	(void)nonl();
	(void)nodelay(stdscr, TRUE);
	(void)keypad(stdscr, TRUE);
	(void)set_escdelay(ESCAPE_MS);
	(void)curs_set(0);
}

/* newterm() itself would write to stderr, or take a terminal without a movable cursor. */
static bool can_move_cursor(const char *term)
{
	const char *move;
	int result = 0;

	if (setupterm(term, STDOUT_FILENO, &result) == ERR)
		return false;
	move = tigetstr("cup");
	(void)del_curterm(cur_term);
	return move && move != (char *)-1;
}

int screen_open(bool with_colours, const char **ret_term)
{
	const char *term = getenv("TERM");

	*ret_term = term ? term : "";
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return -ENOTTY;
	if (!can_move_cursor(term))
		return -ENOTSUP;
	(void)setlocale(LC_CTYPE, "");
	screen.is_utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	screen.terminal = newterm(NULL, stdout, stdin);
	if (!screen.terminal)
		return -ENOTSUP;
	set_modes();
	if (with_colours && has_colors())
		choose_colours();
	screen_measure();
	return 0;
}

void screen_suspend(void)
{
	(void)endwin();
}

void screen_resume(void)
{
	(void)clearok(curscr, TRUE);
	screen_measure();
}

void screen_close(void)
{
	if (!screen.terminal)
		return;
	/* Where there is no second screen the shell goes on in our last line. */
	(void)move(screen_rows() - 1, 0);
	(void)clrtoeol();
	(void)refresh();
	(void)endwin();
	delscreen(screen.terminal);
	screen.terminal = NULL;
}

void screen_measure(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col &&
	    is_term_resized(size.ws_row, size.ws_col))
		(void)resizeterm(size.ws_row, size.ws_col);
}

int screen_rows(void)
{
	return getmaxy(stdscr);
}

int screen_columns(void)
{
	return getmaxx(stdscr);
}

bool screen_is_utf8(void)
{
	return screen.is_utf8;
}

bool screen_has_colours(void)
{
	return screen.has_colours;
}

/* Text */

static attr_t attributes(int look, short *ret_pair)
{
	attr_t highlight = look & SCREEN_HIGHLIGHT ? A_BOLD : A_NORMAL;

	look &= SCREEN_HIGHLIGHT - 1;
	*ret_pair = 0;
	if (screen.has_colours && look >= LOOK_LINE)
		*ret_pair = (short)(3 + (look - LOOK_LINE) % SCREEN_LINE_COLOURS);
	else if (screen.has_colours && look >= LOOK_WARNING)
		*ret_pair = (short)(1 + look - LOOK_WARNING);
	switch (look) {
	case LOOK_BAR:
		return A_REVERSE | highlight;
	case LOOK_BOLD:
	case LOOK_ALARM:
		return A_BOLD;
	case LOOK_HEADING:
		return A_UNDERLINE | highlight;
	case LOOK_WARNING:
		return screen.has_colours ? A_NORMAL | highlight : A_BOLD;
	case LOOK_FAINT:
		return A_DIM | highlight;
	default:
		return highlight;
	}
}

/*
 * The next character of escaped text as the terminal can show it, and its width.  What the locale
 * has no cell for becomes '?': also the invisible ones that turn the direction of writing.
 */
static size_t next_character(const char *text, wchar_t *ret_c, int *ret_width)
{
	mbstate_t state = { 0 };
	wchar_t c;
	size_t n;

	if ((unsigned char)*text < 0x80) {
		*ret_c = (wchar_t)*text;
		*ret_width = 1;
		return 1;
	}
	n = mbrtowc(&c, text, strlen(text), &state);
	if (n == 0 || n > 4 || wcwidth(c) < 1) {
		*ret_c = L'?';
		*ret_width = 1;
		for (n = 1; ((unsigned char)text[n] & 0xc0) == 0x80; n++)
			;
		return n;
	}
	*ret_c = c;
	*ret_width = wcwidth(c);
	return n;
}

/* As many characters of escaped text as fit into width cells. */
static int fit(const char *text, int width, wchar_t *out, size_t room)
{
	size_t n = 0;
	int used = 0;

	while (*text && n + 1 < room) {
		wchar_t c;
		int cells;
		size_t bytes = next_character(text, &c, &cells);

		if (used + cells > width)
			break;
		out[n++] = c;
		used += cells;
		text += bytes;
	}
	out[n] = L'\0';
	return used;
}

static int put(int row, int column, int width, int look, const char *text, bool right)
{
	int edge = screen_columns() - column, used, fill;
	wchar_t wide[TEXT_BYTES];
	char escaped[TEXT_BYTES];
	short pair;
	attr_t attribute = attributes(look, &pair);

	if (row < 0 || row >= screen_rows() || column < 0 || edge <= 0)
		return column;
	escape_text(text, escaped, sizeof(escaped));
	used = fit(escaped, width && width < edge ? width : edge, wide, ARRAY_SIZE(wide));
	fill = width ? (width < edge ? width : edge) - used : 0;
	(void)attr_set(attribute, pair, NULL);
	(void)move(row, column);
	for (int i = 0; right && i < fill; i++)
		(void)addch(' ');
	(void)addwstr(wide);
	for (int i = 0; !right && i < fill; i++)
		(void)addch(' ');
	(void)attr_set(A_NORMAL, 0, NULL);
	return column + used + fill;
}

int screen_put(int row, int column, int width, int look, const char *text)
{
	return put(row, column, width, look, text, false);
}

int screen_put_right(int row, int column, int width, int look, const char *text)
{
	return put(row, column, width, look, text, true);
}

void screen_put_cell(int row, int column, int look, wchar_t c)
{
	wchar_t text[2] = { c, L'\0' };
	short pair;
	attr_t attribute = attributes(look, &pair);

	if (row < 0 || row >= screen_rows() || column < 0 || column >= screen_columns())
		return;
	(void)attr_set(attribute, pair, NULL);
	(void)mvaddwstr(row, column, text);
	(void)attr_set(A_NORMAL, 0, NULL);
}

int screen_width(const char *text)
{
	wchar_t wide[TEXT_BYTES];
	char escaped[TEXT_BYTES];

	escape_text(text, escaped, sizeof(escaped));
	return fit(escaped, TEXT_BYTES, wide, ARRAY_SIZE(wide));
}

void screen_clear(void)
{
	(void)erase();
}

void screen_cursor(int row, int column)
{
	(void)curs_set(row >= 0);
	if (row >= 0)
		(void)move(row, column);
	else
		(void)move(screen_rows() - 1, 0);
}

void screen_show(void)
{
	(void)refresh();
}

/* Keys */

static uint32_t function_key(wint_t key)
{
	static const struct {
		int curses;
		uint32_t ours;
	} keys[] = {
		{ KEY_UP, SCREEN_UP },           { KEY_DOWN, SCREEN_DOWN },
		{ KEY_LEFT, SCREEN_LEFT },       { KEY_RIGHT, SCREEN_RIGHT },
		{ KEY_PPAGE, SCREEN_PAGE_UP },   { KEY_NPAGE, SCREEN_PAGE_DOWN },
		{ KEY_HOME, SCREEN_HOME },       { KEY_END, SCREEN_END },
		{ KEY_DC, SCREEN_DELETE },       { KEY_BACKSPACE, SCREEN_BACKSPACE },
		{ KEY_BTAB, SCREEN_BACKTAB },    { KEY_ENTER, SCREEN_ENTER },
		{ KEY_RESIZE, SCREEN_REDRAW },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (key == (wint_t)keys[i].curses)
			return keys[i].ours;
	if (key >= (wint_t)KEY_F(1) && key <= (wint_t)KEY_F(12))
		return SCREEN_F1 + (uint32_t)(key - (wint_t)KEY_F(1));
	return SCREEN_OTHER;
}

uint32_t screen_key(void)
{
	wint_t key;
	int kind = get_wch(&key);

	if (kind == ERR)
		return SCREEN_NO_KEY;
	if (kind == KEY_CODE_YES)
		return function_key(key);
	if (key == '\r')
		return SCREEN_ENTER;
	if (key == 0x7f || key == '\b')
		return SCREEN_BACKSPACE;
	if (key == 0x0c) { /* ^L: somebody wrote across it */
		(void)clearok(curscr, TRUE);
		return SCREEN_REDRAW;
	}
	return key ? (uint32_t)key : SCREEN_OTHER;
}
