/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hang.c - preloaded into a victim: a pthread_create() that does not return before it is let
 *
 * With steal_is_on it also closes the call's mailbox, and opens something else at that number.
 *
 * Whoever tests sets hang_is_on, and lets each call go by a byte into the pipe hang_gate, which
 * can be opened from outside: the thread that hangs may be the victim's only one.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef int create_function(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
			    void *param);

atomic_ulong hang_is_on, hang_entered;
int hang_gate[2];
static create_function *next_create;

__attribute__((constructor)) static void prepare(void)
{
	next_create = (create_function *)dlsym(RTLD_NEXT, "pthread_create");
	if (!next_create || pipe2(hang_gate, O_CLOEXEC) != 0)
		_exit(1);
}

atomic_ulong steal_is_on;
atomic_int stolen = -1;

static void steal_mailbox(void)
{
	for (int fd = 3; fd < 256; fd++) {
		char path[64], link[64] = "";
		int null;

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, link, sizeof(link) - 1) <= 0 || !strstr(link, "memfd:tendril"))
			continue;
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		(void)dup3(null, fd, O_CLOEXEC);
		(void)close(null);
		atomic_store(&stolen, fd);
	}
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
		   void *param)
{
	char go;

	if (atomic_load(&hang_is_on)) {
		atomic_fetch_add(&hang_entered, 1);
		while (read(hang_gate[0], &go, 1) != 1)
			;
	}
	if (atomic_load(&steal_is_on))
		steal_mailbox();
	return next_create(thread, attr, start, param);
}
