/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sqlite_open.c - open a database
 *
 * package: libsqlite3-dev
 * libraries: sqlite3
 * functions: sqlite3_open
 */
#include <sqlite3.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		sqlite3 *database = NULL;

		if (sqlite3_open("base.sqlite", &database) == SQLITE_OK)
			sqlite3_exec(database, "select count(*) from plant", NULL, NULL, NULL);
		sqlite3_close(database);
	}
	return 0;
}
