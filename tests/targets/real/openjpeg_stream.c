/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * openjpeg_stream.c - open a picture
 *
 * package: libopenjp2-7-dev
 * libraries: libopenjp2
 * functions: opj_stream_create_default_file_stream
 */
#include <openjpeg.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		opj_stream_t *stream =
			opj_stream_create_default_file_stream("picture.jpg", OPJ_TRUE);

		if (stream)
			opj_stream_destroy(stream);
	}
	return 0;
}
