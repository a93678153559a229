/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * readline_history.c - the lines typed before
 *
 * package: libreadline-dev
 * libraries: readline
 * functions: read_history, write_history, history_truncate_file, append_history
 */
#include <stdio.h>
#include <readline/history.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		read_history("history");
		add_history("one");
		write_history("history.new");
		append_history(1, "history.new");
		history_truncate_file("history.new", 1);
	}
	return 0;
}
