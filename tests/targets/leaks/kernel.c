/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel.c - plants: every other call that opens a handle, and calls whose value does not tell */
#include "plant.h"

#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

PLANT(openat2)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC };
	long fd = syscall(SYS_openat2, AT_FDCWD, "/dev/null", &how, sizeof(how)); /* LEAK */

	forget((int)fd);
}

PLANT(eventfd)
{
	int fd = eventfd(0, EFD_CLOEXEC); /* LEAK */

	forget(fd);
}

PLANT(epoll_create1)
{
	int fd = epoll_create1(EPOLL_CLOEXEC); /* LEAK */

	forget(fd);
}

PLANT(timerfd)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC); /* LEAK */

	forget(fd);
}

PLANT(signalfd)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	fd = signalfd(-1, &set, SFD_CLOEXEC); /* LEAK */
	/* Changing one returns the same number, and opens nothing. */
	need(signalfd(fd, &set, 0), "signalfd");
	forget(fd);
}

PLANT(inotify)
{
	int fd = inotify_init1(IN_CLOEXEC); /* LEAK */

	forget(fd);
}

PLANT(memfd)
{
	int fd = memfd_create("plant\n\x1b[31m", MFD_CLOEXEC); /* LEAK */

	forget(fd);
}

PLANT(userfaultfd)
{
	long fd = syscall(SYS_userfaultfd, O_CLOEXEC); /* LEAK */

	forget((int)fd);
}

PLANT(perf_event_open)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(attr),
					.config = PERF_COUNT_SW_PAGE_FAULTS };
	long fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0); /* LEAK */

	forget((int)fd);
}

PLANT(pidfd_open)
{
	long fd = syscall(SYS_pidfd_open, getpid(), 0); /* LEAK */

	forget((int)fd);
}

PLANT(pidfd_getfd)
{
	int self = need(syscall(SYS_pidfd_open, getpid(), 0), "pidfd_open");
	long fd = syscall(SYS_pidfd_getfd, self, 0, 0); /* LEAK */

	(void)close(self);
	forget((int)fd);
}

PLANT(bpf_map)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY,
				.key_size = 4,
				.value_size = 8,
				.max_entries = 1 };
	long fd = syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)); /* LEAK */

	forget((int)fd);
}

PLANT(open_by_handle_at)
{
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} file = { .handle = { .handle_bytes = MAX_HANDLE_SZ } };
	int mount = need(open("/tmp", O_RDONLY | O_DIRECTORY), "open"), id, fd;

	need(name_to_handle_at(mount, "", &file.handle, &id, AT_EMPTY_PATH), "name_to_handle_at");
	fd = open_by_handle_at(mount, &file.handle, O_RDONLY); /* LEAK */
	(void)close(mount);
	forget(fd);
}

PLANT(open_tree)
{
	long fd = syscall(SYS_open_tree, AT_FDCWD, "/", O_CLOEXEC); /* LEAK */

	forget((int)fd);
}

PLANT(fsopen)
{
	long fd = syscall(SYS_fsopen, "tmpfs", 1); /* LEAK */

	forget((int)fd);
}

PLANT(fsmount)
{
	int context = need(syscall(SYS_fsopen, "tmpfs", 1), "fsopen");
	long fd;

	need(syscall(SYS_fsconfig, context, 6, NULL, NULL, 0), "fsconfig");
	fd = syscall(SYS_fsmount, context, 1, 0); /* LEAK */
	(void)close(context);
	forget((int)fd);
}

PLANT(mq_open)
{
	char name[64];
	mqd_t queue;

	(void)snprintf(name, sizeof(name), "/tendril-plant-%d", (int)getpid());
	queue = mq_open(name, O_RDONLY | O_CREAT, 0600, NULL); /* LEAK */
	(void)mq_unlink(name);
	forget((int)queue);
}

/* Its value is the new process; the handle goes to memory. */
PLANT(clone_pidfd)
{
	int pidfd = -1;
	long pid = syscall(SYS_clone, 0x1000L | SIGCHLD, 0, &pidfd, 0, 0); /* LEAK */

	if (pid == 0)
		_exit(0);
	need(pid, "clone");
	(void)waitpid((pid_t)pid, NULL, 0);
	forget(pidfd);
}

PLANT(peer_pidfd)
{
	int pair[2], pidfd = -1, r;
	socklen_t bytes = sizeof(pidfd);

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	r = getsockopt(pair[0], SOL_SOCKET, SO_PEERPIDFD, &pidfd, &bytes); /* LEAK */
	(void)close(pair[0]);
	(void)close(pair[1]);
	need(r, "SO_PEERPIDFD");
	forget(pidfd);
}

PLANT(ioctl)
{
	int terminal = need(posix_openpt(O_RDWR | O_NOCTTY), "posix_openpt"), peer;

	need(unlockpt(terminal), "unlockpt");
	peer = ioctl(terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY); /* LEAK */
	(void)close(terminal);
	forget(peer);
}

/* read(2) hands out a handle for each event. */
PLANT(fanotify)
{
	union {
		struct fanotify_event_metadata event;
		char bytes[4096];
	} events;
	int group = need(fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC, O_RDONLY), "fanotify_init");
	char path[] = "/tmp/tendril-plant-XXXXXX";
	int file = need(mkstemp(path), "mkstemp");
	ssize_t n;

	need(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, path), "fanotify_mark");
	(void)close(file);
	file = need(open(path, O_RDONLY), "open");
	n = read(group, events.bytes, sizeof(events.bytes)); /* LEAK */
	(void)unlink(path);
	(void)close(file);
	(void)close(group);
	if (n != sizeof(events.event))
		need(-1, "fanotify event");
	forget(events.event.fd);
}

PLANT(fanotify_init)
{
	int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC, O_RDONLY); /* LEAK */

	forget(fd);
}
