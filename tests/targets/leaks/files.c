/* SPDX-License-Identifier: BSD-2-Clause */
/* files.c - plants: files, copies of handles, and what libc opens by itself */
#include "plant.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

PLANT(open)
{
	int fd = open("/dev/null", O_RDONLY); /* LEAK */

	forget(fd);
}

PLANT(creat)
{
	char path[] = "/tmp/tendril-plant-XXXXXX";
	int placeholder = need(mkstemp(path), "mkstemp"), fd;

	fd = creat(path, 0600); /* LEAK */
	(void)unlink(path);
	(void)close(placeholder);
	forget(fd);
}

PLANT(mkstemp)
{
	char path[] = "/tmp/tendril-plant-XXXXXX";
	int fd = mkstemp(path); /* LEAK */

	(void)unlink(path);
	forget(fd);
}

PLANT(pipe2)
{
	int fds[2];

	need(pipe2(fds, O_CLOEXEC), "pipe2"); /* LEAK x2 */
	forget(fds[0]);
	forget(fds[1]);
}

PLANT(pipe_one_end)
{
	int fds[2];

	need(pipe(fds), "pipe"); /* LEAK */
	(void)close(fds[0]);
	forget(fds[1]);
}

PLANT(dup)
{
	int first = open("/dev/null", O_RDONLY), copy;

	copy = dup(first); /* LEAK */
	(void)close(first);
	forget(copy);
}

/* The handle that was there is closed by it: the leak is the copy, not who opened the number. */
PLANT(dup2_over)
{
	int there = open("/dev/null", O_RDONLY), other = open("/dev/zero", O_RDONLY);

	need(dup2(other, there), "dup2"); /* LEAK */
	(void)close(other);
	forget(there);
}

PLANT(dup3)
{
	int there = open("/dev/null", O_RDONLY), other = open("/dev/zero", O_RDONLY);

	(void)close(there);
	need(dup3(other, there, O_CLOEXEC), "dup3"); /* LEAK */
	(void)close(other);
	forget(there);
}

/* A copy onto itself opens nothing: the one who opened it stays the one. */
PLANT(dup2_itself)
{
	int fd = open("/dev/null", O_RDONLY); /* LEAK */

	need(dup2(fd, fd), "dup2");
	forget(fd);
}

PLANT(fcntl_dupfd)
{
	int first = open("/dev/null", O_RDONLY), copy;

	copy = fcntl(first, F_DUPFD_CLOEXEC, 100); /* LEAK */
	(void)close(first);
	forget(copy);
}

PLANT(close_range_some)
{
	int fds[5], last;

	for (int i = 0; i < 5; i++)
		fds[i] = need(open("/dev/null", O_RDONLY), "open");
	last = open("/dev/zero", O_RDONLY); /* LEAK */
	/* musl has no name for it. */
	need(syscall(SYS_close_range, fds[0], fds[4], 0), "close_range");
	forget(last);
}

PLANT(fopen)
{
	FILE *file = fopen("/etc/passwd", "re"); /* LEAK */
	char line[16];

	if (!file || !fgets(line, sizeof(line), file))
		need(-1, "fopen");
	if (plant_is_repaired())
		(void)fclose(file);
}

PLANT(opendir)
{
	DIR *directory = opendir("/"); /* LEAK */

	if (!directory || !readdir(directory))
		need(-1, "opendir");
	if (plant_is_repaired())
		(void)closedir(directory);
}

PLANT(tmpfile)
{
	FILE *file = tmpfile(); /* LEAK */

	if (!file)
		need(-1, "tmpfile");
	if (plant_is_repaired())
		(void)fclose(file);
}

PLANT(popen)
{
	FILE *file = popen("true", "re"); /* LEAK */

	if (!file)
		need(-1, "popen");
	while (getc(file) != EOF)
		;
	if (plant_is_repaired())
		(void)pclose(file);
}

PLANT(shm_open)
{
	char name[64];
	int fd;

	(void)snprintf(name, sizeof(name), "/tendril-plant-%d", (int)getpid());
	fd = shm_open(name, O_RDWR | O_CREAT, 0600); /* LEAK */
	(void)shm_unlink(name);
	forget(fd);
}

#define BURST 12000

/* More at once than anybody may have made room for: no mark, the stacks of some may be missing. */
PLANT_ONCE(burst)
{
	struct rlimit limit;

	need(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
	limit.rlim_cur = limit.rlim_max;
	need(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
	for (int i = 0; i < BURST; i++)
		forget(open("/dev/null", O_RDONLY));
}
