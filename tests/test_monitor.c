/* SPDX-License-Identifier: BSD-2-Clause */
/* test_monitor.c - all sources tell the same, and the truth, of every kind of process */
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "monitor/container.h"
#include "monitor/sample.h"
#include "support.h"

#include <cmocka.h> /* behind base.h: its macro fail() is not our function */

#define HOSTILE	  ") R 1\n\x1b[31m\xff"
#define NOBODY	  65534
#define N_MANY	  19000
#define CHILD_BAD 99

static const enum monitor_source kinds[] = { MONITOR_SOURCE_BPF, MONITOR_SOURCE_STAT,
					     MONITOR_SOURCE_COUNT };

/* Children: each says "ready" by closing its end of a pipe, and then sleeps. */

static pid_t start_child(void (*body)(void))
{
	int ready[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* What the tests before left open is not the child's. */
		(void)dup2(ready[1], 3);
		(void)close_range(4, ~0u, 0);
		body();
		(void)close(3);
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	(void)close(ready[0]);
	return pid;
}

static void end_child(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
}

/* Samplers */

/* NULL: this source is not to be had here. */
static struct monitor_sampler *sampler_of(enum monitor_source kind,
					  const struct proc_selector *selectors, size_t n)
{
	struct monitor_options options = { .source = kind, .selectors = selectors,
					   .n_selectors = n };
	struct monitor_sampler *sampler = NULL;
	int r = monitor_sampler_new(&options, &sampler);

	if (r == -ENOTSUP && kind != MONITOR_SOURCE_BEST)
		return NULL;
	assert_int_equal(r, 0);
	return sampler;
}

static const struct monitor_sample *take(struct monitor_sampler *sampler)
{
	const struct monitor_sample *sample = NULL;

	assert_int_equal(monitor_sample(sampler, &sample), 0);
	assert_non_null(sample);
	for (size_t i = 1; i < sample->n_processes; i++)
		assert_true(sample->process[i - 1].pid < sample->process[i].pid);
	return sample;
}

/* What one source says about a process, in its sample number n_samples. */
static bool ask(enum monitor_source kind, pid_t pid, unsigned n_samples,
		struct monitor_process *ret_process)
{
	struct monitor_sampler *sampler = sampler_of(kind, NULL, 0);
	const struct monitor_process *process = NULL;

	if (!sampler)
		return false;
	for (unsigned i = 0; i < n_samples; i++)
		process = monitor_find(take(sampler), pid, 0);
	assert_non_null(process);
	*ret_process = *process;
	monitor_sampler_free(sampler);
	return true;
}

static void expect_same(const struct monitor_process *a, const struct monitor_process *b)
{
	static const enum monitor_counter exact[] = { MONITOR_HANDLES, MONITOR_HANDLE_LIMIT,
						      MONITOR_THREADS, MONITOR_MAPPINGS };
	int64_t resident = (int64_t)(a->value[MONITOR_RESIDENT_BYTES] -
				     b->value[MONITOR_RESIDENT_BYTES]);
	int64_t cpu_ns = (int64_t)(a->value[MONITOR_CPU_NS] - b->value[MONITOR_CPU_NS]);

	assert_int_equal(a->pid, b->pid);
	assert_int_equal(a->start_ticks, b->start_ticks);
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->session, b->session);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->container, b->container);
	assert_int_equal(a->known, b->known);
	for (size_t i = 0; i < ARRAY_SIZE(exact); i++)
		assert_int_equal(a->value[exact[i]], b->value[exact[i]]);
	/* What single processors have not yet added up; ticks of 10 ms for either kind of time. */
	assert_true(llabs(resident) < 4 << 20);
	assert_true((a->value[MONITOR_RESIDENT_BYTES] > 0) ==
		    (b->value[MONITOR_RESIDENT_BYTES] > 0));
	assert_true(llabs(cpu_ns) < 100 * NS_PER_MS);
}

/* All sources say the same of it, at once and once it is known to them. */
static void expect_everywhere(pid_t pid, uint64_t handles, uint64_t threads)
{
	struct monitor_process first, process;

	assert_true(ask(MONITOR_SOURCE_COUNT, pid, 1, &first));
	assert_true(monitor_is_known(&first, MONITOR_HANDLES));
	assert_int_equal(first.value[MONITOR_HANDLES], handles);
	assert_int_equal(first.value[MONITOR_THREADS], threads);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (ask(kinds[i], pid, 1, &process))
			expect_same(&first, &process);
		if (ask(kinds[i], pid, 6, &process))
			expect_same(&first, &process);
	}
}

