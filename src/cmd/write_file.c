/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/write_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base.h"

/* A device or a pipe is written to; a file appears whole, or stays what it was. */
static bool is_replaced(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 || S_ISREG(st.st_mode);
}

static int directory_of(const char *path, char out[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	int n = !slash ? snprintf(out, PATH_MAX, ".")
		       : snprintf(out, PATH_MAX, "%.*s/", (int)(slash - path), path);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int cmd_check_file(const char *path)
{
	char directory[PATH_MAX];
	struct stat st;
	int r = directory_of(path, directory);

	if (r < 0)
		return r;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return -EISDIR;
	return access(is_replaced(path) ? directory : path, W_OK) < 0 ? -errno : 0;
}

static int write_to(int fd, cmd_write_fn write, const void *data)
{
	FILE *out = fdopen(fd, "w");
	int r;

	if (!out) {
		close_keeping_errno(fd);
		return -errno;
	}
	r = write(out, data);
	if (fclose(out) == EOF && r == 0)
		r = -errno;
	return r;
}

static int replace_file(const char *path, cmd_write_fn write, const void *data)
{
	char name[PATH_MAX];
	int r, fd;

	if (snprintf(name, sizeof(name), "%s.XXXXXX", path) >= (int)sizeof(name))
		return -ENAMETOOLONG;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = write_to(fd, write, data);
	if (r == 0 && rename(name, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(name);
	return r;
}

int cmd_write_file(const char *path, cmd_write_fn write, const void *data)
{
	int fd;

	if (is_replaced(path))
		return replace_file(path, write, data);
	fd = open(path, O_WRONLY | O_CLOEXEC | O_TRUNC);
	return fd < 0 ? -errno : write_to(fd, write, data);
}
