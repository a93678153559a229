/* SPDX-License-Identifier: BSD-2-Clause */
/* handles.c - list the handles of a process; one class for each kind */
#include "proc/handles.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* A line for each watch of an epoll or inotify handle. */
#define FDINFO_BYTES_MAX (64u << 20)
#define WHAT_BYTES 192
#define DELETED " (deleted)"

struct class {
	enum proc_handle_kind kind;
	const char *name;
	const char *anonymous; /* how the link of an anonymous inode of this kind begins */
	/* What its fdinfo tells, in words; NULL: the text of the link says it. */
	void (*describe)(const char *fdinfo, struct proc_handle *handle, char what[WHAT_BYTES]);
};

static uint64_t field(const char *fdinfo, const char *key, unsigned base, uint64_t otherwise)
{
	const char *line = proc_find_line(fdinfo, key);
	uint64_t value;

	return line && proc_scan(line, base, &value) ? value : otherwise;
}

static unsigned long count_lines(const char *text, const char *start)
{
	size_t n = strlen(start);
	unsigned long count = 0;

	while (text && *text) {
		count += !strncmp(text, start, n);
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return count;
}

static void describe_eventfd(const char *fdinfo, struct proc_handle *handle, char *what)
{
	(void)handle;
	(void)snprintf(what, WHAT_BYTES, "count %llu",
		       (unsigned long long)field(fdinfo, "eventfd-count", 16, 0));
}

static void describe_epoll(const char *fdinfo, struct proc_handle *handle, char *what)
{
	unsigned long n = count_lines(fdinfo, "tfd:");

	(void)handle;
	(void)snprintf(what, WHAT_BYTES, "watches %lu handle%s", n, n == 1 ? "" : "s");
}

static void describe_timerfd(const char *fdinfo, struct proc_handle *handle, char *what)
{
	uint64_t clock = field(fdinfo, "clockid", 10, UINT64_MAX);
	const char *line = proc_find_line(fdinfo, "it_value");
	const char *name = clock == 0 ? "realtime" : clock == 1 ? "monotonic" :
			   clock == 7 ? "boottime" : "clock";
	unsigned long long s = 0, ns = 0;

	(void)handle;
	if (line && sscanf(line, " (%llu, %llu)", &s, &ns) == 2 && (s || ns))
		(void)snprintf(what, WHAT_BYTES, "%s, due in %llu.%03llu s", name, s,
			       ns / NS_PER_MS);
	else
		(void)snprintf(what, WHAT_BYTES, "%s, not armed", name);
}

static void describe_signalfd(const char *fdinfo, struct proc_handle *handle, char *what)
{
	uint64_t mask = field(fdinfo, "sigmask", 16, 0);
	int used = snprintf(what, WHAT_BYTES, mask ? "signals" : "no signals");

	(void)handle;
	for (int i = 0; i < 64 && used < WHAT_BYTES - 8; i++)
		if (mask >> i & 1)
			used += snprintf(what + used, WHAT_BYTES - (size_t)used, " %d", i + 1);
}

static void describe_inotify(const char *fdinfo, struct proc_handle *handle, char *what)
{
	unsigned long n = count_lines(fdinfo, "inotify ");

	(void)handle;
	(void)snprintf(what, WHAT_BYTES, "%lu watch%s", n, n == 1 ? "" : "es");
}

static void describe_fanotify(const char *fdinfo, struct proc_handle *handle, char *what)
{
	unsigned long n = count_lines(fdinfo, "fanotify ") -
			  count_lines(fdinfo, "fanotify flags:");

	(void)handle;
	(void)snprintf(what, WHAT_BYTES, "%lu mark%s", n, n == 1 ? "" : "s");
}

/* A process that has ended is -1, one outside of our PID namespace 0; O_EXCL is PIDFD_THREAD. */
static void describe_pidfd(const char *fdinfo, struct proc_handle *handle, char *what)
{
	uint64_t pid = field(fdinfo, "Pid", 10, 0);
	const char *kind = field(fdinfo, "flags", 8, 0) & O_EXCL ? "thread" : "PID";
	struct proc_process process;

	if (pid == 0 || pid > INT_MAX) {
		(void)snprintf(what, WHAT_BYTES, "a process that has ended or is not visible");
		return;
	}
	handle->pid = (pid_t)pid;
	if (proc_process_read((pid_t)pid, &process) < 0)
		(void)snprintf(what, WHAT_BYTES, "%s %d", kind, (int)pid);
	else
		(void)snprintf(what, WHAT_BYTES, "%s %d (%s)", kind, (int)pid, process.comm);
}

static void describe_userfaultfd(const char *fdinfo, struct proc_handle *handle, char *what)
{
	(void)handle;
	(void)snprintf(what, WHAT_BYTES, "%llu of %llu faults pending",
		       (unsigned long long)field(fdinfo, "pending", 10, 0),
		       (unsigned long long)field(fdinfo, "total", 10, 0));
}

static void describe_io_uring(const char *fdinfo, struct proc_handle *handle, char *what)
{
	const char *sq = proc_find_line(fdinfo, "SqMask"), *cq = proc_find_line(fdinfo, "CqMask");
	unsigned long long in = 0, out = 0;

	(void)handle;
	if (sq && cq && sscanf(sq, " %llx", &in) == 1 && sscanf(cq, " %llx", &out) == 1)
		(void)snprintf(what, WHAT_BYTES, "queues of %llu and %llu entries", in + 1,
			       out + 1);
}

static void describe_bpf(const char *fdinfo, struct proc_handle *handle, char *what)
{
	static const struct {
		const char *key, *name;
	} ids[] = { { "map_id", "map" }, { "link_id", "link" }, { "prog_id", "program" },
		    { "btf_id", "types" } };

	(void)handle;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		uint64_t id = field(fdinfo, ids[i].key, 10, UINT64_MAX);

		if (id == UINT64_MAX)
			continue;
		(void)snprintf(what, WHAT_BYTES, "%s %llu", ids[i].name,
			       (unsigned long long)id);
		return;
	}
}

