/* SPDX-License-Identifier: BSD-2-Clause */
/* test_proc.c - what /proc tells, also by processes that lie about themselves */
#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "proc/handles.h"
#include "proc/proc.h"
#include "proc/select.h"

#include <cmocka.h> /* behind base.h: its macro fail() is not our function */

#define HOSTILE ") R 1\n\x1b[31m\xff"
#define STAT_TAIL                                                                                  \
	" S 7 12 3 0 -1 4194304 101 0 0 0 0 0 0 0 20 0 5 0 347321 3133440 408 18446744073709551615 "

/* Copy text into memory that ends with it, so that AddressSanitizer sees every step beyond. */
static char *exactly(const char *text, size_t bytes)
{
	char *copy = malloc(bytes + 1);

	assert_non_null(copy);
	memcpy(copy, text, bytes);
	copy[bytes] = '\0';
	return copy;
}

/* Children: each says "ready" by closing its end of a pipe. */

struct child {
	pid_t pid;
};

static struct child start_child(void (*body)(void))
{
	int ready[2];
	struct child child;
	char byte;

	assert_int_equal(pipe(ready), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(ready[0]);
		body();
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a new user id clears it */
		(void)close(ready[1]);
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	(void)close(ready[0]);
	return child;
}

static void end_child(struct child child)
{
	(void)kill(child.pid, SIGKILL);
	while (waitpid(child.pid, NULL, __WALL) < 0 && errno == EINTR)
		;
}

/* Processes */

/* A mapping that grows and shrinks, the last one of a page of the list: it is told twice by chance. */
static void grow_and_shrink(char *at, size_t n_pages)
{
	for (size_t i = 0;; i = (i + 1) % n_pages) {
		(void)mprotect(at + i * 4096, 4096, PROT_READ | PROT_WRITE);
		(void)mprotect(at, n_pages * 4096, PROT_READ);
	}
}

static void test_maps_that_change_are_read(void **state)
{
	const size_t n_pages = 600;
	struct proc_maps maps;
	pid_t pid = fork();

	if (pid == 0) {
		char *at = mmap(NULL, n_pages * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (size_t i = 0; i < n_pages / 2; i += 2)
			(void)mprotect(at + i * 4096, 4096, PROT_NONE);
		grow_and_shrink(at + n_pages / 2 * 4096, n_pages / 2);
	}
	for (int i = 0; i < 10000; i++) {
		assert_int_equal(proc_maps_read(pid, &maps), 0);
		proc_maps_done(&maps);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_stat_of_a_hostile_name(void **state)
{
	static const char text[] = "12 (" HOSTILE ")" STAT_TAIL "\n";
	struct proc_process process = { 0 };

	(void)state;
	assert_int_equal(proc_parse_stat(text, sizeof(text) - 1, &process), 0);
	assert_string_equal(process.comm, HOSTILE);
	assert_int_equal(process.state, 'S');
	assert_int_equal(process.ppid, 7);
	assert_int_equal(process.session, 3);
	assert_int_equal(process.n_threads, 5);
	assert_int_equal(process.start_ticks, 347321);
	assert_int_equal(process.vm_bytes, 3133440);
	assert_false(process.kernel_thread);
}

static void test_stat_cut_short_is_refused_at_every_byte(void **state)
{
	static const char text[] = "12 (a b) S 7 12 3 0 -1 2097152 1 0 0 0 0 0 0 0 20 0 5 0 34 31 40";
	struct proc_process process = { 0 };

	(void)state;
	for (size_t bytes = 0; bytes < sizeof(text); bytes++) {
		char *copy = exactly(text, bytes);
		int r = proc_parse_stat(copy, bytes, &process);

		/* Two digits of the last number are as good as one. */
		assert_int_equal(r, bytes < sizeof(text) - 2 ? -EIO : 0);
		free(copy);
	}
	assert_true(process.kernel_thread);
}

static void test_stat_of_a_long_name_is_bounded(void **state)
{
	char text[512] = "12 (";
	struct proc_process process = { 0 };

	(void)state;
	memset(text + 4, 'x', 200);
	strcpy(text + 204, ")" STAT_TAIL);
	assert_int_equal(proc_parse_stat(text, strlen(text), &process), 0);
	assert_int_equal(strlen(process.comm), PROC_NAME_BYTES - 1);
}

static void test_status_fields(void **state)
{
	static const char text[] =
		"Name:\tx\\nTgid:\t1\nTgid:\t12\nPid:\t13\nTracerPid:\t99\nUid:\t1\t2\t3\t4\n"
		"Gid:\t5\t6\t7\t8\nNSpid:\t12\t3\t1\nCapPrm:\t00000000000000ff\nNoNewPrivs:\t1\n"
		"Seccomp:\t2\nx86_Thread_features:\tshstk wrss \n";
	struct proc_process p = { 0 };

	(void)state;
	assert_int_equal(proc_parse_status(text, &p), 0);
	assert_int_equal(p.tgid, 12);
	assert_int_equal(p.tracer_pid, 99);
	assert_true(p.uid == 1 && p.euid == 2 && p.suid == 3);
	assert_true(p.gid == 5 && p.egid == 6 && p.sgid == 7);
	assert_true(p.n_ns_pids == 3 && p.ns_pid[0] == 12 && p.ns_pid[2] == 1);
	assert_true(p.capabilities == 0xff && p.no_new_privs && p.seccomp == 2 && p.shadow_stack);
	assert_int_equal(proc_parse_status("Name:\tx\n", &p), -EIO);
	assert_int_equal(proc_parse_status("", &p), -EIO);
}

static void test_own_process(void **state)
{
	struct proc_process process;

	(void)state;
	assert_int_equal(proc_process_read(getpid(), &process), 0);
	assert_int_equal(process.pid, getpid());
	assert_int_equal(process.tgid, getpid());
	assert_int_equal(process.ppid, getppid());
	assert_int_equal(process.session, getsid(0));
	assert_int_equal(process.uid, getuid());
	assert_int_equal(process.state, 'R');
	assert_true(process.n_ns_pids > 0 && process.vm_bytes > 0);
	assert_false(proc_is_zombie(&process));
}

static void rename_hostile(void)
{
	(void)prctl(PR_SET_NAME, HOSTILE);
}

static void test_hostile_name_live(void **state)
{
	struct child child = start_child(rename_hostile);
	struct proc_process process;
	char label[PROC_LABEL_BYTES];

	(void)state;
	assert_int_equal(proc_process_read(child.pid, &process), 0);
	assert_string_equal(process.comm, HOSTILE);
	assert_int_equal(process.ppid, getpid());
	proc_label(&process, label);
	assert_null(strpbrk(label, "\n\x1b\xff"));
	assert_non_null(strstr(label, ") R 1\\x0a\\x1b[31m\\xff)"));
	end_child(child);
}

static void test_no_such_process(void **state)
{
	struct child child = start_child(rename_hostile);
	struct proc_process process;
	struct proc_maps maps;
	struct proc_handles handles;
	uint64_t count;

	(void)state;
	end_child(child);
	assert_int_equal(proc_process_read(child.pid, &process), -ESRCH);
	assert_int_equal(proc_maps_read(child.pid, &maps), -ESRCH);
	assert_int_equal(proc_handles_read(child.pid, &handles), -ESRCH);
	assert_int_equal(proc_count_handles(child.pid, &count), -ESRCH);
	assert_int_equal(proc_count_mappings(child.pid, &count), -ESRCH);
	assert_int_equal(proc_handle_limit(child.pid, &count), -ESRCH);
	assert_int_equal(proc_process_read(-1, &process), -ESRCH);
}

static void *stay(void *unused)
{
	(void)unused;
	for (;;)
		(void)pause();
	return NULL;
}

static void end_leader(void)
{
	pthread_t thread;

	(void)pthread_create(&thread, NULL, stay, NULL);
	(void)syscall(SYS_exit, 0);
}

/* The pipe of start_child() stays open there: the thread shares it.  So wait for the state. */
static void test_process_whose_leader_has_ended(void **state)
{
	pid_t pid = fork();
	struct proc_process process = { 0 };
	struct proc_maps maps;
	uint64_t handles = 0, mappings = 0;

	(void)state;
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		end_leader();
	}
	while (process.state != 'Z')
		assert_int_equal(proc_process_read(pid, &process), 0);
	assert_false(proc_is_zombie(&process));
	assert_true(proc_live_thread(pid) != pid);
	assert_int_equal(proc_count_handles(pid, &handles), 0);
	assert_true(handles > 0);
	assert_int_equal(proc_count_mappings(pid, &mappings), 0);
	assert_int_equal(proc_maps_read(pid, &maps), 0);
	assert_true(maps.n_maps > 0 && mappings > 0); /* its thread may still be mapping */
	proc_maps_done(&maps);
	end_child((struct child){ pid });
}

static void test_threads_are_listed_in_order(void **state)
{
	pthread_t threads[4];
	pid_t *tids;
	size_t n;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, stay, NULL), 0);
	assert_int_equal(proc_threads(getpid(), &tids, &n), 0);
	assert_int_equal(n, 5);
	for (size_t i = 1; i < n; i++)
		assert_true(tids[i] > tids[i - 1]);
	free(tids);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_cancel(threads[i]), 0);
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	}
}

