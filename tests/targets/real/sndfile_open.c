/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sndfile_open.c - open a sound file
 *
 * package: libsndfile1-dev
 * libraries: sndfile
 * functions: sf_open
 */
#include <sndfile.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		SF_INFO info = {.format = 0};
		SNDFILE *file = sf_open("sound.wav", SFM_READ, &info);

		if (file)
			sf_close(file);
	}
	return 0;
}
