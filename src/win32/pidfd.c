/* SPDX-License-Identifier: BSD-2-Clause */
/* pidfd.c - what the kernel tells of the process or thread that a descriptor pins */
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "proc/proc.h"
#include "win32/win32_internal.h"

/* linux/pidfd.h since 6.13 (the call) and 6.15 (exit codes); older headers lack them. */
struct pidfd_info {
	uint64_t mask;
	uint64_t cgroup_id;
	uint32_t pid, tgid, ppid;
	uint32_t users[8];
	int32_t status;
};

#define GET_INFO       _IOWR(0xff, 11, struct pidfd_info)
#define INFO_MASK_PID  (1u << 0)
#define INFO_MASK_EXIT (1u << 3)
#define PIDFS_MAGIC    0x50494446

/* Fields of /proc/PID/stat, numbered as in proc(5). */
enum {
	STAT_STATE = 3,
	STAT_START_TIME = 22,
	STAT_START_CODE = 26,
	STAT_END_CODE = 27,
	STAT_START_STACK = 28,
	STAT_EXIT_CODE = 52,
	STAT_FIELDS = 53,
};

/* Numbers land in ret_fields[number]; the state's letter in ret_fields[STAT_STATE]. */
static int read_stat(pid_t pid, uint64_t ret_fields[STAT_FIELDS])
{
	AUTO_CLOSE int dir_fd = proc_open(pid);
	AUTO_FREE char *text = NULL;
	size_t bytes;
	char *at;
	int r = dir_fd < 0 ? dir_fd : proc_read_file(dir_fd, "stat", 4096, &text, &bytes);

	if (r < 0)
		return r;
	at = strrchr(text, ')'); /* the name before it may hold anything */
	if (!at || !at[1] || !at[2])
		return -EIO;
	memset(ret_fields, 0, STAT_FIELDS * sizeof(ret_fields[0]));
	ret_fields[STAT_STATE] = (unsigned char)at[2];
	at += 3;
	for (int field = STAT_STATE + 1; field < STAT_FIELDS && *at; field++)
		ret_fields[field] = strtoull(at, &at, 10);
	return 0;
}

int process_image(pid_t pid, uint64_t *ret_image)
{
	uint64_t field[STAT_FIELDS];
	int r = read_stat(pid, field);

	if (r < 0)
		return r;
	/* With address space randomisation each execve() has another stack; without it the
	 * bounds of the text tell most programs apart. */
	*ret_image = field[STAT_START_STACK] ^ field[STAT_START_CODE] << 8 ^
		     field[STAT_END_CODE] << 16;
	return 0;
}

bool pidfd_is_ended(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, 0) == 1;
}

/* Since Linux 6.9 each process has an inode of its own: 1; before: -1; 0: not asked yet. */
static int has_own_inodes;

static bool has_inodes(int fd)
{
	int answer = __atomic_load_n(&has_own_inodes, __ATOMIC_RELAXED);
	struct statfs fs;

	if (answer == 0) {
		answer = fstatfs(fd, &fs) == 0 && fs.f_type == PIDFS_MAGIC ? 1 : -1;
		__atomic_store_n(&has_own_inodes, answer, __ATOMIC_RELAXED);
	}
	return answer > 0;
}

int pidfd_identity(int fd, pid_t id, uint64_t *ret_identity)
{
	uint64_t field[STAT_FIELDS];
	struct stat st;
	int r;

	if (has_inodes(fd)) {
		if (fstat(fd, &st) < 0)
			return -errno;
		*ret_identity = st.st_ino;
		return 0;
	}
	r = read_stat(id, field);
	if (r < 0)
		return r;
	*ret_identity = field[STAT_START_TIME];
	return pidfd_is_ended(fd) ? -ESRCH : 0; /* it was its own time, if it lives now */
}

uint64_t pidfd_inode(uint64_t identity)
{
	bool is_inode = __atomic_load_n(&has_own_inodes, __ATOMIC_RELAXED) > 0;

	return is_inode && identity != IDENTITY_OF_SELF ? identity : 0;
}

int pidfd_process_id(int fd, pid_t tid, pid_t *ret_pid)
{
	struct pidfd_info info = { .mask = INFO_MASK_PID };
	struct proc_process thread;
	int r;

	if (ioctl(fd, GET_INFO, &info) == 0 && info.mask & INFO_MASK_PID) {
		*ret_pid = (pid_t)info.tgid;
		return 0;
	}
	r = proc_process_read(tid, &thread);
	if (r < 0)
		return r;
	*ret_pid = thread.tgid;
	return 0;
}

static int status_of_child(int fd, int *ret_status)
{
	siginfo_t info = { 0 };

	if (waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 ||
	    info.si_pid == 0)
		return -ENODATA;
	*ret_status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0)
						 : W_EXITCODE(0, info.si_status);
	return 0;
}

/*
 * Another's child that has not been reaped: whoever may trace it may read its code in /proc.  The
 * others read 0, so 0 proves nothing.
 */
static int status_of_zombie(int fd, pid_t id, int *ret_status)
{
	uint64_t field[STAT_FIELDS];

	if (read_stat(id, field) < 0 || field[STAT_STATE] != 'Z' || field[STAT_EXIT_CODE] == 0 ||
	    syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) < 0)
		return -ENODATA;
	*ret_status = (int)field[STAT_EXIT_CODE];
	return 0;
}

/* Of a process, from the moment that the zombie is gone. */
int pidfd_thread_status(int fd, int *ret_status)
{
	struct pidfd_info info = { .mask = INFO_MASK_EXIT };

	if (ioctl(fd, GET_INFO, &info) < 0 || !(info.mask & INFO_MASK_EXIT))
		return -ENODATA;
	*ret_status = info.status;
	return 0;
}

int pidfd_exit_status(int fd, pid_t id, int *ret_status)
{
	int r = status_of_child(fd, ret_status);

	if (r < 0)
		r = status_of_zombie(fd, id, ret_status);
	return r < 0 ? pidfd_thread_status(fd, ret_status) : r;
}
