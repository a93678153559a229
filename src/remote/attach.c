/* SPDX-License-Identifier: BSD-2-Clause */
/* attach.c - the caller's handle to the new thread, and the page that they share */
#include "remote/operation.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fault.h"

/* Is this descriptor the mailbox's?  The target may have closed that, and opened something else. */
static bool is_mailbox(const struct operation *op, int fd)
{
	struct stat st;
	uint64_t mark = 0;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == MAILBOX_BYTES &&
	       pread(fd, &mark, sizeof(mark), offsetof(struct mailbox, mark)) == sizeof(mark) &&
	       mark == op->plan.agent.mark;
}

/* Sealed, since the target could shorten it. */
static int map_mailbox(struct operation *op)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;
	void *page;
	int r = FAULT_POINT("mailbox");

	if (r < 0)
		return r;
	fd = (int)syscall(SYS_pidfd_getfd, op->target->pidfd, op->seen.memfd, 0);
	if (fd < 0)
		return -errno;
	if (!is_mailbox(op, fd))
		return -EPROTO;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_size != MAILBOX_BYTES)
		return -EPROTO;
	page = mmap(NULL, MAILBOX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	op->thread->box = page;
	return 0;
}

void operation_forget_attempt(struct operation *op)
{
	memset(&op->seen, 0, sizeof(op->seen));
	op->seen.memfd = -1;
	op->has_departed = false;
	op->has_seen_arena = false;
	op->mailbox_result = MAILBOX_UNTRIED;
	if (op->thread->box)
		(void)munmap(op->thread->box, MAILBOX_BYTES);
	op->thread->box = NULL;
}

void operation_take_mailbox(struct operation *op)
{
	if (op->mailbox_result == MAILBOX_UNTRIED)
		op->mailbox_result = map_mailbox(op);
}

/* In another PID namespace the thread knows itself by another number than we do. */
static int translate_tid(struct operation *op, pid_t *ret_tid)
{
	AUTO_FREE pid_t *tids = NULL;
	struct proc_process thread;
	size_t n = 0;
	int r;

	if (op->target->same_pid_namespace) {
		*ret_tid = op->seen.tid;
		return 0;
	}
	r = proc_threads(op->target->pid, &tids, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (proc_process_read(tids[n - 1 - i], &thread) < 0 || thread.n_ns_pids == 0)
			continue;
		if (thread.ns_pid[thread.n_ns_pids - 1] == op->seen.tid) {
			*ret_tid = tids[n - 1 - i];
			return 0;
		}
	}
	return r < 0 ? r : -ESRCH;
}

/* By its own impatience; and not with the whole process, of which it may be the first to die. */
static bool has_left_alone(const struct operation *op)
{
	const struct mailbox *box = op->thread->box;

	if (box && __atomic_load_n(&box->verdict, __ATOMIC_ACQUIRE) == AGENT_VERDICT_TOO_LATE)
		return !target_has_ended(op->target);
	return !target_is_ending(op->target);
}

int operation_attach(struct operation *op, struct tendril_error *error)
{
	struct tendril_thread *thread = op->thread;
	int r = FAULT_POINT("attach");

	if (r == 0)
		r = op->mailbox_result == MAILBOX_UNTRIED || op->seen.tid <= 0 ? -EPROTO
									     : op->mailbox_result;
	if (r == 0)
		r = translate_tid(op, &thread->tid);
	if (r == 0)
		r = FAULT_POINT("handle");
	if (r == 0)
		r = thread->fd = open_thread_fd(op->target->pid, thread->tid,
						&thread->fd_is_process);
	if (r == -EMFILE || r == -ENFILE)
		return fail(error, r, TENDRIL_STAGE_ATTACH, TENDRIL_RULE_LIMIT,
			    "no more handles may be opened here: %s (RLIMIT_NOFILE)", strerror(-r));
	if ((r == -ESRCH || r == -EBADF) && target_is_same_image(op->target) && has_left_alone(op))
		return fail(error, -ETIMEDOUT, TENDRIL_STAGE_ATTACH, TENDRIL_RULE_NONE,
			    "the new thread had waited too long for its verdict, and left");
	if (r < 0)
		return stage_fails(op, r, TENDRIL_STAGE_ATTACH, TENDRIL_RULE_NONE, error,
				   "taking a handle to the new thread");
	return 0;
}
