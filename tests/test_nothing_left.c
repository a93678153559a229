/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_nothing_left.c - make every step fail, and look for what stayed
 *
 * The campaign of docs/remote-thread.md: each fault point and each system call of the caller fails
 * once; the target dies there, or the caller does; each limit of both is reached; the caller is
 * killed at moments of chance.  Afterwards both sides must look as before.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "remote/target.h" /* before cmocka, whose fail() is another */
#include <cmocka.h>

#include <tendril/tendril.h>

#include "base/fault.h"
#include "inject.h"
#include "support.h"

#define CALL_MS	 10000
#define RAIN_MS	 1000
#define HASTY_MS 300
#define CLEAN_MS 10000 /* a parked thread that hears nothing leaves within this */

static struct snapshot *before, *after, *own_before, *own_after;
static char why[WHY_BYTES];
static unsigned int n_kills = 200;
static bool verbose;

static struct target victim;
static unsigned int flags;
static uint64_t count_address, strlen_address;

/* --- the victim -------------------------------------------------------------------------- */

/* One whole call: open, thread, wait, close.  0 or a negative errno. */
static int one_call(struct tendril_error *error)
{
	struct tendril_target *target = NULL;
	struct tendril_thread *thread = NULL;
	int r = tendril_open(victim.pid, NULL, &target, error);

	if (r == 0)
		r = tendril_create(target, count_address, 0, NULL, &thread, error);
	if (r == 0)
		r = tendril_thread_wait(thread, CALL_MS);
	tendril_thread_close(thread);
	tendril_close(target);
	return r;
}

static void resolve_addresses(void)
{
	struct tendril_target *target = NULL;
	struct tendril_error error;

	if (tendril_open(victim.pid, NULL, &target, &error) < 0 ||
	    tendril_resolve(target, "victim_count", &count_address, &error) < 0 ||
	    tendril_resolve(target, "victim_strlen", &strlen_address, &error) < 0)
		fail_msg("%s", error.text);
	tendril_close(target);
}

/* After one good call, which lets the target's C library keep what it keeps. */
static void begin(const struct target_start *how)
{
	struct tendril_error error;

	if (target_start(&victim, how) < 0)
		fail_msg("no victim");
	flags = snapshot_flags_of(how->mode);
	resolve_addresses();
	if (one_call(&error) < 0)
		fail_msg("first call: %s", error.text);
	/* With a second thread, libc enters the same call at another place: let it sleep anew. */
	if (!target_is_well(&victim, why))
		fail_msg("%s", why);
	assert_int_equal(snapshot_settle(before, after, victim.pid, flags), 0);
	assert_int_equal(snapshot_take(own_before, getpid(), 0), 0);
}

static void begin_mode(const char *mode, unsigned int threads)
{
	struct target_start how = { .mode = mode, .threads = threads };

	begin(&how);
}

static void assert_target_clean(const char *when, unsigned int k)
{
	if (!becomes_same(before, after, victim.pid, flags, CLEAN_MS, why))
		fail_msg("%s, %s %u: %s", victim.mode, when, k, why);
	if (!target_is_well(&victim, why))
		fail_msg("%s %u: %s", when, k, why);
}

static void assert_caller_clean(const char *when, unsigned int k)
{
	assert_int_equal(snapshot_take(own_after, getpid(), 0), 0);
	if (!same_target(own_before, own_after, why))
		fail_msg("the caller, %s %u: %s", when, k, why);
}

/* A call may be made by a helper process of the library: the caller dies alone, or both do. */
enum action { ACT_FAIL, ACT_KILL_TARGET, ACT_KILL_CALLER, ACT_KILL_BOTH };

static struct {
	unsigned int n_points, at;
	enum action action;
	bool all_are_led; /* no thread maps and fills its arena alone */
	pid_t caller;
	char name[64];
} fault;

static int end_test(void **state)
{
	tendril_fault_hook = NULL;
	fault.all_are_led = false;
	target_end(&victim);
	return 0;
}

/* --- fault points ------------------------------------------------------------------------ */

static int hook(const char *point)
{
	if (fault.all_are_led && strcmp(point, "alone") == 0)
		return -ENOMEM;
	if (++fault.n_points != fault.at)
		return 0;
	(void)snprintf(fault.name, sizeof(fault.name), "%s", point);
	if (fault.action == ACT_KILL_TARGET)
		(void)kill(victim.pid, SIGKILL);
	if (fault.action == ACT_KILL_CALLER || fault.action == ACT_KILL_BOTH)
		(void)kill(fault.caller, SIGKILL);
	if (fault.action == ACT_KILL_BOTH)
		(void)kill(getpid(), SIGKILL);
	return fault.action == ACT_FAIL ? -ENOMEM : 0;
}

static void arm(unsigned int k, enum action action)
{
	fault.n_points = 0;
	fault.at = k;
	fault.action = action;
	fault.caller = getpid();
	fault.name[0] = '\0';
	tendril_fault_hook = hook;
}

