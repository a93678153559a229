/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handles.h - the open handles of a process, and what each of them is
 *
 * There is no age here.  The times of the links in /proc/PID/fd are those of the reader's first
 * look; a socket's inode has no time, anonymous ones share theirs with all others since boot, and
 * those of pipes and files move as they are used.  Who wants to know since when a handle is open
 * has to watch it being opened (src/leaks).
 */
#ifndef PROC_HANDLES_H
#define PROC_HANDLES_H

#include "proc/proc.h"

enum proc_handle_kind {
	PROC_HANDLE_FILE = 0,
	PROC_HANDLE_DIRECTORY,
	PROC_HANDLE_SOCKET,
	PROC_HANDLE_PIPE,
	PROC_HANDLE_FIFO,
	PROC_HANDLE_DEVICE,
	PROC_HANDLE_TTY,
	PROC_HANDLE_MEMFD,
	PROC_HANDLE_EVENTFD,
	PROC_HANDLE_EPOLL,
	PROC_HANDLE_TIMERFD,
	PROC_HANDLE_SIGNALFD,
	PROC_HANDLE_INOTIFY,
	PROC_HANDLE_FANOTIFY,
	PROC_HANDLE_PIDFD,
	PROC_HANDLE_USERFAULTFD,
	PROC_HANDLE_IO_URING,
	PROC_HANDLE_PERF_EVENT,
	PROC_HANDLE_BPF,
	PROC_HANDLE_NAMESPACE,
	PROC_HANDLE_OTHER,
	PROC_HANDLE_KINDS,
};

enum proc_access {
	PROC_ACCESS_UNKNOWN = 0,
	PROC_ACCESS_READ,
	PROC_ACCESS_WRITE,
	PROC_ACCESS_READ_WRITE,
	PROC_ACCESS_PATH, /* O_PATH: only a name */
};

struct proc_socket {
	char protocol[24]; /* "tcp", "unix-stream", ...; "" when not known */
	const char *state; /* "listening", ...; NULL when there is none or it is not known */
	char *local, *peer; /* raw; NULL when there is none or it is not known */
	bool seen;
};

struct proc_handle {
	int number;
	enum proc_handle_kind kind;
	enum proc_access access;
	bool close_on_exec, deleted;
	bool has_position;
	uint64_t position, inode;
	pid_t pid;         /* of a pidfd; 0: it has ended, or none is meant */
	char *what;        /* raw: a path, or what is known of it in words */
	struct proc_socket *socket; /* NULL for everything else */
};

struct proc_handles {
	struct proc_handle *handle; /* in order of number */
	size_t n_handles;
};

/* Return: 0, -ESRCH, -EACCES, -ENOMEM, ...  Handles that are closed meanwhile are left out. */
int proc_handles_read(pid_t pid, struct proc_handles *ret_handles);
void proc_handles_done(struct proc_handles *handles);

const char *proc_handle_kind_name(enum proc_handle_kind kind);
/* PROC_HANDLE_KINDS when there is no such kind. */
enum proc_handle_kind proc_handle_kind_named(const char *name);
const char *proc_access_name(enum proc_access access);

/* Kind by the text of the link and, for paths, by mode and device of what it leads to. */
enum proc_handle_kind proc_classify(const char *link, unsigned mode, unsigned major);

/* sockets.c: look the sockets among the handles up in the tables of the process's network. */
int proc_sockets_fill(int dir_fd, struct proc_handles *handles);
/* One table's text; of the kind of /proc/net/tcp when wide, else /proc/net/unix. */
void proc_sockets_parse_inet(char *text, const char *protocol, struct proc_socket **sockets,
			     const uint64_t *inodes, size_t n);
void proc_sockets_parse_unix(char *text, struct proc_socket **sockets, const uint64_t *inodes,
			     size_t n);

#endif /* PROC_HANDLES_H */
