/* SPDX-License-Identifier: BSD-2-Clause */
/* help.c - the keys, on one scrolled page */
#include "cmd/watch/watch.h"

static const struct {
	const char *keys;
	const char *what;
} lines[] = {
	{ NULL, "Everywhere" },
	{ "1 to 4, F1 to F4, Tab", "the views" },
	{ "i", "seconds between samples" },
	{ "p", "pause, and go on" },
	{ "^L", "draw anew" },
	{ "?", "this help" },
	{ "q", "quit" },
	{ NULL, "" },
	{ NULL, "Report" },
	{ "Up Down PgUp PgDn", "move (also j k), Home End" },
	{ "Left Right or < >", "sort by the next column" },
	{ "r", "the other way round" },
	{ "/", "filter while typing; Esc: none" },
	{ "f", "follow the selected process" },
	{ "a, Enter or Space", "put it into the chart: what" },
	{ "", "it is sorted by, or handles" },
	{ "l", "leaks: find who opens its" },
	{ "", "handles, or stop that" },
	{ "L", "all that was found; Esc: back" },
	{ NULL, "" },
	{ NULL, "Chart" },
	{ "Up Down", "select a line" },
	{ "a", "add: \"nginx\", \"threads 12\"," },
	{ "", "\\Process(nginx)\\Handle Count" },
	{ "d or Del, c", "take it out; take all out" },
	{ "+ -", "ten times as high, or low" },
	{ "s", "scale all below 100, and back" },
	{ "h", "highlight the selected line" },
	{ "z", "axis from the least, or zero" },
	{ "[ ]", "less or more time" },
	{ "l L", "leaks, as in the report" },
	{ NULL, "" },
	{ NULL, "Alert" },
	{ "a", "add a rule: handles>1000," },
	{ "", "handles>80% nginx, leak," },
	{ "", "handles>+100/h user:me," },
	{ "", "processes<1 nginx; and what to" },
	{ "", "run or call when it fires" },
	{ "Enter", "show its process" },
	{ NULL, "" },
	{ NULL, "Log" },
	{ "r", "record to a file; stop" },
	{ "b", "a bookmark in it" },
	{ "o, c", "open a log; back to live" },
	{ "Left Right, [ ]", "move the window of time, resize" },
	{ "Enter", "move it to the bookmark" },
	{ "Esc", "stop reading what takes long" },
	{ NULL, "" },
	{ NULL, "Columns" },
	{ "%LIMIT", "handles, of RLIMIT_NOFILE" },
	{ "CHANGE", "of handles since first seen" },
	{ "TREND", "of handles, or a leak's slope" },
	{ "CPU%", "of one processor" },
	{ "-", "the kernel does not show it" },
};

int help_rows(void)
{
	return (int)ARRAY_SIZE(lines);
}

void help_draw(struct watch *watch, int top, int rows)
{
	for (int i = 0; i < rows && watch->help_top + i < help_rows(); i++) {
		size_t at = (size_t)(watch->help_top + i);
		int column = 0;

		if (!lines[at].keys) {
			(void)screen_put(top + i, 0, 0, LOOK_BOLD, lines[at].what);
			continue;
		}
		column = screen_put(top + i, 1, screen_columns() < 60 ? 12 : 22, LOOK_PLAIN,
				    lines[at].keys);
		(void)screen_put(top + i, column + 1, 0, LOOK_PLAIN, lines[at].what);
	}
}
