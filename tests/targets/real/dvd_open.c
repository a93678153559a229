/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dvd_open.c - open a disc image
 *
 * package: libdvdread-dev
 * libraries: dvdread
 * functions: DVDOpen
 */
#include <dvdread/dvd_reader.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		dvd_reader_t *disc = DVDOpen("disk.img");

		if (disc)
			DVDClose(disc);
	}
	return 0;
}
