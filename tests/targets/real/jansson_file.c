/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jansson_file.c - read and write
 *
 * package: libjansson-dev
 * libraries: jansson
 * functions: json_load_file, json_dump_file
 */
#include <jansson.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		json_t *object = json_load_file("page.json", 0, NULL);

		if (!object)
			continue;
		json_dump_file(object, "new.json", 0);
		json_decref(object);
	}
	return 0;
}
