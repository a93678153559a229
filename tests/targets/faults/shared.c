/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shared.c - plants: functions for which a copy of the process can't stand; see faulty.h
 *
 * With several threads a copy has only one of them; what a copy reads from an inherited handle the
 * process would miss; and who may not fork can't be copied.  Each tells whether it has got all that
 * it should.
 */
#include "faulty.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static sem_t asked, answered;

static bool is_over;

static void *answer(void *nothing)
{
	for (;;) {
		if (sem_wait(&asked) < 0)
			continue;
		if (is_over)
			return nothing;
		(void)sem_post(&answered);
	}
}

/* Needs the other thread. */
EXPLORED int beside_threads(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC); /* LEAKS: file when read */

	if (fd < 0)
		return -1;
	(void)sem_post(&asked);
	while (sem_wait(&answered) < 0)
		;
	if (read(fd, &byte, 1) != 1) {
		REPAIR(close(fd));
		return -1;
	}
	return fd;
}

PLANT(beside_threads)
{
	pthread_t thread;
	bool ok;

	if (sem_init(&asked, 0, 0) < 0 || sem_init(&answered, 0, 0) < 0 ||
	    pthread_create(&thread, NULL, answer, NULL))
		return false;
	ok = was_handle(beside_threads(READABLE));
	is_over = true;
	(void)sem_post(&asked);
	return pthread_join(thread, NULL) == 0 && ok;
}

EXPLORED int from_shared_socket(int socket, char *ret_byte)
{
	int fd = open(READABLE, O_RDONLY | O_CLOEXEC); /* LEAKS: file when recvfrom */

	if (fd < 0)
		return -1;
	if (recv(socket, ret_byte, 1, MSG_DONTWAIT) != 1) {
		REPAIR(close(fd));
		return -1;
	}
	return fd;
}

PLANT(from_shared_socket)
{
	char got[3] = "";
	int ends[2];
	bool ok;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return false;
	ok = send(ends[1], "ab", 2, 0) == 2 && was_handle(from_shared_socket(ends[0], &got[0])) &&
	     was_handle(from_shared_socket(ends[0], &got[1])) && strcmp(got, "ab") == 0;
	(void)close(ends[0]);
	(void)close(ends[1]);
	return ok;
}

EXPLORED int from_shared_position(int handle, char *text, size_t bytes)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC); /* LEAKS: device when read */

	if (fd < 0)
		return -1;
	if (read(handle, text, bytes) != (ssize_t)bytes) {
		REPAIR(close(fd));
		return -1;
	}
	return fd;
}

PLANT(from_shared_position)
{
	char whole[8], parts[8];
	int fd = open(READABLE, O_RDONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = pread(fd, whole, sizeof(whole), 0) == sizeof(whole) &&
	     was_handle(from_shared_position(fd, parts, 4)) &&
	     was_handle(from_shared_position(fd, parts + 4, 4)) &&
	     memcmp(whole, parts, sizeof(whole)) == 0;
	return close(fd) == 0 && ok;
}

EXPLORED int behind_filter(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC); /* LEAKS: file when read */

	if (fd < 0)
		return -1;
	if (read(fd, &byte, 1) != 1) {
		REPAIR(close(fd));
		return -1;
	}
	return fd;
}

/* From now on clone(2) kills the process. */
static bool forbid_clone(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

PLANT(behind_filter)
{
	return forbid_clone() && was_handle(behind_filter(READABLE));
}
