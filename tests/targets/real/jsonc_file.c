/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jsonc_file.c - read and write
 *
 * package: libjson-c-dev
 * libraries: json-c
 * functions: json_object_from_file, json_object_to_file
 */
#include <json-c/json.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct json_object *object = json_object_from_file("page.json");

		if (!object)
			continue;
		json_object_to_file("new.json", object);
		json_object_put(object);
	}
	return 0;
}