/* Kinds of processes */

static void body_files_and_sockets(void)
{
	int fds[2];

	for (int i = 0; i < 20; i++)
		(void)!open("/dev/null", O_RDONLY);
	for (int i = 0; i < 5; i++)
		(void)!socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	(void)dup2(0, 500); /* a table with a hole in it */
	(void)prctl(PR_SET_NAME, HOSTILE);
}

static void test_files_and_sockets(void **state)
{
	pid_t pid = start_child(body_files_and_sockets);
	struct monitor_process process;

	(void)state;
	expect_everywhere(pid, 3 + 20 + 10 + 1, 1);
	assert_true(ask(MONITOR_SOURCE_BEST, pid, 1, &process));
	assert_string_equal(process.name, HOSTILE);
	assert_int_equal(process.session, getsid(0));
	end_child(pid);
}

static void body_many(void)
{
	for (int i = 0; i < N_MANY - 3; i++)
		if (dup(0) < 0)
			_exit(CHILD_BAD);
}

/* The child's pipe is among its handles until it says that it is ready. */
/* Room for 256: each of its words has some. */
static void body_spread(void)
{
	static const int places[] = { 63, 64, 130, 191, 192, 255 };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		(void)dup2(0, places[i]);
}

static void test_room_for_256(void **state)
{
	pid_t pid = start_child(body_spread);

	(void)state;
	expect_everywhere(pid, 3 + 6, 1);
	end_child(pid);
}

static void test_very_many_handles(void **state)
{
	struct rlimit limit;
	pid_t pid;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < N_MANY + 1)
		SKIP_BECAUSE("the limit of handles is %lu", (unsigned long)limit.rlim_max);
	pid = start_child(body_many);
	expect_everywhere(pid, N_MANY, 1);
	end_child(pid);
}

static void *sleep_for_ever(void *param)
{
	for (;;)
		(void)pause();
	return param;
}

static void body_threads(void)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		(void)pthread_create(&thread, NULL, sleep_for_ever, NULL);
}

static void test_threads(void **state)
{
	pid_t pid = start_child(body_threads);

	(void)state;
	expect_everywhere(pid, 3, 4);
	end_child(pid);
}

static void *end_of_leader(void *param)
{
	while (!status_is(getpid(), "State", 'Z'))
		(void)sched_yield();
	(void)close(3); /* ready */
	return sleep_for_ever(param);
}

static void body_leader_ends(void)
{
	pthread_t thread;

	(void)dup2(0, 7);
	(void)pthread_create(&thread, NULL, end_of_leader, NULL);
	pthread_exit(NULL);
}

static void test_process_whose_leader_has_ended(void **state)
{
	pid_t pid = start_child(body_leader_ends);

	(void)state;
	expect_everywhere(pid, 4, 2);
	end_child(pid);
}

static void body_nothing(void)
{
}

static void test_zombie_has_none(void **state)
{
	pid_t pid = start_child(body_nothing);
	siginfo_t info;

	(void)state;
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	expect_everywhere(pid, 0, 1);
	end_child(pid);
}

static void test_kernel_thread(void **state)
{
	struct proc_process process;

	(void)state;
	if (proc_process_read(2, &process) < 0 || !process.kernel_thread)
		SKIP_BECAUSE("PID 2 is no kernel thread");
	expect_everywhere(2, 0, 1);
}

/* Also those that /proc shows with what they work on. */
static void test_names_of_kernel_threads(void **state)
{
	struct monitor_sampler *a = sampler_of(MONITOR_SOURCE_BPF, NULL, 0);
	struct monitor_sampler *b = sampler_of(MONITOR_SOURCE_COUNT, NULL, 0);
	const struct monitor_sample *sample, *other;
	size_t n_compared = 0;

	(void)state;
	if (!a)
		SKIP_BECAUSE("no BPF here");
	other = take(b);
	sample = take(a);
	for (size_t i = 0; i < sample->n_processes; i++) {
		const struct monitor_process *x = &sample->process[i];
		const struct monitor_process *y = monitor_find(other, x->pid, x->start_ticks);

		if (!y || getsid(x->pid) != 0 || x->value[MONITOR_MAPPINGS] != 0)
			continue;
		assert_string_equal(x->name, y->name);
		n_compared++;
	}
	assert_true(n_compared > 0);
	monitor_sampler_free(a);
	monitor_sampler_free(b);
}

/* Nobody is left out */

