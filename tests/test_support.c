/* SPDX-License-Identifier: BSD-2-Clause */
/* test_support.c - the judges judged: snapshots see every kind of change, victims see harm */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "support.h"

static struct snapshot *before, *after;
static char why[WHY_BYTES];

static int setup(void **state)
{
	before = snapshot_new();
	after = snapshot_new();
	return before && after ? 0 : -1;
}

static int teardown(void **state)
{
	snapshot_free(before);
	snapshot_free(after);
	return 0;
}

static void assert_seen(pid_t pid, const char *what)
{
	assert_int_equal(snapshot_take(after, pid, pid == getpid() ? 0 : SNAPSHOT_SLEEPERS), 0);
	assert_false(same_target(before, after, why));
	if (!strstr(why, what))
		fail_msg("wanted \"%s\" in: %s", what, why);
}

static void test_snapshot_of_a_sleeper_stays_the_same(void **state)
{
	struct target target;

	assert_int_equal(target_start_victim(&target, "idle-epoll", 4), 0);
	assert_int_equal(snapshot_settle(before, after, target.pid, SNAPSHOT_SLEEPERS), 0);
	if (!becomes_same(before, after, target.pid, SNAPSHOT_SLEEPERS, 1000, why))
		fail_msg("%s", why);
	target_end(&target);
}

static void test_snapshot_sees_a_handle(void **state)
{
	int fd;

	assert_int_equal(snapshot_take(before, getpid(), 0), 0);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_seen(getpid(), "new: handle");
	close(fd);
	assert_int_equal(snapshot_take(after, getpid(), 0), 0);
	assert_true(same_target(before, after, why));
}

static void test_snapshot_sees_a_mapping(void **state)
{
	void *page;

	assert_int_equal(snapshot_take(before, getpid(), 0), 0);
	page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_seen(getpid(), "new: mapping");
	munmap(page, 4096);
}

static void test_snapshot_sees_a_blocked_signal(void **state)
{
	sigset_t set;

	assert_int_equal(snapshot_take(before, getpid(), 0), 0);
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	assert_seen(getpid(), "SigBlk");
	raise(SIGWINCH);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void *wait_for_byte(void *param)
{
	char c;

	(void)!read(*(int *)param, &c, 1);
	return NULL;
}

static void test_snapshot_sees_a_thread(void **state)
{
	int fds[2];
	pthread_t thread;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(snapshot_take(before, getpid(), SNAPSHOT_BUSY), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_byte, &fds[0]), 0);
	assert_int_equal(snapshot_take(after, getpid(), SNAPSHOT_BUSY), 0);
	assert_false(same_target(before, after, why));
	assert_non_null(strstr(why, "new: thread"));
	close(fds[1]);
	pthread_join(thread, NULL);
	close(fds[0]);
}

static void test_snapshot_sees_a_stopped_target(void **state)
{
	struct target target;
	int64_t deadline_ns = deadline_in_ms(5000);

	assert_int_equal(target_start_victim(&target, "idle-epoll", 1), 0);
	assert_int_equal(snapshot_take(before, target.pid, SNAPSHOT_BUSY), 0);
	kill(target.pid, SIGSTOP);
	do
		assert_int_equal(snapshot_take(after, target.pid, SNAPSHOT_BUSY), 0);
	while (same_target(before, after, why) && support_again(deadline_ns));
	assert_non_null(strstr(why, "is stopped"));
	target_end(&target);
}

static void test_snapshot_sees_a_limit(void **state)
{
	struct target target;
	struct rlimit limit = { 50, 50 };

	assert_int_equal(target_start_victim(&target, "idle-pause", 1), 0);
	assert_int_equal(snapshot_settle(before, after, target.pid, SNAPSHOT_SLEEPERS), 0);
	assert_int_equal(prlimit(target.pid, RLIMIT_NOFILE, &limit, NULL), 0);
	assert_seen(target.pid, "Max open files");
	target_end(&target);
}

