/* SPDX-License-Identifier: BSD-2-Clause */
/* process.c - what a process is: stat, status, limits, counts */
#include "proc/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */

/* The lines of groups and of allowed memory nodes grow with the machine; a name does not. */
#define STATUS_BYTES_MAX (4u << 20)
/* The kernel's largest pid_max, times two: so many entries has no directory of processes. */
#define IDS_MAX (8u << 20)

/* Fields of /proc/PID/stat behind the name: the third in proc(5) is number 0 here. */
enum { STAT_STATE, STAT_PPID, STAT_SESSION = 3, STAT_FLAGS = 6, STAT_MINOR_FAULTS = 7,
       STAT_MAJOR_FAULTS = 9, STAT_USER_TIME = 11,
       STAT_SYSTEM_TIME = 12, STAT_THREADS = 17,
       STAT_START = 19, STAT_VM = 20, STAT_RESIDENT = 21, STAT_N };

static void copy_name(struct proc_process *process, const char *name, size_t bytes)
{
	if (bytes >= sizeof(process->comm))
		bytes = sizeof(process->comm) - 1;
	memcpy(process->comm, name, bytes);
	process->comm[bytes] = '\0';
}

/*
 * "12 (name) S 1 ...".  The name is raw and may be `x) R 1`: the kernel puts nothing that a process
 * chooses behind it, so its end is the last parenthesis.
 */
int proc_parse_stat(const char *text, size_t bytes, struct proc_process *process)
{
	const char *open = memchr(text, '(', bytes);
	const char *close = memrchr(text, ')', bytes);
	uint64_t field[STAT_N] = { 0 };
	const char *s;

	if (!open || !close || close < open || close + 3 > text + bytes || close[1] != ' ')
		return -EIO;
	copy_name(process, open + 1, (size_t)(close - open - 1));
	process->state = close[2];
	s = close + 3;
	for (size_t i = STAT_PPID; i < STAT_N; i++) {
		while (*s == ' ' || *s == '-') /* the terminal and the priority can be negative */
			s++;
		s = proc_scan(s, 10, &field[i]);
		if (!s)
			return -EIO;
	}
	process->ppid = (pid_t)field[STAT_PPID];
	process->session = (pid_t)field[STAT_SESSION];
	process->kernel_thread = !!(field[STAT_FLAGS] & PF_KTHREAD);
	process->n_threads = field[STAT_THREADS];
	process->start_ticks = field[STAT_START];
	process->vm_bytes = field[STAT_VM];
	process->resident_pages = field[STAT_RESIDENT];
	process->user_ticks = field[STAT_USER_TIME];
	process->system_ticks = field[STAT_SYSTEM_TIME];
	process->cpu_ticks = process->user_ticks + process->system_ticks;
	process->page_faults = field[STAT_MINOR_FAULTS] + field[STAT_MAJOR_FAULTS];
	return 0;
}

/* Up to n numbers of one line, in base; returns how many there were. */
static size_t line_numbers(const char *text, const char *key, unsigned base, uint64_t *ret_values,
			   size_t n)
{
	const char *s = proc_find_line(text, key);
	size_t found = 0;

	while (s && found < n) {
		s = proc_scan(s, base, &ret_values[found]);
		if (s)
			found++;
	}
	return found;
}

static bool line_has_word(const char *text, const char *key, const char *word)
{
	const char *s = proc_find_line(text, key);
	size_t n = strlen(word);

	while (s && *s && *s != '\n') {
		s += strspn(s, " \t");
		if (!strncmp(s, word, n) && (s[n] == ' ' || s[n] == '\n' || s[n] == '\0'))
			return true;
		s += strcspn(s, " \t\n");
	}
	return false;
}

