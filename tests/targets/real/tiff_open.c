/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tiff_open.c - create a picture, and open it
 *
 * package: libtiff-dev
 * libraries: libtiff-4
 * functions: TIFFOpen
 */
#include <stddef.h>
#include <tiffio.h>

int main(void)
{
	TIFFSetErrorHandler(NULL);
	for (int i = 0; i < 3; i++) {
		TIFF *file = TIFFOpen("new.tif", "w");

		if (file)
			TIFFClose(file);
		file = TIFFOpen("picture.tif", "r");
		if (file)
			TIFFClose(file);
	}
	return 0;
}
