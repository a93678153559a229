/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access.c - which rule of the kernel stands against a remote thread, and what to do about it
 *
 * The kernel is asked first whether it agrees, with a call that makes the very check of
 * PTRACE_ATTACH and has no effect.  Only when it refuses is the reason looked for, in the order of
 * __ptrace_may_access(): ids, dumpable, capabilities, Yama.  So a rule that we do not know can be
 * reported badly, but never invented.
 */
#include "proc/proc.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define REMEDY_CAP "run as root, or with CAP_SYS_PTRACE"
#define OVERFLOW_UID 65534 /* how an id of a user namespace outside ours is shown */
#define FIRST_USER_NS 0xEFFFFFFDu /* PROC_USER_INIT_INO of the kernel, the same since 3.8 */
#define ANCESTORS_MAX 10000 /* the chain can change while it is followed */

static int refuse(struct tendril_error *error, int code, enum tendril_rule rule,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));

static int refuse(struct tendril_error *error, int code, enum tendril_rule rule,
		  const char *format, ...)
{
	char text[sizeof(error->text)];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return fail(error, code, TENDRIL_STAGE_CHECK, rule, "%s", text);
}

void proc_label(const struct proc_process *process, char ret_label[PROC_LABEL_BYTES])
{
	char name[PROC_LABEL_BYTES - 20]; /* "PID 2147483647 ()" and the NUL */

	escape_text(process->comm, name, sizeof(name));
	(void)snprintf(ret_label, PROC_LABEL_BYTES, "PID %d (%s)", (int)process->pid, name);
}

static int judge_life(const struct proc_access_facts *facts, const char *label,
		      struct tendril_error *error)
{
	const struct proc_process *target = &facts->target;
	char other[PROC_LABEL_BYTES];

	if (proc_is_zombie(target)) {
		proc_label(&facts->parent, other);
		if (!facts->parent.pid)
			return refuse(error, -ESRCH, TENDRIL_RULE_ZOMBIE,
				      "%s has ended, and its parent has not collected it", label);
		return refuse(error, -ESRCH, TENDRIL_RULE_ZOMBIE,
			      "%s has ended, but its parent %s has not collected it", label, other);
	}
	if (target->tgid != target->pid)
		return refuse(error, -ESRCH, TENDRIL_RULE_NO_PROCESS,
			      "%s is a thread of PID %d: name the process", label,
			      (int)target->tgid);
	if (target->kernel_thread)
		return refuse(error, -EACCES, TENDRIL_RULE_KERNEL_THREAD,
			      "%s is a thread of the kernel: it has no program to run anything in",
			      label);
	return 0;
}

static int judge_state(const struct proc_access_facts *facts, const char *label,
		       struct tendril_error *error)
{
	const struct proc_process *target = &facts->target;
	char other[PROC_LABEL_BYTES];

	if (target->tracer_pid) {
		proc_label(&facts->tracer, other);
		if (!facts->tracer.pid)
			return refuse(error, -EBUSY, TENDRIL_RULE_TRACED,
				      "%s is traced by PID %d: only one can be; end that one first",
				      label, (int)target->tracer_pid);
		return refuse(error, -EBUSY, TENDRIL_RULE_TRACED,
			      "%s is traced by %s: only one can be; end that one first", label,
			      other);
	}
	/* 't' without a tracer: one has let go between two looks at the process. */
	if (target->state == 'T')
		return refuse(error, -EBUSY, TENDRIL_RULE_STOPPED,
			      "%s is stopped by a signal: continue it with `kill -CONT %d`", label,
			      (int)target->pid);
	if (target->seccomp == 1)
		return refuse(error, -EACCES, TENDRIL_RULE_SECCOMP,
			      "%s is in strict seccomp mode: any new thread there would kill it",
			      label);
	if (target->shadow_stack)
		return refuse(error, -ENOEXEC, TENDRIL_RULE_SHADOW_STACK,
			      "%s runs on a shadow stack, which is not supported: start it with "
			      "GLIBC_TUNABLES=glibc.cpu.x86_shstk=off", label);
	return 0;
}

static bool same_ids(const struct proc_access_facts *facts)
{
	const struct proc_process *t = &facts->target;

	return t->uid == facts->uid && t->euid == facts->uid && t->suid == facts->uid &&
	       t->gid == facts->gid && t->egid == facts->gid && t->sgid == facts->gid;
}

static int judge_ids(const struct proc_access_facts *facts, const char *label,
		     struct tendril_error *error)
{
	const struct proc_process *t = &facts->target;

