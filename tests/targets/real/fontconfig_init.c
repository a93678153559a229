/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fontconfig_init.c - fonts
 *
 * package: libfontconfig-dev
 * libraries: fontconfig
 * functions: FcConfigParseAndLoad, FcDirCacheRead, FcAtomicLock
 */
#include <fontconfig/fontconfig.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		FcConfig *configuration = FcConfigCreate();
		FcAtomic *atomic = FcAtomicCreate((const FcChar8 *)"new.cache");
		FcCache *cache;

		FcConfigParseAndLoad(configuration, (const FcChar8 *)"fonts.conf", FcFalse);
		cache = FcDirCacheRead((const FcChar8 *)"/usr/share/fonts", FcTrue, configuration);
		if (cache)
			FcDirCacheUnload(cache);
		if (FcAtomicLock(atomic))
			FcAtomicUnlock(atomic);
		FcAtomicDestroy(atomic);
		FcConfigDestroy(configuration);
	}
	return 0;
}