/* The kernel escapes newlines in the name here, so that no line can be forged. */
int proc_parse_status(const char *text, struct proc_process *process)
{
	uint64_t ids[4], value[PROC_NS_PID_MAX];

	if (line_numbers(text, "Tgid", 10, value, 1) != 1)
		return -EIO;
	process->tgid = (pid_t)value[0];
	if (line_numbers(text, "Uid", 10, ids, 4) != 4)
		return -EIO;
	process->uid = (uid_t)ids[0];
	process->euid = (uid_t)ids[1];
	process->suid = (uid_t)ids[2];
	if (line_numbers(text, "Gid", 10, ids, 4) != 4)
		return -EIO;
	process->gid = (gid_t)ids[0];
	process->egid = (gid_t)ids[1];
	process->sgid = (gid_t)ids[2];
	/* What follows depends on the kernel's configuration; absent means none of it. */
	if (line_numbers(text, "TracerPid", 10, value, 1))
		process->tracer_pid = (pid_t)value[0];
	if (line_numbers(text, "NoNewPrivs", 10, value, 1))
		process->no_new_privs = value[0] != 0;
	if (line_numbers(text, "Seccomp", 10, value, 1))
		process->seccomp = (uint8_t)value[0];
	if (line_numbers(text, "CapPrm", 16, value, 1))
		process->capabilities = value[0];
	process->shadow_stack = line_has_word(text, "x86_Thread_features", "shstk");
	process->n_ns_pids = line_numbers(text, "NSpid", 10, value, PROC_NS_PID_MAX);
	for (size_t i = 0; i < process->n_ns_pids; i++)
		process->ns_pid[i] = (pid_t)value[i];
	return 0;
}

static int read_stat(int dir, struct proc_process *process)
{
	AUTO_FREE char *text = NULL;
	size_t bytes;
	int r = proc_read_file(dir, "stat", STATUS_BYTES_MAX, &text, &bytes);

	return r < 0 ? r : proc_parse_stat(text, bytes, process);
}

int proc_process_read_stat(pid_t pid, struct proc_process *ret_process)
{
	AUTO_CLOSE int dir = proc_open(pid);
	struct proc_process process = { .pid = pid };
	int r = dir < 0 ? dir : read_stat(dir, &process);

	if (r == 0)
		*ret_process = process;
	return r;
}

int proc_process_read(pid_t pid, struct proc_process *ret_process)
{
	AUTO_CLOSE int dir = proc_open(pid);
	AUTO_FREE char *status_text = NULL;
	struct proc_process process = { .pid = pid };
	size_t bytes;
	int r;

	if (dir < 0)
		return dir;
	r = read_stat(dir, &process);
	if (r == 0)
		r = proc_read_file(dir, "status", STATUS_BYTES_MAX, &status_text, &bytes);
	if (r == 0)
		r = proc_parse_status(status_text, &process);
	if (r < 0)
		return r;
	*ret_process = process;
	return 0;
}

/* Ids in a directory */

static int compare_ids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

