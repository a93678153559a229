/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lockfile_create.c - a lock file
 *
 * package: liblockfile-dev
 * libraries: -llockfile
 * functions: lockfile_create
 */
#include <lockfile.h>

int main(void)
{
	for (int i = 0; i < 3; i++)
		if (lockfile_create("new.lck", 0, 0) == 0)
			lockfile_remove("new.lck");
	return 0;
}