static bool has_pid(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static void test_everybody_is_there(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct monitor_sampler *sampler = sampler_of(kinds[k], NULL, 0);

		for (int again = 0; sampler && again < 3; again++) {
			AUTO_FREE pid_t *before = NULL, *after = NULL;
			size_t n_before = 0, n_after = 0;
			const struct monitor_sample *sample;

			assert_int_equal(proc_processes(&before, &n_before), 0);
			sample = take(sampler);
			assert_int_equal(proc_processes(&after, &n_after), 0);
			for (size_t i = 0; i < n_before; i++)
				if (has_pid(after, n_after, before[i]))
					assert_non_null(monitor_find(sample, before[i], 0));
		}
		monitor_sampler_free(sampler);
	}
}

/* An id that is used again */

static pid_t fork_as(pid_t pid)
{
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid,
				   .set_tid_size = 1 };

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static void reuse(enum monitor_source kind)
{
	struct monitor_sampler *sampler = sampler_of(kind, NULL, 0);
	const struct monitor_process *process;
	pid_t pid, again;

	if (!sampler)
		return;
	pid = start_child(body_files_and_sockets);
	for (int i = 0; i < 5; i++)
		process = monitor_find(take(sampler), pid, 0);
	assert_non_null(process);
	assert_string_equal(process->name, HOSTILE);
	end_child(pid);
	again = fork_as(pid);
	if (again == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)sleep_for_ever(NULL);
	}
	assert_int_equal(again, pid);
	process = monitor_find(take(sampler), pid, 0);
	assert_non_null(process);
	assert_string_not_equal(process->name, HOSTILE);
	assert_int_equal(process->value[MONITOR_HANDLES], count_handles(pid));
	end_child(again);
	assert_null(monitor_find(take(sampler), pid, 0));
	monitor_sampler_free(sampler);
}

static void test_used_again(void **state)
{
	(void)state;
	if (getuid() != 0)
		SKIP_BECAUSE("only root can choose a process's id");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		reuse(kinds[i]);
}

/* Processes that come and go */

static void body_breeds(void)
{
	(void)close(3);
	for (;;) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		(void)waitpid(pid, NULL, 0);
	}
}

static void test_come_and_go(void **state)
{
	pid_t breeder = start_child(body_breeds), idle = start_child(body_nothing);

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct monitor_sampler *sampler = sampler_of(kinds[k], NULL, 0);

		for (int i = 0; sampler && i < 100; i++) {
			const struct monitor_process *process =
				monitor_find(take(sampler), idle, 0);

			assert_non_null(process);
			assert_int_equal(process->value[MONITOR_HANDLES], 3);
		}
		monitor_sampler_free(sampler);
	}
	end_child(breeder);
	end_child(idle);
}

static void test_nothing_stays_open(void **state)
{
	int before = count_handles(getpid());

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct proc_selector selector = { .kind = PROC_SELECT_PID };
		struct monitor_sampler *sampler;
		int empty, with;

		selector.id = start_child(body_nothing);
		sampler = sampler_of(kinds[k], &selector, 1);
		empty = count_handles(getpid());
		if (sampler)
			assert_int_equal(take(sampler)->n_processes, 1);
		with = count_handles(getpid());
		if (sampler && kinds[k] == MONITOR_SOURCE_STAT)
			assert_int_equal(with, empty + 3);
		else
			assert_int_equal(with, empty);
		end_child(selector.id);
		if (sampler)
			assert_int_equal(take(sampler)->n_processes, 0);
		assert_int_equal(count_handles(getpid()), empty);
		monitor_sampler_free(sampler);
		assert_int_equal(count_handles(getpid()), before);
	}
}

#define FEW_HANDLES 40

static void test_few_handles_to_be_had(void **state)
{
	struct rlimit old, few;
	pid_t pids[FEW_HANDLES];
	struct monitor_sampler *sampler;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = start_child(body_nothing);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){ FEW_HANDLES, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	sampler = sampler_of(MONITOR_SOURCE_STAT, NULL, 0);
	for (int again = 0; sampler && again < 6; again++) {
		const struct monitor_sample *sample = take(sampler);

		for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
			const struct monitor_process *process = monitor_find(sample, pids[i], 0);

			assert_non_null(process);
			assert_int_equal(process->value[MONITOR_HANDLES], 3);
		}
		assert_true(count_handles(getpid()) < FEW_HANDLES - 10);
	}
	monitor_sampler_free(sampler);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		end_child(pids[i]);
}

