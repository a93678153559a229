/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glib_temporary.c - files
 *
 * package: libglib2.0-dev
 * libraries: glib-2.0
 * functions: g_file_open_tmp, g_file_set_contents_full, g_unix_open_pipe, g_key_file_load_from_file
 */
#include <glib.h>
#include <glib-unix.h>
#include <unistd.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		GKeyFile *keys = g_key_file_new();
		char *name;
		int fd = g_file_open_tmp(NULL, &name, NULL), pair[2];

		if (fd >= 0) {
			unlink(name);
			g_free(name);
			close(fd);
		}
		if (g_unix_open_pipe(pair, 0, NULL)) {
			close(pair[0]);
			close(pair[1]);
		}
		g_file_set_contents_full(
			"new", "text", 4,
			G_FILE_SET_CONTENTS_DURABLE | G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL);
		g_key_file_load_from_file(keys, "plain.conf", 0, NULL);
		g_key_file_free(keys);
	}
	return 0;
}
