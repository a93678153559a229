/* SPDX-License-Identifier: BSD-2-Clause */
/* faulty.c - runs one plant; see faulty.h */
#include "faulty.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Calls that nobody else makes: where the function's own begin and end. */
#define BEGIN_MARK (-1001)
#define END_MARK   (-1002)

struct count {
	long handles, mapped_kib, threads, processes;
};

static struct plant *plants;

/* From tests/targets/faults/failing_alloc.c, when it is loaded before libc. */
__attribute__((weak)) void failing_alloc_begin(void);
__attribute__((weak)) void failing_alloc_end(void);

void plant_add(struct plant *plant)
{
	plant->next = plants;
	plants = plant;
}

const char *scratch_path(const char *name)
{
	static char path[4096];
	const char *folder = getenv("TMPDIR");

	(void)snprintf(path, sizeof(path), "%s/%s", folder ? folder : "/tmp", name);
	return path;
}

/* A call that was made to fail has met us instead of the plant: better no word than a wrong one. */
static void must_be(const void *opened)
{
	if (!opened)
		_exit(3);
}

static long count_entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	long n = 0;

	must_be(dir);
	while ((entry = readdir(dir)))
		n += isdigit((unsigned char)entry->d_name[0]) != 0;
	(void)closedir(dir);
	return n;
}

/* What malloc() keeps is not what the function keeps. */
static long count_mapped_kib(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long low, high;
	char line[4200];
	long n = 0;

	must_be(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &low, &high) == 2 && !strstr(line, "[heap]"))
			n += (long)((high - low) >> 10);
	(void)fclose(maps);
	return n;
}

static long count_children(void)
{
	FILE *children = fopen("/proc/thread-self/children", "re");
	long n = 0;
	int pid;

	must_be(children);
	while (fscanf(children, "%d", &pid) == 1)
		n++;
	(void)fclose(children);
	return n;
}

static struct count count(void)
{
	return (struct count){ .handles = count_entries("/proc/self/fd"),
			       .mapped_kib = count_mapped_kib(),
			       .threads = count_entries("/proc/self/task"),
			       .processes = count_children() };
}

static bool run_and_count(const struct plant *plant)
{
	struct count before = count(), after;
	bool ok;

	(void)close(BEGIN_MARK);
	if (failing_alloc_begin)
		failing_alloc_begin();
	ok = plant->run();
	if (failing_alloc_end)
		failing_alloc_end();
	(void)close(END_MARK);
	after = count();
	(void)printf("left %ld %ld %ld %ld\n", after.handles - before.handles,
		     after.mapped_kib - before.mapped_kib, after.threads - before.threads,
		     after.processes - before.processes);
	return ok;
}

static int run(const struct plant *plant, bool counts)
{
	bool ok = counts ? run_and_count(plant) : plant->run();

	(void)printf("%s: %s\n", plant->name, ok ? "made" : "failed");
	return ok ? 0 : 1;
}

static int run_in_child(const struct plant *plant, bool counts)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		exit(run(plant, counts));
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return 3;
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	const struct plant *plant;
	bool counts = argc == 3 && strcmp(argv[2], "count") == 0;

	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		for (plant = plants; plant; plant = plant->next)
			(void)puts(plant->name);
		return 0;
	}
	for (plant = plants; plant && (argc == 2 || counts); plant = plant->next)
		if (strcmp(plant->name, argv[1]) == 0)
			return plant->in_child ? run_in_child(plant, counts) : run(plant, counts);
	(void)dprintf(2, "usage: %s list | PLANT [count]\n", argv[0]);
	return 2;
}
