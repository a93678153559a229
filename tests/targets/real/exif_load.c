/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exif_load.c - read the tags of a picture
 *
 * package: libexif-dev
 * libraries: libexif
 * functions: exif_data_new_from_file
 */
#include <libexif/exif-data.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		ExifData *data = exif_data_new_from_file("picture.jpg");

		if (data)
			exif_data_unref(data);
	}
	return 0;
}