static void close_directory(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* fdopendir() takes the descriptor over only when it succeeds. */
static DIR *open_directory(int dir_fd, const char *name)
{
	AUTO_CLOSE int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		(void)take_fd(&fd);
	return dir;
}

static int add_id(pid_t **ids, size_t *n, size_t *room, pid_t id)
{
	if (*n == *room) {
		size_t more = *room ? *room * 2 : 64;
		pid_t *grown = more > IDS_MAX ? NULL : realloc(*ids, more * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		*ids = grown;
		*room = more;
	}
	(*ids)[(*n)++] = id;
	return 0;
}

static int read_ids(int dir_fd, const char *name, pid_t **ret_ids, size_t *ret_n)
{
	__attribute__((cleanup(close_directory))) DIR *dir = open_directory(dir_fd, name);
	AUTO_FREE pid_t *ids = NULL;
	size_t n = 0, room = 0;
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? -ESRCH : errno == EPERM ? -EACCES : -errno;
	while ((errno = 0, entry = readdir(dir))) {
		uint64_t id;
		const char *end = proc_scan(entry->d_name, 10, &id);

		if (!end || *end || id == 0 || id > INT_MAX)
			continue;
		if (add_id(&ids, &n, &room, (pid_t)id) < 0)
			return -ENOMEM;
	}
	if (errno)
		return errno == ENOENT ? -ESRCH : -errno;
	if (n > 1)
		qsort(ids, n, sizeof(*ids), compare_ids);
	*ret_ids = ids;
	*ret_n = n;
	ids = NULL;
	return 0;
}

int proc_threads(pid_t pid, pid_t **ret_tids, size_t *ret_n)
{
	AUTO_CLOSE int dir = proc_open(pid);
	AUTO_FREE pid_t *tids = NULL;
	size_t n = 0;
	int r;

	if (dir < 0)
		return dir;
	r = read_ids(dir, "task", &tids, &n);
	if (r < 0)
		return r;
	if (n == 0) /* it died between the two */
		return -ESRCH;
	*ret_tids = tids;
	*ret_n = n;
	tids = NULL;
	return 0;
}

int proc_processes(pid_t **ret_pids, size_t *ret_n)
{
	return read_ids(AT_FDCWD, "/proc", ret_pids, ret_n);
}

pid_t proc_live_thread(pid_t pid)
{
	AUTO_FREE pid_t *tids = NULL;
	struct proc_process process;
	size_t n = 0;

	if (proc_process_read(pid, &process) < 0 || process.state != 'Z' ||
	    proc_threads(pid, &tids, &n) < 0)
		return pid;
	for (size_t i = 0; i < n; i++)
		if (proc_process_read(tids[i], &process) == 0 && process.state != 'Z' &&
		    process.state != 'X')
			return tids[i];
	return pid;
}

/* Counts */

/* Entries of a directory of numbers; -EACCES when it may not be read. */
static int count_entries(int dir_fd, const char *name, uint64_t *ret_count)
{
	__attribute__((cleanup(close_directory))) DIR *dir = open_directory(dir_fd, name);
	struct dirent *entry;
	uint64_t n = 0;

	if (!dir)
		return errno == ENOENT ? -ESRCH : errno == EPERM ? -EACCES : -errno;
	while ((errno = 0, entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			n++;
	if (errno)
		return errno == ENOENT ? -ESRCH : -errno;
	*ret_count = n;
	return 0;
}

bool proc_has_handle_count(void)
{
	AUTO_CLOSE int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0; /* fd itself is one */
}

/*
 * Since Linux 6.2 the size of /proc/PID/fd is the number of handles, and anybody may ask for it.
 * Before, it is 0: then they are counted, which needs the right to look at the process.
 */
static int count_of(pid_t tid, uint64_t *ret_count)
{
	AUTO_CLOSE int dir = proc_open(tid);
	struct stat st;
	int r;

	if (dir < 0)
		return dir;
	if (fstatat(dir, "fd", &st, 0) < 0)
		return errno == ENOENT ? -ESRCH : errno == EPERM ? -EACCES : -errno;
	if (st.st_size > 0) {
		*ret_count = (uint64_t)st.st_size;
		return 0;
	}
	r = count_entries(dir, "fd", ret_count);
	if (r != -EACCES || !proc_has_handle_count())
		return r;
	*ret_count = 0; /* the kernel does tell, and it is none */
	return 0;
}

static int entries_of(pid_t tid, uint64_t *ret_count)
{
	AUTO_CLOSE int dir = proc_open(tid);

	return dir < 0 ? dir : count_entries(dir, "fd", ret_count);
}

/* By a thread that lives, when the leader alone has ended. */
static int count_by(int (*count_handles)(pid_t tid, uint64_t *ret_count), pid_t pid,
		    uint64_t *ret_count)
{
	uint64_t count = 0;
	int r = count_handles(pid, &count);
	pid_t other = pid;

	if (r == 0 && count == 0)
		other = proc_live_thread(pid);
	if (other != pid)
		r = count_handles(other, &count);
	if (r == 0)
		*ret_count = count;
	return r;
}

int proc_count_handles(pid_t pid, uint64_t *ret_count)
{
	return count_by(count_of, pid, ret_count);
}

int proc_count_handle_entries(pid_t pid, uint64_t *ret_count)
{
	return count_by(entries_of, pid, ret_count);
}

/* "Max open files            1024                 524288               files" */
int proc_parse_handle_limit(const char *limits, uint64_t *ret_limit)
{
	static const char key[] = "\nMax open files";
	const char *s = strstr(limits, key);

	if (!s)
		return -EIO;
	s += sizeof(key) - 1;
	s += strspn(s, " ");
	if (!strncmp(s, "unlimited", 9)) {
		*ret_limit = PROC_UNLIMITED;
		return 0;
	}
	return proc_scan(s, 10, ret_limit) ? 0 : -EIO;
}

int proc_handle_limit(pid_t pid, uint64_t *ret_limit)
{
	AUTO_CLOSE int dir = proc_open(pid);
	AUTO_FREE char *text = NULL;
	size_t bytes;
	int r;

	if (dir < 0)
		return dir;
	r = proc_read_file(dir, "limits", STATUS_BYTES_MAX, &text, &bytes);
	return r < 0 ? r : proc_parse_handle_limit(text, ret_limit);
}