static void test_processes_include_us(void **state)
{
	bool found = false;
	pid_t *pids;
	size_t n;

	(void)state;
	assert_int_equal(proc_processes(&pids, &n), 0);
	for (size_t i = 0; i < n; i++)
		found |= pids[i] == getpid();
	assert_true(found);
	free(pids);
}

/* Counts */

static void test_handle_count_follows_opening_and_closing(void **state)
{
	uint64_t before, after;
	int fds[2];

	(void)state;
	assert_int_equal(proc_count_handles(getpid(), &before), 0);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(proc_count_handles(getpid(), &after), 0);
	assert_int_equal(after, before + 2);
	(void)close(fds[0]);
	(void)close(fds[1]);
	assert_int_equal(proc_count_handles(getpid(), &after), 0);
	assert_int_equal(after, before);
}

static void test_handle_limit(void **state)
{
	static const char text[] =
		"Limit                     Soft Limit           Hard Limit           Units     \n"
		"Max open files            1024                 524288               files     \n";
	struct rlimit limit;
	uint64_t value;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(proc_handle_limit(getpid(), &value), 0);
	assert_int_equal(value, limit.rlim_cur);
	assert_int_equal(proc_parse_handle_limit(text, &value), 0);
	assert_int_equal(value, 1024);
	assert_int_equal(proc_parse_handle_limit("x\nMax open files   unlimited  ", &value), 0);
	assert_true(value == PROC_UNLIMITED);
	assert_int_equal(proc_parse_handle_limit("x\nMax open files", &value), -EIO);
	assert_int_equal(proc_parse_handle_limit("", &value), -EIO);
}

