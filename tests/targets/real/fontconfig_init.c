/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fontconfig_init.c - fonts
 *
 * package: libfontconfig-dev
 * libraries: fontconfig
 * functions: FcConfigParseAndLoad, FcAtomicLock
 */
#include <fontconfig/fontconfig.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		FcConfig *configuration = FcConfigCreate();
		FcAtomic *atomic = FcAtomicCreate((const FcChar8 *)"new.cache");

		FcConfigParseAndLoad(configuration, (const FcChar8 *)"fonts.conf", FcFalse);
		if (FcAtomicLock(atomic))
			FcAtomicUnlock(atomic);
		FcAtomicDestroy(atomic);
		FcConfigDestroy(configuration);
	}
	return 0;
}
