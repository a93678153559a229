/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blkid_cache.c - find the file systems
 *
 * package: libblkid-dev
 * libraries: blkid
 * functions: blkid_get_cache, blkid_probe_all, blkid_put_cache
 */
#include <blkid/blkid.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		blkid_cache cache;

		if (blkid_get_cache(&cache, "blkid.tab") != 0)
			continue;
		blkid_probe_all(cache);
		blkid_put_cache(cache);
	}
	return 0;
}
