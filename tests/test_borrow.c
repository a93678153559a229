/* SPDX-License-Identifier: BSD-2-Clause */
/* test_borrow.c - system calls made by a borrowed thread of the target */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inject.h"
#include "remote/borrow.h" /* before cmocka, whose fail() is another */
#include "support.h"
#include <cmocka.h>

static struct target victim;
static char why[WHY_BYTES];

static struct tendril_target *open_target(pid_t pid)
{
	struct tendril_target *target = NULL;
	struct tendril_error error = { 0 };

	if (tendril_open(pid, NULL, &target, &error) < 0)
		fail_msg("%s", error.text);
	return target;
}

static int64_t call(struct tendril_target *target, long number, uint64_t a, uint64_t b)
{
	const uint64_t arguments[6] = { a, b };
	struct tendril_error error = { 0 };
	int64_t result = -1;

	if (remote_syscall(target, number, arguments, &result, &error) < 0)
		fail_msg("%s: %s", victim.mode, error.text);
	return result;
}

static void test_every_kind_of_thread_can_be_borrowed(void **state)
{
	static const char *const modes[] = {
		"idle-epoll", "idle-epoll-timeout", "idle-pause", "idle-nanosleep", "idle-poll",
		"idle-read", "idle-cond", "spin", "malloc", "dlopen", "stdio", "fork", "signals",
		"alarm-suspend",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
		struct tendril_target *target;

		if (target_start_victim(&victim, modes[i], 2) < 0)
			fail_msg("no victim");
		target = open_target(victim.pid);
		for (int n = 0; n < 50; n++)
			assert_int_equal(call(target, SYS_getpid, 0, 0), victim.pid);
		assert_int_equal(call(target, SYS_close, 987654, 0), -EBADF);
		tendril_close(target);
		if (!target_is_well(&victim, why))
			fail_msg("%s", why);
		target_end(&victim);
	}
}

/* Its only thread waits for a lock that nobody will ever release. */
static void wait_for_ever(void)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)pthread_mutex_lock(&lock);
	(void)pthread_mutex_lock(&lock);
	_exit(1);
}

static void wait_until_asleep(pid_t pid)
{
	int64_t deadline = deadline_in_ms(5000);

	while (!status_is(pid, "State", 'S'))
		assert_true(support_again(deadline));
}

static void test_a_lock_is_no_obstacle(void **state)
{
	struct tendril_options hasty = { .size = sizeof(hasty), .timeout_ms = 50 };
	struct tendril_target *target = NULL;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		wait_for_ever();
	wait_until_asleep(child);
	assert_int_equal(tendril_open(child, &hasty, &target, NULL), 0);
	assert_int_equal(tendril_call(target, (uintptr_t)getppid, NULL, 0, 1000, NULL, NULL), -EAGAIN);
	assert_int_equal(call(target, SYS_getpid, 0, 0), child);
	wait_until_asleep(child); /* again: it still waits for the lock */
	tendril_close(target);
	(void)kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static int refuse_madvise(void *param)
{
	struct sock_filter program[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_madvise },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
	};
	struct sock_fprog fprog = { ARRAY_LENGTH(program), program };

	(void)param;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &fprog) < 0 ? -errno : 0;
}

static void test_a_call_that_a_filter_would_kill_for_is_not_made(void **state)
{
	struct target_start how = { .mode = "idle-pause", .in_child = refuse_madvise };
	const uint64_t arguments[6] = { 0 };
	struct tendril_error error = { 0 };
	struct tendril_target *target;
	int64_t result = 42;

	(void)state;
	assert_int_equal(target_start(&victim, &how), 0);
	target = open_target(victim.pid);
	assert_int_equal(remote_syscall(target, SYS_madvise, arguments, &result, &error), -EACCES);
	assert_int_equal(error.rule, TENDRIL_RULE_SECCOMP);
	assert_int_equal(result, 42);
	assert_int_equal(call(target, SYS_getpid, 0, 0), victim.pid);
	tendril_close(target);
	if (!target_is_well(&victim, why))
		fail_msg("%s", why);
	target_end(&victim);
}

#define PLACE 0x510000000000ul
#define BYTES 0x30000ul

static int map_and_protect(struct borrowed *borrowed, void *data, struct tendril_error *error)
{
	const uint64_t map[6] = { PLACE, BYTES, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, UINT64_MAX, 0 };
	const uint64_t protect[6] = { PLACE, 4096, PROT_WRITE };
	int64_t result = 0;
	int r = borrowed_call(borrowed, SYS_mmap, map, &result, error);

	if (r == 0 && result != PLACE)
		r = -EEXIST;
	if (r == 0)
		r = borrowed_unmap_if_we_die(borrowed, PLACE, BYTES, error);
	if (data)
		(void)kill(getpid(), SIGKILL);
	if (r == 0)
		r = borrowed_call(borrowed, SYS_mprotect, protect, &result, error);
	return r < 0 ? r : (int)result;
}

