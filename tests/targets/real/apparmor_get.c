/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apparmor_get.c - profiles
 *
 * package: libapparmor-dev
 * libraries: libapparmor
 * functions: aa_find_mountpoint, aa_getcon, aa_policy_cache_new
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/apparmor.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		aa_features *features = NULL;
		aa_policy_cache *cache = NULL;
		char *where = NULL, *label, *mode;

		if (aa_find_mountpoint(&where) == 0)
			free(where);
		if (aa_getcon(&label, &mode) >= 0)
			free(label);
		if (aa_features_new(&features, AT_FDCWD, "features") == 0) {
			if (aa_policy_cache_new(&cache, features, AT_FDCWD, "cache", 1) == 0)
				aa_policy_cache_unref(cache);
			aa_features_unref(features);
		}
	}
	return 0;
}
