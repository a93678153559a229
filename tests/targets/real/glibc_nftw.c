/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc_nftw.c - walk a tree
 *
 * package: libc6-dev
 * libraries:
 * functions: nftw
 */
#define _XOPEN_SOURCE 700
#include <ftw.h>
#include <sys/stat.h>

static int visit(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)path, (void)status, (void)type, (void)where;
	return 0;
}

int main(void)
{
	for (int i = 0; i < 3; i++)
		nftw(".", visit, 8, FTW_PHYS);
	return 0;
}