/* The kinds of call that are made to fail. */
static int make_plain(struct tendril_target *target, struct tendril_thread **ret,
		      struct tendril_error *error)
{
	return tendril_create(target, count_address, 0, NULL, ret, error);
}

static int make_suspended(struct tendril_target *target, struct tendril_thread **ret,
			  struct tendril_error *error)
{
	const struct tendril_thread_options options = {
		.size = sizeof(options), .flags = TENDRIL_THREAD_SUSPENDED,
		.stack_bytes = 1 << 20,
	};
	int r = tendril_create(target, count_address, 0, &options, ret, error);

	return r < 0 ? r : tendril_thread_resume(*ret);
}

static int make_call(struct tendril_target *target, struct tendril_thread **ret,
		     struct tendril_error *error)
{
	const struct tendril_argument text = { TENDRIL_BYTES, .data = "abc", .bytes = 4 };

	return tendril_call_start(target, strlen_address, &text, 1, NULL, ret, error);
}

typedef int (*make_fn)(struct tendril_target *target, struct tendril_thread **ret,
		       struct tendril_error *error);
static const make_fn makes[] = { make_plain, make_suspended, make_call };

/* Fails the k-th point of a whole call; false when there is none. */
static bool fail_point(make_fn make, unsigned int k)
{
	struct tendril_target *target = NULL;
	struct tendril_thread *thread = NULL;
	struct tendril_error error = { 0 };
	long count = target_ask_number(&victim, "count");
	int r;

	arm(k, ACT_FAIL);
	r = tendril_open(victim.pid, NULL, &target, &error);
	if (r == 0)
		r = make(target, &thread, &error);
	tendril_fault_hook = NULL;
	if (r < 0) {
		if (thread || error.code != r || error.left != TENDRIL_LEFT_NOTHING)
			fail_msg("%s: thread %p, error %d (%d), left %d: %s", fault.name,
				 (void *)thread, r, error.code, (int)error.left, error.text);
		tendril_close(target);
		assert_target_clean(fault.name, k);
		assert_int_equal(target_ask_number(&victim, "count"), count);
	} else {
		assert_int_equal(tendril_thread_wait(thread, CALL_MS), 0);
		tendril_thread_close(thread);
		tendril_close(target);
		assert_target_clean(fault.name, k);
	}
	assert_caller_clean(fault.name, k);
	return fault.n_points >= k;
}

static const struct target_start point_victims[] = {
	{ .mode = "idle-epoll" },
	{ .mode = "idle-nanosleep" },
	{ .mode = "idle-cond", .threads = 4 },
	{ .mode = "spin" },
	{ .mode = "stdio", .threads = 4 },
	{ .mode = "signals" },
};

static void test_every_fault_point_leaves_nothing(void **state)
{
	for (size_t v = 0; v < 2 * ARRAY_LENGTH(point_victims); v++) {
		fault.all_are_led = v % 2;
		begin(&point_victims[v / 2]);
		for (size_t m = 0; m < ARRAY_LENGTH(makes); m++) {
			unsigned int k = 1;

			while (fail_point(makes[m], k))
				k++;
			assert_true(k > 8); /* the library has its fault points */
		}
		target_end(&victim);
	}
}

/* A failure is followed by a success on the same open target. */
static void test_target_stays_usable_after_every_failure(void **state)
{
	struct tendril_target *target = NULL;
	struct tendril_thread *thread = NULL;
	struct tendril_error error;

	begin_mode("idle-epoll", 1);
	assert_int_equal(tendril_open(victim.pid, NULL, &target, &error), 0);
	for (unsigned int k = 1; k == 1 || fault.n_points >= fault.at; k++) {
		arm(k, ACT_FAIL);
		if (make_plain(target, &thread, &error) == 0) {
			assert_int_equal(tendril_thread_wait(thread, CALL_MS), 0);
			tendril_thread_close(thread);
		}
		tendril_fault_hook = NULL;
		thread = NULL;
		assert_int_equal(make_plain(target, &thread, &error), 0);
		assert_int_equal(tendril_thread_wait(thread, CALL_MS), 0);
		tendril_thread_close(thread);
		thread = NULL;
	}
	tendril_close(target);
	assert_target_clean("after all failures", 0);
	assert_caller_clean("after all failures", 0);
}

static void test_target_killed_at_every_fault_point(void **state)
{
	unsigned int k = 0;

	do {
		struct tendril_error error = { 0 };
		int64_t begin_ns;
		int r;

		begin_mode(k % 2 ? "idle-epoll" : "spin", 1);
		arm(++k, ACT_KILL_TARGET);
		begin_ns = support_now_ns();
		r = one_call(&error);
		tendril_fault_hook = NULL;
		if (fault.n_points >= k && r != 0 && r != -ESRCH)
			fail_msg("%s: %d: %s", fault.name, r, error.text);
		if (r == -ESRCH)
			assert_int_equal(error.left, TENDRIL_LEFT_GONE);
		assert_true(support_now_ns() - begin_ns < INT64_C(5000000000));
		assert_caller_clean(fault.name, k);
		target_end(&victim);
	} while (fault.n_points >= k);
	assert_true(k > 8);
}