static const struct class classes[] = {
	{ PROC_HANDLE_FILE, "file", NULL, NULL },
	{ PROC_HANDLE_DIRECTORY, "directory", NULL, NULL },
	{ PROC_HANDLE_SOCKET, "socket", "socket:", NULL },
	{ PROC_HANDLE_PIPE, "pipe", "pipe:", NULL },
	{ PROC_HANDLE_FIFO, "fifo", NULL, NULL },
	{ PROC_HANDLE_DEVICE, "device", NULL, NULL },
	{ PROC_HANDLE_TTY, "tty", NULL, NULL },
	{ PROC_HANDLE_MEMFD, "memfd", NULL, NULL },
	{ PROC_HANDLE_EVENTFD, "eventfd", "anon_inode:[eventfd]", describe_eventfd },
	{ PROC_HANDLE_EPOLL, "epoll", "anon_inode:[eventpoll]", describe_epoll },
	{ PROC_HANDLE_TIMERFD, "timerfd", "anon_inode:[timerfd]", describe_timerfd },
	{ PROC_HANDLE_SIGNALFD, "signalfd", "anon_inode:[signalfd]", describe_signalfd },
	{ PROC_HANDLE_INOTIFY, "inotify", "anon_inode:inotify", describe_inotify },
	{ PROC_HANDLE_FANOTIFY, "fanotify", "anon_inode:[fanotify]", describe_fanotify },
	{ PROC_HANDLE_PIDFD, "pidfd", "anon_inode:[pidfd]", describe_pidfd },
	{ PROC_HANDLE_USERFAULTFD, "userfaultfd", "anon_inode:[userfaultfd]",
	  describe_userfaultfd },
	{ PROC_HANDLE_IO_URING, "io_uring", "anon_inode:[io_uring]", describe_io_uring },
	{ PROC_HANDLE_PERF_EVENT, "perf_event", "anon_inode:[perf_event]", NULL },
	{ PROC_HANDLE_BPF, "bpf", "anon_inode:bpf", describe_bpf },
	{ PROC_HANDLE_NAMESPACE, "namespace", NULL, NULL },
	{ PROC_HANDLE_OTHER, "other", NULL, NULL },
};
_Static_assert(ARRAY_SIZE(classes) == PROC_HANDLE_KINDS, "one class for each kind, in its order");

const char *proc_handle_kind_name(enum proc_handle_kind kind)
{
	return classes[kind].name;
}

enum proc_handle_kind proc_handle_kind_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (!strcmp(classes[i].name, name))
			return classes[i].kind;
	return PROC_HANDLE_KINDS;
}

const char *proc_access_name(enum proc_access access)
{
	static const char *const names[] = { "", "read", "write", "read-write", "path" };

	return names[access];
}

