/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service.c - a small busy service, for the demo to work on
 *
 *     service             serve on a free port of 127.0.0.1 with four threads, until stdin ends;
 *                         says `ready PID PORT WORK TICKET SESSIONS` (addresses in hexadecimal)
 *     service load PORT   ask it things over eight connections until stdin ends, then say
 *                         `REQUESTS requests, ERRORS wrong answers`
 *
 * It knows nothing of remote threads, but has a function that others may want to run in it.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define N_WORKERS     4
#define N_CONNECTIONS 8

/* What a thread made from outside finds when it starts. */
struct ticket {
	volatile uint32_t is_cancelled;
	volatile uint32_t n_done;
};

struct ticket ticket;
volatile uint32_t sessions[16]; /* which thread serves which session */

uint32_t work(struct ticket *given)
{
	if (given->is_cancelled)
		return 0;
	return __atomic_add_fetch(&given->n_done, 1, __ATOMIC_RELAXED);
}

/* A question is one byte, the answer is the next letter. */
static void answer(int epoll, int fd)
{
	unsigned char byte;

	if (recv(fd, &byte, 1, 0) == 1) {
		char *copy = malloc(1000 + byte); /* be an ordinary, allocating program */

		if (copy)
			memset(copy, byte + 1, 1000);
		byte = copy ? (unsigned char)copy[999] : 0;
		free(copy);
		(void)send(fd, &byte, 1, MSG_NOSIGNAL);
		return;
	}
	epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
	close(fd);
}

static pthread_barrier_t all_ready;

static void *serve(void *argument)
{
	int listener = *(int *)argument;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = listener };
	/* A thread's first malloc() maps an arena: now, not while the demo counts mappings.
	 * Volatile, or the compiler leaves it out. */
	void *volatile first = malloc(1000);

	free(first);
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	pthread_barrier_wait(&all_ready);
	for (;;) {
		int fd;

		if (epoll_wait(epoll, &event, 1, -1) != 1)
			continue;
		if (event.data.fd != listener) {
			answer(epoll, event.data.fd);
			continue;
		}
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		event = (struct epoll_event){ .events = EPOLLIN, .data.fd = fd };
		if (fd >= 0)
			epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	}
	return NULL;
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static void wait_for_end_of_input(void)
{
	char bytes[64];

	while (read(STDIN_FILENO, bytes, sizeof(bytes)) > 0)
		;
}

static int serve_all(void)
{
	static int listener;
	struct sockaddr_in address = loopback(0);
	socklen_t bytes = sizeof(address);
	pthread_t thread;

	/* For machines where Yama lets only a process's ancestors trace it. */
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, bytes) < 0 ||
	    listen(listener, 64) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &bytes) < 0) {
		perror("service");
		return 1;
	}
	pthread_barrier_init(&all_ready, NULL, N_WORKERS + 1);
	for (int i = 0; i < N_WORKERS; i++)
		if (pthread_create(&thread, NULL, serve, &listener) != 0)
			return 1;
	pthread_barrier_wait(&all_ready);
	printf("ready %d %d %lx %lx %lx\n", (int)getpid(), ntohs(address.sin_port),
	       (unsigned long)(uintptr_t)work, (unsigned long)(uintptr_t)&ticket,
	       (unsigned long)(uintptr_t)sessions);
	fflush(stdout);
	wait_for_end_of_input();
	return 0;
}

/* One question over each connection.  Return: how many answers were wrong. */
static int ask_all(const int *fd, unsigned char question)
{
	unsigned char byte;
	int n_wrong = 0;

	for (int i = 0; i < N_CONNECTIONS; i++)
		(void)send(fd[i], &question, 1, MSG_NOSIGNAL);
	for (int i = 0; i < N_CONNECTIONS; i++)
		n_wrong += recv(fd[i], &byte, 1, 0) != 1 || byte != (unsigned char)(question + 1);
	return n_wrong;
}

static int load(int port)
{
	struct sockaddr_in address = loopback(port);
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	int fd[N_CONNECTIONS];
	long n_asked = 0, n_wrong = 0;

	for (int i = 0; i < N_CONNECTIONS; i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd[i], (struct sockaddr *)&address, sizeof(address)) < 0) {
			perror("service load");
			return 1;
		}
	}
	/* A pause between the rounds: busy, but not all that the machine does. */
	while (poll(&input, 1, 1) == 0) {
		n_wrong += ask_all(fd, (unsigned char)n_asked);
		n_asked += N_CONNECTIONS;
	}
	printf("%ld requests, %ld wrong answers\n", n_asked, n_wrong);
	return n_wrong > 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "load") == 0)
		return load(atoi(argv[2]));
	return serve_all();
}
