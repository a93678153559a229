/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blkid_probe.c - look at a disk image
 *
 * package: libblkid-dev
 * libraries: blkid
 * functions: blkid_new_probe_from_filename
 */
#include <blkid/blkid.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		blkid_probe probe = blkid_new_probe_from_filename("disk.img");

		if (probe)
			blkid_free_probe(probe);
	}
	return 0;
}
