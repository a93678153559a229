/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * png_write.c - write a picture
 *
 * package: libpng-dev
 * libraries: libpng
 * functions: png_image_write_to_file
 */
#include <png.h>
#include <string.h>

int main(void)
{
	static const char pixels[4 * 4];

	for (int i = 0; i < 3; i++) {
		png_image image;

		memset(&image, 0, sizeof(image));
		image.version = PNG_IMAGE_VERSION;
		image.width = image.height = 4;
		image.format = PNG_FORMAT_GRAY;
		png_image_write_to_file(&image, "new.png", 0, pixels, 4, NULL);
		png_image_free(&image);
	}
	return 0;
}
