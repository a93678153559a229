/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * db_open.c - open a Berkeley database
 *
 * package: libdb-dev
 * libraries: -ldb
 * functions: db_create
 */
#include <db.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		DB *base = NULL;

		if (db_create(&base, NULL, 0) != 0)
			continue;
		base->open(base, NULL, "base.db", NULL, DB_BTREE, DB_CREATE, 0600);
		base->close(base, 0);
	}
	return 0;
}
