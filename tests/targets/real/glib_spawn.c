/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glib_spawn.c - start a program
 *
 * package: libglib2.0-dev
 * libraries: glib-2.0
 * functions: g_spawn_async_with_pipes, g_spawn_sync
 */
#include <glib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	static char *words[] = {"true", NULL};

	for (int i = 0; i < 3; i++) {
		GPid child;
		int in, out, err;

		if (g_spawn_async_with_pipes(NULL, words, NULL,
					     G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL,
					     NULL, &child, &in, &out, &err, NULL)) {
			close(in);
			close(out);
			close(err);
			waitpid(child, NULL, 0);
		}
		g_spawn_sync(NULL, words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
			     NULL);
	}
	return 0;
}
