/* SPDX-License-Identifier: BSD-2-Clause */
/* victim.c - commands, workers, and the functions that remote threads run */
#include "victim.h"

#include <alloca.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static struct worker workers[VICTIM_WORKERS_MAX];
static unsigned int n_workers = 1;
static const struct mode *mode;
static volatile sig_atomic_t told;
static char directory[PATH_MAX];

static atomic_bool bad_claimed, bad_known;
static char bad_reason[256];

/* --- what remote threads run ------------------------------------------------------------- */

atomic_ulong victim_counter;
atomic_ulong victim_entered; /* threads that are in victim_block() or came through it */
uint64_t victim_word = 0x0123456789abcdef;
const char victim_text[] = "read only text";
static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_open = PTHREAD_COND_INITIALIZER;
static bool gate;

void *victim_echo(void *param)
{
	return param;
}

void *victim_count(void *param)
{
	return (void *)(atomic_fetch_add(&victim_counter, 1) + 1);
}

/* Until the command `release`, or victim_release() on another thread. */
void *victim_block(void *param)
{
	atomic_fetch_add(&victim_entered, 1);
	pthread_mutex_lock(&gate_lock);
	while (!gate)
		pthread_cond_wait(&gate_open, &gate_lock);
	pthread_mutex_unlock(&gate_lock);
	return param;
}

void *victim_release(void *param)
{
	pthread_mutex_lock(&gate_lock);
	gate = param != NULL;
	pthread_cond_broadcast(&gate_open);
	pthread_mutex_unlock(&gate_lock);
	return NULL;
}

/* --- what never returns by itself --- */

static pthread_mutex_t taken = PTHREAD_MUTEX_INITIALIZER;

void *victim_spin(void *param)
{
	for (volatile unsigned long n = 0;; n++)
		;
	return param;
}

void *victim_sleep(void *param)
{
	for (;;)
		(void)poll(NULL, 0, 60000);
	return param;
}

void *victim_allocate(void *param)
{
	for (size_t n = 1;; n = n * 13 % 100003) {
		char *volatile block = malloc(n);

		free(block);
	}
	return param;
}

void *victim_wait_for_lock(void *param)
{
	(void)pthread_mutex_lock(&taken); /* by the first one, which keeps it */
	(void)pthread_mutex_lock(&taken);
	return param;
}

static void *tell_id(void *param)
{
	void *(*const *function)(void *) = param;
	void *(*run)(void *) = function[0];

	atomic_store((_Atomic pid_t *)&function[1], gettid());
	return run(NULL);
}

/* A thread of the program's own that runs the function; its id. */
void *victim_start(void *param)
{
	void *(*shared[2])(void *) = { (void *(*)(void *))param, NULL };
	pthread_attr_t attr;
	pthread_t thread;
	pid_t tid;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, tell_id, shared) != 0)
		return NULL;
	while ((tid = atomic_load((_Atomic pid_t *)&shared[1])) == 0)
		(void)sched_yield();
	return (void *)(intptr_t)tid;
}

/* Uses as many bytes of the stack as asked, every page of them. */
void *victim_deep(void *param)
{
	size_t bytes = (size_t)param;
	volatile char *room = alloca(bytes);
	size_t sum = 0;

	for (size_t at = 0; at < bytes; at += 512)
		room[bytes - 1 - at] = (char)(at >> 9);
	for (size_t at = 0; at < bytes; at += 512)
		sum += (size_t)(unsigned char)room[bytes - 1 - at];
	return (void *)sum;
}

void *victim_stack_size(void *param)
{
	size_t bytes = 0;
#ifdef __GLIBC__
	pthread_attr_t attr;

	if (pthread_getattr_np(pthread_self(), &attr) == 0) {
		(void)pthread_attr_getstacksize(&attr, &bytes);
		(void)pthread_attr_destroy(&attr);
	}
#endif
	return (void *)bytes;
}

void *victim_exit(void *param)
{
	pthread_exit(param);
}

void *victim_exit_process(void *param)
{
	_exit((int)(intptr_t)param);
}

