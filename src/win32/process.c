/* SPDX-License-Identifier: BSD-2-Clause */
/* process.c - opening processes, their ids, handle counts and exit codes */
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "proc/proc.h"
#include "remote/target.h"
#include "win32/win32_internal.h"

/* linux/pidfd.h since 6.13 (the call) and 6.15 (exit codes); older headers lack them. */
struct exit_info {
	uint64_t mask;
	uint64_t cgroup_id;
	uint32_t ids[11];
	int32_t status;
};

#define GET_EXIT_INFO  _IOWR(0xff, 11, struct exit_info)
#define EXIT_INFO_MASK (1u << 3)

/* Rights whose use needs a tendril_target; the others need a pidfd only. */
#define TARGET_RIGHTS \
	(PROCESS_CREATE_THREAD | PROCESS_VM_OPERATION | PROCESS_VM_READ | PROCESS_VM_WRITE)

static struct {
	pthread_mutex_t lock;
	struct process *first;
} processes = { .lock = PTHREAD_MUTEX_INITIALIZER };

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

static void process_free(struct process *process)
{
	struct region *next;

	for (struct region *region = process->regions; region; region = next) {
		next = region->next;
		free(region);
	}
	(void)pthread_mutex_destroy(&process->lock);
	free(process);
}

static bool has_ended(const struct process *process)
{
	uint64_t field[STAT_FIELDS];
	int r = read_stat(process->pid, field);

	return r == -ESRCH || (r == 0 && field[STAT_START_TIME] != process->start_time);
}

/*
 * Reservations outlive the handle that made them, so a process that has some stays listed without
 * handles until it is gone.  The lock is held.
 */
static void sweep(void)
{
	struct process **link = &processes.first;

	while (*link) {
		struct process *process = *link;

		if (process->n_refs > 0 || (process->regions && !has_ended(process))) {
			link = &process->next;
			continue;
		}
		*link = process->next;
		process_free(process);
	}
}

int process_get(pid_t pid, struct process **ret_process)
{
	uint64_t field[STAT_FIELDS];
	int r = read_stat(pid, field);
	struct process *process;

	if (r < 0)
		return r;
	pthread_mutex_lock(&processes.lock);
	sweep();
	for (process = processes.first; process; process = process->next)
		if (process->pid == pid && process->start_time == field[STAT_START_TIME])
			break;
	if (!process) {
		process = calloc(1, sizeof(*process));
		if (process) {
			process->pid = pid;
			process->start_time = field[STAT_START_TIME];
			(void)pthread_mutex_init(&process->lock, NULL);
			process->next = processes.first;
			processes.first = process;
		}
	}
	if (process)
		process->n_refs++;
	pthread_mutex_unlock(&processes.lock);
	*ret_process = process;
	return process ? 0 : -ENOMEM;
}

struct process *process_ref(struct process *process)
{
	if (!process)
		return NULL;
	pthread_mutex_lock(&processes.lock);
	process->n_refs++;
	pthread_mutex_unlock(&processes.lock);
	return process;
}

void process_put(struct process *process)
{
	if (!process)
		return;
	pthread_mutex_lock(&processes.lock);
	if (--process->n_refs == 0)
		sweep();
	pthread_mutex_unlock(&processes.lock);
}

static bool fd_is_ended(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, 0) == 1;
}

int object_target(const struct object *object, struct tendril_target **ret_target,
		  struct tendril_error *error)
{
	AUTO_TARGET struct tendril_target *target = NULL;
	int r = tendril_open(object->id, NULL, &target, error);

	/* Alive after the pid was looked up: it was not yet anybody else's. */
	if (object->fd >= 0 && fd_is_ended(object->fd))
		return -ESRCH;
	if (r < 0)
		return r;
	*ret_target = target;
	target = NULL;
	return 0;
}

