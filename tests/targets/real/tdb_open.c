/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tdb_open.c - open a database
 *
 * package: libtdb-dev
 * libraries: tdb
 * functions: tdb_open
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <stdint.h>
#include <stdbool.h>
#include <signal.h>
#include <tdb.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct tdb_context *base = tdb_open("base.tdb", 0, 0, O_RDWR | O_CREAT, 0600);

		if (base)
			tdb_close(base);
	}
	return 0;
}