/* In a child, which kills itself at the k-th point; exits with 0 when it got through, with 1 when
 * it was refused on the way, as a busy target may. */
static int call_to_be_killed(unsigned int k, enum action action)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		struct tendril_error error;
		int r;

		arm(k, action);
		r = one_call(&error);
		if (r < 0)
			(void)fprintf(stderr, "# refused at point %u: %s\n", fault.n_points,
				      error.text);
		_exit(r < 0 ? 1 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void kill_at_every_point(enum action action)
{
	for (size_t v = 0; v < 2 * ARRAY_LENGTH(point_victims); v++) {
		unsigned int k = 0;
		int status;

		fault.all_are_led = v % 2;
		begin(&point_victims[v / 2]);
		do {
			status = call_to_be_killed(k + 1, action);
			k += WIFSIGNALED(status);
			assert_target_clean("caller killed at point", k);
		} while (status != 0);
		if (k < 8)
			fail_msg("%s: only %u points", victim.mode, k);
		target_end(&victim);
	}
}

static void test_caller_killed_at_every_fault_point(void **state)
{
	kill_at_every_point(ACT_KILL_CALLER);
}

static void test_caller_and_helper_killed_at_every_fault_point(void **state)
{
	kill_at_every_point(ACT_KILL_BOTH);
}

/* --- each system call -------------------------------------------------------------------- */

/* The exit status says whether a failure was honest: 0 good, 1 failed and nothing left, else wrong. */
static int marked_call(void *param)
{
	struct tendril_error error = { .left = TENDRIL_LEFT_NOTHING };
	int handles = count_handles(getpid());
	int r;

	tendril_fault_hook = NULL;
	inject_mark(true);
	r = one_call(&error);
	inject_mark(false);
	if (count_handles(getpid()) != handles)
		return 3;
	if (r < 0 && error.left != TENDRIL_LEFT_NOTHING)
		return 4;
	return r < 0 ? 1 : 0;
}

/*
 * epoll_wait() ends with EINTR at the moment of our stop, and only the stopper can hide that: one
 * that is killed between its stop and its next step cannot.  No other call is like that here.
 */
static unsigned int n_epoll_windows;

static void assert_target_clean_but_epoll(const char *what, unsigned int k)
{
	if (!becomes_same(before, after, victim.pid, flags, CLEAN_MS, why))
		fail_msg("%s, %s %u: %s", victim.mode, what, k, why);
	if (target_is_well(&victim, why))
		return;
	if (!strstr(why, "epoll_wait of worker 0: EINTR"))
		fail_msg("%s %u: %s", what, k, why);
	n_epoll_windows++;
	target_end(&victim);
	begin_mode("idle-epoll", 1);
}

static void test_epoll_sleeper_may_see_eintr_only_between_stop_and_next_step(void **state)
{
	struct inject_result result;
	unsigned int k = 0;

	n_epoll_windows = 0;
	begin_mode("idle-epoll", 1);
	do {
		inject_run(marked_call, NULL, INJECT_KILL_BEFORE, ++k, &result);
		assert_target_clean_but_epoll("killed before", k);
	} while (result.n_calls >= k);
	printf("# EINTR at %u of %u system calls\n", n_epoll_windows, k);
	assert_true(n_epoll_windows <= 8);
}

static void each_call(enum inject_how how, const char *what)
{
	char when[128];
	struct inject_result result;
	unsigned int k = 0;

	do {
		inject_run(marked_call, NULL, how, ++k, &result);
		if (result.hung)
			fail_msg("%s call %u (number %ld): the caller hangs", what, k,
				 result.number);
		if (how == INJECT_ERROR && (!WIFEXITED(result.status) ||
					    WEXITSTATUS(result.status) > 1))
			fail_msg("%s call %u (number %ld): caller ended with %#x", what, k,
				 result.number, (unsigned int)result.status);
		(void)snprintf(when, sizeof(when), "%s system call of number %ld, the k-th, k =",
			       what, result.number);
		if (result.was_injected)
			assert_target_clean(when, k);
	} while (result.n_calls >= k);
	assert_true(k > 20);
}

static void test_every_system_call_of_the_caller_fails(void **state)
{
	static const char *const modes[] = { "idle-epoll", "idle-nanosleep", "spin" };

	for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
		begin_mode(modes[i], 1);
		each_call(INJECT_ERROR, "failed");
		target_end(&victim);
	}
}

