/* SPDX-License-Identifier: BSD-2-Clause */
#include "faults/guard.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define STACK_BELOW 2048 /* bytes below the stack pointer where nothing is in use */

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal (-1)
#endif

#define ASK(number)                                                                                \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)(number), 0, 1),                         \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE)

static const struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	ASK(SYS_kill),
	ASK(SYS_tkill),
	ASK(SYS_tgkill),
	ASK(SYS_rt_sigqueueinfo),
	ASK(SYS_rt_tgsigqueueinfo),
	ASK(SYS_pidfd_send_signal),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

int guard_install(void)
{
	const struct sock_fprog program = {ARRAY_SIZE(filter), (struct sock_filter *)filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return -errno;
	return 0;
}

int guard_inject(struct tracer *tracer, struct task *task, const struct arch_state *state,
		 raddr_t syscall_at)
{
	raddr_t at = (arch_sp(state) - STACK_BELOW) & ~(raddr_t)15;
	/* As the kernel of the tracee reads a struct sock_fprog. */
	const struct {
		uint64_t n;
		raddr_t filter;
	} program = {ARRAY_SIZE(filter), at + 16};
	int64_t result = 0;
	int r = task_write(task, at, &program, sizeof(program));

	if (r == 0)
		r = task_write(task, at + 16, filter, sizeof(filter));
	if (r == 0)
		r = task_syscall(tracer, task, state, syscall_at, SYS_prctl,
				 (uint64_t[6]){PR_SET_NO_NEW_PRIVS, 1}, &result);
	if (r == 0 && result == 0)
		r = task_syscall(tracer, task, state, syscall_at, SYS_prctl,
				 (uint64_t[6]){PR_SET_SECCOMP, SECCOMP_MODE_FILTER, at}, &result);
	if (r == 0 && result < 0)
		r = (int)result;
	task->guarded = r == 0;
	return r;
}

/* Who would get it is one of those that were copied or started with the sender. */
static bool is_own(struct tracer *tracer, const struct task *task, pid_t pid)
{
	const struct task *other = pid > 0 ? tracer_find(tracer, pid) : NULL;

	return other && other->group == task->group && other->of == task->of;
}

/* Signal 0 only asks whether there is somebody. */
static bool only_asks(long number, const uint64_t arguments[6])
{
	bool by_group = number == SYS_tgkill || number == SYS_rt_tgsigqueueinfo;

	return (int)arguments[by_group ? 2 : 1] == 0;
}

static bool may_send(struct tracer *tracer, const struct task *task, long number,
		     const uint64_t arguments[6])
{
	pid_t pid = (pid_t)arguments[0];

	if (only_asks(number, arguments))
		return true;
	switch (number) {
	case SYS_tgkill:
	case SYS_rt_tgsigqueueinfo:
		return is_own(tracer, task, (pid_t)arguments[1]);
	case SYS_kill:
		/* A process group that one of them leads has none of others in it. */
		if (pid == 0)
			pid = -getpgid(task->tgid);
		return pid != -1 && is_own(tracer, task, pid < 0 ? -pid : pid);
	case SYS_tkill:
	case SYS_rt_sigqueueinfo:
		return is_own(tracer, task, pid);
	default: /* whose process a handle is would have to be looked up */
		return false;
	}
}

bool guard_judge(struct tracer *tracer, struct task *task)
{
	struct arch_state state;
	uint64_t arguments[6];
	long number;

	if (arch_read_registers(task->tid, &state) < 0)
		return false;
	number = arch_syscall_number(&state);
	for (unsigned int i = 0; i < 6; i++)
		arguments[i] = arch_syscall_argument(&state, i);
	if (task->guarded && may_send(tracer, task, number, arguments))
		return false;
	/* A filter of the program's own that asks a tracer: there is none. */
	arch_set_syscall_result(&state, task->guarded ? 0 : -ENOSYS);
	(void)arch_write_registers(task->tid, &state);
	return task->guarded;
}