/* Somebody else of this program takes all that is left, but for a few. */
static void test_handles_that_others_take(void **state)
{
	struct rlimit old, few;
	pid_t pids[FEW_HANDLES];
	int taken[4 * FEW_HANDLES];
	struct monitor_sampler *sampler;
	size_t n_taken = 0, before;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = start_child(body_nothing);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){ 2 * FEW_HANDLES, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	before = count_handles(getpid());
	sampler = sampler_of(MONITOR_SOURCE_STAT, NULL, 0);
	for (int again = 0; sampler && again < 6; again++) {
		const struct monitor_sample *sample = take(sampler);

		for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
			const struct monitor_process *process = monitor_find(sample, pids[i], 0);

			assert_non_null(process);
			assert_int_equal(process->value[MONITOR_HANDLES], 3);
			assert_true(monitor_is_known(process, MONITOR_HANDLE_LIMIT));
			assert_true(monitor_is_known(process, MONITOR_MAPPINGS));
		}
		while (again == 2 && (taken[n_taken] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
			n_taken++;
	}
	for (size_t i = 0; i < n_taken; i++)
		(void)close(taken[i]);
	assert_true(!sampler || n_taken > 0);
	if (sampler) { /* half of what it had it still holds, or again */
		(void)take(sampler);
		assert_true(count_handles(getpid()) > before + FEW_HANDLES / 4);
	}
	monitor_sampler_free(sampler);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		end_child(pids[i]);
}

/* Run in a child, which ends with 0 when all was as it should be. */
static void expect_in_child(int (*body)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(body());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("# not so: %s\n", #condition);                                      \
			fflush(stdout);                                                            \
			return CHILD_BAD;                                                          \
		}                                                                                  \
	} while (0)

/* What may not be read is unknown */

static pid_t of_root;
static uint64_t handles_of_root;

static int look_as_nobody(void)
{
	REQUIRE(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct monitor_options options = { .source = kinds[i] };
		struct monitor_sampler *sampler = NULL;
		const struct monitor_sample *sample;
		const struct monitor_process *process;

		if (monitor_sampler_new(&options, &sampler) < 0)
			continue;
		for (int again = 0; again < 6; again++) {
			REQUIRE(monitor_sample(sampler, &sample) == 0);
			process = monitor_find(sample, of_root, 0);
			REQUIRE(process && process->uid == 0);
			REQUIRE(!monitor_is_known(process, MONITOR_MAPPINGS));
			REQUIRE(monitor_is_known(process, MONITOR_THREADS));
			if (kinds[i] == MONITOR_SOURCE_COUNT)
				REQUIRE(!monitor_is_known(process, MONITOR_HANDLES));
			else
				REQUIRE(process->value[MONITOR_HANDLES] == handles_of_root);
		}
		monitor_sampler_free(sampler);
	}
	return 0;
}

static void test_unreadable_is_unknown(void **state)
{
	(void)state;
	if (getuid() != 0)
		SKIP_BECAUSE("only root can become nobody");
	of_root = start_child(body_nothing);
	handles_of_root = 3;
	expect_in_child(look_as_nobody);
	end_child(of_root);
	/* Its leader's files may be read, and say nothing. */
	of_root = start_child(body_leader_ends);
	handles_of_root = 4;
	expect_in_child(look_as_nobody);
	end_child(of_root);
}

/* In a namespace of processes */

static int look_inside(void)
{
	struct monitor_options options = { .source = MONITOR_SOURCE_BPF };
	struct monitor_sampler *sampler = NULL;
	const struct monitor_sample *sample;

	/* /proc is the outer one yet: its PID 1 is somebody else. */
	REQUIRE(monitor_sampler_new(&options, &sampler) == -ENOTSUP);
	REQUIRE(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	REQUIRE(mount("proc", "/proc", "proc", 0, NULL) == 0);
	REQUIRE(monitor_sampler_new(&options, &sampler) == 0);
	REQUIRE(monitor_sample(sampler, &sample) == 0);
	REQUIRE(sample->n_processes == 1);
	REQUIRE(sample->process[0].pid == 1 && getpid() == 1);
	REQUIRE(sample->process[0].session == 0); /* the leader is outside */
	monitor_sampler_free(sampler);
	return 0;
}

static int enter_and_look(void)
{
	int status;
	pid_t pid;

	REQUIRE(unshare(CLONE_NEWPID | CLONE_NEWNS) == 0);
	pid = fork();
	if (pid == 0)
		_exit(look_inside());
	REQUIRE(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : CHILD_BAD;
}

static void test_namespace_of_processes(void **state)
{
	struct monitor_sampler *sampler = sampler_of(MONITOR_SOURCE_BPF, NULL, 0);

	(void)state;
	if (!sampler)
		SKIP_BECAUSE("no BPF here");
	monitor_sampler_free(sampler);
	expect_in_child(enter_and_look);
}

/* Selection */

static void body_named(void)
{
	(void)prctl(PR_SET_NAME, "tendril-select");
	(void)setsid();
}

static void expect_selects(enum monitor_source kind, const char *word, pid_t pid, bool alone)
{
	struct proc_selector selector;
	struct monitor_sampler *sampler;
	const struct monitor_sample *sample;

	assert_int_equal(proc_selector_parse(word, &selector), 0);
	sampler = sampler_of(kind, &selector, 1);
	for (int i = 0; sampler && i < 3; i++) {
		sample = take(sampler);
		assert_non_null(monitor_find(sample, pid, 0));
		if (alone)
			assert_int_equal(sample->n_processes, 1);
	}
	monitor_sampler_free(sampler);
	proc_selector_done(&selector);
}

static void test_selectors(void **state)
{
	pid_t pid = start_child(body_named);
	char number[32], session[32], user[32];

	(void)state;
	(void)snprintf(number, sizeof(number), "%d", (int)pid);
	(void)snprintf(session, sizeof(session), "session:%d", (int)pid);
	(void)snprintf(user, sizeof(user), "user:%u", (unsigned)getuid());
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		expect_selects(kinds[i], number, pid, true);
		expect_selects(kinds[i], "tendril-sel*", pid, true);
		expect_selects(kinds[i], session, pid, true);
		expect_selects(kinds[i], user, pid, false);
		expect_selects(kinds[i], "cgroup:/", pid, false);
		expect_selects(kinds[i], "\\Process(TENDRIL-SELECT)\\Handle Count", pid, true);
	}
	end_child(pid);
}

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define IN "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static void test_container_of_cgroups(void **state)
{
	static const struct {
		const char *cgroups, *id;
	} cases[] = {
		{ "", "" },
		{ "0::/\n", "" },
		{ "0::/system.slice/ssh.service\n", "" },
		{ "0::/docker/" ID "\n", "0123456789ab" },
		{ "0::/system.slice/docker-" ID ".scope\n", "0123456789ab" },
		{ "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID ".scope\n",
		  "0123456789ab" },
		{ "0::/system.slice/x:cri-containerd:" ID "\n", "0123456789ab" },
		{ "0::/machine.slice/libpod-" ID ".scope/container\n", "0123456789ab" },
		{ "0::/machine.slice/libpod-conmon-" ID ".scope\n", "" },
		{ "0::/docker/" ID "/docker/" IN "\n", "fedcba987654" },
		{ "3:cpu:/\n2:memory:/docker/" ID "\n1:pids:/docker/" IN "\n", "0123456789ab" },
		{ "0::/docker/" ID "0\n", "" },
		{ "0::/docker/x" ID "\n", "" },
		{ "0::/docker/0123456789ab\n", "" },
	};
	char id[MONITOR_CONTAINER_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		container_of_cgroups(cases[i].cgroups, id);
		assert_string_equal(id, cases[i].id);
	}
}

/* Both versions of control groups; a directory that can be made and entered, or "". */
static void make_group(char path[256], pid_t pid)
{
	static const char *const tops[] = { "/sys/fs/cgroup/pids", "/sys/fs/cgroup" };

	for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
		char procs[300];
		FILE *file;
		bool moved;

		(void)snprintf(path, 256, "%s/" ID, tops[i]);
		(void)snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
		if (mkdir(path, 0755) < 0 || !(file = fopen(procs, "we")))
			continue;
		moved = fprintf(file, "%d\n", (int)pid) > 0;
		if (fclose(file) == 0 && moved)
			return;
		(void)rmdir(path);
	}
	path[0] = '\0';
}

/* As a container's first process is: born outside. */
static void test_moved_into_a_container(void **state)
{
	struct monitor_sampler *samplers[ARRAY_SIZE(kinds)];
	pid_t pid = start_child(body_nothing);
	char path[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		samplers[i] = sampler_of(kinds[i], NULL, 0);
		if (samplers[i])
			assert_string_equal(monitor_find(take(samplers[i]), pid, 0)->container,
					    "");
	}
	make_group(path, pid);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (samplers[i] && path[0])
			assert_string_equal(monitor_find(take(samplers[i]), pid, 0)->container,
					    "0123456789ab");
		if (path[0])
			expect_selects(kinds[i], "container:01234567", pid, true);
		monitor_sampler_free(samplers[i]);
	}
	end_child(pid);
	if (!path[0])
		SKIP_BECAUSE("no control group can be made");
	assert_int_equal(rmdir(path), 0);
}