static void test_caller_killed_before_every_system_call(void **state)
{
	static const char *const modes[] = { "idle-read", "idle-nanosleep", "spin" };

	for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
		begin_mode(modes[i], 1);
		each_call(INJECT_KILL_BEFORE, "killed before");
		target_end(&victim);
	}
}

static void test_caller_killed_after_every_system_call(void **state)
{
	static const char *const modes[] = { "idle-pause", "idle-poll", "stdio" };

	for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
		begin_mode(modes[i], 1);
		each_call(INJECT_KILL_AFTER, "killed after");
		target_end(&victim);
	}
}

/* --- limits ------------------------------------------------------------------------------ */

/* A call that may fail for this limit only, and cleanly. */
static int call_at_limit(const char *what, unsigned int n)
{
	struct tendril_error error = { 0 };
	long count = target_ask_number(&victim, "count");
	int r = one_call(&error);

	if (r < 0 && r != -ENOMEM && r != -EAGAIN && r != -EMFILE)
		fail_msg("%s %u: %d: %s", what, n, r, error.text);
	if (r < 0) {
		assert_int_equal(error.left, TENDRIL_LEFT_NOTHING);
		if (verbose)
			printf("# %s %u: %d: %s\n", what, n, r, error.text);
		if (error.rule != TENDRIL_RULE_LIMIT)
			fail_msg("%s %u: rule %d: %s", what, n, (int)error.rule, error.text);
		assert_int_equal(target_ask_number(&victim, "count"), count);
	}
	return r;
}

static void set_limit(pid_t pid, int resource, rlim_t value)
{
	struct rlimit limit;

	assert_int_equal(prlimit(pid, resource, NULL, &limit), 0);
	limit.rlim_cur = value;
	assert_int_equal(prlimit(pid, resource, &limit, NULL), 0);
}

static void test_target_at_its_limit_of_memory(void **state)
{
	static const unsigned int more_kib[] = { 0, 4, 8, 16, 64, 256, 1024, 4096, 8192, 8200,
						 8300, 16384 };
	struct rlimit old;
	int refused = 0;

	begin_mode("idle-epoll", 1);
	assert_int_equal(prlimit(victim.pid, RLIMIT_AS, NULL, &old), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(more_kib); i++) {
		long kib = status_number(victim.pid, "VmSize") + (long)more_kib[i];

		set_limit(victim.pid, RLIMIT_AS, (rlim_t)kib * 1024);
		refused += call_at_limit("RLIMIT_AS", more_kib[i]) < 0;
		assert_int_equal(prlimit(victim.pid, RLIMIT_AS, &old, NULL), 0);
		assert_target_clean("RLIMIT_AS", more_kib[i]);
		assert_caller_clean("RLIMIT_AS", more_kib[i]);
	}
	assert_true(refused > 0);
}

/* In the victim before it becomes another user: one process, itself. */
static int allow_one_process(void *param)
{
	const struct rlimit one = { 1, 1 };

	return setrlimit(RLIMIT_NPROC, &one);
}

static void test_target_at_its_limit_of_threads(void **state)
{
	static const char *const as_user[] = { "setpriv", "--reuid", "64321", "--regid", "64321",
					       "--clear-groups", NULL };
	struct target_start how = { .mode = "idle-epoll", .wrapper = as_user,
				    .in_child = allow_one_process };

	if (geteuid() != 0)
		SKIP_BECAUSE("only root can start a process of an unused user");
	if (target_start(&victim, &how) < 0)
		SKIP_BECAUSE("another user cannot run programs of %s", support_targets());
	flags = snapshot_flags_of(how.mode);
	resolve_addresses();
	/* libc keeps the stack of its first thread, also of one that could not be made. */
	assert_int_equal(call_at_limit("RLIMIT_NPROC", 0), -EAGAIN);
	assert_int_equal(snapshot_settle(before, after, victim.pid, flags), 0);
	assert_int_equal(snapshot_take(own_before, getpid(), 0), 0);
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(call_at_limit("RLIMIT_NPROC", i), -EAGAIN);
	assert_target_clean("RLIMIT_NPROC", 1);
	assert_caller_clean("RLIMIT_NPROC", 1);
}

