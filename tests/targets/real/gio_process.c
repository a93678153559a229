/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gio_process.c - a program with pipes, a temporary file
 *
 * package: libglib2.0-dev
 * libraries: gio-2.0
 * functions: g_subprocess_new, g_file_new_tmp
 */
#include <gio/gio.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		GSubprocess *process = g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE |
								G_SUBPROCESS_FLAGS_STDOUT_PIPE |
								G_SUBPROCESS_FLAGS_STDERR_PIPE,
							NULL, "true", NULL);
		GFileIOStream *stream;
		GFile *file = g_file_new_tmp(NULL, &stream, NULL);

		if (process) {
			g_subprocess_wait(process, NULL, NULL);
			g_object_unref(process);
		}
		if (file) {
			g_file_delete(file, NULL, NULL);
			g_object_unref(stream);
			g_object_unref(file);
		}
	}
	return 0;
}