static void expect_own_mappings(struct monitor_sampler *sampler, uint64_t wanted)
{
	const struct monitor_process *own = monitor_find(take(sampler), getpid(), 0);

	assert_non_null(own);
	assert_int_equal(own->value[MONITOR_MAPPINGS], wanted);
}

/* Once they are known, a list of mappings is not read again until a size says that it changed; or
 * after many samples, for there are changes that no size tells. */
static void test_mappings_that_change(void **state)
{
	enum { LONG = 64 };
	struct proc_selector own = { .kind = PROC_SELECT_PID, .id = getpid() };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *shared, *private;
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct monitor_sampler *sampler = sampler_of(kinds[i], &own, 1);

		if (!sampler)
			continue;
		for (int k = 0; k < 8; k++)
			(void)take(sampler);
		private = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);
		assert_int_equal(proc_count_mappings(getpid(), &n), 0);
		expect_own_mappings(sampler, n);
		shared = mmap(NULL, 3 * page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		expect_own_mappings(sampler, n + 1);
		assert_int_equal(mprotect(private + page, page, PROT_READ), 0);
		expect_own_mappings(sampler, n + 3);
		assert_int_equal(madvise(shared + page, page, MADV_DONTFORK), 0);
		for (int k = 1; k < LONG; k++)
			(void)take(sampler);
		expect_own_mappings(sampler, n + 5);
		assert_int_equal(munmap(private, 3 * page), 0);
		assert_int_equal(munmap(shared, 3 * page), 0);
		monitor_sampler_free(sampler);
	}
}

