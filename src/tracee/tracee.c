/* SPDX-License-Identifier: BSD-2-Clause */
#include "tracee/seccomp.h"

#include <asm/unistd.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "proc/proc.h"

#define SPINS_HARD    400      /* some 100 us: the usual stop comes within these */
#define SPIN_NS       200000
#define INTERRUPT_GRACE_NS (2 * NS_PER_S)
#define DYING_NS      (50 * NS_PER_MS)
#define NAP_FIRST_NS  20000
#define NAP_LONGEST_NS 500000

#define EVENT_STOP_CODE(sig) ((sig) | PTRACE_EVENT_STOP << 8)
#define SYSCALL_STOP_CODE    (SIGTRAP | 0x80) /* with PTRACE_O_TRACESYSGOOD */

void tracee_init(struct tracee *tracee, pid_t pid, pid_t tid, int mem)
{
	tracee->pid = pid;
	tracee->tid = tid;
	tracee->mem = mem;
	tracee->seized = false;
	tracee->at_entry = false;
	tracee->interrupted = false;
	tracee->stopped_at_ns = 0;
	tracee->stopped_ns = 0;
	tracee->original.xstate_bytes = 0;
}

/*
 * A thread that died while we traced it stays a zombie until its tracer looks.  Not so the main
 * thread of a child of the caller's own: its exit status belongs to the caller.
 */
