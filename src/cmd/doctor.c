/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor.c - tendril doctor: what this machine, kernel and user permit, and what to do about it
 *
 * Features are found out by trying them, never from a version.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "cmd/cmd.h"
#include "leaks/leaks.h"
#include "monitor/sample.h"
#include "proc/proc.h"

#define CAP_BPF_BIT 39     /* newer than some headers */
#define CAP_PERFMON_BIT 38
#define PIDFD_THREAD_FLAG O_EXCL
#define FIRST_USER_NS 0xEFFFFFFDu /* PROC_USER_INIT_INO of the kernel */
#define HANDLES_ENOUGH 1024
#define INDENT 25          /* "problem  " and the name */

/* PIDFD_GET_INFO of linux/pidfd.h, Linux 6.13: newer than most headers. */
struct pidfd_info_v0 {
	uint64_t mask, cgroup_id;
	uint32_t ids[11];
	int32_t exit_code;
};
#define GET_INFO _IOWR(0xFF, 11, struct pidfd_info_v0)

enum state { STATE_OK, STATE_NOTE, STATE_PROBLEM };

struct doctor {
	bool json;
	pid_t pid; /* 0: the machine */
	struct json document;
	unsigned n_problems;
	uint64_t capabilities;
	size_t width;
};

/* Output: each finding is shown as soon as it is made. */

