/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * png_read.c - open a picture
 *
 * package: libpng-dev
 * libraries: libpng
 * functions: png_image_begin_read_from_file
 */
#include <png.h>
#include <string.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		png_image image;

		memset(&image, 0, sizeof(image));
		image.version = PNG_IMAGE_VERSION;
		png_image_begin_read_from_file(&image, "picture.png");
		png_image_free(&image);
	}
	return 0;
}
