/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc_iconv.c - a conversion that comes from a module
 *
 * package: libc6-dev
 * libraries:
 * functions: iconv_open
 */
#include <iconv.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		iconv_t conversion = iconv_open("UTF-16", "ISO-8859-15");

		if (conversion != (iconv_t)-1)
			iconv_close(conversion);
	}
	return 0;
}
