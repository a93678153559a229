/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bzip2_open.c - open a compressed file
 *
 * package: libbz2-dev
 * libraries: -lbz2
 * functions: BZ2_bzopen
 */
#include <bzlib.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		BZFILE *file = BZ2_bzopen("text.bz2", "rb");

		if (file)
			BZ2_bzclose(file);
	}
	return 0;
}
