/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * source.h - where leaks.c has its knowledge of handles from
 *
 * A source follows processes by itself, keeps what is open and the stack of who opened it, and is
 * asked now and then.  Between two questions it costs leaks.c nothing.
 */
#ifndef LEAKS_SOURCE_H
#define LEAKS_SOURCE_H

#include "leaks/leaks.h"
#include "leaks/mappings.h"

#define SOURCE_STACK_MAX 65536
#define SOURCE_NAMES_MAX 8

/* One open handle.  opened_ns and tid together name the opening: the same after fork(2). */
struct source_handle {
	uint32_t owner;      /* key of the process whose table it is in */
	pid_t pid, tid;      /* who opened it */
	int number;
	int syscall;         /* -1: not known */
	enum leaks_origin origin;
	bool no_stack;       /* there was no room to keep it */
	bool has_stack;      /* source_ops.capture will give it */
	uint32_t image;      /* the opener's program: how many execve(2) before */
	int64_t opened_ns;
	uint32_t page, chunk; /* the source's own */
};

struct source_file {
	unsigned int mode, magic;  /* of its inode, and of its file system */
	const char *const *names;  /* from the file upwards */
	size_t n_names;
	bool is_short;             /* only the beginning of the first of them */
};

/* key: of one process, and never of another, as its pid may be. */
struct source_callbacks {
	/* parent: 0 unless it was forked while we watched */
	void (*process)(void *context, pid_t pid, pid_t parent, uint32_t key, const char *name);
	/* A program begins, and is mapped; of every process, also those not watched. */
	void (*mapped)(void *context, const struct mapping_event *event);
	void (*executed)(void *context, uint32_t key, uint32_t image, const char *name);
	/* What a handle was that was open at its process's end (number, tid and opened_ns tell
	 * which). */
	void (*description)(void *context, const struct source_handle *handle,
			    const struct source_file *file);
	/* No more handles of it will come; they are told by each_handle() once more.  Where the
	 * source can, it holds the process at its very end until this returns. */
	void (*ended)(void *context, uint32_t key, int status);
	/* Something of it was not told when it happened: it is told late, in another order. */
	void (*uncertain)(void *context, uint32_t key);
};

struct source;

struct source_ops {
	const char *name;
	/* pid 0: all that there are */
	int (*add)(struct source *source, pid_t pid, bool follow, struct tendril_error *error);
	int (*poll_fd)(const struct source *source);
	/* Calls back what has happened, in the order in which it did. */
	int (*events)(struct source *source);
	/* Compare with the tables themselves; where that takes two looks, the second decides. */
	int (*look)(struct source *source);
	/* CLOCK_MONOTONIC, in ns.  A handle that is opened after this has a later opened_ns. */
	int64_t (*now_ns)(struct source *source);
	/* Of room for stacks: those of young handles should be unwound and released as well. */
	bool (*is_short)(const struct source *source);
	/* owner 0: of all */
	int (*each_handle)(struct source *source, uint32_t owner,
			   int (*tell)(void *context, const struct source_handle *handle), void *context);
	/* buffer: SOURCE_STACK_MAX.  Return: 0, or -ENOENT (closed, and the stack gone). */
	int (*capture)(struct source *source, const struct source_handle *handle,
		       struct captured_stack *ret_stack, unsigned char *buffer);
	/* Its stack is not needed any more. */
	int (*release)(struct source *source, const struct source_handle *handle);
	int (*flush_releases)(struct source *source);
	int (*counts)(struct source *source, uint32_t key, struct leaks_process *process);
	/* Events that never came, of whomever.  NULL: there are none. */
	uint64_t (*missed)(const struct source *source);
	/* Look at it no longer; forget() follows.  -ENOTSUP: the source cannot stop that.  */
	int (*remove)(struct source *source, pid_t pid, uint32_t key);
	/* Everything kept of a process that has ended, or was removed. */
	void (*forget)(struct source *source, uint32_t key);
	void (*close)(struct source *source);
};

struct source {
	const struct source_ops *ops;
	const char *hook; /* as in struct leaks_snapshot */
	const struct source_callbacks *callbacks;
	void *context;
};

int source_bpf_open(const struct leaks_options *options, struct source **ret_source,
		    struct tendril_error *error);

int source_ptrace_open(const struct leaks_options *options, struct source **ret_source,
		       struct tendril_error *error);

#endif /* LEAKS_SOURCE_H */
