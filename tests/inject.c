/* SPDX-License-Identifier: BSD-2-Clause */
#include "inject.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

#define MARK	0x7e4d511
#define HANG_MS 20000

void inject_mark(bool begin)
{
	(void)syscall(SYS_getpriority, MARK, begin);
}

/*
 * Calls whose failure the kernel never gives while things are as they are: giving back what one
 * holds, letting go of a tracee that is stopped, ending.  Made to fail they would leak by our doing.
 */
static bool cannot_fail(const struct user_regs_struct *regs)
{
	switch (regs->orig_rax) {
	case SYS_brk: /* says no in another way */
	case SYS_close:
	case SYS_munmap:
	case SYS_exit:
	case SYS_exit_group:
	case SYS_rt_sigprocmask:
	case SYS_getpid:
	case SYS_gettid:
	case SYS_clock_gettime:
	case SYS_futex:
		return true;
	case SYS_ptrace: /* of a tracee that is stopped */
		return regs->rdi != PTRACE_SEIZE;
	default:
		return false;
	}
}

/* An error that the call may really return. */
static long error_of(const struct user_regs_struct *regs)
{
	switch (regs->orig_rax) {
	case SYS_openat:
	case SYS_open:
	case SYS_pidfd_open:
	case SYS_memfd_create:
	case SYS_dup:
	case SYS_fcntl:
		return -EMFILE;
	case SYS_ptrace:
		return -EPERM;
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
	case SYS_poll:
	case SYS_ppoll:
	case SYS_wait4:
	case SYS_waitid:
		return -EINTR;
	default:
		return -ENOMEM;
	}
}

/* The caller, and the helpers that it makes its calls with. */
#define TRACED_MAX 64

struct traced {
	pid_t tid;
	bool gone, in_call, fail_now;
	struct user_regs_struct regs;
};

struct tracing {
	struct traced traced[TRACED_MAX];
	size_t n;
	bool between_marks;
};

static void at_entry(struct tracing *all, struct traced *t, enum inject_how how, unsigned int k,
		     struct inject_result *result)
{
	long number = (long)t->regs.orig_rax;

	if (number == SYS_getpriority && t->regs.rdi == MARK) {
		all->between_marks = t->regs.rsi != 0;
		return;
	}
	if (!all->between_marks || ++result->n_calls != k)
		return;
	result->number = number;
	result->was_injected = how != INJECT_ERROR || !cannot_fail(&t->regs);
	if (how == INJECT_KILL_BEFORE)
		(void)kill(all->traced[0].tid, SIGKILL);
	t->fail_now = result->was_injected && how != INJECT_KILL_BEFORE;
	if (t->fail_now && how == INJECT_ERROR) {
		struct user_regs_struct changed = t->regs;

		changed.orig_rax = (unsigned long)-1;
		(void)ptrace(PTRACE_SETREGS, t->tid, NULL, &changed);
	}
}

static void at_exit_of_call(struct tracing *all, struct traced *t, enum inject_how how)
{
	struct user_regs_struct now;

	if (!t->fail_now)
		return;
	t->fail_now = false;
	if (how == INJECT_KILL_AFTER) {
		(void)kill(all->traced[0].tid, SIGKILL);
		return;
	}
	(void)ptrace(PTRACE_GETREGS, t->tid, NULL, &now);
	now.rax = (unsigned long)error_of(&t->regs);
	(void)ptrace(PTRACE_SETREGS, t->tid, NULL, &now);
}

/* A child of a traced one is traced too, and will stop by itself. */
static void note_child(struct tracing *all, pid_t parent)
{
	unsigned long tid = 0;

	if (ptrace(PTRACE_GETEVENTMSG, parent, NULL, &tid) == 0 && all->n < TRACED_MAX)
		all->traced[all->n++] = (struct traced){ .tid = (pid_t)tid };
}

static void at_stop(struct tracing *all, struct traced *t, int status, enum inject_how how,
		    unsigned int k, struct inject_result *result)
{
	int signal = WSTOPSIG(status);

	if (signal == (SIGTRAP | 0x80)) {
		signal = 0;
		if (!t->in_call && ptrace(PTRACE_GETREGS, t->tid, NULL, &t->regs) == 0)
			at_entry(all, t, how, k, result);
		else
			at_exit_of_call(all, t, how);
		t->in_call = !t->in_call;
	} else if (status >> 16) {
		signal = 0;
		note_child(all, t->tid);
	} else if (signal == SIGSTOP || signal == SIGTRAP) {
		signal = 0;
	}
	(void)ptrace(PTRACE_SYSCALL, t->tid, NULL, (long)signal);
}

/* Whether one of them is still there; each that has stopped is sent on. */
static bool look_at_all(struct tracing *all, enum inject_how how, unsigned int k,
			struct inject_result *result, bool *ret_moved)
{
	bool alive = false;

	*ret_moved = false;
	for (size_t i = 0; i < all->n; i++) {
		struct traced *t = &all->traced[i];
		int status = 0;
		pid_t r = t->gone ? -1 : waitpid(t->tid, &status, WNOHANG | __WALL);

		alive |= r >= 0;
		*ret_moved |= r > 0;
		if (r > 0 && WIFSTOPPED(status)) {
			at_stop(all, t, status, how, k, result);
		} else if (r != 0 && !t->gone) {
			t->gone = true;
			if (i == 0)
				result->status = status;
		}
	}
	return alive;
}

static void follow(pid_t child, enum inject_how how, unsigned int k, struct inject_result *result)
{
	struct tracing all = { .traced[0].tid = child, .n = 1 };
	int64_t deadline_ns = deadline_in_ms(HANG_MS);
	bool moved;

	while (look_at_all(&all, how, k, result, &moved)) {
		if (moved || support_again(deadline_ns))
			continue;
		result->hung = true;
		deadline_ns = deadline_in_ms(HANG_MS);
		for (size_t i = 0; i < all.n; i++)
			if (!all.traced[i].gone)
				(void)kill(all.traced[i].tid, SIGKILL);
	}
}

void inject_run(int (*code)(void *param), void *param, enum inject_how how, unsigned int k,
		struct inject_result *ret_result)
{
	pid_t child = fork();

	memset(ret_result, 0, sizeof(*ret_result));
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(99);
		(void)raise(SIGSTOP);
		_exit(code(param));
	}
	(void)waitpid(child, &ret_result->status, __WALL);
	(void)ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE |
			     PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK);
	(void)ptrace(PTRACE_SYSCALL, child, NULL, NULL);
	follow(child, how, k, ret_result);
}