static DWORD granted(DWORD asked)
{
	DWORD access = asked & PROCESS_ALL_ACCESS;

	if (asked & (MAXIMUM_ALLOWED | GENERIC_ALL))
		return PROCESS_ALL_ACCESS;
	if (asked & GENERIC_READ)
		access |= READ_CONTROL | PROCESS_VM_READ | PROCESS_QUERY_INFORMATION;
	if (asked & GENERIC_WRITE)
		access |= READ_CONTROL | PROCESS_CREATE_PROCESS | PROCESS_CREATE_THREAD |
			  PROCESS_VM_OPERATION | PROCESS_VM_WRITE | PROCESS_DUP_HANDLE |
			  PROCESS_SET_QUOTA | PROCESS_SET_INFORMATION | PROCESS_SUSPEND_RESUME;
	if (asked & GENERIC_EXECUTE)
		access |= READ_CONTROL | SYNCHRONIZE | PROCESS_TERMINATE;
	if (access & PROCESS_QUERY_INFORMATION)
		access |= PROCESS_QUERY_LIMITED_INFORMATION;
	return access;
}

/* May the caller do with it what it asks for?  Better said here than at the first use. */
static int try_target(const struct object *object, struct tendril_error *error)
{
	AUTO_TARGET struct tendril_target *target = NULL;

	return object->access & TARGET_RIGHTS ? object_target(object, &target, error) : 0;
}

/* The key of the process is read while the new descriptor pins the pid. */
static int open_process(DWORD access, pid_t pid, struct object **ret_object,
			struct tendril_error *error)
{
	AUTO_OBJECT struct object *object = object_new(OBJECT_PROCESS, granted(access));
	int r;

	if (!object)
		return -ENOMEM;
	object->id = pid;
	object->fd = descriptor_above_stdio((int)syscall(SYS_pidfd_open, pid, 0));
	if (object->fd < 0)
		return -errno;
	r = try_target(object, error);
	if (r == 0)
		r = process_get(pid, &object->process);
	if (r == 0 && fd_is_ended(object->fd))
		r = -ESRCH;
	if (r < 0)
		return r;
	*ret_object = object;
	object = NULL;
	return 0;
}

WINBASEAPI HANDLE WINAPI OpenProcess(DWORD dwDesiredAccess, BOOL bInheritHandle, DWORD dwProcessId)
{
	struct tendril_error error = { 0 };
	struct object *object = NULL;
	int r = -EINVAL;

	if (dwProcessId > 0 && dwProcessId <= INT_MAX)
		r = open_process(dwDesiredAccess, (pid_t)dwProcessId, &object, &error);
	/* Here, other than for an open handle, "no such process" is a wrong parameter.  EINVAL
	 * and ENOENT are what the kernel says to the id of a thread. */
	if (r == -ESRCH || r == -ENOENT)
		r = -EINVAL;
	if (r < 0) {
		(void)error_report(r, &error);
		return NULL;
	}
	return object_publish(object, bInheritHandle);
}

WINBASEAPI HANDLE WINAPI GetCurrentProcess(VOID)
{
	return (HANDLE)(intptr_t)-1;
}

WINBASEAPI DWORD WINAPI GetCurrentProcessId(VOID)
{
	return (DWORD)getpid();
}

WINBASEAPI DWORD WINAPI GetProcessId(HANDLE Process)
{
	AUTO_OBJECT struct object *object = NULL;
	int r = object_get(Process, OBJECT_PROCESS, PROCESS_QUERY_LIMITED_INFORMATION, &object);

	if (!error_report(r, NULL))
		return 0;
	return (DWORD)object->id;
}

/* What proc_count_handles() opens to count with, and would find among the caller's own. */
#define COUNTING_HANDLES 2

/* Since Linux 6.2 the directory's size is the count, and no descriptor is needed to ask. */
static int count_handles(pid_t pid, uint64_t *ret_n)
{
	struct stat st;
	char path[32];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	if (stat(path, &st) == 0 && st.st_size > 0) {
		*ret_n = (uint64_t)st.st_size;
		return 0;
	}
	r = proc_count_handles(pid, ret_n);
	if (r == 0 && pid == getpid() && *ret_n >= COUNTING_HANDLES)
		*ret_n -= COUNTING_HANDLES;
	return r;
}

