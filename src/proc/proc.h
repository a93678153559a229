/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proc.h - processes, threads, mappings and handles, as /proc tells them
 *
 * All of it is untrusted: a process chooses its own name, its paths, its descriptors, and when to
 * die.  Every file is read whole, up to a bound, before it is parsed; names come out raw, and are
 * escaped by whoever shows them.  A process that ends in the middle is -ESRCH, and what the kernel
 * will not show is -EACCES, never a zero.
 */
#ifndef PROC_PROC_H
#define PROC_PROC_H

#include <stdio.h>

#include "base/base.h"

/* fs/proc/array.c builds the name in a buffer of 64; a user's own is at most 15 bytes long. */
#define PROC_NAME_BYTES 64
/* MAX_PID_NS_LEVEL of the kernel, and the outermost. */
#define PROC_NS_PID_MAX 33
/* "no limit", in proc_handle_limit() */
#define PROC_UNLIMITED UINT64_MAX

/* Reading */

/* A handle to /proc/PID: what is opened below it never turns into another process's that was given
 * the same number.  Return: a descriptor, or -ESRCH, -EMFILE, ... */
int proc_open(pid_t pid);

/*
 * The whole of a file below dir_fd, with a NUL behind it that ret_bytes does not count.
 * Return: 0, -ESRCH (gone), -EACCES, -EFBIG (more than max_bytes), -ENOMEM, ...
 */
int proc_read_file(int dir_fd, const char *name, size_t max_bytes, char **ret_text,
		   size_t *ret_bytes);

/* The value of "key:" in a file of such lines, as an address in text; NULL when there is none. */
const char *proc_find_line(const char *text, const char *key);

/* An unsigned number in base 8, 10 or 16 behind blanks, stopping at what is none and at overflow;
 * NULL when there is no digit at all. */
const char *proc_scan(const char *s, unsigned base, uint64_t *ret_value);

/* Processes */

struct proc_process {
	pid_t pid;             /* as asked for: may be the id of a thread */
	pid_t tgid;            /* the process */
	pid_t ppid;
	pid_t session;
	pid_t tracer_pid;      /* 0: nobody traces it */
	uid_t uid, euid, suid;
	gid_t gid, egid, sgid;
	char comm[PROC_NAME_BYTES]; /* raw */
	char state;            /* R S D T t Z X I, as in proc(5) */
	uint8_t no_new_privs;
	uint8_t seccomp;       /* 0 off, 1 strict, 2 filter */
	uint8_t kernel_thread;
	uint8_t shadow_stack;
	uint64_t start_ticks;  /* since boot; with pid, the process's identity */
	uint64_t n_threads;
	uint64_t vm_bytes;
	uint64_t capabilities; /* permitted */
	size_t n_ns_pids;
	pid_t ns_pid[PROC_NS_PID_MAX]; /* outermost first, the process's own last */
	uint64_t resident_pages;
	uint64_t cpu_ticks;    /* user and system time since its start */
	uint64_t user_ticks, system_ticks; /* its parts */
	uint64_t page_faults;  /* since its start, with and without reading a disk */
};

/* Return: 0, -ESRCH, -EACCES, -ENOMEM, -EIO (a /proc that we do not understand). */
int proc_process_read(pid_t pid, struct proc_process *ret_process);
/* Only what /proc/PID/stat tells: neither tgid nor users nor rights. */
int proc_process_read_stat(pid_t pid, struct proc_process *ret_process);

/* It has ended and waits for its parent; one whose leader alone has ended is still alive. */
static inline bool proc_is_zombie(const struct proc_process *process)
{
	return process->state == 'X' || (process->state == 'Z' && process->n_threads <= 1);
}

/* The parsers behind it, for recorded files. */
int proc_parse_stat(const char *text, size_t bytes, struct proc_process *process);
int proc_parse_status(const char *text, struct proc_process *process);

