/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gif_read.c - open a picture
 *
 * package: libgif-dev
 * libraries: libgif
 * functions: DGifOpenFileName
 */
#include <gif_lib.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		int error;
		GifFileType *file = DGifOpenFileName("picture.gif", &error);

		if (file)
			DGifCloseFile(file, &error);
	}
	return 0;
}
