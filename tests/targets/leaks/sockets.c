/* SPDX-License-Identifier: BSD-2-Clause */
/* sockets.c - plants: sockets, and handles that come through them */
#include "plant.h"

#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

PLANT(socket)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0); /* LEAK */

	forget(fd);
}

PLANT(socketpair)
{
	int fds[2];

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair"); /* LEAK x2 */
	forget(fds[0]);
	forget(fds[1]);
}

/* A listening socket and one that has connected to it, by a name of the kernel's choice. */
static void connect_pair(int *ret_listener, int *ret_client)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t bytes = sizeof(name);
	int listener = need(socket(AF_UNIX, SOCK_STREAM, 0), "socket"), client;

	need(bind(listener, (struct sockaddr *)&name, sizeof(sa_family_t)), "bind");
	need(listen(listener, 1), "listen");
	need(getsockname(listener, (struct sockaddr *)&name, &bytes), "getsockname");
	client = need(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	need(connect(client, (struct sockaddr *)&name, bytes), "connect");
	*ret_listener = listener;
	*ret_client = client;
}

PLANT(accept)
{
	int listener, client, fd;

	connect_pair(&listener, &client);
	fd = accept(listener, NULL, NULL); /* LEAK */
	(void)close(client);
	(void)close(listener);
	forget(fd);
}

PLANT(accept4)
{
	int listener, client, fd;

	connect_pair(&listener, &client);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); /* LEAK */
	(void)close(client);
	(void)close(listener);
	forget(fd);
}

#define PASSED 2

union control {
	char bytes[CMSG_SPACE(PASSED * sizeof(int))];
	struct cmsghdr align;
};

static void make_message(struct msghdr *message, struct iovec *iov, union control *control)
{
	static char byte;

	*iov = (struct iovec){ &byte, 1 };
	memset(control, 0, sizeof(*control));
	*message = (struct msghdr){ .msg_iov = iov,
				    .msg_iovlen = 1,
				    .msg_control = control->bytes,
				    .msg_controllen = sizeof(control->bytes) };
}

/* Send PASSED copies of a handle. */
static void pass(int to)
{
	union control control;
	struct msghdr message;
	struct cmsghdr *header;
	struct iovec iov;
	int fds[PASSED];

	for (int i = 0; i < PASSED; i++)
		fds[i] = need(open("/dev/null", O_RDONLY), "open");
	make_message(&message, &iov, &control);
	header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(header), fds, sizeof(fds));
	need(sendmsg(to, &message, 0), "sendmsg");
	for (int i = 0; i < PASSED; i++)
		(void)close(fds[i]);
}

static void forget_passed(struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	int fds[PASSED];

	if (!header || header->cmsg_len != CMSG_LEN(sizeof(fds)))
		need(-1, "SCM_RIGHTS");
	memcpy(fds, CMSG_DATA(header), sizeof(fds));
	for (int i = 0; i < PASSED; i++)
		forget(fds[i]);
}

PLANT(recvmsg)
{
	union control control;
	struct msghdr message;
	struct iovec iov;
	int pair[2];

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	pass(pair[0]);
	make_message(&message, &iov, &control);
	need(recvmsg(pair[1], &message, 0), "recvmsg"); /* LEAK x2 */
	(void)close(pair[0]);
	(void)close(pair[1]);
	forget_passed(&message);
}

PLANT(recvmmsg)
{
	struct mmsghdr messages[2];
	union control controls[2];
	struct iovec iovs[2];
	int pair[2];

	need(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), "socketpair");
	for (int i = 0; i < 2; i++) {
		pass(pair[0]);
		make_message(&messages[i].msg_hdr, &iovs[i], &controls[i]);
	}
	if (recvmmsg(pair[1], messages, 2, 0, NULL) != 2) /* LEAK x4 */
		need(-1, "recvmmsg");
	(void)close(pair[0]);
	(void)close(pair[1]);
	for (int i = 0; i < 2; i++)
		forget_passed(&messages[i].msg_hdr);
}

#ifndef PLANT_STATIC /* where it would load glibc once more */
/* Opens and closes much by itself; what stays is ours. */
PLANT(getaddrinfo)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	int fd;

	if (getaddrinfo("localhost", "80", &hints, &found) != 0 || !found)
		need(-1, "getaddrinfo");
	fd = socket(found->ai_family, SOCK_DGRAM, 0); /* LEAK */
	freeaddrinfo(found);
	forget(fd);
}
#endif
