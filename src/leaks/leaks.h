/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leaks.h - who opened the handles that a live process does not close
 *
 * leaks_open() begins to watch, leaks_step() takes over what has happened, leaks_snapshot() tells
 * what is open now and which call stack opened it.  Processes watched are neither stopped nor
 * changed (but by the ptrace source, which says so); all that is kept in the kernel goes with our
 * descriptors, at our death too.
 */
#ifndef LEAKS_LEAKS_H
#define LEAKS_LEAKS_H

#include "base/base.h"
#include "symbolize/symbolize.h"

#define LEAKS_NAME_BYTES 64

enum leaks_origin {
	LEAKS_OPENED,       /* by a call that we saw, with its stack */
	LEAKS_BEFORE,       /* open before we looked */
	LEAKS_INHERITED,    /* opened in the parent (with its stack when we saw that), kept over fork(2) */
	LEAKS_ASYNCHRONOUS, /* by the kernel on its behalf (io_uring): the stack is of who waited for it */
	LEAKS_INSTALLED,    /* by another process (seccomp's ADDFD, pidfd_getfd's reverse) */
	LEAKS_FOUND,        /* there, but nobody saw it come: the opener is not known */
};

struct leaks_handle {
	int number;
	pid_t pid, tid;          /* who opened it */
	enum leaks_origin origin;
	int syscall;             /* number of the call that opened it; -1: not known */
	bool uncertain;          /* an event about it was lost */
	int64_t opened_ns;       /* CLOCK_MONOTONIC; when we first saw it where origin is not OPENED */
	const char *kind;        /* as proc/handles.h names it: "file", "socket", ... */
	const char *what;        /* path, socket addresses; raw; may be NULL */
};

/* One call stack, and what it opened in one process and is open still. */
struct leaks_site {
	const struct frame *frames; /* innermost first, the inlined ones among them; none: not known */
	size_t n_frames;
	enum unwind_end end;
	uint64_t id;                /* the same for the same stack, in every process, run and snapshot */
	const struct leaks_handle *handles; /* oldest first */
	size_t n_handles;
	uint64_t closed;            /* seen by a snapshot earlier, and gone since */
};

struct leaks_process {
	pid_t pid;
	uint64_t start_ticks;       /* with pid, its identity */
	char name[LEAKS_NAME_BYTES]; /* raw */
	bool ended;                 /* the sites are what was open when it ended */
	int exit_status;            /* of wait(2), when it is our child */
	uint64_t opened, closed;    /* events since we looked */
	uint64_t lost;              /* events that could not be kept */
	uint64_t handles;           /* open now, all together */
	const struct leaks_site *sites; /* most handles first; those that nobody saw come are the last */
	size_t n_sites;
	int64_t began_ns;           /* since when this one is watched; 0: as long as the snapshot */
	int64_t ended_ns;           /* when it ended; 0: not known, or it has not */
};

struct leaks_counts {
	uint64_t opened, closed, lost, handles; /* as in struct leaks_process */
};

struct leaks_snapshot {
	int64_t began_ns, taken_ns; /* CLOCK_MONOTONIC; what is opened later may be in it, or not */
	const char *source;         /* "bpf" or "ptrace" */
	const char *hook;           /* of BPF: "fentry", or "tracepoint", for which all processes pay */
	const struct leaks_process *processes;
	size_t n_processes;
	/* Of others that ended: those that left nothing which they had opened, and where there are
	 * very many, the oldest that did; and lost events of which it is not known whose they were. */
	struct leaks_counts dropped;
};

struct leaks_options {
	const pid_t *pids;
	size_t n_pids;
	bool all;             /* every process of the machine */
	bool follow;          /* children too */
	bool ptrace;          /* the slower source, asked for */
	bool never_ptrace;    /* nor by itself, where BPF is refused */
	bool tracepoint;      /* also where the kernel's functions may be hooked */
	size_t stack_bytes;   /* at most so much of a stack is copied; 0: as the default, 64 KiB */
	bool debuginfod;
};

struct leaks;

/*
 * Return: 0; -ESRCH, -EACCES (a process that may not be looked at), -EPERM (what is missing is in
 * *error: the capability, or the part of the kernel), -ENOMEM, ...
 */
int leaks_open(const struct leaks_options *options, struct leaks **ret_leaks,
	       struct tendril_error *error);
/* One that already runs, or that is stopped at its very beginning, also later. */
int leaks_add(struct leaks *leaks, pid_t pid, struct tendril_error *error);
/*
 * Neither watched nor told of any more, and no part of any count; also one that has ended.  Return: 0,
 * -ESRCH (it was not watched), -ENOTSUP (by ptrace, or where all processes are watched).
 */
int leaks_remove(struct leaks *leaks, pid_t pid);
/* As in the snapshot. */
const char *leaks_hook(const struct leaks *leaks);
/* Becomes readable when leaks_step() should be called; call it every second anyway. */
int leaks_poll_fd(const struct leaks *leaks);
int leaks_step(struct leaks *leaks);
/* How many of the processes watched have not ended. */
size_t leaks_alive(const struct leaks *leaks);
/* Of all processes together, cheap enough for each second. */
void leaks_count(const struct leaks *leaks, struct leaks_counts *ret_counts);
/* Everything in *ret_snapshot belongs to it, and is freed with it; before leaks_close(). */
int leaks_snapshot(struct leaks *leaks, struct leaks_snapshot **ret_snapshot);
void leaks_snapshot_free(struct leaks_snapshot *snapshot);
void leaks_close(struct leaks *leaks);

#endif /* LEAKS_LEAKS_H */
