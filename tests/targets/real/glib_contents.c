/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glib_contents.c - files
 *
 * package: libglib2.0-dev
 * libraries: glib-2.0
 * functions: g_file_get_contents, g_file_set_contents, g_mapped_file_new, g_dir_open
 */
#include <glib.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		GDir *directory = g_dir_open(".", 0, NULL);
		GMappedFile *map = g_mapped_file_new("text", FALSE, NULL);
		char *text = NULL;

		g_file_get_contents("text", &text, NULL, NULL);
		g_file_set_contents("new", "text", -1, NULL);
		g_free(text);
		if (map)
			g_mapped_file_unref(map);
		if (directory)
			g_dir_close(directory);
	}
	return 0;
}
