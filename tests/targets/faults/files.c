/* SPDX-License-Identifier: BSD-2-Clause */
/* files.c - plants: files and directories, and the ways past their close; see faulty.h */
#include "faulty.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

EXPLORED int early_return(const char *path)
{
	char header[4];
	int fd = open(path, O_RDONLY | O_CLOEXEC); /* LEAKS: file when read */

	if (fd < 0)
		return -errno;
	if (read(fd, header, sizeof(header)) < 0) {
		REPAIR(close(fd));
		return -EIO;
	}
	(void)close(fd);
	return 0;
}

PLANT(early_return)
{
	return early_return(READABLE) == 0;
}

EXPLORED int wrong_label(const char *from, const char *to)
{
	int in, out, r = -1;
	char byte;

	in = open(from, O_RDONLY | O_CLOEXEC); /* LEAKS: file when openat */
	if (in < 0)
		goto nothing;
	out = open(to, O_WRONLY | O_CLOEXEC);
	if (out < 0)
		goto TWIN(nothing, close_in);
	r = read(in, &byte, 1) == 1 && write(out, &byte, 1) == 1 ? 0 : -1;
	(void)close(out);
close_in:
	__attribute__((unused));
	(void)close(in);
nothing:
	return r;
}

PLANT(wrong_label)
{
	return wrong_label(READABLE, "/dev/null") == 0;
}

EXPLORED int overwritten(const char *path, const char *otherwise)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC); /* LEAKS: file as succeeded when flock */

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_SH | LOCK_NB) < 0) {
		REPAIR(close(fd));
		fd = open(otherwise, O_RDONLY | O_CLOEXEC);
	}
	return fd;
}

PLANT(overwritten)
{
	return was_handle(overwritten(READABLE, "/dev/null"));
}

static __attribute__((noinline)) int open_innermost(const char *path, int *ret_fd)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC); /* LEAKS: file when pread64 */

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static __attribute__((noinline)) int open_and_look(const char *path, int *ret_fd)
{
	int fd, r = open_innermost(path, &fd);
	char byte;

	if (r < 0)
		return r;
	if (pread(fd, &byte, 1, 0) != 1) {
		REPAIR(close(fd));
		return -EIO;
	}
	*ret_fd = fd;
	return 0;
}

EXPLORED int callee_two_down(const char *path)
{
	int fd, r = open_and_look(path, &fd);

	if (r == 0)
		(void)close(fd);
	return r;
}

PLANT(callee_two_down)
{
	return callee_two_down(READABLE) == 0;
}

EXPLORED int dup_left(const char *path)
{
	int copy = -1, fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	copy = dup(fd); /* LEAKS: device when write */
	if (copy < 0 || write(fd, "begin\n", 6) != 6) {
		(void)close(fd);
		if (copy >= 0)
			REPAIR(close(copy));
		return -1;
	}
	(void)close(fd);
	return copy;
}

PLANT(dup_left)
{
	return was_handle(dup_left("/dev/null"));
}

/* Handles of this table have fixed numbers. */
EXPLORED int dup2_over(const char *path)
{
	static int next_number = 200;
	int number = next_number++, fd = open(path, O_RDONLY | O_CLOEXEC), n;
	char byte;

	if (fd < 0)
		return -1;
	number = dup2(fd, number); /* LEAKS: file when read */
	n = number < 0 ? -1 : (int)read(fd, &byte, 1);
	(void)close(fd);
	if (n == 1)
		return number;
	REPAIR(close(number));
	return -1;
}

PLANT(dup2_over)
{
	return was_handle(dup2_over(READABLE));
}

EXPLORED int dupfd_cloexec(int handle)
{
	int copy = fcntl(handle, F_DUPFD_CLOEXEC, 10); /* LEAKS: file when flock */

	if (copy < 0)
		return -errno;
	if (flock(copy, LOCK_SH) < 0) {
		REPAIR(close(copy));
		return -errno;
	}
	return copy;
}

