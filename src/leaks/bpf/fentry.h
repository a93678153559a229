/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fentry.h - the table of handles hooked itself: other system calls do not pay
 *
 * Each program here runs when a function of the kernel's returns that changes a table, on behalf of
 * the current task.  Which function that is has changed between kernels, so the reader chooses them
 * (and tries whether they are called at all: a compiler may have put one into its callers).
 */
#ifndef LEAKS_BPF_FENTRY_H
#define LEAKS_BPF_FENTRY_H

struct trial trial;

static __always_inline struct thread *begin_hook(struct call *call, struct task_struct *task,
						 struct tried *tried, __u32 number)
{
	struct thread *thread = begin_call(call, task);

	if (!thread && (__u32)task->pid == trial.tid) {
		tried->times++;
		tried->numbers += number;
	}
	return thread;
}

/* What a thread of the kernel's opens for the process, or what is put into the table while it is in
 * a call that opens nothing (an answer to seccomp, a ring's completion), is left to comparisons:
 * its opener is not here. */
static __always_inline int note_open(__u32 number)
{
	struct call call = { .captures = 1, .decides = 1, .origin = SLOT_OPENED };
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs;
	struct thread *thread;
	__u8 kind;

	if (task->flags & (PF_KTHREAD | PF_IO_WORKER))
		return 0;
	thread = begin_hook(&call, task, &trial.opened, number);
	if (!thread)
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	kind = kind_of(task, regs->orig_ax);
	if (kind == CALL_NONE)
		return 0;
	if (kind == CALL_RING)
		call.origin = SLOT_ASYNCHRONOUS;
	call.nr = task->thread_info.status & TS_COMPAT ? CALL_UNKNOWN : (__u16)regs->orig_ax;
	note_stack(&call, thread, task, regs->sp);
	record_in(&call, cached_page(thread, number, true), number, regs);
	take_counts(thread, &call);
	return 0;
}

static __always_inline int note_close(__u32 number)
{
	struct call call = { .decides = 1 };
	struct thread *thread =
		begin_hook(&call, bpf_get_current_task_btf(), &trial.closed, number);

	if (!thread)
		return 0;
	forget_in(&call, cached_page(thread, number, false), number);
	take_counts(thread, &call);
	return 0;
}

static __always_inline int note_difference(__u8 origin)
{
	struct call call = { .captures = 1, .decides = 1, .origin = origin };
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *thread = begin_hook(&call, task, &trial.compared, 0);
	struct pt_regs *regs;

	if (!thread)
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	call.nr = (__u16)regs->orig_ax;
	note_stack(&call, thread, task, regs->sp);
	compare_table(&call);
	take_counts(thread, &call);
	return 0;
}

SEC("fexit")
int BPF_PROG(installed, unsigned int number)
{
	return note_open(number);
}

SEC("fexit")
int BPF_PROG(replaced, struct files_struct *files, struct file *file, unsigned int number,
	     unsigned int flags, int ret)
{
	return ret < 0 ? 0 : note_open(number);
}

SEC("fexit")
int BPF_PROG(closed, unsigned int number)
{
	return note_close(number);
}

SEC("fexit")
int BPF_PROG(closed_inside, unsigned int number)
{
	return note_close(number);
}

SEC("fexit")
int BPF_PROG(closed_range)
{
	return note_difference(SLOT_OPENED);
}

SEC("fexit")
int BPF_PROG(closed_range_32)
{
	return note_difference(SLOT_OPENED);
}

SEC("fexit")
int BPF_PROG(unshared)
{
	return note_difference(SLOT_OPENED);
}

SEC("fexit")
int BPF_PROG(ring_entered)
{
	return note_difference(SLOT_ASYNCHRONOUS);
}

SEC("fexit")
int BPF_PROG(ring_entered_32)
{
	return note_difference(SLOT_ASYNCHRONOUS);
}

#endif /* LEAKS_BPF_FENTRY_H */
