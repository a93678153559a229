/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc_glob.c - expand a pattern, and a command
 *
 * package: libc6-dev
 * libraries:
 * functions: glob, wordexp
 */
#include <glob.h>
#include <stddef.h>
#include <wordexp.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		glob_t found;
		wordexp_t words;

		if (glob("*", 0, NULL, &found) == 0)
			globfree(&found);
		if (wordexp("$(echo one two)", &words, 0) == 0)
			wordfree(&words);
	}
	return 0;
}
