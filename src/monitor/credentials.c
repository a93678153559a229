/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/credentials.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define FILE_BYTES_MAX	65536
#define CREDENTIALS_MAX 64
#define SECRET_BYTES	256

/* As the header must be: so nothing that a client sends is ever decoded. */
struct credential {
	bool is_basic;
	char wanted[SECRET_BYTES * 4 / 3 + 8];
};

struct credentials {
	size_t n;
	struct credential credential[CREDENTIALS_MAX];
};

static void base64(const char *from, size_t bytes, char *to)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < bytes; i += 3) {
		uint32_t group = (uint32_t)(uint8_t)from[i] << 16;

		if (i + 1 < bytes)
			group |= (uint32_t)(uint8_t)from[i + 1] << 8;
		if (i + 2 < bytes)
			group |= (uint8_t)from[i + 2];
		*to++ = digits[group >> 18];
		*to++ = digits[group >> 12 & 63];
		*to++ = i + 1 < bytes ? digits[group >> 6 & 63] : '=';
		*to++ = i + 2 < bytes ? digits[group & 63] : '=';
	}
	*to = 0;
}

static int add_line(struct credentials *credentials, const char *line)
{
	struct credential *credential = &credentials->credential[credentials->n];
	const char *secret = strchr(line, ' ');
	size_t bytes = secret ? strlen(++secret) : 0;

	if (bytes == 0 || bytes > SECRET_BYTES || credentials->n == CREDENTIALS_MAX)
		return -EINVAL;
	credential->is_basic = !strncmp(line, "basic ", 6);
	if (credential->is_basic) {
		const char *colon = strchr(secret, ':');

		if (!colon || colon == secret || !colon[1])
			return -EINVAL;
		base64(secret, bytes, credential->wanted);
	} else if (!strncmp(line, "bearer ", 7) && !strpbrk(secret, " \t")) {
		memcpy(credential->wanted, secret, bytes + 1);
	} else {
		return -EINVAL;
	}
	credentials->n++;
	return 0;
}

static int parse(struct credentials *credentials, char *text, unsigned *ret_line)
{
	char *rest = text, *line;

	for (unsigned number = 1; (line = strsep(&rest, "\n")); number++) {
		line[strcspn(line, "\r")] = 0;
		if (!*line || *line == '#')
			continue;
		if (add_line(credentials, line) < 0) {
			*ret_line = number;
			return -EINVAL;
		}
	}
	if (credentials->n)
		return 0;
	*ret_line = 0;
	return -EINVAL;
}

static int read_whole(int fd, char *text, size_t room)
{
	size_t used = 0;

	while (used < room) {
		ssize_t n = read(fd, text + used, room - used);

		if (n < 0)
			return -errno;
		if (n == 0) {
			text[used] = 0;
			return memchr(text, 0, used) ? -EINVAL : 0;
		}
		used += (size_t)n;
	}
	return -EFBIG;
}

int credentials_read(const char *path, struct credentials **ret_credentials, unsigned *ret_line)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	AUTO_FREE char *text = malloc(FILE_BYTES_MAX + 1);
	AUTO_FREE struct credentials *credentials = calloc(1, sizeof(*credentials));
	struct stat status;
	int r;

	*ret_line = 0;
	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!text || !credentials)
		return -ENOMEM;
	if (status.st_mode & (S_IRWXO | S_IWGRP))
		return -EPERM;
	r = read_whole(fd, text, FILE_BYTES_MAX);
	if (r == 0)
		r = parse(credentials, text, ret_line);
	if (text) /* it is; but a compiler that adds checks of its own cannot tell */
		explicit_bzero(text, FILE_BYTES_MAX);
	if (r < 0)
		return r;
	*ret_credentials = credentials;
	credentials = NULL;
	return 0;
}

/* What differs, without a hint at where. */
static bool is_same(const char *given, const char *wanted)
{
	size_t n_given = strlen(given), n_wanted = strlen(wanted);
	unsigned difference = n_given != n_wanted;

	for (size_t i = 0; i < n_given; i++)
		difference |= (unsigned)(uint8_t)(given[i] ^ wanted[n_wanted ? i % n_wanted : 0]);
	return difference == 0;
}

bool credentials_match(const struct credentials *credentials, const char *authorization)
{
	bool is_basic = authorization && !strncasecmp(authorization, "Basic ", 6);
	bool matched = false;

	if (!is_basic && (!authorization || strncasecmp(authorization, "Bearer ", 7)))
		return false;
	authorization = strchr(authorization, ' ');
	authorization += strspn(authorization, " ");
	for (size_t i = 0; i < credentials->n; i++)
		if (credentials->credential[i].is_basic == is_basic)
			matched |= is_same(authorization, credentials->credential[i].wanted);
	return matched;
}

void credentials_free(struct credentials *credentials)
{
	if (!credentials)
		return;
	explicit_bzero(credentials, sizeof(*credentials));
	free(credentials);
}