	if (t->uid != facts->uid && t->uid == 0)
		return refuse(error, -EACCES, TENDRIL_RULE_UID,
			      "%s belongs to root: " REMEDY_CAP, label);
	if (t->uid != facts->uid)
		return refuse(error, -EACCES, TENDRIL_RULE_UID,
			      "%s belongs to uid %u: run as that user, as root, or with "
			      "CAP_SYS_PTRACE", label, (unsigned)t->uid);
	return refuse(error, -EACCES, TENDRIL_RULE_UID,
		      "%s has ids of others too (uid %u %u %u, gid %u %u %u): " REMEDY_CAP, label,
		      (unsigned)t->uid, (unsigned)t->euid, (unsigned)t->suid, (unsigned)t->gid,
		      (unsigned)t->egid, (unsigned)t->sgid);
}

static int judge_yama(const struct proc_access_facts *facts, const char *label,
		      struct tendril_error *error)
{
	if (facts->yama_scope >= 3)
		return refuse(error, -EACCES, TENDRIL_RULE_YAMA,
			      "%s: kernel.yama.ptrace_scope is 3, which forbids all tracing: set "
			      "it lower in /etc/sysctl.d and reboot", label);
	if (facts->yama_scope == 2)
		return refuse(error, -EACCES, TENDRIL_RULE_YAMA,
			      "%s: kernel.yama.ptrace_scope is 2, administrators only: " REMEDY_CAP
			      ", or `sysctl kernel.yama.ptrace_scope=0`", label);
	return refuse(error, -EACCES, TENDRIL_RULE_YAMA,
		      "%s: kernel.yama.ptrace_scope is 1, own descendants only: " REMEDY_CAP
		      ", or `sysctl kernel.yama.ptrace_scope=0`, or the target calls "
		      "prctl(PR_SET_PTRACER)", label);
}

static int judge_namespace(const char *label, struct tendril_error *error)
{
	return refuse(error, -EACCES, TENDRIL_RULE_USER_NAMESPACE,
		      "%s is in a user namespace where you have no CAP_SYS_PTRACE: run outside of "
		      "your container, as root of the machine", label);
}

/* The kernel has refused; which of its rules was it? */
static int judge_refusal(const struct proc_access_facts *facts, const char *label,
			 struct tendril_error *error)
{
	if (facts->yama_scope >= 3)
		return judge_yama(facts, label, error);
	if (facts->other_namespace)
		return judge_namespace(label, error);
	if (!facts->has_cap && !same_ids(facts))
		return judge_ids(facts, label, error);
	if (!facts->has_cap && facts->not_dumpable)
		return refuse(error, -EACCES, TENDRIL_RULE_DUMPABLE,
			      "%s is not dumpable (its file is not readable, it has changed its "
			      "user, or called prctl(2)): " REMEDY_CAP, label);
	if (!facts->has_cap && (facts->target.capabilities & ~facts->capabilities))
		return refuse(error, -EACCES, TENDRIL_RULE_UID,
			      "%s has capabilities that you have not: " REMEDY_CAP, label);
	if (!facts->has_cap && (facts->yama_scope == 2 ||
				(facts->yama_scope == 1 && !facts->descends)))
		return judge_yama(facts, label, error);
	return refuse(error, -EACCES, TENDRIL_RULE_NONE,
		      "%s: the kernel refuses, though ids, capabilities and Yama would allow it: "
		      "look at SELinux, AppArmor, or a seccomp filter of your own (see dmesg)",
		      label);
}

int proc_judge_access(const struct proc_access_facts *facts, struct tendril_error *error)
{
	char label[PROC_LABEL_BYTES];
	int r;

	proc_label(&facts->target, label);
	r = judge_life(facts, label, error);
	if (r == 0)
		r = judge_state(facts, label, error);
	if (r == 0 && !facts->self && !facts->allowed)
		r = judge_refusal(facts, label, error);
	return r;
}

/* Facts */

int proc_yama_scope(void)
{
	AUTO_FREE char *text = NULL;
	uint64_t scope;
	size_t bytes;

	if (proc_read_file(AT_FDCWD, "/proc/sys/kernel/yama/ptrace_scope", 4096, &text,
			   &bytes) < 0 || !proc_scan(text, 10, &scope))
		return -1;
	return scope > 3 ? 3 : (int)scope;
}

static bool may_open_memory(int dir_fd)
{
	AUTO_CLOSE int fd = openat(dir_fd, "mem", O_RDONLY | O_CLOEXEC);

	return fd >= 0;
}

