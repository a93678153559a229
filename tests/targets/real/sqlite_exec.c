/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sqlite_exec.c - write to a database
 *
 * package: libsqlite3-dev
 * libraries: sqlite3
 * functions: sqlite3_exec
 */
#include <sqlite3.h>
#include <stddef.h>

int main(void)
{
	sqlite3 *database;

	if (sqlite3_open("base.sqlite", &database) != SQLITE_OK)
		return 1;
	for (int i = 0; i < 3; i++)
		sqlite3_exec(database, "insert into plant values('ivy')", NULL, NULL, NULL);
	sqlite3_close(database);
	return 0;
}
