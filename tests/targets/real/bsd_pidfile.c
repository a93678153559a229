/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bsd_pidfile.c - a pid file
 *
 * package: libbsd-dev
 * libraries: libbsd
 * functions: pidfile_open
 */
#include <bsd/libutil.h>
#include <stddef.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct pidfh *file = pidfile_open("new.pid", 0600, NULL);

		if (file)
			pidfile_remove(file);
	}
	return 0;
}