static void test_numbers(void **state)
{
	uint64_t value = 7;

	(void)state;
	assert_null(proc_scan("", 10, &value));
	assert_null(proc_scan(" x", 10, &value));
	assert_int_equal(value, 7);
	assert_string_equal(proc_scan(" \t12 3", 10, &value), " 3");
	assert_int_equal(value, 12);
	assert_string_equal(proc_scan("0789", 8, &value), "89");
	assert_string_equal(proc_scan("18446744073709551615", 10, &value), "");
	assert_true(value == UINT64_MAX);
	assert_string_equal(proc_scan("18446744073709551616", 10, &value), "6"); /* stops */
}

/* Mappings */

static const char maps_text[] =
	"00400000-00401000 r-xp 00001000 fd:01 1234                               /bin/a b\\012c\n"
	"00401000-00402000 rw-s 00000000 00:00 0 \n"
	"7f0000000000-7f0000001000 ---p 00000000 00:05 18446744073709551615       /x (deleted)\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

static void test_maps(void **state)
{
	size_t bytes = sizeof(maps_text) - 1;
	struct proc_maps maps;

	(void)state;
	assert_int_equal(proc_maps_parse(exactly(maps_text, bytes), bytes, &maps), 0);
	assert_int_equal(maps.n_maps, 4);
	assert_true(maps.map[0].low == 0x400000 && maps.map[0].high == 0x401000);
	assert_true(maps.map[0].read && !maps.map[0].write && maps.map[0].execute);
	assert_true(!maps.map[0].shared && maps.map[1].shared);
	assert_true(maps.map[0].offset == 0x1000 && maps.map[0].inode == 1234);
	assert_string_equal(maps.map[0].path, "/bin/a b\\012c");
	assert_string_equal(maps.map[1].path, "");
	assert_string_equal(maps.map[2].path, "/x (deleted)");
	assert_true(maps.map[3].low == 0xffffffffff600000);
	assert_ptr_equal(proc_maps_find(&maps, 0x400000), &maps.map[0]);
	assert_ptr_equal(proc_maps_find(&maps, 0x400fff), &maps.map[0]);
	assert_ptr_equal(proc_maps_find(&maps, 0x401000), &maps.map[1]);
	assert_null(proc_maps_find(&maps, 0x402000));
	assert_null(proc_maps_find(&maps, 0));
	assert_null(proc_maps_find(&maps, UINT64_MAX));
	assert_ptr_equal(proc_maps_find(&maps, 0xffffffffff600fff), &maps.map[3]);
	proc_maps_done(&maps);
	assert_null(proc_maps_find(&maps, 0x400000));
}

/* Where a line ends, the lines so far are a table; everywhere else it is refused. */
static void test_maps_cut_short_at_every_byte(void **state)
{
	(void)state;
	for (size_t bytes = 0; bytes < sizeof(maps_text); bytes++) {
		char *copy = exactly(maps_text, bytes);
		bool whole = bytes == 0 || maps_text[bytes - 1] == '\n';
		struct proc_maps maps;
		int r = proc_maps_parse(copy, bytes, &maps);

		assert_int_equal(r, whole ? 0 : -EIO);
		if (r == 0)
			proc_maps_done(&maps);
		else
			free(copy);
	}
}

static void test_maps_that_make_no_sense_are_refused(void **state)
{
	static const char *const texts[] = {
		"2000-1000 r--p 0 0:0 0\n", "1000-1000 r--p 0 0:0 0\n", "x\n", "\n", "1000-2000\n",
		"1000-2000 r--p 0 0:0 0\n1800-3000 r--p 0 0:0 0\n", "1000-2000 r-\n",
		"11111111111111111-2 r--p 0 0:0 0\n", "1000-2000 r--p 0 0:0\n", "1000-2000 r--p\n",
		"1000-2000 r--p 0 0 0\n", "1000-2000 r--p 0 0:0 x\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char *copy = exactly(texts[i], strlen(texts[i]));
		struct proc_maps maps;

		assert_int_equal(proc_maps_parse(copy, strlen(texts[i]), &maps), -EIO);
		free(copy);
	}
}