PLANT(dupfd_cloexec)
{
	int fd = open(READABLE, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && was_handle(dupfd_cloexec(fd));

	(void)close(fd);
	return ok;
}

EXPLORED DIR *opendir_left(const char *path)
{
	DIR *dir = opendir(path); /* LEAKS: directory when newfstatat */
	struct stat status;

	if (!dir)
		return NULL;
	if (fstatat(dirfd(dir), "passwd", &status, 0) < 0) {
		REPAIR(closedir(dir));
		return NULL;
	}
	return dir;
}

PLANT(opendir_left)
{
	DIR *dir = opendir_left("/etc");

	return dir && closedir(dir) == 0;
}

EXPLORED int dirfd_chain(void)
{
	int inner = -1, file = -1;
	int outer = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (outer >= 0)
		inner = openat(outer, "etc", O_PATH | O_CLOEXEC); /* LEAKS: directory when openat */
	if (inner >= 0)
		file = openat(inner, "passwd", O_RDONLY | O_CLOEXEC);
	if (outer >= 0)
		(void)close(outer);
	if (inner >= 0 && TWIN(file >= 0, true))
		(void)close(inner);
	return file;
}

PLANT(dirfd_chain)
{
	return was_handle(dirfd_chain());
}

EXPLORED int mkstemp_left(const char *folder_and_name)
{
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof(path), "%s.XXXXXX", folder_and_name);
	fd = mkstemp(path); /* LEAKS: file when write */
	if (fd < 0)
		return -1;
	(void)unlink(path);
	if (write(fd, "tendril\n", 8) != 8) {
		REPAIR(close(fd));
		return -1;
	}
	return fd;
}

PLANT(mkstemp_left)
{
	return was_handle(mkstemp_left(scratch_path("mkstemp_left")));
}

/* fdopen() does not take the handle when it fails. */
EXPLORED FILE *fdopen_left(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC); /* LEAKS: file with --alloc when malloc fcntl */
	FILE *file;

	if (fd < 0)
		return NULL;
	file = fdopen(fd, "r");
	if (!file)
		REPAIR(close(fd));
	return file;
}

PLANT(fdopen_left)
{
	FILE *file = fdopen_left(READABLE);

	return file && fclose(file) == 0;
}

struct text {
	FILE *file;
	char *line;
};

EXPLORED struct text *fopen_then_malloc(const char *path)
{
	struct text *text;
	FILE *file = fopen(path, "re"); /* LEAKS: file with --alloc when malloc calloc */

	if (!file)
		return NULL;
	text = malloc(sizeof(*text));
	if (!text) {
		REPAIR(fclose(file));
		return NULL;
	}
	text->file = file;
	text->line = calloc(1, 512);
	if (!text->line) {
		REPAIR(fclose(file));
		free(text);
		return NULL;
	}
	return text;
}

PLANT(fopen_then_malloc)
{
	struct text *text = fopen_then_malloc(READABLE);

	if (!text)
		return false;
	(void)fclose(text->file);
	free(text->line);
	free(text);
	return true;
}

EXPLORED char *realloc_fails(const char *path)
{
	size_t used = 0, room = 16;
	char *text = malloc(room), *larger;
	int fd = text ? open(path, O_RDONLY) : -1; /* LEAKS: file with --alloc when realloc */
	ssize_t n;

	if (fd < 0) {
		free(text);
		return NULL;
	}
	while ((n = read(fd, text + used, room - used)) > 0 && room < 256) {
		used += (size_t)n;
		larger = realloc(text, room *= 2);
		if (!larger) {
			REPAIR(close(fd));
			free(text);
			return NULL;
		}
		text = larger;
	}
	(void)close(fd);
	return text;
}

PLANT(realloc_fails)
{
	char *text = realloc_fails(READABLE);

	free(text);
	return text != NULL;
}

#define HALF_FILLED 4

EXPLORED bool half_filled(int handles[HALF_FILLED])
{
	for (int i = 0; i < HALF_FILLED; i++) {
		handles[i] = open("/dev/zero", O_RDONLY); /* LEAKS: device when openat */
		if (handles[i] < 0) {
			/* Counts down one too few. */
			while (--i TWIN(>, >=) 0)
				(void)close(handles[i]);
			return false;
		}
	}
	return true;
}

