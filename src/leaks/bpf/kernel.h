/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* kernel.h - the members of kernel structures that handles.bpf.c uses; where they are in this kernel
 * is found out when the program is loaded. */
#ifndef LEAKS_BPF_KERNEL_H
#define LEAKS_BPF_KERNEL_H

#include "base/bpf_types.h"

/* Of <linux/bpf.h>, which needs the headers of a machine that the BPF target is not. */
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_STACK = 23,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1 << 0,
	BPF_F_MMAPABLE = 1 << 10,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1 << 0,
	BPF_RB_AVAIL_DATA = 0,
};

#define PF_EXITING    0x00000004
#define PF_IO_WORKER  0x00000010
#define PF_KTHREAD    0x00200000
#define PF_EXITING    0x00000004
#define CLONE_FILES   0x00000400
#define CLONE_PIDFD   0x00001000
#define CLONE_THREAD  0x00010000
#define TS_COMPAT     0x0002
#define PIDTYPE_TGID  1

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} KERNEL;

struct pid_namespace;

struct upid {
	int nr;
	struct pid_namespace *ns;
} KERNEL;

struct pid {
	unsigned int level;
	struct upid numbers[1];
} KERNEL;

struct qstr {
	const unsigned char *name;
} KERNEL;

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
} KERNEL;

struct vfsmount {
	struct dentry *mnt_root;
} KERNEL;

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
} KERNEL;

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
} KERNEL;

struct super_block {
	unsigned long s_magic;
} KERNEL;

struct inode {
	__u16 i_mode;
	struct super_block *i_sb;
} KERNEL;

struct file {
	struct inode *f_inode;
	struct path f_path;
} KERNEL;

struct timespec64 {
	__s64 tv_sec;
} KERNEL;

struct bpf_rb_root {
} KERNEL;

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
	unsigned long *open_fds;
} KERNEL;

typedef struct {
	int counter;
} atomic_t;

struct files_struct {
	atomic_t count;
	struct fdtable *fdt;
} KERNEL;

struct signal_struct {
	atomic_t live;
	int nr_threads;
	struct pid *pids[4];
} KERNEL;

struct mm_struct {
	unsigned long start_stack;
} KERNEL;

struct vm_area_struct {
	unsigned long vm_start, vm_end;
} KERNEL;

/* x86: the architecture's own part. */
struct thread_info {
	__u32 status;
} KERNEL;

struct thread_struct {
	unsigned long fsbase;
} KERNEL;

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx;
	unsigned long r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp;
} KERNEL;

struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	int pid, tgid;
	int exit_code;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	struct files_struct *files;
	struct mm_struct *mm;
	struct pid *thread_pid;
	struct thread_struct thread;
	char comm[16];
} KERNEL;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} KERNEL;

#endif /* LEAKS_BPF_KERNEL_H */