/* What nobody wants may be missing, but is never wrong. */
static void test_only_what_is_wanted(void **state)
{
	static const uint32_t wanted = 1u << MONITOR_HANDLES | 1u << MONITOR_THREADS |
				       1u << MONITOR_MAPPINGS;
	pid_t pid = start_child(body_files_and_sockets);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct monitor_options options = { .source = kinds[i], .wanted = wanted };
		struct monitor_process full, process;
		struct monitor_sampler *sampler;

		if (!ask(kinds[i], pid, 6, &full))
			continue;
		assert_int_equal(monitor_sampler_new(&options, &sampler), 0);
		process = *monitor_find(take(sampler), pid, 0);
		monitor_sampler_free(sampler);
		assert_int_equal(process.known & wanted, wanted);
		full.known &= process.known;
		for (int c = 0; c < MONITOR_COUNTERS; c++)
			if (!(process.known & 1u << c))
				full.value[c] = process.value[c] = 0;
		expect_same(&full, &process);
	}
	end_child(pid);
}

static void test_counters_have_names(void **state)
{
	(void)state;
	for (int i = 0; i < MONITOR_COUNTERS; i++) {
		assert_int_equal(monitor_counter_named(monitor_counters[i].name), i);
		assert_int_equal(monitor_counter_named(monitor_counters[i].windows), i);
		assert_int_equal(monitor_counter_named(monitor_counters[i].title), i);
	}
	assert_int_equal(monitor_counter_named("sausages"), MONITOR_COUNTERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files_and_sockets),
		cmocka_unit_test(test_room_for_256),
		cmocka_unit_test(test_very_many_handles),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_process_whose_leader_has_ended),
		cmocka_unit_test(test_zombie_has_none),
		cmocka_unit_test(test_kernel_thread),
		cmocka_unit_test(test_names_of_kernel_threads),
		cmocka_unit_test(test_everybody_is_there),
		cmocka_unit_test(test_used_again),
		cmocka_unit_test(test_come_and_go),
		cmocka_unit_test(test_nothing_stays_open),
		cmocka_unit_test(test_few_handles_to_be_had),
		cmocka_unit_test(test_handles_that_others_take),
		cmocka_unit_test(test_unreadable_is_unknown),
		cmocka_unit_test(test_namespace_of_processes),
		cmocka_unit_test(test_selectors),
		cmocka_unit_test(test_moved_into_a_container),
		cmocka_unit_test(test_container_of_cgroups),
		cmocka_unit_test(test_mappings_that_change),
		cmocka_unit_test(test_only_what_is_wanted),
		cmocka_unit_test(test_counters_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
