/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * magic_load.c - what is this file?
 *
 * package: libmagic-dev
 * libraries: libmagic
 * functions: magic_load, magic_file
 */
#include <magic.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		magic_t magic = magic_open(MAGIC_NONE);

		if (!magic)
			continue;
		if (magic_load(magic, NULL) == 0)
			magic_file(magic, "picture.png");
		magic_close(magic);
	}
	return 0;
}