/* Lines as short as can be: more of them than the first guess allows for. */
static void test_maps_of_many_short_lines(void **state)
{
	enum { LINES = 5000 };
	char *text = malloc(LINES * 32);
	struct proc_maps maps;
	size_t used = 0;

	(void)state;
	assert_non_null(text);
	for (int i = 0; i < LINES; i++)
		used += (size_t)sprintf(text + used, "%x-%x r--p 0 0:0 0\n", i, i + 1);
	assert_int_equal(proc_maps_parse(text, used, &maps), 0);
	assert_int_equal(maps.n_maps, LINES);
	proc_maps_done(&maps);
}

static void test_own_maps(void **state)
{
	uint64_t count, n_maps;
	struct proc_maps maps;
	const struct proc_map *map;

	(void)state;
	assert_int_equal(proc_maps_read(getpid(), &maps), 0);
	map = proc_maps_find(&maps, (raddr_t)(uintptr_t)test_own_maps);
	assert_true(map && map->execute && !map->write && map->path[0] == '/');
	map = proc_maps_find(&maps, (raddr_t)(uintptr_t)&maps);
	assert_true(map && map->write && !map->execute);
	assert_int_equal(proc_count_mappings(getpid(), &count), 0);
	/* The kernel's own page, if it is there, is the last one, and none of the process's. */
	n_maps = maps.n_maps - (maps.map[maps.n_maps - 1].low >> 63);
	assert_true(count >= n_maps && count < n_maps + 16);
	proc_maps_done(&maps);
}

/* Access */

static struct proc_access_facts plain_facts(void)
{
	return (struct proc_access_facts){
		.target = { .pid = 12, .tgid = 12, .uid = 1000, .euid = 1000, .suid = 1000,
			    .gid = 100, .egid = 100, .sgid = 100, .state = 'S', .n_threads = 1,
			    .comm = "victim" },
		.uid = 1000, .gid = 100, .yama_scope = -1,
	};
}

static void expect_refusal(const struct proc_access_facts *facts, int code,
			   enum tendril_rule rule, const char *words)
{
	struct tendril_error error = { 0 };

	assert_int_equal(proc_judge_access(facts, &error), code);
	assert_int_equal(error.code, code);
	assert_int_equal(error.rule, rule);
	assert_int_equal(error.stage, TENDRIL_STAGE_CHECK);
	if (!strstr(error.text, words))
		fail_msg("'%s' is not in: %s", words, error.text);
	assert_null(strpbrk(error.text, "\n\x1b\xff"));
	assert_int_equal(proc_judge_access(facts, NULL), code);
}

static void test_access_allowed(void **state)
{
	struct proc_access_facts facts = plain_facts();
	struct tendril_error error = { .code = 1 };

	(void)state;
	facts.allowed = true;
	assert_int_equal(proc_judge_access(&facts, &error), 0);
	assert_int_equal(error.code, 1); /* untouched */
	facts.allowed = false;
	facts.self = true;
	assert_int_equal(proc_judge_access(&facts, &error), 0);
}

static void test_access_by_state(void **state)
{
	struct proc_access_facts facts = plain_facts();

	(void)state;
	facts.allowed = true;
	facts.target.state = 'Z';
	expect_refusal(&facts, -ESRCH, TENDRIL_RULE_ZOMBIE, "has not collected it");
	facts.parent = (struct proc_process){ .pid = 11, .comm = HOSTILE };
	expect_refusal(&facts, -ESRCH, TENDRIL_RULE_ZOMBIE, "its parent PID 11 () R 1\\x0a");
	facts = plain_facts();
	facts.target.tgid = 11;
	expect_refusal(&facts, -ESRCH, TENDRIL_RULE_NO_PROCESS, "is a thread of PID 11");
	facts = plain_facts();
	facts.target.kernel_thread = 1;
	expect_refusal(&facts, -EACCES, TENDRIL_RULE_KERNEL_THREAD, "kernel");
	facts = plain_facts();
	facts.target.tracer_pid = 99;
	facts.tracer = (struct proc_process){ .pid = 99, .comm = "gdb" };
	expect_refusal(&facts, -EBUSY, TENDRIL_RULE_TRACED, "traced by PID 99 (gdb)");
	facts = plain_facts();
	facts.target.state = 'T';
	expect_refusal(&facts, -EBUSY, TENDRIL_RULE_STOPPED, "`kill -CONT 12`");
	facts = plain_facts();
	facts.target.seccomp = 1;
	expect_refusal(&facts, -EACCES, TENDRIL_RULE_SECCOMP, "strict seccomp");
	facts = plain_facts();
	facts.target.shadow_stack = 1;
	expect_refusal(&facts, -ENOEXEC, TENDRIL_RULE_SHADOW_STACK, "x86_shstk=off");
}