WINBASEAPI BOOL WINAPI GetProcessHandleCount(HANDLE hProcess, PDWORD pdwHandleCount)
{
	AUTO_OBJECT struct object *object = NULL;
	uint64_t n = 0;
	int r = object_get(hProcess, OBJECT_PROCESS, PROCESS_QUERY_LIMITED_INFORMATION, &object);

	if (r == 0 && !pdwHandleCount)
		r = -EFAULT;
	if (r < 0)
		return error_report(r, NULL);
	r = count_handles(object->id, &n);
	/* Looked at afterwards: if it lives, the number was its own, not that of a reused pid. */
	if (object->fd >= 0 && fd_is_ended(object->fd))
		n = 0;
	else if (r < 0)
		return error_report(r, NULL);
	*pdwHandleCount = (DWORD)n;
	return TRUE;
}

static DWORD killed_by(int signal)
{
	switch (signal) {
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
		return STATUS_ACCESS_VIOLATION;
	default:
		return 128 + (DWORD)signal;
	}
}

static DWORD code_of_status(int status)
{
	return WIFSIGNALED(status) ? killed_by(WTERMSIG(status)) : (DWORD)WEXITSTATUS(status);
}

int pidfd_exit_code(int fd, DWORD *ret_code)
{
	struct exit_info info = { .mask = EXIT_INFO_MASK };

	if (ioctl(fd, GET_EXIT_INFO, &info) < 0 || !(info.mask & EXIT_INFO_MASK))
		return -ENODATA;
	*ret_code = code_of_status(info.status);
	return 0;
}

static int code_of_child(int fd, DWORD *ret_code)
{
	siginfo_t info = { 0 };

	if (waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 ||
	    info.si_pid == 0)
		return -ENODATA;
	*ret_code = info.si_code == CLD_EXITED ? (DWORD)info.si_status : killed_by(info.si_status);
	return 0;
}

/*
 * Another's child that has not been reaped: whoever may trace it may read its code in /proc.  The
 * others read 0, so 0 proves nothing.
 */
static int code_of_zombie(const struct object *object, DWORD *ret_code)
{
	uint64_t field[STAT_FIELDS];

	if (read_stat(object->id, field) < 0 || field[STAT_STATE] != 'Z' ||
	    field[STAT_EXIT_CODE] == 0 ||
	    syscall(SYS_pidfd_send_signal, object->fd, 0, NULL, 0) < 0)
		return -ENODATA;
	*ret_code = code_of_status((int)field[STAT_EXIT_CODE]);
	return 0;
}

int process_exit_code(struct object *object, DWORD *ret_code)
{
	struct process *process = object->process;
	int r = 0;

	if (object->fd < 0 || !fd_is_ended(object->fd)) {
		*ret_code = STILL_ACTIVE;
		return 0;
	}
	pthread_mutex_lock(&process->lock);
	if (!process->exit_known) {
		/* The kernel tells the last one from the moment that the zombie is gone. */
		r = code_of_child(object->fd, &process->exit_code);
		if (r < 0)
			r = code_of_zombie(object, &process->exit_code);
		if (r < 0)
			r = pidfd_exit_code(object->fd, &process->exit_code);
		process->exit_known = r == 0;
	}
	*ret_code = process->exit_code;
	pthread_mutex_unlock(&process->lock);
	return r;
}

WINBASEAPI BOOL WINAPI GetExitCodeProcess(HANDLE hProcess, LPDWORD lpExitCode)
{
	AUTO_OBJECT struct object *object = NULL;
	int r = object_get(hProcess, OBJECT_PROCESS, PROCESS_QUERY_LIMITED_INFORMATION, &object);

	if (r == 0 && !lpExitCode)
		r = -EFAULT;
	if (r < 0)
		return error_report(r, NULL);
	(void)process_exit_code(object, lpExitCode); /* a code that is lost is given as 0 */
	return TRUE;
}
