/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc_getpwnam.c - look an account up
 *
 * package: libc6-dev
 * libraries:
 * functions: getpwnam, getgrnam
 */
#include <grp.h>
#include <pwd.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		getpwnam("nobody");
		getgrnam("daemon");
	}
	return 0;
}
