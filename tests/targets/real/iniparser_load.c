/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iniparser_load.c - read a configuration
 *
 * package: libiniparser-dev
 * libraries: -liniparser
 * functions: iniparser_load
 */
#include <iniparser/iniparser.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		dictionary *words = iniparser_load("plain.conf");

		if (words)
			iniparser_freedict(words);
	}
	return 0;
}
