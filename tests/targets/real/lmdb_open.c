/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmdb_open.c - open a database, and copy it
 *
 * package: liblmdb-dev
 * libraries: lmdb
 * functions: mdb_env_open, mdb_env_copy2
 */
#include <lmdb.h>
#include <stdio.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		MDB_env *base;

		if (mdb_env_create(&base) != 0)
			continue;
		remove("copy.mdb");
		if (mdb_env_open(base, "base.mdb", MDB_NOSUBDIR, 0600) == 0)
			mdb_env_copy2(base, "copy.mdb", 0);
		mdb_env_close(base);
	}
	return 0;
}
