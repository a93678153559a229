/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inotifytools_watch.c - watch a tree
 *
 * package: libinotifytools0-dev
 * libraries: -linotifytools
 * functions: inotifytools_watch_recursively, inotifytools_initialize
 */
#include <inotifytools/inotify.h>
#include <inotifytools/inotifytools.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		if (!inotifytools_initialize())
			continue;
		inotifytools_watch_recursively(".", IN_CREATE);
		inotifytools_cleanup();
	}
	return 0;
}