static bool has_died(struct tracee *tracee)
{
	siginfo_t info = { 0 };

	if (syscall(SYS_tgkill, tracee->pid, tracee->tid, 0) < 0 && errno == ESRCH)
		return true;
	if (waitid(P_PID, (id_t)tracee->tid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 ||
	    info.si_pid == 0)
		return false;
	/* The stops of a tracee are reported too, asked for or not. */
	return info.si_code == CLD_EXITED || info.si_code == CLD_KILLED ||
	       info.si_code == CLD_DUMPED;
}

static bool is_own_child(const struct tracee *tracee)
{
	struct proc_process process;

	return proc_process_read(tracee->pid, &process) == 0 && process.ppid == getpid();
}

static int gone(struct tracee *tracee)
{
	int64_t deadline_ns = now_ns() + DYING_NS;
	siginfo_t info;

	/* ptrace(2) says ESRCH of one that is being killed, but also of one that runs. */
	while (!has_died(tracee)) {
		if (now_ns() > deadline_ns)
			return -EIO; /* it is still ours */
		nap_ns(NAP_FIRST_NS);
	}
	if (tracee->seized && (tracee->tid != tracee->pid || !is_own_child(tracee)))
		(void)waitid(P_PID, (id_t)tracee->tid, &info, WEXITED | WNOHANG | __WALL);
	tracee->seized = false;
	return -ESRCH;
}

static void note_running(struct tracee *tracee)
{
	if (tracee->stopped_at_ns)
		tracee->stopped_ns += now_ns() - tracee->stopped_at_ns;
	tracee->stopped_at_ns = 0;
}

/* Look once.  0: stopped, *ret_info says why; -EAGAIN: it runs; -ESRCH. */
static int look(struct tracee *tracee, siginfo_t *ret_info)
{
	if (ptrace(PTRACE_GETSIGINFO, tracee->tid, 0, ret_info) == 0)
		return 0;
	return errno == EINVAL ? 0 : -EAGAIN;
}

/* Until it stops; the kernel has nothing better to wait on that would not take the caller's own
 * children's events, so this is a short spin and then naps that grow. */
static int wait_for_stop(struct tracee *tracee, int64_t deadline_ns, siginfo_t *ret_info)
{
	int64_t start = now_ns(), nap = NAP_FIRST_NS;

	for (int i = 0;; i++) {
		int64_t now;

		if (look(tracee, ret_info) == 0) {
			tracee->stopped_at_ns = now_ns();
			return 0;
		}
		if (i < SPINS_HARD && i % 16 != 15)
			continue;
		now = now_ns();
		if (has_died(tracee))
			return gone(tracee);
		if (now > deadline_ns)
			return -ETIMEDOUT;
		if (now - start < SPIN_NS) {
			(void)sched_yield();
			continue;
		}
		nap_ns(nap);
		nap = nap * 2 > NAP_LONGEST_NS ? NAP_LONGEST_NS : nap * 2;
	}
}

static enum tracee_event classify(const siginfo_t *info)
{
	if (info->si_signo == SIGTRAP && info->si_code == EVENT_STOP_CODE(SIGTRAP))
		return TRACEE_INTERRUPTED;
	if (info->si_code == EVENT_STOP_CODE(info->si_signo))
		return TRACEE_GROUP_STOP;
	if (info->si_signo == SIGTRAP && info->si_code == SYSCALL_STOP_CODE)
		return TRACEE_SYSCALL_STOP;
	return TRACEE_SIGNAL;
}

int tracee_wait(struct tracee *tracee, int64_t deadline_ns, enum tracee_event *ret_event)
{
	for (;;) {
		siginfo_t info = { 0 };
		int r = wait_for_stop(tracee, deadline_ns, &info);

		if (r < 0)
			return r;
		*ret_event = classify(&info);
		if (*ret_event != TRACEE_SIGNAL)
			return 0;
		/*
		 * A stop for a signal can use up our interrupt: ask again first, then let the
		 * signal go where it was going.
		 */
		if (ptrace(PTRACE_INTERRUPT, tracee->tid, 0, 0) < 0 && errno == ESRCH)
			return gone(tracee);
		note_running(tracee);
		if (ptrace(PTRACE_CONT, tracee->tid, 0, (void *)(intptr_t)info.si_signo) < 0)
			return gone(tracee);
	}
}

/* An interrupted call will be taken up again when the thread goes on, whoever lets it. */
static int write_hidden(struct tracee *tracee)
{
	int r;

	arch_hide_interruption(&tracee->original);
	r = arch_write_registers(tracee->tid, &tracee->original);
	return r == -ESRCH ? gone(tracee) : r;
}

/* Stopped: what we find is what has to be there when we leave. */
static int take_state(struct tracee *tracee, enum tracee_event event)
{
	int r = arch_read_registers(tracee->tid, &tracee->original);

	if (r == -ESRCH)
		return gone(tracee);
	if (r < 0)
		return r;
	/* At the entry of a call its result is not there yet; the kernel has put -ENOSYS. */
	tracee->at_entry = event == TRACEE_SYSCALL_STOP &&
			   arch_syscall_result(&tracee->original) == -ENOSYS;
	tracee->interrupted = !tracee->at_entry && arch_is_interrupted(&tracee->original);
	/* The kernel restarts some calls by restart_syscall(2).  Where that would kill the thread, the
	 * call is made anew instead: better its full time once more than none at all. */
	if (tracee->interrupted && arch_keeps_time(&tracee->original) &&
	    seccomp_refuses(tracee->tid, __NR_restart_syscall))
		arch_make_anew(&tracee->original);
	/* At once: were we to die now, the thread must not see an EINTR of our making. */
	if (tracee->interrupted)
		return write_hidden(tracee);
	return 0;
}

int tracee_await(struct tracee *tracee, int64_t deadline_ns)
{
	enum tracee_event event;
	int r = tracee_wait(tracee, deadline_ns, &event);

	if (r == 0)
		r = take_state(tracee, event);
	if (r < 0)
		return r;
	return event == TRACEE_GROUP_STOP ? -EBUSY : 0;
}

int tracee_interrupt(struct tracee *tracee, int64_t deadline_ns)
{
	if (ptrace(PTRACE_INTERRUPT, tracee->tid, 0, 0) < 0)
		return gone(tracee);
	/* Whatever the deadline: what has been interrupted has to be seen stopped, to be let go. */
	if (deadline_ns < now_ns() + INTERRUPT_GRACE_NS)
		deadline_ns = now_ns() + INTERRUPT_GRACE_NS;
	/* A stop at a system call that comes first uses the interrupt up; it will do as well. */
	return tracee_await(tracee, deadline_ns);
}

int tracee_stop(struct tracee *tracee, int64_t deadline_ns)
{
	int r = FAULT_POINT("seize");

	if (r < 0)
		return r;
	if (ptrace(PTRACE_SEIZE, tracee->tid, 0, (void *)PTRACE_O_TRACESYSGOOD) < 0)
		return -errno;
	tracee->seized = true;
	r = FAULT_POINT("interrupt");
	if (r < 0) {
		(void)tracee_interrupt(tracee, deadline_ns);
		(void)tracee_restore(tracee);
		return r;
	}
	r = tracee_interrupt(tracee, deadline_ns);
	if (r == -EBUSY)
		(void)tracee_detach(tracee);
	return r;
}

int tracee_resume(struct tracee *tracee, bool to_syscall)
{
	note_running(tracee);
	if (ptrace(to_syscall ? PTRACE_SYSCALL : PTRACE_CONT, tracee->tid, 0, 0) < 0)
		return gone(tracee);
	return 0;
}

int tracee_set_signals(struct tracee *tracee, uint64_t mask)
{
	if (ptrace(PTRACE_SETSIGMASK, tracee->tid, (void *)sizeof(mask), &mask) < 0)
		return gone(tracee);
	return 0;
}

int tracee_block_signals(struct tracee *tracee)
{
	return tracee_set_signals(tracee, UINT64_MAX);
}

int tracee_keep_running(struct tracee *tracee)
{
	siginfo_t info = { 0 };
	int signal = 0;

	if (look(tracee, &info) < 0)
		return has_died(tracee) ? gone(tracee) : 0;
	if (classify(&info) == TRACEE_SIGNAL)
		signal = info.si_signo;
	if (ptrace(PTRACE_CONT, tracee->tid, 0, (void *)(intptr_t)signal) < 0)
		return gone(tracee);
	return 0;
}

int tracee_detach(struct tracee *tracee)
{
	if (!tracee->seized)
		return 0;
	note_running(tracee);
	if (ptrace(PTRACE_DETACH, tracee->tid, 0, 0) < 0)
		return gone(tracee);
	tracee->seized = false;
	return 0;
}

int tracee_restore(struct tracee *tracee)
{
	int r;

	if (!tracee->seized)
		return -ESRCH;
	r = arch_write_registers(tracee->tid, &tracee->original);
	if (r == -ESRCH)
		return gone(tracee);
	return r < 0 ? r : tracee_detach(tracee);
}

int tracee_write(const struct tracee *tracee, raddr_t address, const void *data, size_t bytes)
{
	ssize_t n = pwrite(tracee->mem, data, bytes, (off_t)address);

	if (n == (ssize_t)bytes)
		return 0;
	return n == 0 ? -ESRCH : -EFAULT;
}

int tracee_read(const struct tracee *tracee, raddr_t address, void *data, size_t bytes)
{
	ssize_t n = pread(tracee->mem, data, bytes, (off_t)address);

	if (n == (ssize_t)bytes)
		return 0;
	return n == 0 ? -ESRCH : -EFAULT;
}

/* To the next stop at a system call; the signals are blocked, but a SIGSTOP may come. */
static int next_syscall_stop(struct tracee *tracee, int64_t deadline_ns)
{
	enum tracee_event event;

	do {
		int r = tracee_resume(tracee, true);

		if (r == 0)
			r = tracee_wait(tracee, deadline_ns, &event);
		if (r < 0)
			return r;
	} while (event != TRACEE_SYSCALL_STOP);
	return 0;
}

int tracee_syscall(struct tracee *tracee, raddr_t syscall_ret, raddr_t sp, long number,
		   const uint64_t arguments[6], int64_t deadline_ns, int64_t *ret_result)
{
	struct arch_state state;
	int r;

	/* Whatever the deadline: it has to be seen through, or nobody could put the thread back. */
	if (deadline_ns < now_ns() + INTERRUPT_GRACE_NS)
		deadline_ns = now_ns() + INTERRUPT_GRACE_NS;
	state.regs = tracee->original.regs;
	arch_set_syscall(&state, syscall_ret, sp, number, arguments);
	r = arch_write_registers(tracee->tid, &state);
	if (r < 0)
		return r == -ESRCH ? gone(tracee) : r;
	/* Only now, so that were we to die the way home, which restores the mask, has begun. */
	r = tracee_block_signals(tracee);
	if (r < 0)
		return r;
	/*
	 * The entry, then the exit.  Where the thread stood at the entry of a call of its own, the
	 * exit of that one, which we have turned into nothing, comes first.
	 */
	for (int stops = 0; stops < 3; stops++) {
		struct __ptrace_syscall_info info = { 0 };

		r = next_syscall_stop(tracee, deadline_ns);
		if (r < 0)
			return r;
		if (ptrace(PTRACE_GET_SYSCALL_INFO, tracee->tid, (void *)sizeof(info), &info) < 0)
			return gone(tracee);
		if (info.op == PTRACE_SYSCALL_INFO_EXIT &&
		    info.instruction_pointer == syscall_ret + ARCH_SYSCALL_BYTES) {
			*ret_result = info.exit.rval;
			return 0;
		}
	}
	return -EIO;
}