static bool write_file(const char *directory, const char *name, long value)
{
	char path[256], text[32];
	int fd, n = snprintf(text, sizeof(text), "%ld", value);
	bool good;

	(void)snprintf(path, sizeof(path), "%.200s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	good = write(fd, text, (size_t)n) == n;
	close(fd);
	return good;
}

/* A group of its own with the pids controller, version 1 or 2; false when there is none to have. */
static bool make_pids_group(char *directory, size_t bytes)
{
	static const char *const roots[] = { "/sys/fs/cgroup/pids", "/sys/fs/cgroup" };
	char path[256];

	for (size_t i = 0; i < ARRAY_LENGTH(roots); i++) {
		(void)snprintf(directory, bytes, "%s/tendril-test-%d", roots[i], (int)getpid());
		if (mkdir(directory, 0755) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "%.200s/pids.max", directory);
		if (access(path, W_OK) == 0)
			return true;
		(void)rmdir(directory);
	}
	return false;
}

static void test_target_at_the_limit_of_its_cgroup(void **state)
{
	char group[200];
	int64_t deadline_ns;

	if (!make_pids_group(group, sizeof(group)))
		SKIP_BECAUSE("no pids cgroup that can be written");
	begin_mode("idle-epoll", 1);
	assert_true(write_file(group, "cgroup.procs", victim.pid));
	assert_true(write_file(group, "pids.max", 1));
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(call_at_limit("pids.max", i), -EAGAIN);
	assert_target_clean("pids.max", 1);
	assert_caller_clean("pids.max", 1);
	assert_true(write_file(group, "pids.max", 100));
	assert_int_equal(call_at_limit("pids.max", 100), 0);
	target_end(&victim);
	deadline_ns = deadline_in_ms(5000);
	while (rmdir(group) != 0)
		assert_true(support_again(deadline_ns));
}

static void test_target_at_its_limit_of_handles(void **state)
{
	struct rlimit old;

	begin_mode("idle-epoll", 1);
	assert_int_equal(prlimit(victim.pid, RLIMIT_NOFILE, NULL, &old), 0);
	for (rlim_t more = 0; more < 4; more++) {
		set_limit(victim.pid, RLIMIT_NOFILE, (rlim_t)count_handles(victim.pid) + more);
		(void)call_at_limit("RLIMIT_NOFILE of the target", (unsigned int)more);
		assert_int_equal(prlimit(victim.pid, RLIMIT_NOFILE, &old, NULL), 0);
		assert_target_clean("RLIMIT_NOFILE", (unsigned int)more);
		assert_caller_clean("RLIMIT_NOFILE", (unsigned int)more);
	}
}

/* Highest open handle: the limit is on numbers, not on how many. */
static unsigned int highest_handle(void)
{
	unsigned int highest = 0;

	for (unsigned int fd = 0; fd < 1024; fd++)
		if (fcntl((int)fd, F_GETFD) >= 0)
			highest = fd;
	return highest;
}

static void test_caller_at_its_limit_of_handles(void **state)
{
	struct rlimit old;
	int r;

	begin_mode("idle-epoll", 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (unsigned int more = 0; more < 64; more++) {
		struct tendril_error error = { 0 };

		set_limit(0, RLIMIT_NOFILE, highest_handle() + 1 + more);
		r = one_call(&error);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
		if (r < 0 && (r != -EMFILE || error.left != TENDRIL_LEFT_NOTHING))
			fail_msg("with %u handles more: %d: %s", more, r, error.text);
		assert_target_clean("RLIMIT_NOFILE of the caller", more);
		assert_caller_clean("RLIMIT_NOFILE of the caller", more);
		if (r == 0)
			break;
		assert_true(more < 63);
	}
}

/* --- moments of chance ------------------------------------------------------------------- */

static uint64_t random_state = 88172645463325252u;

static unsigned int random_below(unsigned int n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned int)(random_state % n);
}

/* Calls until it is killed; says with one byte that it has begun. */
static pid_t start_caller(int *ret_said)
{
	int fds[2];
	pid_t child;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		struct tendril_error error;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		tendril_fault_hook = NULL;
		if (one_call(&error) < 0 || write(fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			if (one_call(&error) < 0) {
				(void)fprintf(stderr, "# caller: %s\n", error.text);
				_exit(2);
			}
	}
	close(fds[1]);
	*ret_said = fds[0];
	return child;
}

static void kill_caller_somewhere(unsigned int n)
{
	struct timespec moment = { .tv_nsec = 1000 * (long)random_below(3000) };
	int said, status = 0;
	char c;
	pid_t child = start_caller(&said);

	if (read(said, &c, 1) != 1)
		fail_msg("the caller did not begin");
	close(said);
	(void)nanosleep(&moment, NULL);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFSIGNALED(status))
		fail_msg("the caller failed by itself, %#x", (unsigned int)status);
	assert_target_clean("killed at random", n);
}

static void test_caller_killed_at_random_moments(void **state)
{
	static const struct target_start victims[] = {
		{ .mode = "idle-read" },
		{ .mode = "idle-nanosleep" },
		{ .mode = "idle-cond", .threads = 4 },
		{ .mode = "spin" },
		{ .mode = "malloc" },
		{ .mode = "dlopen", .threads = 4 },
		{ .mode = "signals" },
		{ .mode = "alarm-suspend" },
	};

	for (size_t v = 0; v < ARRAY_LENGTH(victims); v++) {
		begin(&victims[v]);
		for (unsigned int n = 0; n < n_kills / ARRAY_LENGTH(victims); n++)
			kill_caller_somewhere(n);
		assert_caller_clean("after all kills", n_kills);
		target_end(&victim);
	}
}

/* --- a pthread_create() that hangs ------------------------------------------------------- */

/* No thread of the victim may be traced when a call has returned, however it went. */
static void assert_nobody_is_traced(const char *when, unsigned int k)
{
	char path[64];
	DIR *tasks;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)victim.pid);
	tasks = opendir(path);
	assert_non_null(tasks);
	for (struct dirent *task; (task = readdir(tasks));) {
		pid_t tid = (pid_t)atoi(task->d_name);

		if (tid > 0 && status_number(tid, "TracerPid") > 0)
			fail_msg("%s, %s %u: thread %d is still traced", victim.mode, when, k,
				 (int)tid);
	}
	(void)closedir(tasks);
}

