/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc_setlocale.c - load a locale
 *
 * package: libc6-dev
 * libraries:
 * functions: setlocale, newlocale
 */
#include <locale.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		locale_t locale = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);

		setlocale(LC_ALL, "C.UTF-8");
		if (locale)
			freelocale(locale);
	}
	return 0;
}