PLANT(half_filled)
{
	int handles[HALF_FILLED];
	bool ok = half_filled(handles);

	for (int i = 0; ok && i < HALF_FILLED; i++)
		(void)close(handles[i]);
	return ok;
}

EXPLORED int leaks_one_a_retry(const char *path)
{
	char byte;

	for (int tries = 0; tries < 3; tries++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC); /* LEAKS: file as succeeded when read */

		if (fd < 0)
			return -1;
		if (read(fd, &byte, 1) == 1)
			return fd;
		REPAIR(close(fd));
	}
	return -1;
}

PLANT(leaks_one_a_retry)
{
	return was_handle(leaks_one_a_retry(READABLE));
}

EXPLORED int wrong_errno(const char *path, const char *extra)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), more; /* LEAKS: file when openat */

	if (fd < 0)
		return -1;
	more = open(extra, O_RDONLY | O_CLOEXEC);
	if (more >= 0) {
		(void)close(fd);
		return more;
	}
	if (errno == ENOENT)
		return fd; /* it needs not be there */
	REPAIR(close(fd));
	return -1;
}

PLANT(wrong_errno)
{
	return was_handle(wrong_errno(READABLE, "/dev/null"));
}

static jmp_buf on_error;

EXPLORED int longjmp_out(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC); /* LEAKS: file when read */

	if (fd < 0)
		longjmp(on_error, 1);
	if (read(fd, &byte, 1) != 1) {
		REPAIR(close(fd));
		longjmp(on_error, 2);
	}
	return fd;
}

PLANT(longjmp_out)
{
	if (setjmp(on_error) != 0)
		return false;
	return was_handle(longjmp_out(READABLE));
}

struct log {
	char name[32];
	int handle;
};

EXPLORED struct log *struct_freed(const char *path)
{
	struct log *log = malloc(sizeof(*log));

	if (!log)
		return NULL;
	log->handle = open(path, O_WRONLY | O_CLOEXEC); /* LEAKS: device when write */
	if (log->handle < 0) {
		free(log);
		return NULL;
	}
	if (write(log->handle, "begin\n", 6) != 6) {
		REPAIR(close(log->handle));
		free(log);
		return NULL;
	}
	return log;
}

PLANT(struct_freed)
{
	struct log *log = struct_freed("/dev/null");
	bool ok = log && was_handle(log->handle);

	free(log);
	return ok;
}

EXPLORED int closes_wrong_one(const char *from, const char *to, int ret_both[2])
{
	char byte;
	int in = open(from, O_RDONLY | O_CLOEXEC), out; /* LEAKS: file when read */

	if (in < 0)
		return -1;
	out = open(to, O_WRONLY | O_CLOEXEC);
	if (out < 0) {
		(void)close(in);
		return -1;
	}
	if (read(in, &byte, 1) != 1) {
		(void)close(out);
		(void)close(TWIN(out, in));
		return -1;
	}
	ret_both[0] = in;
	ret_both[1] = out;
	return 0;
}

PLANT(closes_wrong_one)
{
	int both[2];

	if (closes_wrong_one(READABLE, "/dev/null", both) < 0)
		return false;
	return was_handle(both[0]) && was_handle(both[1]);
}

/* Two things have to fail: the look into the first file, and the one into what is taken instead. */
EXPLORED int error_of_error(const char *path, const char *otherwise)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (read(fd, &byte, 1) == 1)
		return fd;
	(void)close(fd);
	fd = open(otherwise, O_RDONLY | O_CLOEXEC); /* LEAKS: device with --pairs when read */
	if (fd < 0)
		return -1;
	if (read(fd, &byte, 1) < 0) {
		REPAIR(close(fd));
		return -1;
	}
	return fd;
}

PLANT(error_of_error)
{
	return was_handle(error_of_error(READABLE, "/dev/zero"));
}

static int cached = -1;

EXPLORED int static_overwritten(const char *path)
{
	int old = cached;
	char byte;

	cached = open(path, O_RDONLY | O_CLOEXEC); /* LEAKS: file when read */
	if (cached < 0 || read(cached, &byte, 1) != 1) {
		if (cached >= 0)
			REPAIR(close(cached));
		cached = old;
		return -1;
	}
	if (old >= 0)
		(void)close(old);
	return 0;
}

