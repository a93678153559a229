/* SPDX-License-Identifier: BSD-2-Clause */
/* files.c - open what a process has mapped, and nothing else in its stead */
#include "symbolize/object.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define FIRST_PAGE 4096

/* A name of the target's may lead to a terminal, a pipe or a tape. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

bool file_is_ours_alone(const struct stat *stat)
{
	return (stat->st_uid == 0 || stat->st_uid == geteuid()) &&
	       (stat->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

int file_open_as_seen(pid_t pid, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(OPEN_FLAGS | flags),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	AUTO_CLOSE int root = -1;
	char name[32] = "/";
	int fd;

	if (path[0] != '/')
		return -ENOENT;
	if (pid != 0)
		(void)snprintf(name, sizeof(name), "/proc/%d/root", (int)pid);
	root = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

/* Not every file system shows the same device in /proc/PID/maps as in stat(2): then the beginning
 * of what is mapped has to be that of the file. */
static bool begins_as_mapped(const struct object_hint *hint, int fd)
{
	unsigned char in_file[FIRST_PAGE], in_memory[FIRST_PAGE];
	AUTO_CLOSE int memory = -1;
	char name[48];
	ssize_t n;

	(void)snprintf(name, sizeof(name), "/proc/%d/mem", (int)hint->pid);
	memory = open(name, O_RDONLY | O_CLOEXEC);
	if (memory < 0)
		return false;
	n = pread(fd, in_file, sizeof(in_file), (off_t)hint->offset);
	return n > 0 && pread(memory, in_memory, (size_t)n, (off_t)hint->low) == n &&
	       memcmp(in_file, in_memory, (size_t)n) == 0;
}

static bool is_mapped_one(const struct object_hint *hint, int fd, const struct stat *stat)
{
	if (hint->inode == 0) /* a build id will tell */
		return hint->build_id_bytes > 0;
	if (hint->inode != stat->st_ino)
		return false;
	if (hint->device == stat->st_dev)
		return true;
	return hint->pid != 0 && begins_as_mapped(hint, fd);
}

static bool is_regular(int fd, struct stat *ret_stat)
{
	return fstat(fd, ret_stat) == 0 && S_ISREG(ret_stat->st_mode);
}

/* The kernel's own link to it: deleted or in another mount namespace makes no difference. */
static int open_map_file(const struct object_hint *hint, struct stat *ret_stat)
{
	AUTO_CLOSE int fd = -1;
	char name[96];

	(void)snprintf(name, sizeof(name), "/proc/%d/map_files/%llx-%llx", (int)hint->pid,
		       (unsigned long long)hint->low, (unsigned long long)hint->high);
	fd = open(name, OPEN_FLAGS);
	if (fd < 0)
		return -errno;
	if (!is_regular(fd, ret_stat) || hint->inode != ret_stat->st_ino)
		return -ENOENT;
	return take_fd(&fd);
}

static int open_by_path(pid_t pid, const struct object_hint *hint, struct stat *ret_stat)
{
	AUTO_CLOSE int fd = file_open_as_seen(pid, hint->path, 0);

	if (fd < 0)
		return fd;
	if (!is_regular(fd, ret_stat) || !is_mapped_one(hint, fd, ret_stat))
		return -ENOENT;
	return take_fd(&fd);
}

int file_open_mapped(const struct object_hint *hint, struct stat *ret_stat)
{
	int fd = -ENOENT;

	if (hint->pid != 0 && hint->high != 0)
		fd = open_map_file(hint, ret_stat);
	if (fd < 0 && hint->pid != 0)
		fd = open_by_path(hint->pid, hint, ret_stat);
	if (fd < 0)
		fd = open_by_path(0, hint, ret_stat);
	return fd;
}

bool file_is_at_path(const struct object_hint *hint, struct stat *ret_stat)
{
	return hint->inode != 0 && hint->path[0] == '/' && stat(hint->path, ret_stat) == 0 &&
	       S_ISREG(ret_stat->st_mode) && ret_stat->st_ino == hint->inode &&
	       ret_stat->st_dev == hint->device;
}
