/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc_opendir.c - read a directory
 *
 * package: libc6-dev
 * libraries:
 * functions: opendir, scandir
 */
#include <dirent.h>
#include <stdlib.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		DIR *directory = opendir(".");
		struct dirent **entries;
		int n = scandir(".", &entries, NULL, alphasort);

		if (directory)
			closedir(directory);
		while (n > 0)
			free(entries[--n]);
	}
	return 0;
}
