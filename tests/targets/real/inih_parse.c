/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inih_parse.c - read a configuration
 *
 * package: libinih-dev
 * libraries: inih
 * functions: ini_parse
 */
#include <ini.h>
#include <stddef.h>

static int take(void *mine, const char *section, const char *name, const char *value)
{
	(void)mine, (void)section, (void)name, (void)value;
	return 1;
}

int main(void)
{
	for (int i = 0; i < 3; i++)
		ini_parse("plain.conf", take, NULL);
	return 0;
}
