/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * faults_calls.c - calls that bench_faults.py explores
 *
 *     faults_calls WHICH N FILE
 *
 * N times, in a plain way.  FILE: of the database.  The first call is between two that nobody else
 * makes, so that strace(1) shows where it begins and ends.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BEGIN_MARK (-1001)
#define END_MARK   (-1002)

static bool call_fopen(const char *path)
{
	FILE *file = fopen("/etc/passwd", "re");

	(void)path;
	return file && fclose(file) == 0;
}

static bool call_opendir(const char *path)
{
	DIR *dir = opendir("/etc");

	(void)path;
	return dir && closedir(dir) == 0;
}

static bool call_shm_open(const char *path)
{
	int fd = shm_open("/tendril-bench", O_RDWR | O_CREAT, 0600);

	(void)path;
	return fd >= 0 && close(fd) == 0;
}

/* Where what is explored begins and ends. */
__attribute__((noinline)) static int open_and_query(const char *path)
{
	sqlite3 *db;
	int r = sqlite3_open(path, &db);

	if (r == SQLITE_OK)
		r = sqlite3_exec(db, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL);
	(void)sqlite3_close(db);
	return r == SQLITE_OK ? 0 : -1;
}

static bool call_sqlite(const char *path)
{
	return open_and_query(path) == 0;
}

static const struct {
	const char *name;
	bool (*run)(const char *path);
} calls[] = {
	{ "fopen", call_fopen },
	{ "opendir", call_opendir },
	{ "shm_open", call_shm_open },
	{ "open_and_query", call_sqlite },
};

static int run(bool (*call)(const char *path), long n, const char *path)
{
	long failed;

	(void)close(BEGIN_MARK);
	failed = !call(path);
	(void)close(END_MARK);
	while (--n > 0)
		failed += !call(path);
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 4 && i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].name, argv[1]) == 0)
			return run(calls[i].run, strtol(argv[2], NULL, 10), argv[3]);
	(void)fprintf(stderr, "usage: faults_calls WHICH N FILE\n");
	return 2;
}