static void print_wrapped(const char *text, size_t indent, size_t width)
{
	size_t column = indent;

	while (*text) {
		size_t bytes = strcspn(text, " ");

		if (column > indent && column + 1 + bytes > width) {
			printf("\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			putchar(' ');
			column++;
		}
		printf("%.*s", (int)bytes, text);
		column += bytes;
		text += bytes;
		while (*text == ' ')
			text++;
	}
	putchar('\n');
}

static void report(struct doctor *doctor, enum state state, const char *name, const char *remedy,
		   const char *format, ...) __attribute__((format(printf, 5, 6)));

static void report(struct doctor *doctor, enum state state, const char *name, const char *remedy,
		   const char *format, ...)
{
	static const char *const states[] = { "ok", "note", "problem" };
	char found[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(found, sizeof(found), format, args);
	va_end(args);
	doctor->n_problems += state == STATE_PROBLEM;
	if (doctor->json) {
		json_object(&doctor->document, NULL);
		json_text(&doctor->document, "name", name);
		json_text(&doctor->document, "state", states[state]);
		json_text(&doctor->document, "found", found);
		json_text(&doctor->document, "remedy", remedy);
		json_end_object(&doctor->document);
		return;
	}
	printf("%-7s  %-16s", states[state], name);
	print_wrapped(found, INDENT, doctor->width);
	if (remedy) {
		printf("%*s", INDENT, "-> ");
		print_wrapped(remedy, INDENT, doctor->width);
	}
}

static bool has_cap(const struct doctor *doctor, int bit)
{
	return doctor->capabilities >> bit & 1;
}

/* The machine */

static void check_kernel(struct doctor *doctor)
{
	struct utsname name;

	if (uname(&name) < 0)
		return;
	if (strcmp(name.machine, "x86_64"))
		report(doctor, STATE_PROBLEM, "kernel", "remote threads are made on x86_64 only",
		       "%s %s on %s", name.sysname, name.release, name.machine);
	else
		report(doctor, STATE_OK, "kernel", NULL, "%s %s on %s", name.sysname,
		       name.release, name.machine);
}

/* Whose capabilities count: those of the first user namespace reach everybody. */
static void check_user(struct doctor *doctor)
{
	struct stat st;

	if (stat("/proc/self/ns/user", &st) == 0 && st.st_ino != FIRST_USER_NS)
		report(doctor, STATE_NOTE, "user",
		       "processes outside of it cannot be worked on, whoever you are inside",
		       "uid %u, in a user namespace (a container)", (unsigned)geteuid());
	else
		report(doctor, STATE_OK, "user", NULL, "uid %u%s", (unsigned)geteuid(),
		       geteuid() ? "" : " (root)");
}

static void check_capabilities(struct doctor *doctor)
{
	if (has_cap(doctor, CAP_SYS_PTRACE))
		report(doctor, STATE_OK, "CAP_SYS_PTRACE", NULL,
		       "held: processes of other users can be worked on");
	else
		report(doctor, STATE_NOTE, "CAP_SYS_PTRACE",
		       "for those of others: run as root, or `setcap cap_sys_ptrace+ep` on tendril",
		       "not held: only your own processes can be worked on");
	if (has_cap(doctor, CAP_SYS_ADMIN))
		report(doctor, STATE_OK, "CAP_SYS_ADMIN", NULL, "held");
	else if (has_cap(doctor, CAP_BPF_BIT) && has_cap(doctor, CAP_PERFMON_BIT))
		report(doctor, STATE_OK, "CAP_BPF", NULL, "held, and CAP_PERFMON");
	else
		report(doctor, STATE_NOTE, "CAP_SYS_ADMIN",
		       "run as root for what loads programs into the kernel (`tendril leaks`)",
		       "not held, nor CAP_BPF with CAP_PERFMON");
}

static void check_yama(struct doctor *doctor)
{
	int scope = proc_yama_scope();

	if (scope < 0)
		report(doctor, STATE_OK, "yama", NULL, "not in this kernel");
	else if (scope == 0)
		report(doctor, STATE_OK, "yama", NULL, "kernel.yama.ptrace_scope is 0");
	else if (scope >= 3)
		report(doctor, STATE_PROBLEM, "yama",
		       "change the setting in /etc/sysctl.d and reboot: it cannot be lowered",
		       "kernel.yama.ptrace_scope is 3: nobody may trace");
	else if (has_cap(doctor, CAP_SYS_PTRACE))
		report(doctor, STATE_OK, "yama", NULL,
		       "kernel.yama.ptrace_scope is %d, which CAP_SYS_PTRACE overrides", scope);
	else
		report(doctor, STATE_PROBLEM, "yama",
		       "run as root, or `sudo sysctl kernel.yama.ptrace_scope=0`",
		       "kernel.yama.ptrace_scope is %d: %s", scope,
		       scope == 1 ? "only your own children can be worked on" :
				    "only with CAP_SYS_PTRACE");
}

/* Does a child of ours let itself be seized?  Nothing but a filter of ours can be against it. */
static int try_ptrace(void)
{
	pid_t child = fork();
	int code = 0;

	if (child < 0)
		return -errno;
	if (child == 0) {
		(void)pause();
		_exit(0);
	}
	if (ptrace(PTRACE_SEIZE, child, NULL, NULL) < 0)
		code = -errno;
	(void)kill(child, SIGKILL);
	while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
		;
	return code;
}

static void check_ptrace(struct doctor *doctor)
{
	int r = try_ptrace();

	if (r == 0)
		report(doctor, STATE_OK, "ptrace", NULL, "works on a child of our own");
	else
		report(doctor, STATE_PROBLEM, "ptrace",
		       "a seccomp filter of your container? `docker run --cap-add SYS_PTRACE`",
		       "refused on a child of our own: %s", strerror(-r));
}

static void check_memory(struct doctor *doctor)
{
	int there = 42, here = 0;
	struct iovec to = { &here, sizeof(here) }, from = { &there, sizeof(there) };

	if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)sizeof(here) && here == 42)
		report(doctor, STATE_OK, "memory", NULL, "process_vm_readv(2) works");
	else
		report(doctor, STATE_NOTE, "memory", NULL,
		       "process_vm_readv(2) does not work (%s): /proc/PID/mem is used",
		       strerror(errno));
}