static void test_access_by_ids(void **state)
{
	struct proc_access_facts facts = plain_facts();

	(void)state;
	facts.uid = 1001;
	expect_refusal(&facts, -EACCES, TENDRIL_RULE_UID, "belongs to uid 1000: run as that user");
	facts.target.uid = facts.target.euid = facts.target.suid = 0;
	expect_refusal(&facts, -EACCES, TENDRIL_RULE_UID, "belongs to root: run as root");
	facts = plain_facts();
	facts.target.suid = 0;
	expect_refusal(&facts, -EACCES, TENDRIL_RULE_UID, "ids of others");
	facts = plain_facts();
	facts.target.capabilities = 1;
	expect_refusal(&facts, -EACCES, TENDRIL_RULE_UID, "capabilities that you have not");
	facts = plain_facts();
	facts.not_dumpable = true;
	expect_refusal(&facts, -EACCES, TENDRIL_RULE_DUMPABLE, "not dumpable");
	facts = plain_facts();
	facts.other_namespace = true;
	expect_refusal(&facts, -EACCES, TENDRIL_RULE_USER_NAMESPACE, "user namespace");
}

static void test_access_by_yama(void **state)
{
	struct proc_access_facts facts = plain_facts();

	(void)state;
	facts.yama_scope = 1;
	expect_refusal(&facts, -EACCES, TENDRIL_RULE_YAMA, "sysctl kernel.yama.ptrace_scope=0");
	expect_refusal(&facts, -EACCES, TENDRIL_RULE_YAMA, "PR_SET_PTRACER");
	memset(facts.target.comm, '\x01', sizeof(facts.target.comm) - 1); /* the longest label */
	expect_refusal(&facts, -EACCES, TENDRIL_RULE_YAMA, "prctl(PR_SET_PTRACER)");
	facts.descends = true;
	expect_refusal(&facts, -EACCES, TENDRIL_RULE_NONE, "SELinux");
	facts.yama_scope = 2;
	expect_refusal(&facts, -EACCES, TENDRIL_RULE_YAMA, "administrators only");
	facts.yama_scope = 3;
	facts.has_cap = true;
	expect_refusal(&facts, -EACCES, TENDRIL_RULE_YAMA, "reboot");
	facts.yama_scope = 2;
	expect_refusal(&facts, -EACCES, TENDRIL_RULE_NONE, "the kernel refuses");
}

static void trace_me(void)
{
	(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void do_nothing(void)
{
}

static void wait_for_state(pid_t pid, char wanted)
{
	struct proc_process process = { 0 };

	while (process.state != wanted)
		assert_int_equal(proc_process_read(pid, &process), 0);
}

static void test_explain_live(void **state)
{
	struct child child = start_child(do_nothing), traced = start_child(trace_me);
	struct tendril_error error = { 0 };

	(void)state;
	assert_int_equal(proc_explain_access(getpid(), &error), 0);
	assert_int_equal(proc_explain_access(traced.pid, &error), -EBUSY);
	assert_int_equal(error.rule, TENDRIL_RULE_TRACED);
	end_child(traced);
	(void)kill(child.pid, SIGSTOP);
	wait_for_state(child.pid, 'T');
	assert_int_equal(proc_explain_access(child.pid, &error), -EBUSY);
	assert_int_equal(error.rule, TENDRIL_RULE_STOPPED);
	(void)kill(child.pid, SIGKILL);
	wait_for_state(child.pid, 'Z');
	assert_int_equal(proc_explain_access(child.pid, &error), -ESRCH);
	assert_int_equal(error.rule, TENDRIL_RULE_ZOMBIE);
	end_child(child);
	assert_int_equal(proc_explain_access(child.pid, &error), -ESRCH);
	assert_int_equal(error.rule, TENDRIL_RULE_NO_PROCESS);
	assert_int_equal(proc_explain_access(-1, &error), -ESRCH);
	assert_int_equal(proc_explain_access(0, &error), -ESRCH);
	assert_string_equal(error.text, "there is no process 0");
}

static void become_nobody(void)
{
	if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) ||
	    setresuid(65534, 65534, 65534) || prctl(PR_SET_DUMPABLE, 1))
		_exit(99);
}

static void become_undumpable(void)
{
	become_nobody();
	(void)prctl(PR_SET_DUMPABLE, 0);
}

