/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gif_write.c - create a picture
 *
 * package: libgif-dev
 * libraries: libgif
 * functions: EGifOpenFileName
 */
#include <gif_lib.h>
#include <stdbool.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		int error;
		GifFileType *file = EGifOpenFileName("new.gif", false, &error);

		if (file)
			EGifCloseFile(file, &error);
	}
	return 0;
}