/* A timeout that passes anywhere on the way is no reason to leave a thread stopped. */
static void test_shortest_timeouts_leave_nobody_stopped(void **state)
{
	static const char *const modes[] = { "idle-nanosleep", "idle-epoll", "spin" };
	const struct tendril_options options = { .size = sizeof(options), .timeout_ms = 1 };

	for (size_t m = 0; m < ARRAY_LENGTH(modes); m++) {
		struct tendril_target *target = NULL;
		struct tendril_error error;

		begin_mode(modes[m], 1);
		assert_int_equal(tendril_open(victim.pid, &options, &target, &error), 0);
		for (unsigned int i = 0; i < 300; i++) {
			struct tendril_thread *thread = NULL;

			if (tendril_create(target, count_address, 0, NULL, &thread, &error) == 0) {
				assert_int_equal(tendril_thread_wait(thread, CALL_MS), 0);
				tendril_thread_close(thread);
			}
			assert_nobody_is_traced("short timeout", i);
		}
		tendril_close(target);
		assert_target_clean("short timeouts", 0);
		target_end(&victim);
	}
}

static int preload_hang(void *param)
{
	return setenv("LD_PRELOAD", param, 1);
}

static void begin_hang(const char *mode, unsigned int threads)
{
	static char path[4096];
	const struct target_start how = { .mode = mode, .threads = threads,
					  .in_child = preload_hang, .param = path };

	assert_true(support_find("hang.so", path));
	begin(&how);
}

static void set_switch(const char *name, bool is_on)
{
	struct tendril_target *target = NULL;
	struct tendril_error error;
	uint64_t address, word = is_on;

	if (tendril_open(victim.pid, NULL, &target, &error) < 0 ||
	    tendril_resolve(target, name, &address, &error) < 0 ||
	    tendril_write(target, address, &word, sizeof(word), 0, NULL, &error) < 0)
		fail_msg("%s", error.text);
	tendril_close(target);
}

static void read_of_hang(const char *symbol, void *data, size_t bytes)
{
	struct tendril_target *target = NULL;
	struct tendril_error error;
	uint64_t address;

	if (tendril_open(victim.pid, NULL, &target, &error) < 0 ||
	    tendril_resolve(target, symbol, &address, &error) < 0 ||
	    tendril_read(target, address, data, bytes, NULL, &error) < 0)
		fail_msg("%s", error.text);
	tendril_close(target);
}

/* Also when it is the victim's only thread that hangs. */
static void let_go(void)
{
	char path[64];
	int gate[2], fd;

	set_switch("hang_is_on", false);
	read_of_hang("hang_gate", gate, sizeof(gate));
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)victim.pid, gate[1]);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "g", 1), 1);
	close(fd);
}

static void wait_until_it_hangs(void)
{
	int64_t deadline_ns = deadline_in_ms(CALL_MS);
	uint64_t n_entered = 0;

	do {
		assert_true(support_again(deadline_ns));
		read_of_hang("hang_entered", &n_entered, sizeof(n_entered));
	} while (n_entered == 0);
}

/* A creation that is given up: -ETIMEDOUT, at the time that was asked for. */
static void call_that_hangs(void)
{
	const struct tendril_options hasty = { .size = sizeof(hasty), .timeout_ms = HASTY_MS };
	struct tendril_target *target = NULL;
	struct tendril_thread *thread = NULL;
	struct tendril_error error = { 0 };
	int64_t begin_ns = support_now_ns(), took_ms;
	int r = tendril_open(victim.pid, &hasty, &target, &error);

	if (r == 0)
		r = tendril_create(target, count_address, 0, NULL, &thread, &error);
	took_ms = (support_now_ns() - begin_ns) / 1000000;
	if (r != -ETIMEDOUT || thread || error.stage != TENDRIL_STAGE_CREATE ||
	    error.left != TENDRIL_LEFT_CHANGED)
		fail_msg("%s: %d, stage %d, left %d: %s", victim.mode, r, (int)error.stage,
			 (int)error.left, error.text);
	printf("# %s: gave up after %d ms of %d\n", victim.mode, (int)took_ms, HASTY_MS);
	assert_true(took_ms >= HASTY_MS && took_ms < HASTY_MS + 1000);
	tendril_close(target);
}