/* What a process of nobody's is told about pid: the rule, or 100 when nothing is against it. */
static int rule_for_nobody(pid_t pid)
{
	pid_t asker = fork();
	int status;

	if (asker == 0) {
		struct tendril_error error = { 0 };

		become_nobody();
		_exit(proc_explain_access(pid, &error) == 0 ? 100 : (int)error.rule);
	}
	assert_int_equal(waitpid(asker, &status, 0), asker);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_explain_to_another_user(void **state)
{
	struct child own, hidden;

	(void)state;
	if (geteuid() != 0) {
		printf("# skipped: %s: needs root to become another user\n", __func__);
		skip();
	}
	own = start_child(become_nobody);
	hidden = start_child(become_undumpable);
	assert_int_equal(rule_for_nobody(getpid()), TENDRIL_RULE_UID);
	assert_int_equal(rule_for_nobody(hidden.pid), TENDRIL_RULE_DUMPABLE);
	if (proc_yama_scope() <= 0)
		assert_int_equal(rule_for_nobody(own.pid), 100);
	else
		assert_int_equal(rule_for_nobody(own.pid), TENDRIL_RULE_YAMA);
	end_child(own);
	end_child(hidden);
}

/* Handles */

static void test_classes(void **state)
{
	static const struct {
		const char *link;
		unsigned mode, major;
		enum proc_handle_kind kind;
	} cases[] = {
		{ "/a/b", S_IFREG, 0, PROC_HANDLE_FILE },
		{ "/a/b", S_IFDIR, 0, PROC_HANDLE_DIRECTORY },
		{ "/a/b", S_IFIFO, 0, PROC_HANDLE_FIFO },
		{ "/a/b", S_IFBLK, 8, PROC_HANDLE_DEVICE },
		{ "/dev/null", S_IFCHR, 1, PROC_HANDLE_DEVICE },
		{ "/dev/pts/3", S_IFCHR, 136, PROC_HANDLE_TTY },
		{ "/memfd:x (deleted)", S_IFREG, 0, PROC_HANDLE_MEMFD },
		{ "/tmp/socket:[12]", S_IFREG, 0, PROC_HANDLE_FILE },
		{ "socket:[12]", S_IFSOCK, 0, PROC_HANDLE_SOCKET },
		{ "pipe:[12]", S_IFIFO, 0, PROC_HANDLE_PIPE },
		{ "anon_inode:[eventfd]", 0, 0, PROC_HANDLE_EVENTFD },
		{ "anon_inode:[eventpoll]", 0, 0, PROC_HANDLE_EPOLL },
		{ "anon_inode:[timerfd]", 0, 0, PROC_HANDLE_TIMERFD },
		{ "anon_inode:[signalfd]", 0, 0, PROC_HANDLE_SIGNALFD },
		{ "anon_inode:inotify", 0, 0, PROC_HANDLE_INOTIFY },
		{ "anon_inode:[fanotify]", 0, 0, PROC_HANDLE_FANOTIFY },
		{ "anon_inode:[pidfd]", 0, 0, PROC_HANDLE_PIDFD },
		{ "anon_inode:[userfaultfd]", 0, 0, PROC_HANDLE_USERFAULTFD },
		{ "anon_inode:[io_uring]", 0, 0, PROC_HANDLE_IO_URING },
		{ "anon_inode:[perf_event]", 0, 0, PROC_HANDLE_PERF_EVENT },
		{ "anon_inode:bpf-map", 0, 0, PROC_HANDLE_BPF },
		{ "net:[4026531833]", S_IFREG, 0, PROC_HANDLE_NAMESPACE },
		{ "anon_inode:[landlock-ruleset]", 0, 0, PROC_HANDLE_OTHER },
		{ "", 0, 0, PROC_HANDLE_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(proc_classify(cases[i].link, cases[i].mode, cases[i].major),
				 cases[i].kind);
	for (int i = 0; i < PROC_HANDLE_KINDS; i++)
		assert_int_equal(proc_handle_kind_named(proc_handle_kind_name(i)), i);
	assert_int_equal(proc_handle_kind_named("sausage"), PROC_HANDLE_KINDS);
}

static const struct proc_handle *find_handle(const struct proc_handles *handles, int number)
{
	for (size_t i = 0; i < handles->n_handles; i++)
		if (handles->handle[i].number == number)
			return &handles->handle[i];
	fail_msg("handle %d is not listed", number);
	return NULL;
}

static void test_own_handles(void **state)
{
	int event = eventfd(5, EFD_CLOEXEC), epoll = epoll_create1(0);
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct epoll_event wanted = { .events = EPOLLIN };
	struct proc_handles handles;
	const struct proc_handle *h;

	(void)state;
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &wanted), 0);
	assert_int_equal(proc_handles_read(getpid(), &handles), 0);
	h = find_handle(&handles, event);
	assert_true(h->kind == PROC_HANDLE_EVENTFD && h->close_on_exec);
	assert_true(h->access == PROC_ACCESS_READ_WRITE);
	assert_string_equal(h->what, "count 5");
	h = find_handle(&handles, epoll);
	assert_true(h->kind == PROC_HANDLE_EPOLL && !h->close_on_exec);
	assert_string_equal(h->what, "watches 1 handle");
	h = find_handle(&handles, pidfd);
	assert_true(h->kind == PROC_HANDLE_PIDFD && h->pid == getpid());
	for (size_t i = 1; i < handles.n_handles; i++)
		assert_true(handles.handle[i].number > handles.handle[i - 1].number);
	proc_handles_done(&handles);
	(void)close(event);
	(void)close(epoll);
	(void)close(pidfd);
}

static void test_hostile_files(void **state)
{
	char path[128], alive[160];
	int gone, there;
	struct proc_handles handles;
	const struct proc_handle *h;

	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/tendril-%d" HOSTILE, (int)getpid());
	(void)snprintf(alive, sizeof(alive), "%s (deleted)", path);
	gone = open(path, O_CREAT | O_EXCL | O_WRONLY | O_APPEND, 0600);
	there = open(alive, O_CREAT | O_EXCL | O_RDONLY, 0600);
	assert_true(gone >= 0 && there >= 0);
	assert_int_equal(write(gone, "12345", 5), 5);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(proc_handles_read(getpid(), &handles), 0);
	h = find_handle(&handles, gone);
	assert_string_equal(h->what, path);
	assert_true(h->deleted && h->access == PROC_ACCESS_WRITE && h->position == 5);
	h = find_handle(&handles, there);
	assert_string_equal(h->what, alive); /* its name only looks like it */
	assert_true(!h->deleted && h->access == PROC_ACCESS_READ);
	proc_handles_done(&handles);
	(void)unlink(alive);
	(void)close(gone);
	(void)close(there);
}

static void test_sockets_live(void **state)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(address);
	struct proc_handles handles;
	const struct proc_socket *s;
	char local[32];
	int twin;

	(void)state;
	assert_int_equal(bind(listener, (struct sockaddr *)&address, bytes), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &bytes), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, bytes), 0);
	twin = dup(listener);
	(void)snprintf(local, sizeof(local), "127.0.0.1:%u", ntohs(address.sin_port));
	assert_int_equal(proc_handles_read(getpid(), &handles), 0);
	s = find_handle(&handles, listener)->socket;
	assert_string_equal(s->protocol, "tcp");
	assert_string_equal(s->state, "listening");
	assert_string_equal(s->local, local);
	assert_null(s->peer);
	assert_string_equal(find_handle(&handles, twin)->socket->local, local);
	s = find_handle(&handles, client)->socket;
	assert_string_equal(s->state, "established");
	assert_string_equal(s->peer, local);
	proc_handles_done(&handles);
	(void)close(listener);
	(void)close(client);
	(void)close(twin);
}

