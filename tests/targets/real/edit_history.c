/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * edit_history.c - the lines typed before
 *
 * package: libedit-dev
 * libraries: libedit
 * functions: history
 */
#include <histedit.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		History *lines = history_init();
		HistEvent event;

		if (!lines)
			continue;
		history(lines, &event, H_SETSIZE, 10);
		history(lines, &event, H_LOAD, "history");
		history(lines, &event, H_ENTER, "one");
		history(lines, &event, H_SAVE, "history");
		history_end(lines);
	}
	return 0;
}