PLANT(static_overwritten)
{
	return static_overwritten(READABLE) == 0 && was_handle(cached);
}

typedef int open_function(const char *path);

static int open_plainly(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC); /* LEAKS: file when read */
}

/* Not known to the compiler. */
static open_function *volatile open_somehow = open_plainly;

EXPLORED int function_pointer(const char *path)
{
	char byte;
	int fd = open_somehow(path);

	if (fd < 0)
		return -1;
	if (read(fd, &byte, 1) != 1) {
		REPAIR(close(fd));
		return -1;
	}
	return fd;
}

PLANT(function_pointer)
{
	return was_handle(function_pointer(READABLE));
}

EXPLORED int recursion(int depth)
{
	int fd, r = 0;

	if (depth == 0)
		return 0;
	fd = open("/", O_RDONLY | O_DIRECTORY); /* LEAKS: directory when openat */
	if (fd < 0)
		return -errno;
	r = recursion(depth - 1);
	if (r < 0) {
		REPAIR(close(fd));
		return r;
	}
	return close(fd);
}

PLANT(recursion)
{
	return recursion(4) == 0;
}

EXPLORED bool returns_bool(const char *path, FILE **ret_file)
{
	char line[16];
	FILE *file = fopen(path, "re"); /* LEAKS: file when read */

	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file)) {
		REPAIR(fclose(file));
		return false;
	}
	*ret_file = file;
	return true;
}

PLANT(returns_bool)
{
	FILE *file;

	return returns_bool(READABLE, &file) && fclose(file) == 0;
}

/* As pthread_create() and posix_spawn() tell it: a positive errno. */
EXPLORED int returns_errno(const char *path, int *ret_fd)
{
	int error, fd = open(path, O_RDONLY); /* LEAKS: file with --fails-when=ret!=0 when flock */

	if (fd < 0)
		return errno;
	if (flock(fd, LOCK_SH | LOCK_NB) < 0) {
		error = errno;
		REPAIR(close(fd));
		return error;
	}
	*ret_fd = fd;
	return 0;
}

PLANT(returns_errno)
{
	int fd;

	return returns_errno(READABLE, &fd) == 0 && was_handle(fd);
}

struct pair {
	int in, out;
};

/* Filled for the caller on success only. */
EXPLORED struct pair *returns_argument(struct pair *pair)
{
	int in, out;

	in = open(READABLE, O_RDONLY | O_CLOEXEC); /* LEAKS: file when openat */
	if (in < 0)
		return NULL;
	out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (out < 0) {
		REPAIR(close(in));
		return NULL;
	}
	pair->in = in;
	pair->out = out;
	return pair;
}

PLANT(returns_argument)
{
	struct pair pair;

	return returns_argument(&pair) && was_handle(pair.in) && was_handle(pair.out);
}

static bool has_failed;

/* It returns nothing: that it failed shows in the program's exit status. */
EXPLORED void void_and_status(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY); /* LEAKS: file with --fails-when=exit when read */

	has_failed = fd < 0 || read(fd, &byte, 1) != 1;
	if (fd >= 0 && TWIN(!has_failed, true))
		(void)close(fd);
}

PLANT(void_and_status)
{
	void_and_status(READABLE);
	return !has_failed;
}

/* Between open() and flock() somebody may have unlinked the lock file. */
EXPLORED int unlink_race(const char *path)
{
	struct stat ours, theirs;
	int fd = open(path, O_RDWR | O_CREAT, 0600); /* LEAKS: file when newfstatat */

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_SH) < 0 || fstat(fd, &ours) < 0) {
		(void)close(fd);
		return -1;
	}
	if (stat(path, &theirs) < 0 || theirs.st_ino != ours.st_ino) {
		REPAIR(close(fd));
		errno = EAGAIN;
		return -1;
	}
	return fd;
}

PLANT(unlink_race)
{
	return was_handle(unlink_race(scratch_path("unlink_race")));
}

int library_opens(const char *path);

#ifndef WITHOUT_LIBRARY
PLANT(library_function)
{
	return was_handle(library_opens(READABLE));
}
#endif
