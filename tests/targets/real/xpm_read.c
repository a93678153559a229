/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xpm_read.c - a picture, plain and compressed
 *
 * package: libxpm-dev
 * libraries: xpm
 * functions: XpmReadFileToXpmImage, XpmReadFileToBuffer
 */
#include <X11/xpm.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		XpmImage image;
		char *text;

		if (XpmReadFileToXpmImage("picture.xpm", &image, NULL) == XpmSuccess)
			XpmFreeXpmImage(&image);
		if (XpmReadFileToXpmImage("packed.xpm.gz", &image, NULL) == XpmSuccess)
			XpmFreeXpmImage(&image);
		if (XpmReadFileToBuffer("picture.xpm", &text) == XpmSuccess)
			XpmFree(text);
	}
	return 0;
}