/*
 * Does the kernel allow PTRACE_ATTACH?  process_vm_readv(2) makes the same check before it looks at
 * the address, which is one that cannot be mapped.  Where it is missing or refused by a seccomp
 * filter of our own, opening the memory makes it too.
 */
static bool is_allowed(pid_t pid, int dir_fd)
{
	char byte;
	struct iovec here = { .iov_base = &byte, .iov_len = 1 };
	struct iovec there = { .iov_base = NULL, .iov_len = 1 };

	if (process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0 || errno == EFAULT)
		return true;
	return may_open_memory(dir_fd);
}

/*
 * Is the target known to be in another user namespace than ours?  The link may only be read by who
 * could trace.  When it may not, and we are in a namespace below the machine's own: a capability
 * that did not help, or an owner that has no name here, tell as much.
 */
static bool in_other_namespace(int dir_fd, const struct proc_access_facts *facts)
{
	struct stat ours, theirs;

	if (stat("/proc/self/ns/user", &ours) < 0)
		return false;
	if (fstatat(dir_fd, "ns/user", &theirs, 0) == 0)
		return ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev;
	return ours.st_ino != FIRST_USER_NS &&
	       (facts->has_cap || facts->target.uid == OVERFLOW_UID);
}

static bool descends_from(pid_t pid, pid_t ancestor)
{
	struct proc_process process;

	for (int i = 0; i < ANCESTORS_MAX && pid > 0; i++) {
		if (pid == ancestor)
			return true;
		if (proc_process_read(pid, &process) < 0)
			return false;
		pid = process.ppid;
	}
	return false;
}

static void gather_own(struct proc_access_facts *facts)
{
	AUTO_FREE char *text = NULL;
	const char *line;
	size_t bytes;

	facts->uid = getuid();
	facts->gid = getgid();
	if (proc_read_file(AT_FDCWD, "/proc/self/status", 4u << 20, &text, &bytes) < 0)
		return;
	line = proc_find_line(text, "CapEff");
	if (line && proc_scan(line, 16, &facts->capabilities))
		facts->has_cap = facts->capabilities >> CAP_SYS_PTRACE & 1;
}

/* Only the entries below /proc/PID tell: the directory itself always belongs to the process. */
static bool is_not_dumpable(int dir_fd, const struct proc_process *target)
{
	struct stat st;

	return fstatat(dir_fd, "stat", &st, 0) == 0 && st.st_uid != target->euid;
}

static void gather_refusal(int dir_fd, struct proc_access_facts *facts)
{
	pid_t pid = facts->target.pid;

	gather_own(facts);
	facts->yama_scope = proc_yama_scope();
	facts->other_namespace = in_other_namespace(dir_fd, facts);
	facts->not_dumpable = is_not_dumpable(dir_fd, &facts->target);
	facts->descends = facts->yama_scope == 1 && descends_from(pid, getpid());
}

/* Not below /proc: it does not exist, or it is hidden from us. */
static int explain_missing(pid_t pid, int code, struct tendril_error *error)
{
	if (code != -ESRCH && code != -EACCES)
		return refuse(error, code, TENDRIL_RULE_NONE, "PID %d: /proc cannot be read",
			      (int)pid);
	if (code == -EACCES || (pid > 0 && (kill(pid, 0) == 0 || errno == EPERM)))
		return refuse(error, -EACCES, TENDRIL_RULE_UID,
			      "PID %d is hidden from you (/proc is mounted with hidepid): "
			      REMEDY_CAP, (int)pid);
	return refuse(error, -ESRCH, TENDRIL_RULE_NO_PROCESS, "there is no process %d", (int)pid);
}

int proc_explain_access(pid_t pid, struct tendril_error *error)
{
	AUTO_CLOSE int dir = proc_open(pid);
	struct proc_access_facts facts = { .yama_scope = -1 };
	int r = dir < 0 ? dir : proc_process_read(pid, &facts.target);

	if (r < 0)
		return explain_missing(pid, r, error);
	facts.self = facts.target.tgid == getpid();
	if (proc_is_zombie(&facts.target))
		(void)proc_process_read(facts.target.ppid, &facts.parent); /* 0: not known */
	if (facts.target.tracer_pid)
		(void)proc_process_read(facts.target.tracer_pid, &facts.tracer);
	facts.allowed = facts.self || is_allowed(proc_live_thread(pid), dir);
	if (!facts.allowed)
		gather_refusal(dir, &facts);
	return proc_judge_access(&facts, error);
}
