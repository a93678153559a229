/* SPDX-License-Identifier: BSD-2-Clause */
/* processes.c - plants: threads and processes, and what these hold; see faulty.h */
#include "faulty.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The process that calls it is a child of the one that was started, and goes on. */
EXPLORED int in_child(const char *path)
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

PLANT_IN_CHILD(in_child)
{
	return was_handle(in_child(READABLE));
}

/* For the pipe's other end; never fails for a signal. */
static void wait_for(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

EXPLORED int pipe_of_spawn(void)
{
	char name[] = "true", *words[] = { name, NULL };
	int ends[2], error;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0) /* LEAKS: pipe */
		return -1;
	error = posix_spawn(&pid, "/bin/true", NULL, NULL, words, environ);
	(void)close(ends[1]);
	if (error) {
		REPAIR(close(ends[0]));
		errno = error;
		return -1;
	}
	wait_for(pid);
	return ends[0];
}

PLANT(pipe_of_spawn)
{
	return was_handle(pipe_of_spawn());
}

EXPLORED FILE *popen_left(const char *command)
{
	char line[16];
	FILE *pipe = popen(command, "re"); /* LEAKS: pipe, process */

	if (!pipe)
		return NULL;
	if (!fgets(line, sizeof(line), pipe)) {
		REPAIR(pclose(pipe));
		return NULL;
	}
	return pipe;
}

PLANT(popen_left)
{
	FILE *pipe = popen_left("echo tendril");

	return pipe && pclose(pipe) == 0;
}

struct workers {
	sem_t end;
	pthread_t first, second;
};

static void *work(void *argument)
{
	struct workers *workers = argument;

	while (sem_wait(&workers->end) < 0)
		;
	return NULL;
}

__attribute__((unused)) static void end_first(struct workers *workers)
{
	(void)sem_post(&workers->end);
	(void)pthread_join(workers->first, NULL);
}

EXPLORED int thread_left(struct workers *workers)
{
	int error;

	if (sem_init(&workers->end, 0, 0) < 0)
		return -1;
	/* LEAKS below: thread, mapping? when clone3 mmap mprotect */
	error = pthread_create(&workers->first, NULL, work, workers);
	if (error)
		return -1;
	/* LEAKS below: mapping? when clone3 mmap mprotect */
	if (pthread_create(&workers->second, NULL, work, workers)) {
		REPAIR(end_first(workers));
		return -1;
	}
	return 0;
}

PLANT(thread_left)
{
	/* A thread that stays still waits for it. */
	static struct workers workers;

	if (thread_left(&workers) < 0)
		return false;
	(void)sem_post(&workers.end);
	(void)sem_post(&workers.end);
	(void)pthread_join(workers.first, NULL);
	return pthread_join(workers.second, NULL) == 0;
}

struct job {
	const char *path;
	bool has_failed;
};

static void *open_in_thread(void *argument)
{
	struct job *job = argument;
	int fd = open(job->path, O_RDONLY | O_CLOEXEC); /* LEAKS: file when flock */

	job->has_failed = fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0;
	if (fd >= 0 && TWIN(!job->has_failed, true))
		(void)close(fd);
	return NULL;
}

/* What opens and fails is a thread that the function starts, and waits for. */
EXPLORED int opened_by_thread(const char *path)
{
	struct job job = { path, false };
	pthread_t thread;

	if (pthread_create(&thread, NULL, open_in_thread, &job))
		return -1;
	(void)pthread_join(thread, NULL);
	return job.has_failed ? -1 : 0;
}

PLANT(opened_by_thread)
{
	return opened_by_thread(READABLE) == 0;
}

struct helper {
	pid_t pid;
	int link; /* the helper ends when it is closed */
};

static void help(int link)
{
	char byte;

	if (write(link, "r", 1) != 1)
		_exit(1);
	while (read(link, &byte, 1) == 1)
		;
	_exit(0);
}

static void end_helper(struct helper *helper)
{
	(void)close(helper->link);
	wait_for(helper->pid);
	free(helper);
}

/* A process that goes on, and the way to it. */
EXPLORED struct helper *process_left(void)
{
	struct helper *helper = malloc(sizeof(*helper));
	char byte;
	int link[2];

	if (!helper || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, link) < 0) { /* LEAKS: socket */
		free(helper);
		return NULL;
	}
	helper->link = link[0];
	helper->pid = fork(); /* LEAKS: process */
	if (helper->pid == 0) {
		(void)close(link[0]);
		help(link[1]);
	}
	(void)close(link[1]);
	if (helper->pid < 0) {
		(void)close(link[0]);
		free(helper);
		return NULL;
	}
	if (read(helper->link, &byte, 1) != 1) {
		TWIN(free, end_helper)(helper);
		return NULL;
	}
	return helper;
}

PLANT(process_left)
{
	struct helper *helper = process_left();

	if (helper)
		end_helper(helper);
	return helper != NULL;
}

/* A child that has ended stays until somebody waits for it; a signal comes in between. */
EXPLORED int wait_interrupted(void)
{
	int status;
	pid_t pid = fork(); /* LEAKS: process when wait4=EINTR */

	if (pid < 0)
		return -1;
	if (pid == 0)
		_exit(0);
	while (waitpid(pid, &status, 0) < 0)
		if (TWIN(true, errno != EINTR))
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

PLANT(wait_interrupted)
{
	return wait_interrupted() == 0;
}