static void check_pidfd(struct doctor *doctor)
{
	AUTO_CLOSE int process_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	AUTO_CLOSE int thread_fd = (int)syscall(SYS_pidfd_open, gettid(), PIDFD_THREAD_FLAG);
	struct pidfd_info_v0 info = { 0 };

	if (process_fd < 0)
		report(doctor, STATE_PROBLEM, "pidfd", "Linux 5.3 or newer is needed",
		       "pidfd_open(2) does not work: %s", strerror(errno));
	else
		report(doctor, STATE_OK, "pidfd", NULL, "pidfd_open(2) works");
	if (thread_fd < 0)
		report(doctor, STATE_NOTE, "PIDFD_THREAD", NULL,
		       "not there (Linux 6.9): the end of threads is seen in another way");
	else
		report(doctor, STATE_OK, "PIDFD_THREAD", NULL, "threads have handles of their own");
	if (process_fd < 0 || ioctl(process_fd, GET_INFO, &info) < 0)
		report(doctor, STATE_NOTE, "PIDFD_GET_INFO", NULL,
		       "not there (Linux 6.13): exit codes are known to parents only");
	else
		report(doctor, STATE_OK, "PIDFD_GET_INFO", NULL,
		       "a handle tells about its process");
}

static void check_counting(struct doctor *doctor)
{
	AUTO_FREE pid_t *pids = NULL;
	size_t n = 0;

	if (proc_has_handle_count())
		report(doctor, STATE_OK, "handle count", NULL, "told by the kernel in one step");
	else
		report(doctor, STATE_NOTE, "handle count", NULL,
		       "not told by the kernel (Linux 6.2): handles are counted one by one");
	if (proc_processes(&pids, &n) < 0)
		report(doctor, STATE_PROBLEM, "/proc", "mount it", "cannot be read");
	else if (pids && n > 0 && pids[0] != 1)
		report(doctor, STATE_NOTE, "/proc", "run as root to see all",
		       "mounted with hidepid: processes of other users are not shown");
	else
		report(doctor, STATE_OK, "/proc", NULL, "shows %zu processes", n);
}

/* Where the Performance Monitor's figures come from, and by whose leave. */
static void report_source(struct doctor *doctor, enum monitor_source source)
{
	bool may_load = has_cap(doctor, CAP_SYS_ADMIN) ||
			(has_cap(doctor, CAP_BPF_BIT) && has_cap(doctor, CAP_PERFMON_BIT));

	if (source == MONITOR_SOURCE_BPF)
		report(doctor, STATE_OK, "samples", NULL,
		       "of all processes at once, by a BPF iterator in the kernel");
	else
		report(doctor, STATE_NOTE, "samples",
		       may_load ? NULL : "for the faster way: root, or CAP_BPF and CAP_PERFMON",
		       "of one process after the other, from /proc (%s): %s",
		       monitor_source_name(source),
		       may_load ? "this kernel or this build has no BPF iterator that fits" :
				  "loading a BPF iterator is not allowed");
}

static void report_unreadable(struct doctor *doctor, const struct monitor_sample *sample)
{
	bool may_read = has_cap(doctor, CAP_SYS_PTRACE) && has_cap(doctor, CAP_DAC_READ_SEARCH);
	size_t handles = 0, mappings = 0;

	for (size_t i = 0; i < sample->n_processes; i++) {
		handles += !monitor_is_known(&sample->process[i], MONITOR_HANDLES);
		mappings += !monitor_is_known(&sample->process[i], MONITOR_MAPPINGS);
	}
	if (handles || mappings)
		report(doctor, STATE_NOTE, "unreadable",
		       may_read ? NULL : "to see all: CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
		       "of %zu processes, the handles of %zu and the mappings of %zu",
		       sample->n_processes, handles, mappings);
	else
		report(doctor, STATE_OK, "unreadable", NULL, "no handles and no mappings");
}

static void check_samples(struct doctor *doctor)
{
	struct monitor_options options = { .source = MONITOR_SOURCE_BEST };
	struct monitor_sampler *sampler = NULL;
	const struct monitor_sample *sample;
	int r = monitor_sampler_new(&options, &sampler);

	if (r == 0)
		r = monitor_sample(sampler, &sample);
	if (r == 0) {
		report_source(doctor, monitor_sampler_source(sampler));
		report_unreadable(doctor, sample);
	} else {
		report(doctor, STATE_PROBLEM, "samples", NULL, "cannot be taken: %s", strerror(-r));
	}
	monitor_sampler_free(sampler);
}