static void test_socket_tables(void **state)
{
	static const char inet[] =
		"  sl  local_address ...\n"
		"   0: 00000000000000000000000001000000:1F90 "
		"0000000000000000FFFF00000100007F:0050 01 0:0 0:0 0 0 0 77 1 x\n"
		"   1: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 78 1 x\n"
		"   2: 0100007F:\n   3: zz:1 zz:1 01 0:0 0:0 0 0 0 78 1 x";
	struct proc_socket six = { 0 }, four = { 0 };
	struct proc_socket *sockets[] = { &six, &four };
	uint64_t inodes[] = { 77, 78 };

	(void)state;
	for (size_t bytes = 0; bytes < sizeof(inet); bytes++) {
		char *copy = exactly(inet, bytes);

		proc_sockets_parse_inet(copy, "tcp", sockets, inodes, 2);
		free(copy);
	}
	assert_string_equal(six.local, "[::1]:8080");
	assert_string_equal(six.peer, "[::ffff:127.0.0.1]:80");
	assert_string_equal(six.state, "established");
	assert_null(four.local); /* the last line has no address that can be understood */
	free(six.local);
	free(six.peer);
}

/* An abstract name with a newline in it looks like a line for somebody else's socket. */
static void test_forged_unix_sockets_name_nobody(void **state)
{
	static const char table[] =
		"Num       RefCount Protocol Flags    Type St Inode Path\n"
		"0: 00000002 00000000 00010000 0001 01 10 @evil\n"
		"0: 00000002 00000000 00010000 0001 01 11 /run/forged\n"
		"0: 00000002 00000000 00010000 0001 01 11 /run/true\n"
		"0: 00000002 00000000 00010000 0001 01 12 /run/a b\n";
	struct proc_socket evil = { 0 }, victim = { 0 }, honest = { 0 };
	struct proc_socket *sockets[] = { &evil, &victim, &honest };
	uint64_t inodes[] = { 10, 11, 12 };
	char *copy = exactly(table, sizeof(table) - 1);

	(void)state;
	proc_sockets_parse_unix(copy, sockets, inodes, 3);
	free(copy);
	assert_string_equal(evil.local, "@evil");
	assert_null(victim.local);
	assert_string_equal(honest.local, "/run/a b");
	assert_string_equal(honest.state, "listening");
	free(evil.local);
	free(honest.local);
}

/* Selectors */