/* The bytes that victim_echo() begins with, by way of the file's own symbol: any text will do. */
static void test_snapshot_sees_changed_text(void **state)
{
	struct target target;
	unsigned long from = 0;
	unsigned char byte;
	char path[64], line[512];
	FILE *maps;
	int mem;

	assert_int_equal(target_start_victim(&target, "idle-pause", 1), 0);
	assert_int_equal(snapshot_settle(before, after, target.pid, SNAPSHOT_SLEEPERS), 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)target.pid);
	maps = fopen(path, "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) && !(strstr(line, "r-xp") && strstr(line, "libc")))
		;
	(void)fclose(maps);
	from = strtoul(line, NULL, 16);
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)target.pid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	if (pread(mem, &byte, 1, (off_t)(from + 64)) != 1)
		fail_msg("cannot read %s", path);
	byte ^= 1;
	assert_int_equal(pwrite(mem, &byte, 1, (off_t)(from + 64)), 1);
	close(mem);
	assert_seen(target.pid, "text of");
	target_end(&target);
}

static void test_ask_tells_a_dead_target(void **state)
{
	struct target target;

	assert_int_equal(target_start_victim(&target, "idle-pause", 1), 0);
	kill(target.pid, SIGKILL);
	assert_false(target_is_well(&target, why));
	assert_non_null(strstr(why, "died"));
	target_end(&target);
}

static void test_victim_complains_of_a_signal_too_many(void **state)
{
	struct target target;

	assert_int_equal(target_start_victim(&target, "signals", 4), 0);
	assert_true(target_is_well(&target, why));
	assert_int_equal(sigqueue(target.pid, SIGRTMIN + 3, (union sigval){ .sival_int = 1 }), 0);
	while (target_is_well(&target, why))
		;
	if (!strstr(why, "bad:"))
		fail_msg("%s", why);
	target_end(&target);
}

/* A signal whose handler is not the victim's own command ends its sleep with EINTR. */
static void test_victim_complains_of_eintr(void **state)
{
	struct target target;

	assert_int_equal(target_start_victim(&target, "alarm-pause", 1), 0);
	assert_true(target_is_well(&target, why));
	target_end(&target);
	/* A stop and a continuation end epoll_wait() with EINTR, by the kernel's rules (signal(7)). */
	assert_int_equal(target_start_victim(&target, "idle-epoll", 1), 0);
	do {
		kill(target.pid, SIGSTOP);
		kill(target.pid, SIGCONT);
	} while (target_is_well(&target, why));
	assert_non_null(strstr(why, "EINTR"));
	target_end(&target);
}

static const char *const modes[] = {
	"idle-epoll", "idle-epoll-timeout", "idle-pause", "idle-nanosleep", "idle-poll",
	"idle-select", "idle-read", "idle-accept", "idle-cond", "malloc", "dlopen", "pthread",
	"stdio", "fork", "signals", "alarm-pause", "alarm-suspend", "spin", "gap",
};

static void test_every_victim_is_well_by_itself(void **state)
{
	for (size_t i = 0; i < ARRAY_LENGTH(modes); i++)
		for (unsigned int threads = 1; threads <= 4; threads += 3) {
			struct target target;

			assert_int_equal(target_start_victim(&target, modes[i], threads), 0);
			for (int n = 0; n < 3; n++)
				if (!target_is_well(&target, why))
					fail_msg("%u threads: %s", threads, why);
			target_end(&target);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_snapshot_of_a_sleeper_stays_the_same),
		cmocka_unit_test(test_snapshot_sees_a_handle),
		cmocka_unit_test(test_snapshot_sees_a_mapping),
		cmocka_unit_test(test_snapshot_sees_a_blocked_signal),
		cmocka_unit_test(test_snapshot_sees_a_thread),
		cmocka_unit_test(test_snapshot_sees_a_stopped_target),
		cmocka_unit_test(test_snapshot_sees_a_limit),
		cmocka_unit_test(test_snapshot_sees_changed_text),
		cmocka_unit_test(test_ask_tells_a_dead_target),
		cmocka_unit_test(test_victim_complains_of_a_signal_too_many),
		cmocka_unit_test(test_victim_complains_of_eintr),
		cmocka_unit_test(test_every_victim_is_well_by_itself),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
