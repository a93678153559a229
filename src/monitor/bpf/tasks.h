/* SPDX-License-Identifier: BSD-2-Clause */
/* tasks.h - what the task iterator writes, one record a process; shared with tasks.bpf.c */
#ifndef MONITOR_BPF_TASKS_H
#define MONITOR_BPF_TASKS_H

enum task_record_kind {
	/* A process, by its leader. */
	TASK_PROCESS = 0,
	/* A thread beside the leader.  Of a leader that has ended the files and the memory are gone,
	 * and these are the process's; of a living one only the time is added. */
	TASK_THREAD,
};

#define TASK_UNKNOWN 0xffffffffu

struct task_record {
	unsigned long long start_ns; /* since boot */
	unsigned long long cpu_ns;
	unsigned long long handle_limit;
	unsigned long long resident_pages;
	unsigned long long cgroups;  /* changes when the process is moved to another group */
	unsigned int pid;            /* of the process, in the reader's namespace */
	unsigned int session;
	unsigned int uid;
	unsigned int threads;
	unsigned int handles;        /* or TASK_UNKNOWN: they went while they were counted */
	unsigned int mappings;
	unsigned int kind;
	unsigned int has_memory;
	char name[16];
};

#endif /* MONITOR_BPF_TASKS_H */