static void report_hook(struct doctor *doctor, const char *hook)
{
	if (!strcmp(hook, "fentry"))
		report(doctor, STATE_OK, "leaks", NULL,
		       "watched by hooks on the table of handles (fentry): only who is watched pays");
	else
		report(doctor, STATE_NOTE, "leaks", NULL,
		       "watched at the exit of system calls (tracepoint), for which every process "
		       "pays a little: this kernel does not let its functions be hooked, or does "
		       "not say that it is not preempted in them");
}

/* By trying: nothing is watched, and it goes at once. */
static void check_leaks(struct doctor *doctor)
{
	const struct leaks_options options = { .never_ptrace = true };
	struct tendril_error error = { 0 };
	struct leaks *leaks = NULL;
	int r = leaks_open(&options, &leaks, &error);

	if (r == 0)
		report_hook(doctor, leaks_hook(leaks));
	else
		report(doctor, STATE_NOTE, "leaks", NULL,
		       "watched by ptrace(2), which is slower and stops who is watched: %s",
		       error.text[0] ? error.text : strerror(-r));
	leaks_close(leaks);
}

static void check_limit(struct doctor *doctor)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < HANDLES_ENOUGH)
		report(doctor, STATE_NOTE, "own handles", "`ulimit -n 1024`",
		       "only %llu can be open at once", (unsigned long long)limit.rlim_cur);
	else
		report(doctor, STATE_OK, "own handles", NULL, "%llu can be open at once",
		       (unsigned long long)limit.rlim_cur);
}

static void check_own_process(struct doctor *doctor)
{
	struct proc_process self;

	if (proc_process_read(getpid(), &self) < 0)
		return;
	if (self.seccomp)
		report(doctor, STATE_NOTE, "seccomp", NULL,
		       "a filter is on this process: what it refuses shows above");
	else
		report(doctor, STATE_OK, "seccomp", NULL, "no filter on this process");
	if (self.shadow_stack)
		report(doctor, STATE_NOTE, "shadow stack",
		       "start targets with GLIBC_TUNABLES=glibc.cpu.x86_shstk=off",
		       "on: processes that run on one are refused");
	else
		report(doctor, STATE_OK, "shadow stack", NULL, "off by default");
}

static void check_machine(struct doctor *doctor)
{
	check_kernel(doctor);
	check_user(doctor);
	check_capabilities(doctor);
	check_yama(doctor);
	check_ptrace(doctor);
	check_memory(doctor);
	check_pidfd(doctor);
	check_counting(doctor);
	check_samples(doctor);
	check_leaks(doctor);
	check_limit(doctor);
	check_own_process(doctor);
}

/* One target */

static void report_error(struct doctor *doctor, const char *name, int code,
			 const struct tendril_error *error)
{
	report(doctor, STATE_PROBLEM, name, NULL, "%s",
	       error->text[0] ? error->text : strerror(-code));
}

static void check_symbol(struct doctor *doctor, struct tendril_target *target, const char *name,
			 const char *symbol)
{
	struct tendril_error error = { 0 };
	uint64_t address;
	int r = tendril_resolve(target, symbol, &address, &error);

	if (r < 0)
		report_error(doctor, name, r, &error);
	else
		report(doctor, STATE_OK, name, NULL, "%s at 0x%llx", symbol,
		       (unsigned long long)address);
}

static void check_open(struct doctor *doctor)
{
	struct tendril_target *target = NULL;
	struct tendril_error error = { 0 };
	int r = tendril_open(doctor->pid, NULL, &target, &error);

	if (r < 0) {
		report_error(doctor, "program", r, &error);
		return;
	}
	report(doctor, STATE_OK, "program", NULL, "of an architecture that is supported");
	check_symbol(doctor, target, "threads", "pthread_create");
	check_symbol(doctor, target, "libraries", "dlopen");
	tendril_close(target);
}

static void check_handles(struct doctor *doctor)
{
	uint64_t count, limit;

	if (proc_count_handles(doctor->pid, &count) < 0 ||
	    proc_handle_limit(doctor->pid, &limit) < 0)
		return;
	if (limit != PROC_UNLIMITED && count + count / 10 >= limit)
		report(doctor, STATE_PROBLEM, "handles",
		       "find out who opens them: `tendril handles PID --summary`",
		       "%llu open of %llu: it is about to run out", (unsigned long long)count,
		       (unsigned long long)limit);
	else
		report(doctor, STATE_OK, "handles", NULL, "%llu open of %llu",
		       (unsigned long long)count, (unsigned long long)limit);
}

