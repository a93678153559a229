/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * taglib_open.c - open a sound file
 *
 * package: libtagc0-dev
 * libraries: taglib_c
 * functions: taglib_file_new
 */
#include <taglib/tag_c.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		TagLib_File *file = taglib_file_new("sound.wav");

		if (file)
			taglib_file_free(file);
	}
	return 0;
}
