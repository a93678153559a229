/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mount_table.c - read and write a table
 *
 * package: libmount-dev
 * libraries: mount
 * functions: mnt_new_table_from_file, mnt_table_replace_file
 */
#include <libmount/libmount.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");

		if (!table)
			continue;
		mnt_table_replace_file(table, "new.tab");
		mnt_unref_table(table);
	}
	return 0;
}
