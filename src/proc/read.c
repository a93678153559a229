/* SPDX-License-Identifier: BSD-2-Clause */
/* read.c - whole files below /proc, and the numbers in them */
#include "proc/proc.h"

#include <fcntl.h>
#include <string.h>

#define FIRST_BYTES (16 << 10)

/* What the files below /proc/PID say when the process is gone: the lookup ENOENT, the read ESRCH.
 * A refusal is EACCES or EPERM, depending on the file. */
static int file_error(int error)
{
	if (error == ENOENT)
		return -ESRCH;
	return error == EPERM ? -EACCES : -error;
}

int proc_open(pid_t pid)
{
	char path[32];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? file_error(errno) : fd;
}

/* Room for at least one more chunk and the NUL. */
static int grow(char **text, size_t *room, size_t used)
{
	char *more;

	if (*room - used > FIRST_BYTES / 2)
		return 0;
	more = realloc(*text, *room * 2);
	if (!more)
		return -ENOMEM;
	*text = more;
	*room *= 2;
	return 0;
}

static int read_all(int fd, size_t max_bytes, char **ret_text, size_t *ret_bytes)
{
	size_t room = FIRST_BYTES, used = 0;
	AUTO_FREE char *text = malloc(room);

	if (!text)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, text + used, room - used - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_error(errno);
		if (n == 0)
			break;
		used += (size_t)n;
		if (used > max_bytes)
			return -EFBIG;
		if (grow(&text, &room, used) < 0)
			return -ENOMEM;
	}
	text[used] = '\0';
	*ret_text = text;
	*ret_bytes = used;
	text = NULL;
	return 0;
}

int proc_read_file(int dir_fd, const char *name, size_t max_bytes, char **ret_text,
		   size_t *ret_bytes)
{
	AUTO_CLOSE int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return file_error(errno);
	return read_all(fd, max_bytes, ret_text, ret_bytes);
}

const char *proc_find_line(const char *text, const char *key)
{
	size_t n = strlen(key);

	while (text && *text) {
		if (!strncmp(text, key, n) && text[n] == ':')
			return text + n + 1;
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return NULL;
}

static unsigned digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : 99;
}

const char *proc_scan(const char *s, unsigned base, uint64_t *ret_value)
{
	uint64_t value = 0;
	const char *first;

	while (*s == ' ' || *s == '\t')
		s++;
	for (first = s; digit_of(*s) < base; s++) {
		if (value > (UINT64_MAX - digit_of(*s)) / base)
			break;
		value = value * base + digit_of(*s);
	}
	if (s == first)
		return NULL;
	*ret_value = value;
	return s;
}