static bool is_tty(unsigned major)
{
	/* Virtual, serial, controlling, ptmx, pseudo, USB, ARM serial, hypervisor consoles. */
	return major == 4 || major == 5 || (major >= 136 && major <= 143) || major == 166 ||
	       major == 188 || major == 204 || major == 229;
}

static enum proc_handle_kind classify_path(const char *link, unsigned mode, unsigned major)
{
	if (S_ISDIR(mode))
		return PROC_HANDLE_DIRECTORY;
	if (S_ISCHR(mode))
		return is_tty(major) ? PROC_HANDLE_TTY : PROC_HANDLE_DEVICE;
	if (S_ISBLK(mode))
		return PROC_HANDLE_DEVICE;
	if (S_ISFIFO(mode))
		return PROC_HANDLE_FIFO;
	if (S_ISSOCK(mode))
		return PROC_HANDLE_OTHER; /* the name of one, opened with O_PATH */
	return strncmp(link, "/memfd:", 7) ? PROC_HANDLE_FILE : PROC_HANDLE_MEMFD;
}

/* A path begins with a slash, or is "(unreachable)/..."; all else is "kind:...". */
enum proc_handle_kind proc_classify(const char *link, unsigned mode, unsigned major)
{
	static const char *const namespaces[] = { "cgroup:[", "ipc:[", "mnt:[", "net:[", "pid:[",
						  "time:[", "user:[", "uts:[" };

	if (link[0] == '/' || link[0] == '(')
		return classify_path(link, mode, major);
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (classes[i].anonymous &&
		    !strncmp(link, classes[i].anonymous, strlen(classes[i].anonymous)))
			return classes[i].kind;
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		if (!strncmp(link, namespaces[i], strlen(namespaces[i])))
			return PROC_HANDLE_NAMESPACE;
	if (!strncmp(link, "anon_inode:btf", 14))
		return PROC_HANDLE_BPF;
	return PROC_HANDLE_OTHER;
}

static void parse_flags(const char *fdinfo, struct proc_handle *handle)
{
	uint64_t flags = field(fdinfo, "flags", 8, UINT64_MAX);

	handle->position = field(fdinfo, "pos", 10, UINT64_MAX);
	handle->has_position = handle->position != UINT64_MAX;
	if (flags == UINT64_MAX)
		return;
	handle->close_on_exec = !!(flags & O_CLOEXEC);
	if (flags & O_PATH)
		handle->access = PROC_ACCESS_PATH;
	else if ((flags & O_ACCMODE) != O_ACCMODE)
		handle->access = (flags & O_ACCMODE) == O_RDONLY ? PROC_ACCESS_READ :
				 (flags & O_ACCMODE) == O_WRONLY ? PROC_ACCESS_WRITE :
				 PROC_ACCESS_READ_WRITE;
}

/* The kernel's suffix, unless it is part of the name of a file that exists. */
static void strip_deleted(char *link, const struct statx *st, struct proc_handle *handle)
{
	size_t n = strlen(link), suffix = sizeof(DELETED) - 1;

	if (n <= suffix || strcmp(link + n - suffix, DELETED) ||
	    ((st->stx_mask & STATX_NLINK) && st->stx_nlink > 0))
		return;
	link[n - suffix] = '\0';
	handle->deleted = handle->kind != PROC_HANDLE_MEMFD; /* which never had a name */
}

static int describe(int dir_fd, char *link, const struct statx *st, struct proc_handle *handle)
{
	AUTO_FREE char *fdinfo = NULL;
	char path[32], what[WHAT_BYTES] = "";
	size_t bytes;

	(void)snprintf(path, sizeof(path), "fdinfo/%d", handle->number);
	if (proc_read_file(dir_fd, path, FDINFO_BYTES_MAX, &fdinfo, &bytes) == 0) {
		parse_flags(fdinfo, handle);
		if (classes[handle->kind].describe)
			classes[handle->kind].describe(fdinfo, handle, what);
	}
	if (link[0] == '/' || link[0] == '(')
		strip_deleted(link, st, handle);
	handle->what = strdup(what[0] ? what : link);
	return handle->what ? 0 : -ENOMEM;
}

