/* SPDX-License-Identifier: BSD-2-Clause */
/* modes_busy.c - inside the C library nearly all of the time */
#include "victim.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- malloc ------------------------------------------------------------------------------ */

#define HEAP_SLOTS 256

struct heap {
	uint64_t random;
	struct {
		unsigned char *at;
		size_t bytes;
		unsigned char pattern;
	} slot[HEAP_SLOTS];
};

static struct heap heaps[VICTIM_WORKERS_MAX];

static uint64_t random_next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

/* Mostly small; now and then from mmap. */
static size_t random_size(uint64_t *state)
{
	uint64_t kind = random_next(state) % 100;

	if (kind == 0)
		return 130000 + random_next(state) % 200000;
	return kind < 10 ? 1 + random_next(state) % 20000 : 1 + random_next(state) % 700;
}

/* Ends and a few places between, so that most of the time is the allocator's. */
static void check_pattern(const unsigned char *at, size_t bytes, unsigned char pattern)
{
	size_t step = bytes / 8 + 1;
	bool good = at[0] == pattern && at[bytes - 1] == pattern;

	for (size_t i = 0; good && i < bytes; i += step)
		good = at[i] == pattern;
	if (!good)
		victim_bad("heap block of %zu bytes at %p lost its pattern", bytes,
			   (const void *)at);
}

static void round_malloc(struct worker *worker)
{
	struct heap *heap = &heaps[worker->index];

	for (int i = 0; i < 50; i++) {
		size_t n = random_next(&heap->random) % HEAP_SLOTS;
		size_t bytes = random_size(&heap->random);
		unsigned char *at = heap->slot[n].at;
		size_t old = heap->slot[n].bytes;

		if (at)
			check_pattern(at, old, heap->slot[n].pattern);
		if (at && random_next(&heap->random) % 4 == 0) {
			at = realloc(at, bytes);
			if (at)
				check_pattern(at, old < bytes ? 1 : 1, heap->slot[n].pattern);
		} else {
			free(at);
			at = random_next(&heap->random) % 4 ? malloc(bytes) : calloc(1, bytes);
		}
		heap->slot[n].pattern = (unsigned char)(n + bytes);
		if (at)
			memset(at, heap->slot[n].pattern, bytes);
		heap->slot[n].at = at;
		heap->slot[n].bytes = bytes;
	}
}

static void prepare_malloc(void)
{
	for (unsigned int i = 0; i < VICTIM_WORKERS_MAX; i++)
		heaps[i].random = i * 977 + 12345;
}

/* --- dlopen ------------------------------------------------------------------------------ */

static char plug_path[PATH_MAX];

static void prepare_dlopen(void)
{
#ifdef __GLIBC__
	const char *name = "plug.so";
#else
	const char *name = "plug_musl.so";
#endif
	(void)snprintf(plug_path, sizeof(plug_path), "%.4000s/%s", victim_directory(), name);
}

static void round_dlopen(struct worker *worker)
{
	void *library = dlopen(plug_path, RTLD_NOW | RTLD_LOCAL);
	int (*add)(int, int);

	if (!library) {
		victim_bad("dlopen: %s", dlerror());
		return;
	}
	*(void **)&add = dlsym(library, "plug_add");
	if (!add || add(40, 2) != 42)
		victim_bad("plug_add is not what it was");
	if (dlclose(library) != 0)
		victim_bad("dlclose: %s", dlerror());
}

/* --- pthread ----------------------------------------------------------------------------- */

static __thread uintptr_t thread_own = 77;

static void *remember(void *param)
{
	uintptr_t was = thread_own;

	thread_own = (uintptr_t)param;
	return (void *)(was == 77 ? thread_own + 1 : 0);
}

static void round_pthread(struct worker *worker)
{
	uintptr_t value = atomic_load(&worker->rounds) * 2 + 1;
	pthread_t thread;
	void *ret = NULL;
	int r = pthread_create(&thread, NULL, remember, (void *)value);

	if (r == 0)
		r = pthread_join(thread, &ret);
	if (r != 0)
		victim_bad("pthread_create or pthread_join: error %d", r);
	else if (ret != (void *)(value + 1))
		victim_bad("a thread of mine returned %p, not %p", ret, (void *)(value + 1));
}

/* --- stdio ------------------------------------------------------------------------------- */

static char stdio_path[VICTIM_WORKERS_MAX][64];

static void prepare_stdio(void)
{
	for (unsigned int i = 0; i < VICTIM_WORKERS_MAX; i++)
		(void)snprintf(stdio_path[i], sizeof(stdio_path[i]), "/tmp/victim-%d-%u",
			       (int)getpid(), i);
}

static bool write_lines(FILE *file, unsigned long number)
{
	for (int i = 0; i < 40; i++)
		if (fprintf(file, "line %d of round %lu, %a\n", i, number, (double)i / 3) < 0)
			return false;
	return fflush(file) == 0;
}

static bool read_lines(FILE *file, unsigned long number)
{
	char line[128], want[128];

	rewind(file);
	for (int i = 0; i < 40; i++) {
		(void)snprintf(want, sizeof(want), "line %d of round %lu, %a\n", i, number,
			       (double)i / 3);
		if (!fgets(line, sizeof(line), file) || strcmp(line, want) != 0)
			return false;
	}
	return fgetc(file) == EOF;
}

static void round_stdio(struct worker *worker)
{
	const char *path = stdio_path[worker->index];
	unsigned long number = atomic_load(&worker->rounds);
	FILE *file = fopen(path, "w+e");

	if (!file) {
		victim_bad("fopen: error %d", errno);
		return;
	}
	if (!write_lines(file, number) || !read_lines(file, number))
		victim_bad("what stdio wrote is not what it read");
	if (fclose(file) != 0)
		victim_bad("fclose: error %d", errno);
	(void)unlink(path);
}

/* --- fork -------------------------------------------------------------------------------- */

static void round_fork(struct worker *worker)
{
	int want = (int)(atomic_load(&worker->rounds) % 100), status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(want);
	if (child < 0) {
		victim_bad("fork: error %d", errno);
		return;
	}
	while (waitpid(child, &status, 0) != child) {
		if (errno != EINTR) {
			victim_bad("waitpid: error %d", errno);
			return;
		}
		victim_interrupted(worker, "waitpid");
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != want)
		victim_bad("a child of mine ended with status %#x", (unsigned int)status);
}

const struct mode busy_modes[] = {
	{ "malloc", MODE_BUSY, prepare_malloc, round_malloc, NULL },
	{ "dlopen", MODE_BUSY, prepare_dlopen, round_dlopen, NULL },
	{ "pthread", MODE_BUSY, NULL, round_pthread, NULL },
	{ "stdio", MODE_BUSY, prepare_stdio, round_stdio, NULL },
	{ "fork", MODE_BUSY, NULL, round_fork, NULL },
	{ NULL },
};