/* In a child, which is killed somewhere in the middle. */
static int map_there(void *param)
{
	struct tendril_target *target = NULL;
	int r = tendril_open(victim.pid, NULL, &target, NULL);

	inject_mark(true);
	if (r == 0)
		r = remote_borrow(target, map_and_protect, param, NULL);
	inject_mark(false);
	return r < 0 ? 1 : 0;
}

enum found { FOUND_NOTHING, FOUND_UNPROTECTED, FOUND_ALL, FOUND_HALF };

static enum found look_at_place(void)
{
	struct proc_maps maps;
	uint64_t bytes = 0;
	bool is_protected = false;

	assert_int_equal(proc_maps_read(victim.pid, &maps), 0);
	for (size_t i = 0; i < maps.n_maps; i++)
		if (maps.map[i].low >= PLACE && maps.map[i].high <= PLACE + BYTES) {
			bytes += maps.map[i].high - maps.map[i].low;
			is_protected = is_protected || maps.map[i].write;
		}
	proc_maps_done(&maps);
	if (bytes == 0)
		return FOUND_NOTHING;
	if (bytes != BYTES)
		return FOUND_HALF;
	return is_protected ? FOUND_ALL : FOUND_UNPROTECTED;
}

static void unmap_there(void)
{
	struct tendril_target *target = open_target(victim.pid);

	assert_int_equal(call(target, SYS_munmap, PLACE, BYTES), 0);
	tendril_close(target);
}

/* Until the thread is home by itself it may still be about to unmap. */
static bool is_settled(struct snapshot *first, struct snapshot *second)
{
	return snapshot_settle(first, second, victim.pid, snapshot_flags_of(victim.mode)) == 0;
}

static void kill_the_caller_at_each_call(enum inject_how how)
{
	struct snapshot *first = snapshot_new(), *second = snapshot_new();
	struct inject_result result = { .n_calls = 1 };
	unsigned int n[4] = { 0 };

	for (unsigned int k = 1;; k++) {
		enum found found;

		inject_run(map_there, NULL, how, k, &result);
		if (!WIFSIGNALED(result.status))
			break;
		assert_true(is_settled(first, second));
		found = look_at_place();
		n[found]++;
		if (found != FOUND_NOTHING)
			unmap_there();
		if (!target_is_well(&victim, why))
			fail_msg("killed at call %u: %s", k, why);
	}
	if (WEXITSTATUS(result.status) != 0)
		fail_msg("%s: the caller failed by itself", victim.mode);
	assert_true(n[FOUND_NOTHING] > 0 && n[FOUND_ALL] > 0);
	assert_int_equal(n[FOUND_HALF], 0);
	unmap_there();
	snapshot_free(first);
	snapshot_free(second);
}

static void test_a_caller_that_is_killed_leaves_all_or_nothing(void **state)
{
	static const char *const modes[] = { "idle-nanosleep", "idle-read" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
		if (target_start_victim(&victim, modes[i], 1) < 0)
			fail_msg("no victim");
		kill_the_caller_at_each_call(i == 0 ? INJECT_KILL_BEFORE : INJECT_KILL_AFTER);
		target_end(&victim);
	}
}

static void test_a_caller_that_dies_half_way_has_the_thread_unmap(void **state)
{
	struct snapshot *first = snapshot_new(), *second = snapshot_new();
	bool dies = true;
	int status = 0;
	pid_t child;

	(void)state;
	if (target_start_victim(&victim, "idle-read", 1) < 0)
		fail_msg("no victim");
	child = fork();
	if (child == 0)
		_exit(map_there(&dies));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_true(is_settled(first, second));
	assert_int_equal(look_at_place(), FOUND_NOTHING);
	if (!target_is_well(&victim, why))
		fail_msg("%s", why);
	target_end(&victim);
	snapshot_free(first);
	snapshot_free(second);
}

static int end_victim(void **state)
{
	(void)state;
	target_end(&victim);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_every_kind_of_thread_can_be_borrowed, end_victim),
		cmocka_unit_test(test_a_lock_is_no_obstacle),
		cmocka_unit_test_teardown(test_a_call_that_a_filter_would_kill_for_is_not_made,
					  end_victim),
		cmocka_unit_test_teardown(test_a_caller_that_dies_half_way_has_the_thread_unmap,
					  end_victim),
		cmocka_unit_test_teardown(test_a_caller_that_is_killed_leaves_all_or_nothing,
					  end_victim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
