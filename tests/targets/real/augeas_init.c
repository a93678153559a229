/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * augeas_init.c - an editor of configuration files
 *
 * package: libaugeas-dev
 * libraries: augeas
 * functions: aug_init
 */
#include <augeas.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		augeas *editor = aug_init(".", ".", AUG_NO_STDINC);

		if (editor)
			aug_close(editor);
	}
	return 0;
}
