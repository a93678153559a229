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
	case SYS_ptrace:
		return regs->rdi == PTRACE_DETACH;
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
		return regs->rdi == PTRACE_SEIZE ? -EPERM : -ESRCH;
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

/* A wait that ends at the deadline, with the child killed. */
static bool wait_stop(pid_t child, struct inject_result *result, int64_t deadline_ns)
{
	for (;;) {
		pid_t r = waitpid(child, &result->status, WNOHANG | __WALL);

		if (r == child)
			return WIFSTOPPED(result->status);
		if (r < 0)
			return false;
		if (!support_again(deadline_ns)) {
			result->hung = true;
			(void)kill(child, SIGKILL);
			(void)waitpid(child, &result->status, __WALL);
			return false;
		}
	}
}

struct tracing {
	pid_t child;
	bool between_marks, in_call, fail_now;
	struct user_regs_struct regs;
};

static void at_entry(struct tracing *t, enum inject_how how, unsigned int k,
		     struct inject_result *result)
{
	long number = (long)t->regs.orig_rax;

	if (number == SYS_getpriority && t->regs.rdi == MARK) {
		t->between_marks = t->regs.rsi != 0;
		return;
	}
	if (!t->between_marks || ++result->n_calls != k)
		return;
	result->number = number;
	result->was_injected = how != INJECT_ERROR || !cannot_fail(&t->regs);
	if (how == INJECT_KILL_BEFORE)
		(void)kill(t->child, SIGKILL);
	t->fail_now = result->was_injected && how != INJECT_KILL_BEFORE;
	if (t->fail_now && how == INJECT_ERROR) {
		struct user_regs_struct changed = t->regs;

		changed.orig_rax = (unsigned long)-1;
		(void)ptrace(PTRACE_SETREGS, t->child, NULL, &changed);
	}
}

static void at_exit_of_call(struct tracing *t, enum inject_how how)
{
	struct user_regs_struct now;

	if (!t->fail_now)
		return;
	t->fail_now = false;
	if (how == INJECT_KILL_AFTER) {
		(void)kill(t->child, SIGKILL);
		return;
	}
	(void)ptrace(PTRACE_GETREGS, t->child, NULL, &now);
	now.rax = (unsigned long)error_of(&t->regs);
	(void)ptrace(PTRACE_SETREGS, t->child, NULL, &now);
}

static void follow(pid_t child, enum inject_how how, unsigned int k, struct inject_result *result)
{
	struct tracing t = { .child = child };
	int64_t deadline_ns = deadline_in_ms(HANG_MS);

	while (wait_stop(child, result, deadline_ns)) {
		int signal = WSTOPSIG(result->status);

		if (signal == (SIGTRAP | 0x80)) {
			signal = 0;
			if (!t.in_call) {
				(void)ptrace(PTRACE_GETREGS, child, NULL, &t.regs);
				at_entry(&t, how, k, result);
			} else {
				at_exit_of_call(&t, how);
			}
			t.in_call = !t.in_call;
		} else if (signal == SIGSTOP || signal == SIGTRAP) {
			signal = 0;
		}
		(void)ptrace(PTRACE_SYSCALL, child, NULL, (long)signal);
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
	(void)ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	(void)ptrace(PTRACE_SYSCALL, child, NULL, NULL);
	follow(child, how, k, ret_result);
}
