/* SPDX-License-Identifier: BSD-2-Clause */
/* sockets.c - plants: sockets, and what waits on handles; see faulty.h */
#include "faulty.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

/* An address that the kernel chooses: no two copies are in each other's way. */
static const struct sockaddr_un any_address = { .sun_family = AF_UNIX };
#define ANY_LENGTH ((socklen_t)sizeof(sa_family_t))

EXPLORED int bind_fails(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* LEAKS: socket when bind */

	if (fd < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&any_address, ANY_LENGTH) < 0) {
		REPAIR(close(fd));
		return -1;
	}
	return fd;
}

PLANT(bind_fails)
{
	return was_handle(bind_fails());
}

EXPLORED int listen_fails(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); /* LEAKS: socket when listen */

	if (fd < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&any_address, ANY_LENGTH) < 0) {
		(void)close(fd);
		return -1;
	}
	if (listen(fd, 4) < 0) {
		REPAIR(close(fd));
		return -1;
	}
	return fd;
}

PLANT(listen_fails)
{
	return was_handle(listen_fails());
}

EXPLORED int connect_fails(const char *address)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* LEAKS: socket when connect */

	if (fd < 0)
		return -1;
	if (inet_pton(AF_INET, address, &peer.sin_addr) != 1) {
		(void)close(fd);
		return -1;
	}
	if (connect(fd, (const struct sockaddr *)&peer, sizeof(peer)) < 0) {
		/* As if it were a stream's, that may be on its way yet. */
		if (TWIN(errno != ENETUNREACH && errno != ECONNREFUSED, false))
			return -1;
		(void)close(fd);
		return -1;
	}
	return fd;
}

PLANT(connect_fails)
{
	return was_handle(connect_fails("127.0.0.1"));
}

EXPLORED int socketpair_half(int type)
{
	int ends[2];

	if (socketpair(AF_UNIX, type, 0, ends) < 0) /* LEAKS: socket when sendto */
		return -1;
	if (send(ends[0], "x", 1, MSG_NOSIGNAL) != 1) {
		(void)close(ends[0]);
		REPAIR(close(ends[1]));
		return -1;
	}
	(void)close(ends[0]);
	return ends[1];
}

PLANT(socketpair_half)
{
	return was_handle(socketpair_half(SOCK_DGRAM | SOCK_CLOEXEC));
}

/* A listener, and one that is connected to it. */
static int listen_and_connect(int *ret_client)
{
	struct sockaddr_un address;
	socklen_t length = sizeof(address);
	int client, listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0)
		return -1;
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client >= 0 && bind(listener, (const struct sockaddr *)&any_address, ANY_LENGTH) == 0 &&
	    listen(listener, 1) == 0 &&
	    getsockname(listener, (struct sockaddr *)&address, &length) == 0 &&
	    connect(client, (const struct sockaddr *)&address, length) == 0) {
		*ret_client = client;
		return listener;
	}
	if (client >= 0)
		(void)close(client);
	(void)close(listener);
	return -1;
}

EXPLORED int accepted_left(void)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);
	int client, fd, listener = listen_and_connect(&client);

	if (listener < 0)
		return -1;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC); /* LEAKS: socket when getsockopt */
	(void)close(listener);
	(void)close(client);
	if (fd < 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
		REPAIR(close(fd));
		return -1;
	}
	return fd;
}

PLANT(accepted_left)
{
	return was_handle(accepted_left());
}

static int send_handle(int socket, int fd)
{
	char byte = 'x', control[CMSG_SPACE(sizeof(fd))] = { 0 };
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	return sendmsg(socket, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static int receive_handle(int socket)
{
	char byte, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) /* LEAKS: file when flock */
		return -1;
	if (!CMSG_FIRSTHDR(&message))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

EXPLORED int received_left(const char *path)
{
	int ends[2], received = -1, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) < 0) {
		(void)close(fd);
		return -1;
	}
	if (send_handle(ends[0], fd) == 0)
		received = receive_handle(ends[1]);
	(void)close(ends[0]);
	(void)close(ends[1]);
	(void)close(fd);
	if (received >= 0 && flock(received, LOCK_SH | LOCK_NB) < 0) {
		REPAIR(close(received));
		return -1;
	}
	return received;
}

PLANT(received_left)
{
	return was_handle(received_left(READABLE));
}

/* Waits for a timer.  A signal in between is told to the caller. */
EXPLORED int branch_after_eintr(int ms)
{
	struct itimerspec soon = { .it_value.tv_nsec = ms * 1000000L };
	int n, fd = timerfd_create(CLOCK_MONOTONIC, 0); /* LEAKS: timerfd when poll=EINTR */
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	if (fd < 0)
		return -errno;
	n = timerfd_settime(fd, 0, &soon, NULL);
	if (n == 0)
		n = poll(&wait, 1, 1000);
	if (n < 0 && errno == EINTR) {
		REPAIR(close(fd));
		return -EINTR;
	}
	(void)close(fd);
	return n < 0 ? -EIO : 0;
}

PLANT(branch_after_eintr)
{
	return branch_after_eintr(1) == 0;
}