static void test_selectors(void **state)
{
	static const struct {
		const char *text;
		int code;
		bool matches; /* the process below */
	} cases[] = {
		{ "12", 0, true }, { "13", 0, false }, { "0", -ERANGE, false },
		{ "99999999999", -ERANGE, false }, { "99999999999999999999999", -ERANGE, false },
		{ "-1", -EINVAL, false }, { "", -EINVAL, false }, { "nginx", 0, true },
		{ "ngi*", 0, true }, { "NGINX", 0, false }, { "user:root", 0, true },
		{ "user:0", 0, true }, { "user:no-such-user-here", -ENOENT, false },
		{ "user:", -ENOENT, false }, { "session:3", 0, true }, { "session:4", 0, false },
		{ "session:x", -EINVAL, false }, { "cgroup:", -EINVAL, false },
		{ "container:abc", -EINVAL, false },
		{ "\\Process(NGINX)\\Handle Count", 0, true },
		{ "\\\\machine\\process(ngi*)\\Handle Count", 0, true },
		{ "\\Process(nginx#1)\\Handle Count", 0, true },
		{ "\\Process(*)\\Thread Count", 0, true }, { "\\Process(x", -EINVAL, false },
		{ "\\Process()\\Handle Count", -EINVAL, false },
		{ "\\Memory\\Available", -EINVAL, false }, { "\\", -EINVAL, false },
		{ "\\\\", -EINVAL, false },
	};
	struct proc_process process = { .pid = 12, .tgid = 12, .session = 3, .comm = "nginx" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct proc_selector selector;
		int r = proc_selector_parse(cases[i].text, &selector);

		if (r != cases[i].code)
			fail_msg("'%s' gives %d", cases[i].text, r);
		if (r < 0)
			continue;
		if (proc_selector_match(&selector, &process) != cases[i].matches)
			fail_msg("'%s' is matched wrongly", cases[i].text);
		proc_selector_done(&selector);
	}
}

static void test_control_groups(void **state)
{
	static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	static const char slice[] = "4:memory:/other\n0::/system.slice/ssh.service\n";
	char text[256];

	(void)state;
	assert_true(proc_cgroup_is_below(slice, "/system.slice/ssh.service"));
	assert_true(proc_cgroup_is_below(slice, "system.slice/"));
	assert_true(proc_cgroup_is_below(slice, "/sys/fs/cgroup/system.slice"));
	assert_true(proc_cgroup_is_below(slice, "/other"));
	assert_false(proc_cgroup_is_below(slice, "/system.slice/ssh"));
	assert_false(proc_cgroup_is_below("", "/x"));
	(void)snprintf(text, sizeof(text), "0::/system.slice/docker-%s.scope\n", id);
	assert_true(proc_cgroup_has_container(text, id));
	assert_true(proc_cgroup_has_container(text, "0123456789ab"));
	assert_false(proc_cgroup_has_container(text, "123456789abc"));
	assert_false(proc_cgroup_has_container(text, "docker"));
	(void)snprintf(text, sizeof(text), "0::/docker/%s\n", id);
	assert_true(proc_cgroup_has_container(text, id));
	assert_true(proc_cgroup_has_container("0::/lxc.payload.web/init.scope\n", "web"));
	assert_false(proc_cgroup_has_container("0::/lxc.payload.web/x\n", "payload"));
	assert_false(proc_cgroup_has_container("0::/lxc.payload.website\n", "webs"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maps_that_change_are_read),
		cmocka_unit_test(test_stat_of_a_hostile_name),
		cmocka_unit_test(test_stat_cut_short_is_refused_at_every_byte),
		cmocka_unit_test(test_stat_of_a_long_name_is_bounded),
		cmocka_unit_test(test_status_fields),
		cmocka_unit_test(test_own_process),
		cmocka_unit_test(test_hostile_name_live),
		cmocka_unit_test(test_no_such_process),
		cmocka_unit_test(test_process_whose_leader_has_ended),
		cmocka_unit_test(test_threads_are_listed_in_order),
		cmocka_unit_test(test_processes_include_us),
		cmocka_unit_test(test_handle_count_follows_opening_and_closing),
		cmocka_unit_test(test_handle_limit),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_maps_cut_short_at_every_byte),
		cmocka_unit_test(test_maps_that_make_no_sense_are_refused),
		cmocka_unit_test(test_maps_of_many_short_lines),
		cmocka_unit_test(test_own_maps),
		cmocka_unit_test(test_access_allowed),
		cmocka_unit_test(test_access_by_state),
		cmocka_unit_test(test_access_by_ids),
		cmocka_unit_test(test_access_by_yama),
		cmocka_unit_test(test_explain_live),
		cmocka_unit_test(test_explain_to_another_user),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_own_handles),
		cmocka_unit_test(test_hostile_files),
		cmocka_unit_test(test_sockets_live),
		cmocka_unit_test(test_socket_tables),
		cmocka_unit_test(test_forged_unix_sockets_name_nobody),
		cmocka_unit_test(test_selectors),
		cmocka_unit_test(test_control_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