/* Return: 0, -ESRCH, -EACCES (the count cannot be seen: not zero), -ENOMEM, -EMFILE. */
int proc_count_handles(pid_t pid, uint64_t *ret_count);
/* The same, always by counting them one by one, as before Linux 6.2. */
int proc_count_handle_entries(pid_t pid, uint64_t *ret_count);
/* As vm.max_map_count counts them: the kernel's own page, [vsyscall], is none. */
int proc_count_mappings(pid_t pid, uint64_t *ret_count);
/* The soft RLIMIT_NOFILE, or PROC_UNLIMITED. */
int proc_handle_limit(pid_t pid, uint64_t *ret_limit);
int proc_parse_handle_limit(const char *limits, uint64_t *ret_limit);
/* Does the kernel tell the number of handles in st_size (Linux 6.2)? */
bool proc_has_handle_count(void);

/* Ids in rising order, to be freed by the caller. */
int proc_threads(pid_t pid, pid_t **ret_tids, size_t *ret_n);
int proc_processes(pid_t **ret_pids, size_t *ret_n);

/* A thread that still has memory and handles; pid itself unless its leader has ended. */
pid_t proc_live_thread(pid_t pid);

/* Mappings */

struct proc_map {
	raddr_t low, high; /* [low, high) */
	uint8_t read, write, execute, shared;
	uint64_t offset, inode;
	char *path;        /* "" when anonymous; raw, in the buffer of proc_maps */
	uint64_t device;   /* as makedev(3) has it */
};

struct proc_maps {
	struct proc_map *map; /* in rising order of address */
	size_t n_maps;
	char *text;           /* owns all the paths */
};

/* Return: 0 (a kernel thread has none), -ESRCH, -EACCES, -ENOMEM, -EFBIG, -EIO. */
int proc_maps_read(pid_t pid, struct proc_maps *ret_maps);
/* Parse text, which is taken over on success and cut into strings. */
int proc_maps_parse(char *text, size_t bytes, struct proc_maps *ret_maps);
/* The mapping that holds address, or NULL. */
const struct proc_map *proc_maps_find(const struct proc_maps *maps, raddr_t address);
void proc_maps_done(struct proc_maps *maps);

/* Access */

/* What proc_judge_access() goes by. */
struct proc_access_facts {
	struct proc_process target, parent, tracer; /* pid 0: not known */
	bool self;            /* the caller's own process */
	bool allowed;         /* the kernel was asked, and agrees */
	bool has_cap;         /* CAP_SYS_PTRACE in the caller's own user namespace */
	bool other_namespace; /* the target's user namespace is known to be another one */
	bool descends;        /* the target descends from the caller (Yama's scope 1) */
	bool not_dumpable;    /* /proc/PID belongs to root though the process does not */
	uid_t uid;            /* the caller's real ids: ptrace(2) goes by those */
	gid_t gid;
	uint64_t capabilities;
	int yama_scope;       /* -1: the kernel has no Yama */
};

/*
 * Which rule, if any, stands against a remote thread in pid, and the remedy.
 * Return: 0 when none does, otherwise a negative errno with *error filled, at stage CHECK:
 *   -ESRCH    no such process, or a zombie
 *   -EACCES   a kernel thread, uid, dumpable, Yama, user namespace, strict seccomp
 *   -EBUSY    traced by somebody, or stopped by a signal
 *   -ENOEXEC  it runs on a shadow stack
 */
int proc_explain_access(pid_t pid, struct tendril_error *error);
/* The same from facts, without a look at the machine. */
int proc_judge_access(const struct proc_access_facts *facts, struct tendril_error *error);
/* The scope of Yama, -1 when the kernel has none. */
int proc_yama_scope(void);

/* "PID 12 (name)", with the name escaped and short enough for an error's text. */
#define PROC_LABEL_BYTES 96
void proc_label(const struct proc_process *process, char ret_label[PROC_LABEL_BYTES]);

#endif /* PROC_PROC_H */
