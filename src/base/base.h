/* SPDX-License-Identifier: BSD-2-Clause */
/* base.h - what every room uses: ownership, clocks, target addresses, errors */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <tendril/tendril.h>

/* An address in the target.  Never a pointer type: it must not be dereferenced here. */
typedef uint64_t raddr_t;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Ownership of our own descriptors and memory.  The variable is the only owner, is initialised
 * where it is declared, and hands over with take_fd()/take_ptr().  No goto in such a function.
 */
static inline void close_keeping_errno(int fd)
{
	int saved = errno;

	if (fd >= 0)
		(void)close(fd); /* never retried: on Linux the descriptor is gone even on EINTR */
	errno = saved;
}

static inline void auto_close_fd(int *fd)
{
	close_keeping_errno(*fd);
}

static inline void auto_free_ptr(void *ptr)
{
	free(*(void **)ptr);
}

#define AUTO_CLOSE __attribute__((cleanup(auto_close_fd)))
#define AUTO_FREE  __attribute__((cleanup(auto_free_ptr)))

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define NS_PER_US 1000
#define NS_PER_MS 1000000
#define NS_PER_S  1000000000LL

static inline int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* Sleep, used only where the kernel offers nothing to wait on (see its callers). */
void nap_ns(int64_t ns);

/*
 * Set *error (which may be NULL) and return code, which is a negative errno:
 *     return fail(error, -EBUSY, TENDRIL_STAGE_REACH, TENDRIL_RULE_TRACED, "traced by ...");
 */
int fail(struct tendril_error *error, int code, enum tendril_stage stage, enum tendril_rule rule,
	 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Does the character take no place of its own, or change where others appear?  With an override of
 * direction in its name, a process could make a line of a table read backwards. */
bool is_unseen_character(uint32_t c);

/* Copy text into out, which has room for bytes, with everything but printable ASCII and whole
 * UTF-8 sequences of characters that are seen escaped as \xNN; always terminated.  For names that
 * come from a target. */
void escape_text(const char *text, char *out, size_t bytes);

#endif /* BASE_BASE_H */
