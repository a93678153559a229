/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hang.c - preloaded into a victim: a pthread_create() that does not return before it is let
 *
 * Whoever tests sets hang_is_on, and lets each call go by a byte into the pipe hang_gate, which
 * can be opened from outside: the thread that hangs may be the victim's only one.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
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

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
		   void *param)
{
	char go;

	if (atomic_load(&hang_is_on)) {
		atomic_fetch_add(&hang_entered, 1);
		while (read(hang_gate[0], &go, 1) != 1)
			;
	}
	return next_create(thread, attr, start, param);
}
