/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lcms_open.c - colour profiles
 *
 * package: liblcms2-dev
 * libraries: lcms2
 * functions: cmsOpenProfileFromFile, cmsSaveProfileToFile
 */
#include <lcms2.h>

int main(void)
{
	cmsHPROFILE srgb = cmsCreate_sRGBProfile();

	for (int i = 0; i < 3; i++) {
		cmsHPROFILE profile;

		cmsSaveProfileToFile(srgb, "new.icc");
		profile = cmsOpenProfileFromFile("new.icc", "r");
		if (profile)
			cmsCloseProfile(profile);
	}
	cmsCloseProfile(srgb);
	return 0;
}
