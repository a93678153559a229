/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * id3_open.c - tags
 *
 * package: libid3tag0-dev
 * libraries: id3tag
 * functions: id3_file_open
 */
#include <id3tag.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct id3_file *file = id3_file_open("sound.mp3", ID3_FILE_MODE_READONLY);

		if (file)
			id3_file_close(file);
	}
	return 0;
}
