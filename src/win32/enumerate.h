/* SPDX-License-Identifier: BSD-2-Clause */
/* enumerate.h - what Toolhelp and PSAPI tell about: processes, threads and modules of the system */
#ifndef WIN32_ENUMERATE_H
#define WIN32_ENUMERATE_H

#include "win32/win32_internal.h"

/* module_list.c: what is loaded in a process */
struct module {
	raddr_t base; /* where its first segment is: Windows's HMODULE */
	uint64_t bytes;
	raddr_t bias; /* what is added to the addresses in its file */
	char *path;   /* of its file, raw; absolute where anybody knows it so */
	const char
		*name; /* the last component of the loader's name for it, in this or that memory */
};

struct module_list {
	struct module *module; /* the executable first, then as the loader has them */
	size_t n_modules;
	size_t room;
	bool is_32bit; /* the process, and so all of them */
};

/*
 * Return: 0; -ESRCH: no such process; -EACCES: it may not be looked at, or is the kernel's own and
 * has none; -ENOMEM, -EMFILE, ...
 */
int module_list_read(pid_t pid, struct module_list *ret_list);
void module_list_done(struct module_list *list);

#define AUTO_MODULE_LIST __attribute__((cleanup(module_list_done)))

/* running.c: who runs */
/* The path of the executable, without the kernel's " (deleted)".  -ENXIO: it has none. */
int executable_path(pid_t pid, char **ret_path);
const char *last_component(const char *path);
void strip_deleted(char *path);

struct running_process {
	pid_t pid, parent;
	size_t n_threads;
	int priority;     /* 0 to 31, as Windows has them */
	const char *name; /* of the executable's file, raw, valid during the call; NULL: ids_only */
};

struct running_thread {
	pid_t tid, pid;
	int priority;
};

/* Who is told; a negative value ends it and is returned.  Threads of a process come before it. */
struct running_told {
	int (*process)(void *context, const struct running_process *process); /* may be NULL */
	int (*thread)(void *context, const struct running_thread *thread);    /* may be NULL */
	void *context;
	bool ids_only;
};

/*
 * Every process that runs, once; what ends meanwhile is left out or told as a whole.  A thread that
 * ends can give its id to another one before the end: what is told later is right.
 */
int running_tell(const struct running_told *told);

/* snapshot.c: a copy that does not change, in one descriptor */
enum snapshot_list {
	SNAPSHOT_PROCESSES,
	SNAPSHOT_THREADS,
	SNAPSHOT_MODULES,
	SNAPSHOT_LISTS,
};

struct process_record {
	uint32_t pid, parent, n_threads;
	int32_t priority;
	uint64_t name; /* where in the text, as are the other names */
};

struct thread_record {
	uint32_t tid, pid;
	int32_t priority;
};

struct module_record {
	uint64_t base, bytes, name, path;
	uint32_t pid, unused;
};

/* flags: TH32CS_...; pid: whose modules.  Return: 0, or as module_list_read(). */
int snapshot_make(DWORD flags, pid_t pid, int *ret_fd, struct snapshot **ret_snapshot);
/* The next record of a list, or the first; NULL: there are no more.  Threads may share it. */
const void *snapshot_next(struct snapshot *snapshot, enum snapshot_list list, bool first);
const char *snapshot_text(const struct snapshot *snapshot, uint64_t at);

#endif /* WIN32_ENUMERATE_H */