/* The target closes what it does not know, and opens something else at that number: neither side may
 * take that for the mailbox. */
static void test_handle_that_took_the_mailboxes_number_stays_open(void **state)
{
	static const char *const modes[] = { "idle-read", "spin" };

	for (size_t m = 0; m < ARRAY_LENGTH(modes); m++) {
		char path[64], link[64] = "";
		struct tendril_error error;
		int number = -1;

		begin_hang(modes[m], 1);
		set_switch("steal_is_on", true);
		/* Good, if the caller was quick enough to take it; else an honest failure. */
		if (one_call(&error) < 0)
			assert_int_equal(error.left, TENDRIL_LEFT_NOTHING);
		read_of_hang("stolen", &number, sizeof(number));
		assert_true(number > 2);
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)victim.pid, number);
		assert_true(readlink(path, link, sizeof(link) - 1) > 0);
		assert_string_equal(link, "/dev/null");
		if (!target_is_well(&victim, why))
			fail_msg("%s", why);
		target_end(&victim);
	}
}

static const struct target_start hang_victims[] = {
	{ .mode = "idle-read" },
	{ .mode = "idle-nanosleep" },
	{ .mode = "idle-epoll" }, /* by a helper process */
	{ .mode = "idle-cond", .threads = 4 },
	{ .mode = "spin" },
};

static void test_pthread_create_that_hangs_is_given_up_and_leaves_when_it_returns(void **state)
{
	for (size_t v = 0; v < ARRAY_LENGTH(hang_victims); v++) {
		long count;

		begin_hang(hang_victims[v].mode, hang_victims[v].threads);
		count = target_ask_number(&victim, "count");
		set_switch("hang_is_on", true);
		call_that_hangs();
		assert_nobody_is_traced("given up", 0);
		assert_caller_clean("given up", 0);
		let_go();
		assert_target_clean("let go", 0);
		assert_nobody_is_traced("let go", 0);
		assert_int_equal(target_ask_number(&victim, "count"), count);
		assert_int_equal(one_call(NULL), 0);
		assert_target_clean("another call", 0);
		target_end(&victim);
	}
}

static void test_caller_killed_while_pthread_create_hangs(void **state)
{
	for (size_t v = 0; v < ARRAY_LENGTH(hang_victims); v++) {
		pid_t child;

		begin_hang(hang_victims[v].mode, hang_victims[v].threads);
		set_switch("hang_is_on", true);
		child = fork();
		if (child == 0)
			_exit(one_call(NULL) < 0);
		wait_until_it_hangs();
		(void)kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		let_go();
		assert_target_clean("caller killed, let go", 0);
		assert_nobody_is_traced("caller killed, let go", 0);
		target_end(&victim);
	}
}

/* --- stopped and let run again ----------------------------------------------------------- */

/*
 * A thread that was stopped and let run again takes its sleep up by restart_syscall(2).  Borrowed
 * at the entry of that, it would go home to an EINTR.
 */
static void test_thread_is_not_borrowed_on_its_way_into_restart_syscall(void **state)
{
	static struct tracee tracee;
	struct tendril_target *target = NULL;
	struct tendril_thread *thread = NULL;
	struct tendril_error error;
	char path[64];
	int mem;

	begin_mode("idle-nanosleep", 1);
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)victim.pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(tendril_open(victim.pid, NULL, &target, &error), 0);
	assert_int_equal(make_plain(target, &thread, &error), 0); /* what is safe is known now */
	assert_int_equal(tendril_thread_wait(thread, CALL_MS), 0);
	tendril_thread_close(thread);
	assert_int_equal(snapshot_settle(own_after, after, victim.pid, SNAPSHOT_SLEEPERS), 0);
	tracee_init(&tracee, victim.pid, victim.pid, mem);
	assert_int_equal(tracee_stop(&tracee, deadline_in_ms(CALL_MS)), 0);
	assert_true(tracee.interrupted && safe_point_here(&target->rules, &tracee));
	assert_int_equal(tracee_resume(&tracee, true), 0);
	assert_int_equal(tracee_await(&tracee, deadline_in_ms(CALL_MS)), 0);
	assert_true(tracee.at_entry && !safe_point_here(&target->rules, &tracee));
	assert_int_equal(tracee_detach(&tracee), 0);
	tendril_close(target);
	close(mem);
	assert_target_clean("in restart_syscall", 0);
}

static void spin_for_us(unsigned int us)
{
	int64_t until_ns = support_now_ns() + 1000 * (int64_t)us;

	while (support_now_ns() < until_ns)
		;
}

struct rain {
	pid_t pid; /* who stops and continues the victim, as fast as it can */
	atomic_uint *n_drops;
};