/* Uses what only a true thread of the C library has. */
void *victim_pthread_works(void *param)
{
	static __thread int errors;
	char *text;
	FILE *file;

	errno = 0;
	errors = 0;
	text = malloc(100000);
	errors += text == NULL;
	free(text);
	file = fopen("/proc/self/stat", "re");
	errors += file == NULL;
	if (file) {
		errors += fgetc(file) == EOF;
		(void)fclose(file);
	}
	(void)close(-1);
	errors += errno != EBADF;
	return (void *)(intptr_t)errors;
}

uint64_t victim_six(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	return a + 10 * b + 100 * c + 1000 * d + 10000 * e + 100000 * f;
}

uint64_t victim_strlen(const char *text)
{
	return strlen(text);
}

/* text, bytes, number, text: 1 when all are as the test sends them */
uint64_t victim_mixed(const char *a, const unsigned char *bytes, size_t n, const char *b)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += bytes[i];
	return (uint64_t)strlen(a) * 1000000 + sum * 1000 + strlen(b);
}

#ifdef __GLIBC__
/* Indirect functions, which nobody calls here: only what asks for them by name runs a resolver. */
typedef void *start_routine(void *param);
atomic_ulong victim_resolved;

start_routine *victim_resolver(void)
{
	atomic_fetch_add(&victim_resolved, 1);
	return victim_echo;
}

start_routine *victim_resolver_of_data(void)
{
	return (start_routine *)(uintptr_t)&victim_word;
}

start_routine *victim_resolver_that_blocks(void)
{
	(void)victim_block(NULL);
	return victim_echo;
}

void *victim_indirect(void *param) __attribute__((ifunc("victim_resolver")));
void *victim_indirect_data(void *param) __attribute__((ifunc("victim_resolver_of_data")));
void *victim_indirect_late(void *param) __attribute__((ifunc("victim_resolver_that_blocks")));
#endif

uint64_t victim_wide(void)
{
	return 0xfedcba9876543210u;
}

uint64_t victim_getpid(void)
{
	return (uint64_t)getpid();
}

/* --- checks ------------------------------------------------------------------------------ */

/* Handlers call it too: no lock. */
void victim_bad(const char *format, ...)
{
	va_list args;

	if (atomic_exchange(&bad_claimed, true))
		return;
	va_start(args, format);
	(void)vsnprintf(bad_reason, sizeof(bad_reason), format, args);
	va_end(args);
	atomic_store(&bad_known, true);
}

bool victim_is_told(const struct worker *worker)
{
	return worker->index == 0 && told;
}

void victim_interrupted(const struct worker *worker, const char *call)
{
	if (!victim_is_told(worker))
		victim_bad("%s of worker %u: EINTR, and no handler of mine ran", call,
			   worker->index);
}

int64_t victim_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Far too late only: this machine may be busy.  One that began anew each time never ends. */
void victim_slept(const struct worker *worker, const char *call, int64_t begin_ns, int asked_ms)
{
	int64_t slept_us = (victim_now_ns() - begin_ns) / 1000;

	if (victim_is_told(worker))
		return;
	if (slept_us < (int64_t)asked_ms * 1000 - 1000)
		victim_bad("%s: slept %lld us of %d ms", call, (long long)slept_us, asked_ms);
	if (slept_us > (int64_t)asked_ms * 2000 + 1500000)
		victim_bad("%s: slept %lld us for %d ms", call, (long long)slept_us, asked_ms);
}

const char *victim_directory(void)
{
	return directory;
}

/* Each worker of a busy mode must still get on. */
static void check_progress(void)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	int64_t deadline_ns = victim_now_ns() + INT64_C(10000000000);

	if (mode->kind != MODE_BUSY)
		return;
	for (unsigned int i = 1; i < n_workers; i++) {
		unsigned long before = atomic_load(&workers[i].rounds);

		while (atomic_load(&workers[i].rounds) == before) {
			if (victim_now_ns() > deadline_ns) {
				victim_bad("worker %u hangs", i);
				return;
			}
			(void)nanosleep(&nap, NULL);
		}
	}
}