static int add_socket(int dir_fd, struct proc_handle *handle)
{
	char path[64], protocol[sizeof(handle->socket->protocol)] = "";
	ssize_t n;

	handle->socket = calloc(1, sizeof(*handle->socket));
	if (!handle->socket)
		return -ENOMEM;
	/* The kernel's name of the protocol: known for sockets that no table lists. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/fd/%d", dir_fd, handle->number);
	n = getxattr(path, "system.sockprotoname", protocol, sizeof(protocol) - 1);
	for (ssize_t i = 0; i < n && protocol[i]; i++)
		handle->socket->protocol[i] = (char)(protocol[i] >= 'A' && protocol[i] <= 'Z' ?
						     protocol[i] + 32 : protocol[i]);
	return 0;
}

/* Return: 0, -ENOENT when it has been closed meanwhile. */
static int read_handle(int dir_fd, int number, struct proc_handle *handle)
{
	char path[32], link[PATH_MAX + 1];
	struct statx st = { 0 };
	ssize_t n;
	int r;

	*handle = (struct proc_handle){ .number = number };
	(void)snprintf(path, sizeof(path), "fd/%d", number);
	n = readlinkat(dir_fd, path, link, sizeof(link) - 1);
	if (n < 0 && errno != ENAMETOOLONG)
		return errno == EPERM ? -EACCES : -errno;
	link[n < 0 ? 0 : n] = '\0';
	/* A dead file server must not hang us: what is cached will do. */
	(void)statx(dir_fd, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		    STATX_TYPE | STATX_INO | STATX_NLINK, &st);
	handle->inode = st.stx_ino;
	handle->kind = n < 0 ? classify_path("", st.stx_mode, st.stx_rdev_major) :
		       proc_classify(link, st.stx_mode, st.stx_rdev_major);
	r = describe(dir_fd, link, &st, handle);
	if (r == 0 && handle->kind == PROC_HANDLE_SOCKET)
		r = add_socket(dir_fd, handle);
	if (r < 0)
		free(handle->what);
	return r;
}

static void close_directory(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static int compare_handles(const void *a, const void *b)
{
	const struct proc_handle *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int append(struct proc_handles *handles, size_t *room, const struct proc_handle *handle)
{
	if (handles->n_handles == *room) {
		size_t more = *room ? *room * 2 : 64;
		struct proc_handle *grown = realloc(handles->handle, more * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		handles->handle = grown;
		*room = more;
	}
	handles->handle[handles->n_handles++] = *handle;
	return 0;
}

static void free_handle(struct proc_handle *handle)
{
	if (handle->socket) {
		free(handle->socket->local);
		free(handle->socket->peer);
	}
	free(handle->socket);
	free(handle->what);
}

void proc_handles_done(struct proc_handles *handles)
{
	for (size_t i = 0; i < handles->n_handles; i++)
		free_handle(&handles->handle[i]);
	free(handles->handle);
	*handles = (struct proc_handles){ 0 };
}

static int list_handles(int dir_fd, DIR *dir, struct proc_handles *handles)
{
	size_t room = 0;
	struct dirent *entry;

	while ((errno = 0, entry = readdir(dir))) {
		struct proc_handle handle;
		uint64_t number;
		const char *end = proc_scan(entry->d_name, 10, &number);
		int r;

		if (!end || *end || number > INT_MAX)
			continue;
		r = read_handle(dir_fd, (int)number, &handle);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		r = append(handles, &room, &handle);
		if (r < 0) {
			free_handle(&handle);
			return r;
		}
	}
	if (errno)
		return errno == ENOENT ? -ESRCH : -errno;
	if (handles->n_handles > 1)
		qsort(handles->handle, handles->n_handles, sizeof(*handles->handle),
		      compare_handles);
	return proc_sockets_fill(dir_fd, handles);
}

int proc_handles_read(pid_t pid, struct proc_handles *ret_handles)
{
	AUTO_CLOSE int dir_fd = proc_open(proc_live_thread(pid));
	AUTO_CLOSE int fd = dir_fd < 0 ? -1 :
			    openat(dir_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__attribute__((cleanup(close_directory))) DIR *dir = NULL;
	struct proc_handles handles = { 0 };
	int r;

	if (dir_fd < 0)
		return dir_fd;
	if (fd >= 0)
		dir = fdopendir(fd);
	if (!dir)
		return errno == ENOENT ? -ESRCH : errno == EPERM ? -EACCES : -errno;
	(void)take_fd(&fd); /* the directory's now */
	r = list_handles(dir_fd, dir, &handles);
	if (r < 0)
		proc_handles_done(&handles);
	else
		*ret_handles = handles;
	return r;
}
