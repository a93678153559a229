/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gdbm_open.c - open a database
 *
 * package: libgdbm-dev
 * libraries: -lgdbm
 * functions: gdbm_open
 */
#include <gdbm.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		GDBM_FILE file = gdbm_open("base.gdbm", 0, GDBM_WRCREAT, 0600, NULL);

		if (file)
			gdbm_close(file);
	}
	return 0;
}
