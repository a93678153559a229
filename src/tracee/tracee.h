/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tracee.h - one thread of the target, stopped for as short a time as can be
 *
 * Only that thread: seized and interrupted, never attached with SIGSTOP.  The other threads of the
 * process go on.  Stops are looked for with ptrace(2) itself, not with wait(2), so that nothing is
 * taken from a caller who waits for children of its own.
 */
#ifndef TRACEE_TRACEE_H
#define TRACEE_TRACEE_H

#include "arch/arch.h"

struct tracee {
	pid_t pid, tid;
	int mem;   /* /proc/PID/mem, borrowed */
	bool seized;
	bool at_entry; /* stopped where it enters a system call */
	bool interrupted; /* original is in the middle of one */
	int64_t stopped_at_ns, stopped_ns;
	struct arch_state original; /* as it was when we came, to be put back */
};

enum tracee_event {
	TRACEE_INTERRUPTED,  /* our PTRACE_INTERRUPT */
	TRACEE_GROUP_STOP,   /* the whole process was stopped by a signal */
	TRACEE_SYSCALL_STOP,
	TRACEE_SIGNAL,       /* a signal is about to be delivered */
};

void tracee_init(struct tracee *tracee, pid_t pid, pid_t tid, int mem);

/*
 * Seize and interrupt; on success it is stopped and ->original has the general registers.
 * Return: 0; -EPERM: traced by somebody, or not permitted; -ESRCH: gone; -ETIMEDOUT: it does not
 * stop (uninterruptible), and is ours until it does, or we end; -EBUSY: the process is stopped, and with
 * it the thread (from tracee_stop(): let go; from the others: still ours).
 */
int tracee_stop(struct tracee *tracee, int64_t deadline_ns);

/* Again, for a thread that is seized and runs. */
int tracee_interrupt(struct tracee *tracee, int64_t deadline_ns);
/* Wait for a stop of a thread that was let run to its next system call; as tracee_stop(). */
int tracee_await(struct tracee *tracee, int64_t deadline_ns);

/* Let it run on, still seized; to the next system call if @to_syscall. */
int tracee_resume(struct tracee *tracee, bool to_syscall);

/*
 * Look at a thread that was let run: should it have stopped for a signal (SIGSTOP cannot be
 * blocked), or with the whole process, let it run on.  It stops with the others when it is let go;
 * but a traced one that nobody lets run would stay stopped, though the others are continued.
 */
int tracee_keep_running(struct tracee *tracee);

/* Wait for the next stop, delivering signals that come in between. */
int tracee_wait(struct tracee *tracee, int64_t deadline_ns, enum tracee_event *ret_event);

/* From here on signals wait: a handler must not run, or jump away, in the middle of ours. */
int tracee_block_signals(struct tracee *tracee);
int tracee_set_signals(struct tracee *tracee, uint64_t mask);

/* Let go; the registers are those that were last written. */
int tracee_detach(struct tracee *tracee);

/* Put the original state back, so that a broken-off system call goes on, and let go. */
int tracee_restore(struct tracee *tracee);

/* Memory, through /proc/PID/mem: also where it is read-only.  0, -EFAULT, -ESRCH. */
int tracee_write(const struct tracee *tracee, raddr_t address, const void *data, size_t bytes);
int tracee_read(const struct tracee *tracee, raddr_t address, void *data, size_t bytes);

/*
 * One system call by the stopped thread; its stack pointer is set to sp, where the way home
 * begins should we die meanwhile.  *ret_result is the kernel's own result.
 */
int tracee_syscall(struct tracee *tracee, raddr_t syscall_ret, raddr_t sp, long number,
		   const uint64_t arguments[6], int64_t deadline_ns, int64_t *ret_result);

#endif /* TRACEE_TRACEE_H */
