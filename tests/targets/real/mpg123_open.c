/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mpg123_open.c - open a sound file
 *
 * package: libmpg123-dev
 * libraries: libmpg123
 * functions: mpg123_open
 */
#include <mpg123.h>
#include <stddef.h>

int main(void)
{
	mpg123_init();
	for (int i = 0; i < 3; i++) {
		mpg123_handle *handle = mpg123_new(NULL, NULL);

		if (!handle)
			continue;
		mpg123_param(handle, MPG123_ADD_FLAGS, MPG123_QUIET, 0);
		if (mpg123_open(handle, "sound.wav") == MPG123_OK)
			mpg123_close(handle);
		mpg123_delete(handle);
	}
	mpg123_exit();
	return 0;
}