static void check_target(struct doctor *doctor, const struct proc_process *process)
{
	struct tendril_error error = { 0 };
	char label[PROC_LABEL_BYTES];
	int r = proc_explain_access(doctor->pid, &error);

	proc_label(process, label);
	if (r < 0) {
		report_error(doctor, "access", r, &error);
		return;
	}
	report(doctor, STATE_OK, "access", NULL, "%s may be worked on", label);
	if (process->seccomp == 2)
		report(doctor, STATE_NOTE, "seccomp", NULL,
		       "it has a filter, which may refuse what a new thread needs");
	check_open(doctor);
	check_handles(doctor);
}

static void print_begin(struct doctor *doctor, const struct proc_process *process)
{
	if (!doctor->json)
		return;
	doctor->document = (struct json){ .out = stdout };
	json_object(&doctor->document, NULL);
	if (doctor->pid) {
		json_signed(&doctor->document, "pid", doctor->pid);
		json_text(&doctor->document, "name", process->comm);
	}
	json_text(&doctor->document, "version", tendril_version());
	json_array(&doctor->document, "checks");
}

static void print_end(struct doctor *doctor)
{
	if (doctor->json) {
		json_end_array(&doctor->document);
		json_unsigned(&doctor->document, "problems", doctor->n_problems);
		json_end_object(&doctor->document);
	} else if (doctor->pid) {
		printf("\n%s\n", doctor->n_problems ?
		       "A remote thread in this process is not possible, or not advisable now." :
		       "A remote thread in this process is possible.");
	} else {
		printf("\n%u problem%s found.\n", doctor->n_problems,
		       doctor->n_problems == 1 ? "" : "s");
	}
}

static void read_capabilities(struct doctor *doctor)
{
	AUTO_FREE char *text = NULL;
	const char *line;
	size_t bytes;

	if (proc_read_file(AT_FDCWD, "/proc/self/status", 4u << 20, &text, &bytes) < 0)
		return;
	line = proc_find_line(text, "CapEff");
	if (line)
		(void)proc_scan(line, 16, &doctor->capabilities); /* else none, as before */
}

static int take(const struct command *command, void *state, int option, const char *value)
{
	struct doctor *doctor = state;

	if (option == CMD_JSON) {
		doctor->json = true;
		return 0;
	}
	if (doctor->pid)
		return cmd_usage(command, "'%s' is too much: one PID at a time", value);
	return cmd_take_pid(command, value, &doctor->pid);
}

static int run(const struct command *command, int argc, char **argv)
{
	struct doctor doctor = { 0 };
	struct proc_process process = { 0 };
	int r;

	if (!cmd_parse(command, argc, argv, take, &doctor, &r))
		return r;
	doctor.width = cmd_terminal_width();
	if (doctor.width < 2 * INDENT)
		doctor.width = 80;
	r = doctor.pid ? proc_process_read(doctor.pid, &process) : 0;
	if (r < 0)
		return cmd_fail_process(doctor.json, doctor.pid, r);
	read_capabilities(&doctor);
	print_begin(&doctor, &process);
	if (doctor.pid)
		check_target(&doctor, &process);
	else
		check_machine(&doctor);
	print_end(&doctor);
	return doctor.n_problems ? CMD_FOUND : CMD_DONE;
}

static const char *const examples[] = {
	"tendril doctor", "look at this machine, kernel and user",
	"tendril doctor 1234", "is a remote thread possible in process 1234?",
	NULL,
};

const struct command cmd_doctor = {
	.name = "doctor",
	.synopsis = "[PID]",
	.summary = "what this machine, kernel and user permit, and what to do about it",
	.text = "With PID: whether a remote thread is possible in that process, and which rule\n"
		"is against it.  Nothing in it is touched.",
	.examples = examples,
	.run = run,
};
