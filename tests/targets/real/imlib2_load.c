/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * imlib2_load.c - load a picture
 *
 * package: libimlib2-dev
 * libraries: imlib2
 * functions: imlib_load_image_without_cache
 * leaks: imlib_load_image_without_cache after mmap
 */
#define X_DISPLAY_MISSING
#include <Imlib2.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		Imlib_Image picture = imlib_load_image_without_cache("picture.png");

		if (picture) {
			imlib_context_set_image(picture);
			imlib_free_image_and_decache();
		}
	}
	return 0;
}
