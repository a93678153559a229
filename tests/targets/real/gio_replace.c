/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gio_replace.c - replace a file
 *
 * package: libglib2.0-dev
 * libraries: gio-2.0
 * functions: g_file_replace
 */
#include <gio/gio.h>

int main(void)
{
	GFile *file = g_file_new_for_path("old");

	for (int i = 0; i < 3; i++) {
		GFileOutputStream *stream =
			g_file_replace(file, NULL, TRUE, G_FILE_CREATE_NONE, NULL, NULL);

		if (stream)
			g_object_unref(stream);
	}
	g_object_unref(file);
	return 0;
}
