/* SPDX-License-Identifier: BSD-2-Clause */
/* task.c - copies of stopped processes, system calls that they make for us, and their memory */
#include <string.h>
#include <sys/uio.h>

#include "faults/trace.h"

#define COPY_LIMIT_NS (10 * NS_PER_S)

int task_copy(struct tracer *tracer, struct task *task, const struct arch_state *state,
	      raddr_t syscall_at, const struct arch_state *copy_state, struct group *group,
	      struct task **ret_copy)
{
	int64_t deadline = now_ns() + COPY_LIMIT_NS;
	struct arch_state call = *state;
	struct task *copy = NULL;
	uint64_t arguments[6];
	struct stop stop;
	long number;
	int r;

	/* A sibling is ours to reap; who else has made the process should not see a new child. */
	arch_fork_arguments(task->ours, &number, arguments);
	arch_set_syscall_here(&call, syscall_at, number, arguments);
	r = arch_write_registers(task->tid, &call);
	task->is_copied = true;
	for (bool done = false; r == 0 && !done;) {
		task_resume(task, PTRACE_SINGLESTEP, 0);
		r = task_next(tracer, task, deadline, &stop);
		if (r == 0 && stop.kind == STOP_CLONE)
			copy = stop.child;
		done = r == 0 && stop.kind == STOP_TRAP;
	}
	if (r < 0)
		return r;
	task->is_copied = false;
	if (!copy)
		return arch_read_registers(task->tid, &call) == 0 && arch_syscall_result(&call) < 0
			       ? (int)arch_syscall_result(&call)
			       : -ENOMEM;
	r = task_next(tracer, copy, deadline, &stop);
	if (r == 0)
		r = arch_write_registers(copy->tid, copy_state);
	if (r < 0)
		return r;
	copy->ours = task->ours;
	copy->guarded = task->guarded;
	task_move(copy, group);
	*ret_copy = copy;
	return 0;
}

int task_syscall(struct tracer *tracer, struct task *task, const struct arch_state *state,
		 raddr_t syscall_at, long number, const uint64_t arguments[6], int64_t *ret_result)
{
	struct arch_state call = *state;
	struct stop stop;
	int r;

	arch_set_syscall_here(&call, syscall_at, number, arguments);
	r = arch_write_registers(task->tid, &call);
	if (r < 0)
		return r;
	do {
		task_resume(task, PTRACE_SINGLESTEP, 0);
		r = task_next(tracer, task, now_ns() + COPY_LIMIT_NS, &stop);
	} while (r == 0 && stop.kind != STOP_TRAP);
	if (r == 0)
		r = arch_read_registers(task->tid, &call);
	if (r < 0)
		return r;
	*ret_result = arch_syscall_result(&call);
	return arch_write_registers(task->tid, state);
}

/* Signals */

int task_hold_signals(const struct task *task, uint64_t *ret_mask)
{
	uint64_t mask;

	if (ptrace(PTRACE_GETSIGMASK, task->tid, (void *)sizeof(mask), &mask) < 0)
		return -errno;
	*ret_mask = mask;
	return task_set_signals(task, UINT64_MAX);
}

int task_set_signals(const struct task *task, uint64_t mask)
{
	return ptrace(PTRACE_SETSIGMASK, task->tid, (void *)sizeof(mask), &mask) < 0 ? -errno : 0;
}

/* Memory */

size_t task_read_some(const struct task *task, raddr_t address, void *data, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		size_t to_page = 4096 - (address + done) % 4096;
		struct iovec here = {(char *)data + done, bytes - done};
		struct iovec there = {(void *)(uintptr_t)(address + done), bytes - done};
		ssize_t n = process_vm_readv(task->tgid, &here, 1, &there, 1, 0);

		if (n < 0 && to_page < here.iov_len) {
			here.iov_len = there.iov_len = to_page;
			n = process_vm_readv(task->tgid, &here, 1, &there, 1, 0);
		}
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

int task_read(const struct task *task, raddr_t address, void *data, size_t bytes)
{
	return task_read_some(task, address, data, bytes) == bytes ? 0 : -EFAULT;
}

int task_write(const struct task *task, raddr_t address, const void *data, size_t bytes)
{
	const unsigned char *from = data;

	while (bytes) { /* also where it is read-only: so not process_vm_writev(2) */
		unsigned int skip = address % sizeof(long);
		size_t n = sizeof(long) - skip < bytes ? sizeof(long) - skip : bytes;
		void *at = (void *)(uintptr_t)(address - skip);
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, task->tid, at, NULL);
		if (errno)
			return errno == ESRCH ? -ESRCH : -EFAULT;
		memcpy((char *)&word + skip, from, n);
		if (ptrace(PTRACE_POKEDATA, task->tid, at, (void *)word) < 0)
			return errno == ESRCH ? -ESRCH : -EFAULT;
		address += n;
		from += n;
		bytes -= n;
	}
	return 0;
}
