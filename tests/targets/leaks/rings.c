/* SPDX-License-Identifier: BSD-2-Clause */
/* rings.c - plants: handles opened and closed through io_uring */
#include "plant.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/io_uring.h>

struct ring {
	int fd;
	unsigned char *sq, *cq;
	struct io_uring_sqe *sqes;
	struct io_uring_params params;
};

static void *map(const struct ring *ring, size_t bytes, off_t offset)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, offset);

	if (at == MAP_FAILED)
		need(-1, "mmap of a ring");
	return at;
}

static size_t sq_bytes(const struct ring *ring)
{
	return ring->params.sq_off.array + ring->params.sq_entries * sizeof(unsigned int);
}

static size_t cq_bytes(const struct ring *ring)
{
	return ring->params.cq_off.cqes + ring->params.cq_entries * sizeof(struct io_uring_cqe);
}

static void ring_open(struct ring *ring)
{
	memset(ring, 0, sizeof(*ring));
	ring->fd = need(syscall(SYS_io_uring_setup, 4, &ring->params), "io_uring_setup");
	ring->sq = map(ring, sq_bytes(ring), IORING_OFF_SQ_RING);
	ring->cq = map(ring, cq_bytes(ring), IORING_OFF_CQ_RING);
	ring->sqes = map(ring, ring->params.sq_entries * sizeof(*ring->sqes), IORING_OFF_SQES);
}

static void ring_close(struct ring *ring)
{
	(void)munmap(ring->sqes, ring->params.sq_entries * sizeof(*ring->sqes));
	(void)munmap(ring->cq, cq_bytes(ring));
	(void)munmap(ring->sq, sq_bytes(ring));
	(void)close(ring->fd);
}

static unsigned int *sq_word(struct ring *ring, unsigned int offset)
{
	return (unsigned int *)(void *)(ring->sq + offset);
}

static unsigned int *cq_word(struct ring *ring, unsigned int offset)
{
	return (unsigned int *)(void *)(ring->cq + offset);
}

static void ring_submit(struct ring *ring, const struct io_uring_sqe *sqe)
{
	unsigned int tail = *sq_word(ring, ring->params.sq_off.tail);
	unsigned int index = tail & *sq_word(ring, ring->params.sq_off.ring_mask);

	ring->sqes[index] = *sqe;
	sq_word(ring, ring->params.sq_off.array)[index] = index;
	__atomic_store_n(sq_word(ring, ring->params.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
}

/* What the one request came to. */
static int ring_result(struct ring *ring)
{
	unsigned int head = *cq_word(ring, ring->params.cq_off.head);
	unsigned int tail = __atomic_load_n(cq_word(ring, ring->params.cq_off.tail), __ATOMIC_ACQUIRE);
	unsigned int index = head & *cq_word(ring, ring->params.cq_off.ring_mask);
	struct io_uring_cqe *cqe = (void *)(ring->cq + ring->params.cq_off.cqes);
	int result;

	if (head == tail)
		need(-1, "no completion");
	result = cqe[index].res;
	__atomic_store_n(cq_word(ring, ring->params.cq_off.head), head + 1, __ATOMIC_RELEASE);
	return result;
}

PLANT(io_uring_setup)
{
	struct io_uring_params params = { 0 };
	long fd = syscall(SYS_io_uring_setup, 4, &params); /* LEAK */

	forget((int)fd);
}

#define ENTER(ring, submit) \
	syscall(SYS_io_uring_enter, (ring)->fd, submit, 1, IORING_ENTER_GETEVENTS, NULL, 0)

PLANT(ring_openat)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_OPENAT,
				    .fd = AT_FDCWD,
				    .addr = (uintptr_t)"/dev/null",
				    .open_flags = O_RDONLY };
	struct ring ring;
	long r;

	ring_open(&ring);
	ring_submit(&ring, &sqe);
	r = ENTER(&ring, 1); /* LEAK as asynchronous */
	need(r, "io_uring_enter");
	forget(ring_result(&ring));
	ring_close(&ring);
}

/* Carried out by a thread of the kernel's, for the process. */
PLANT(ring_openat_worker)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_OPENAT,
				    .flags = IOSQE_ASYNC,
				    .fd = AT_FDCWD,
				    .addr = (uintptr_t)"/dev/null",
				    .open_flags = O_RDONLY };
	struct ring ring;
	long r;

	ring_open(&ring);
	ring_submit(&ring, &sqe);
	r = ENTER(&ring, 1); /* LEAK as asynchronous */
	need(r, "io_uring_enter");
	forget(ring_result(&ring));
	ring_close(&ring);
}

PLANT(ring_accept)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_ACCEPT };
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t bytes = sizeof(name);
	int client = need(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	struct ring ring;
	long r;

	ring_open(&ring);
	sqe.fd = need(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	need(bind(sqe.fd, (struct sockaddr *)&name, sizeof(sa_family_t)), "bind");
	need(listen(sqe.fd, 1), "listen");
	need(getsockname(sqe.fd, (struct sockaddr *)&name, &bytes), "getsockname");
	need(connect(client, (struct sockaddr *)&name, bytes), "connect");
	ring_submit(&ring, &sqe);
	r = ENTER(&ring, 1); /* LEAK as asynchronous */
	need(r, "io_uring_enter");
	(void)close(sqe.fd);
	(void)close(client);
	forget(ring_result(&ring));
	ring_close(&ring);
}

/* Closed through the ring, in both forms: two are opened, and one stays. */
PLANT(ring_close)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_CLOSE };
	struct ring ring;
	int stays;

	sqe.fd = need(open("/dev/null", O_RDONLY), "open");
	stays = open("/dev/null", O_RDONLY); /* LEAK */
	ring_open(&ring);
	ring_submit(&ring, &sqe);
	need(ENTER(&ring, 1), "io_uring_enter");
	need(ring_result(&ring), "close through a ring");
	ring_close(&ring);
	forget(stays);
}
