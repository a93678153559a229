/* SPDX-License-Identifier: BSD-2-Clause */
#include "faults/changes.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

static const short always[] = {
	SYS_mkdir,     SYS_mkdirat, SYS_rmdir,	  SYS_mknod,	 SYS_mknodat,
	SYS_link,      SYS_linkat,  SYS_rename,	  SYS_renameat,	 SYS_symlink,
	SYS_symlinkat, SYS_unlink,  SYS_unlinkat, SYS_mq_unlink,
#ifdef SYS_renameat2
	SYS_renameat2,
#endif
};

/* What System V objects hold is the same for all. */
static const short shared[] = {
	SYS_semop, SYS_semtimedop, SYS_semctl, SYS_msgsnd, SYS_msgrcv, SYS_msgctl, SYS_shmctl,
};

/* What is appended is there twice then. */
static bool counts_twice(uint64_t flags)
{
	return (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) ||
	       ((flags & O_APPEND) && (flags & O_ACCMODE) != O_RDONLY);
}

/* A socket's name in the file system stays when the socket is closed. */
static bool binds_path(const struct task *task, raddr_t address)
{
	struct {
		sa_family_t family;
		char first;
	} name;

	return task_read(task, address, &name, sizeof(name)) == 0 && name.family == AF_UNIX &&
	       name.first != '\0';
}

bool changes_world(const struct task *task, long number, const uint64_t arguments[6])
{
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		if (always[i] == number)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
		if (shared[i] == number)
			return true;
	switch (number) {
	case SYS_open:
		return counts_twice(arguments[1]);
	case SYS_openat:
		return counts_twice(arguments[2]);
	case SYS_bind:
		return binds_path(task, arguments[1]);
	default:
		return false;
	}
}
