/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * git_repository.c - a repository
 *
 * package: libgit2-dev
 * libraries: libgit2
 * functions: git_repository_init, git_repository_open
 */
#include <git2.h>

int main(void)
{
	git_libgit2_init();
	for (int i = 0; i < 3; i++) {
		git_repository *repository;

		if (git_repository_init(&repository, "repository", 1) == 0)
			git_repository_free(repository);
		if (git_repository_open(&repository, "repository") == 0)
			git_repository_free(repository);
	}
	git_libgit2_shutdown();
	return 0;
}
