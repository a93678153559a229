/* SPDX-License-Identifier: BSD-2-Clause */
/* plant.c - runs one plant; see plant.h */
#include "plant.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN_MAX 16

static struct plant *plants;
static bool is_repaired;
static const char *form, *wait_word;
static pid_t children[CHILDREN_MAX];
static unsigned int n_children;

void plant_add(struct plant *plant)
{
	plant->next = plants;
	plants = plant;
}

bool plant_is_repaired(void)
{
	return is_repaired;
}

void plant_words(const char **ret_form, const char **ret_wait)
{
	*ret_form = form;
	*ret_wait = wait_word;
}

int need(long result, const char *what)
{
	if (result >= 0)
		return (int)result;
	(void)dprintf(2, "%s: %s\n", what, strerror(errno));
	_exit(PLANT_UNSUPPORTED);
}

void forget(int handle)
{
	need(handle, "a planted handle");
	if (is_repaired)
		need(close(handle), "close");
}

static void end_children(void)
{
	for (unsigned int i = 0; i < n_children; i++) {
		(void)kill(children[i], SIGKILL);
		(void)waitpid(children[i], NULL, 0);
	}
}

/* A semaphore in shared memory: a pipe would be one more open handle. */
void plant_child(void (*work)(void))
{
	sem_t *done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			   -1, 0);
	pid_t pid;

	if (n_children == CHILDREN_MAX || done == MAP_FAILED || sem_init(done, 1, 0) < 0)
		_exit(1);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		work();
		sem_post(done);
		for (;;)
			(void)pause();
	}
	if (n_children == 0)
		(void)atexit(end_children);
	children[n_children++] = (pid_t)need(pid, "fork");
	while (sem_wait(done) < 0 && errno == EINTR)
		;
	(void)munmap(done, sizeof(*done));
}

static void say(const char *line)
{
	if (write(1, line, strlen(line)) < 0)
		_exit(1);
}

static void wait_for_line(void)
{
	char byte;

	while (read(0, &byte, 1) == 1 && byte != '\n')
		;
}

static int run(const struct plant *plant)
{
	/* "end": the image before this one has waited for the beginning. */
	bool waits = strcmp(wait_word, "wait") == 0;

	if (waits) {
		say("begin\n");
		wait_for_line();
	}
	for (unsigned int i = 0; i < plant->rounds; i++)
		plant->run();
	if (waits || strcmp(wait_word, "end") == 0) {
		say("ready\n");
		wait_for_line();
	}
	return 0;
}

static void list(void)
{
	for (const struct plant *plant = plants; plant; plant = plant->next)
		(void)dprintf(1, "%s %u\n", plant->name, plant->rounds);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		list();
		return 0;
	}
	form = argc > 2 ? argv[2] : "";
	wait_word = argc > 3 ? argv[3] : "";
	is_repaired = strcmp(form, "repaired") == 0;
	if (is_repaired || strcmp(form, "leak") == 0)
		for (const struct plant *plant = plants; plant; plant = plant->next)
			if (strcmp(plant->name, argv[1]) == 0)
				return run(plant);
	(void)dprintf(2, "usage: %s list | PLANT leak|repaired [wait]\n", argv[0]);
	return 2;
}
