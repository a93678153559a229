/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gio_copy.c - copy a file
 *
 * package: libglib2.0-dev
 * libraries: gio-2.0
 * functions: g_file_copy
 */
#include <gio/gio.h>

int main(void)
{
	GFile *from = g_file_new_for_path("text"), *to = g_file_new_for_path("text.gio");

	for (int i = 0; i < 3; i++)
		g_file_copy(from, to, G_FILE_COPY_OVERWRITE, NULL, NULL, NULL, NULL);
	g_object_unref(from);
	g_object_unref(to);
	return 0;
}