/* --- commands ---------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) static void answer(const char *format, ...)
{
	char line[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	line[n++] = '\n';
	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		_exit(1);
}

static void answer_check(void)
{
	unsigned long rounds = 0;

	check_progress();
	if (mode->check)
		mode->check();
	for (unsigned int i = 0; i < n_workers; i++)
		rounds += atomic_load(&workers[i].rounds);
	if (atomic_load(&bad_known))
		answer("bad: %s", bad_reason);
	else
		answer("ok %lu", rounds);
}

static void answer_gate(bool open)
{
	(void)victim_release(open ? &gate : NULL);
	answer("ok");
}

static void obey(const char *line)
{
	if (strcmp(line, "quit") == 0)
		_exit(0);
	else if (strcmp(line, "check") == 0)
		answer_check();
	else if (strcmp(line, "count") == 0)
		answer("%lu", atomic_load(&victim_counter));
	else if (strcmp(line, "entered") == 0)
		answer("%lu", atomic_load(&victim_entered));
	else if (strcmp(line, "release") == 0)
		answer_gate(true);
	else if (strcmp(line, "shut") == 0)
		answer_gate(false);
	else if (strcmp(line, "undumpable") == 0)
		answer("%d", prctl(PR_SET_DUMPABLE, 0));
	else
		answer("what?");
}

/* Everything that is there; never waits. */
static void obey_all(void)
{
	static char line[256];
	static size_t used;
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

	told = 0;
	while (poll(&in, 1, 0) == 1) {
		char c;
		ssize_t n = read(STDIN_FILENO, &c, 1);

		if (n == 0)
			_exit(0);
		if (n != 1)
			return;
		if (c != '\n' && used < sizeof(line) - 1) {
			line[used++] = c;
			continue;
		}
		line[used] = '\0';
		used = 0;
		obey(line);
	}
}

static void be_told(int signal)
{
	told = 1;
}

/* --- workers ----------------------------------------------------------------------------- */

/* A thread's first malloc() may make an arena: that is not to happen under the test. */
static void use_heap(void)
{
	void *volatile block = malloc(100);

	free(block);
}

/* Nobody is told "ready" while a worker still makes its heap: that would be a change to see. */
static pthread_barrier_t all_set;

static void *work(void *param)
{
	struct worker *worker = param;

	use_heap();
	(void)pthread_barrier_wait(&all_set);
	if (worker->index == 0)
		answer("ready");
	for (;;) {
		mode->round(worker);
		atomic_fetch_add_explicit(&worker->rounds, 1, memory_order_relaxed);
		if (victim_is_told(worker))
			obey_all();
	}
	return NULL;
}

static const struct mode *find_mode(const char *name)
{
	const struct mode *tables[] = { idle_modes, busy_modes, signal_modes, spin_modes };

	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct mode *m = tables[t]; m->name; m++)
			if (strcmp(m->name, name) == 0)
				return m;
	return NULL;
}

/* SIGUSR1 belongs to the main thread alone. */
static void start_workers(void)
{
	sigset_t told_only;
	struct sigaction action = { .sa_handler = be_told };

	(void)sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&told_only);
	sigaddset(&told_only, SIGUSR1);
	(void)pthread_sigmask(SIG_BLOCK, &told_only, NULL);
	for (unsigned int i = 0; i < n_workers; i++)
		workers[i].index = i;
	for (unsigned int i = 1; i < n_workers; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			_exit(1);
	(void)pthread_sigmask(SIG_UNBLOCK, &told_only, NULL);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "-t") == 0) {
		n_workers = (unsigned int)atoi(argv[2]);
		argv += 2;
		argc -= 2;
	}
	mode = argc == 2 ? find_mode(argv[1]) : NULL;
	if (!mode || n_workers < 1 || n_workers > VICTIM_WORKERS_MAX) {
		(void)fprintf(stderr, "usage: victim [-t THREADS] MODE\n");
		return 2;
	}
	if (readlink("/proc/self/exe", directory, sizeof(directory) - 1) > 0)
		(void)dirname(directory);
	if (mode->prepare)
		mode->prepare();
	(void)pthread_barrier_init(&all_set, NULL, n_workers);
	start_workers();
	work(&workers[0]);
	return 0;
}
