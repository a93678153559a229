/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * magic_compile.c - compile a magic file
 *
 * package: libmagic-dev
 * libraries: libmagic
 * functions: magic_compile
 */
#include <magic.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		magic_t magic = magic_open(MAGIC_NONE);

		if (!magic)
			continue;
		magic_compile(magic, "own-magic");
		magic_close(magic);
	}
	return 0;
}
