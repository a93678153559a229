/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * imlib2_save.c - save a picture
 *
 * package: libimlib2-dev
 * libraries: imlib2
 * functions: imlib_save_image
 */
#define X_DISPLAY_MISSING
#include <fcntl.h>
#include <Imlib2.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		Imlib_Image picture = imlib_create_image(4, 4);

		if (!picture)
			continue;
		imlib_context_set_image(picture);
		imlib_image_set_format("png");
		imlib_save_image("saved.png");
		imlib_free_image_and_decache();
	}
	return 0;
}
