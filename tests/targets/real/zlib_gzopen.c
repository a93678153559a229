/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zlib_gzopen.c - open a compressed file
 *
 * package: zlib1g-dev
 * libraries: zlib
 * functions: gzopen
 */
#include <zlib.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		gzFile file = gzopen("text.gz", "rb");

		if (file)
			gzclose(file);
	}
	return 0;
}
