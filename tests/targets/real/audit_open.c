/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_open.c - talk to the audit system
 *
 * package: libaudit-dev
 * libraries: audit
 * functions: audit_open, audit_is_enabled
 */
#include <libaudit.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		int fd = audit_open();

		if (fd < 0)
			continue;
		audit_is_enabled(fd);
		audit_close(fd);
	}
	return 0;
}