static void start_rain(struct rain *rain)
{
	int64_t deadline_ns = deadline_in_ms(5000);

	rain->n_drops = mmap(NULL, sizeof(*rain->n_drops), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(rain->n_drops != MAP_FAILED);
	rain->pid = fork();
	if (rain->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;; atomic_fetch_add(rain->n_drops, 1)) {
			(void)kill(victim.pid, SIGSTOP);
			spin_for_us(random_below(100));
			(void)kill(victim.pid, SIGCONT);
			spin_for_us(random_below(300));
		}
	}
	while (atomic_load(rain->n_drops) == 0)
		assert_true(support_again(deadline_ns));
}

static unsigned int end_rain(struct rain *rain)
{
	unsigned int n_drops = atomic_load(rain->n_drops);

	(void)kill(rain->pid, SIGKILL);
	assert_int_equal(waitpid(rain->pid, NULL, 0), rain->pid);
	(void)munmap(rain->n_drops, sizeof(*rain->n_drops));
	(void)kill(victim.pid, SIGCONT);
	return n_drops;
}

/* 1 when the call was good; 0 when it was refused as it may be: nothing done, and it says why. */
static unsigned int call_in_the_rain(unsigned int k)
{
	struct tendril_error error = { 0 };
	int r = one_call(&error);

	assert_nobody_is_traced("call", k);
	if (r == 0)
		return 1;
	if (error.left != TENDRIL_LEFT_NOTHING || error.code != r ||
	    !((r == -EBUSY && error.rule == TENDRIL_RULE_STOPPED) ||
	      (r == -EAGAIN && error.rule == TENDRIL_RULE_NO_SAFE_POINT)))
		fail_msg("%s, call %u: %d, rule %d, left %d: %s", victim.mode, k, r,
			 (int)error.rule, (int)error.left, error.text);
	return 0;
}

static void test_target_that_is_stopped_and_continued_all_the_time(void **state)
{
	static const struct target_start victims[] = {
		{ .mode = "idle-read" },
		{ .mode = "idle-nanosleep" },
		{ .mode = "idle-cond", .threads = 4 },
		{ .mode = "spin" },
		{ .mode = "stdio", .threads = 4 },
	};

	for (size_t v = 0; v < ARRAY_LENGTH(victims); v++) {
		int64_t deadline_ns;
		unsigned int k = 0, n_good = 0, n_drops;
		struct rain rain;
		long count;

		begin(&victims[v]);
		count = target_ask_number(&victim, "count");
		start_rain(&rain);
		deadline_ns = deadline_in_ms(RAIN_MS);
		do
			n_good += call_in_the_rain(++k);
		while (support_now_ns() < deadline_ns);
		n_drops = end_rain(&rain);
		printf("# %s: %u stops, %u of %u calls good\n", victim.mode, n_drops, n_good, k);
		assert_target_clean("after the rain", k);
		assert_caller_clean("after the rain", k);
		assert_true(n_drops >= k && n_good > 0);
		assert_int_equal(target_ask_number(&victim, "count"), count + (long)n_good);
		target_end(&victim);
	}
}

static int setup_group(void **state)
{
	before = snapshot_new();
	after = snapshot_new();
	own_before = snapshot_new();
	own_after = snapshot_new();
	return before && after && own_before && own_after ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_teardown(name, end_test)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_fault_point_leaves_nothing),
		TEST(test_target_stays_usable_after_every_failure),
		TEST(test_target_killed_at_every_fault_point),
		TEST(test_caller_killed_at_every_fault_point),
		TEST(test_caller_and_helper_killed_at_every_fault_point),
		TEST(test_every_system_call_of_the_caller_fails),
		TEST(test_caller_killed_before_every_system_call),
		TEST(test_caller_killed_after_every_system_call),
		TEST(test_epoll_sleeper_may_see_eintr_only_between_stop_and_next_step),
		TEST(test_target_at_its_limit_of_memory),
		TEST(test_target_at_its_limit_of_threads),
		TEST(test_target_at_the_limit_of_its_cgroup),
		TEST(test_target_at_its_limit_of_handles),
		TEST(test_caller_at_its_limit_of_handles),
		TEST(test_caller_killed_at_random_moments),
		TEST(test_pthread_create_that_hangs_is_given_up_and_leaves_when_it_returns),
		TEST(test_caller_killed_while_pthread_create_hangs),
		TEST(test_handle_that_took_the_mailboxes_number_stays_open),
		TEST(test_shortest_timeouts_leave_nobody_stopped),
		TEST(test_thread_is_not_borrowed_on_its_way_into_restart_syscall),
		TEST(test_target_that_is_stopped_and_continued_all_the_time),
	};

	verbose = getenv("TENDRIL_VERBOSE") != NULL;
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--kills") == 0)
			n_kills = (unsigned int)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--only") == 0) /* a pattern such as test_target_* */
			cmocka_set_test_filter(argv[i + 1]);
	}
	return cmocka_run_group_tests(tests, setup_group, NULL);
}
