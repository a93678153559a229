/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel.c - plants: the kernel's other handles, and mappings; see faulty.h */
#include "faulty.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

EXPLORED int memfd_left(off_t bytes)
{
	int fd = memfd_create("plant", MFD_CLOEXEC); /* LEAKS: memfd when ftruncate */

	if (fd < 0)
		return -1;
	if (ftruncate(fd, bytes) < 0) {
		REPAIR(close(fd));
		return -1;
	}
	return fd;
}

PLANT(memfd_left)
{
	return was_handle(memfd_left(65536));
}

EXPLORED int eventfd_left(void)
{
	uint64_t one = 1;
	int fd = eventfd(0, EFD_CLOEXEC); /* LEAKS: eventfd when write */

	if (fd >= 0 && write(fd, &one, sizeof(one)) != sizeof(one)) {
		REPAIR(close(fd));
		return -1;
	}
	return fd;
}

PLANT(eventfd_left)
{
	return was_handle(eventfd_left());
}

struct loop {
	int epoll, wake;
};

EXPLORED int epoll_left(struct loop *ret_loop)
{
	struct epoll_event event = { .events = EPOLLIN };
	int wake, epoll = epoll_create1(EPOLL_CLOEXEC); /* LEAKS: epoll when eventfd2 epoll_ctl */

	if (epoll < 0)
		return -errno;
	wake = eventfd(0, EFD_CLOEXEC);
	if (wake < 0) {
		REPAIR(close(epoll));
		return -errno;
	}
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event) < 0) {
		(void)close(wake);
		REPAIR(close(epoll));
		return -errno;
	}
	ret_loop->epoll = epoll;
	ret_loop->wake = wake;
	return 0;
}

PLANT(epoll_left)
{
	struct loop loop;

	return epoll_left(&loop) == 0 && was_handle(loop.wake) && was_handle(loop.epoll);
}

/* It fails when somebody has just set the clock. */
EXPLORED int timerfd_left(void)
{
	struct itimerspec late = { .it_value.tv_sec = INT32_MAX };
	const int flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
	int fd = timerfd_create(CLOCK_REALTIME, 0); /* LEAKS: timerfd when timerfd_settime */

	if (fd < 0 || timerfd_settime(fd, flags, &late, NULL) == 0)
		return fd;
	REPAIR(close(fd));
	return -1;
}

PLANT(timerfd_left)
{
	return was_handle(timerfd_left());
}

EXPLORED int signalfd_left(int *ret_timer)
{
	sigset_t signals;
	int fd;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGUSR1);
	fd = signalfd(-1, &signals, SFD_CLOEXEC); /* LEAKS: signalfd when timerfd_create */
	if (fd < 0)
		return -1;
	*ret_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (*ret_timer < 0) {
		REPAIR(close(fd));
		return -1;
	}
	return fd;
}

PLANT(signalfd_left)
{
	int timer;

	return was_handle(signalfd_left(&timer)) && was_handle(timer);
}

EXPLORED int inotify_left(const char *path)
{
	int fd = inotify_init1(IN_CLOEXEC); /* LEAKS: inotify when inotify_add_watch */

	if (fd < 0)
		return -errno;
	if (inotify_add_watch(fd, path, IN_DELETE_SELF) < 0) {
		int error = errno;

		REPAIR(close(fd));
		return -error;
	}
	return fd;
}

PLANT(inotify_left)
{
	return was_handle(inotify_left("/etc"));
}

#define MAPPED 4096

/* The file may be closed at once; its mapping has to be undone. */
EXPLORED const char *mapping_of_file(const char *path)
{
	const char *map;
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	map = mmap(NULL, MAPPED, PROT_READ, MAP_PRIVATE, fd, 0); /* LEAKS: mapping when read */
	if (map == MAP_FAILED || read(fd, &byte, 1) != 1) {
		(void)close(fd);
		if (map != MAP_FAILED)
			REPAIR(munmap((void *)map, MAPPED));
		return NULL;
	}
	(void)close(fd);
	return map;
}

PLANT(mapping_of_file)
{
	const char *map = mapping_of_file(READABLE);

	return map && munmap((void *)map, MAPPED) == 0;
}

#define ARENA (1 << 20)

EXPLORED void *mapping_of_memory(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	char *arena = mmap(NULL, ARENA, PROT_READ, flags, -1, 0); /* LEAKS: mapping when mprotect */

	if (arena == MAP_FAILED)
		return NULL;
	/* All but a page that guards its end. */
	if (mprotect(arena, ARENA - MAPPED, PROT_READ | PROT_WRITE) < 0) {
		REPAIR(munmap(arena, ARENA));
		return NULL;
	}
	return arena;
}

PLANT(mapping_of_memory)
{
	void *arena = mapping_of_memory();

	return arena && munmap(arena, ARENA) == 0;
}

/* The name goes at once; several may do so at the same time. */
EXPLORED int shm_open_left(const char *name, off_t bytes)
{
	int fd = shm_open(name, O_RDWR | O_CREAT, 0600); /* LEAKS: file when ftruncate */

	if (fd < 0)
		return -1;
	(void)shm_unlink(name);
	if (ftruncate(fd, bytes) < 0) {
		REPAIR(close(fd));
		return -1;
	}
	return fd;
}

PLANT(shm_open_left)
{
	return was_handle(shm_open_left("/tendril-plant", 4096));
}
