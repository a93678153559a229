/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * win32_internal.h - objects behind handles, and how a negative errno becomes a last error
 *
 * Inside this room functions return negative errno as everywhere else.  These have a meaning of
 * their own here:
 *   -EBADF          not an open handle, or one of another kind
 *   -EPERM          the handle lacks a right
 *   -ESRCH          the handle is fine, its process has ended
 *   -EIO            a part of the memory is not there
 *   -EFAULT         a local pointer, or memory that is there but may not be used so
 *   -EADDRNOTAVAIL  not reserved, or reserved already
 */
#ifndef WIN32_INTERNAL_H
#define WIN32_INTERNAL_H

#include <pthread.h>

#include <tendril/win32.h>

#include "base/base.h"

/*
 * A process that handles or reservations refer to, one for all of them: what must outlive a
 * single handle.  It owns no descriptor.  Key: pid and start time, so a reused pid is another one.
 */
struct process {
	struct process *next;
	unsigned int n_refs;     /* guarded by the list's lock, as is next */
	pid_t pid;
	uint64_t start_time;
	pthread_mutex_t lock;    /* guards what follows; held during calls into the target */
	bool exit_known;
	DWORD exit_code;
	uint64_t image;          /* which executable the memory below belongs to */
	struct region *regions;
	raddr_t memory_call[3];  /* mmap, mprotect, munmap there; 0: not looked up yet */
};

/* A reservation that VirtualAllocEx() made. */
struct region {
	struct region *next;
	raddr_t base;
	uint64_t bytes;
};

enum object_kind {
	OBJECT_ANY = 0,
	OBJECT_PROCESS = 1,
	OBJECT_THREAD = 2,
};

/*
 * What an open handle stands for.  One reference belongs to the table, one to each call that uses
 * it; the last one closes the descriptor.  A pseudo-handle gets an object for one call that is in
 * no table.
 */
struct object {
	struct object *next;     /* in its bucket; guarded by the table's lock, as is n_refs */
	unsigned int n_refs;
	HANDLE handle;           /* NULL: pseudo */
	enum object_kind kind;
	DWORD access;            /* rights granted */
	pid_t id;                /* of the process or thread */
	int fd;                  /* becomes readable at the end; of a process, its own pidfd; of a
				    thread, what thread holds; -1: pseudo */
	bool is_protected;       /* HANDLE_FLAG_PROTECT_FROM_CLOSE; guarded by the table's lock */
	struct tendril_thread *thread; /* NULL: a process, or the calling thread */
	struct process *process;       /* NULL: pseudo */
};

/* handle.c */
struct object *object_new(enum object_kind kind, DWORD access); /* NULL: out of memory */
/* Give the object a handle.  Cannot fail.  Takes over the caller's reference. */
HANDLE object_publish(struct object *object, bool inherit);
/* Check handle, kind and rights (all bits of access) in this order and take a reference. */
int object_get(HANDLE handle, enum object_kind kind, DWORD access, struct object **ret_object);
/* Any open process handle of it, with a reference; NULL: none. */
struct object *object_find(const struct process *process);
void object_put(struct object *object); /* NULL is allowed */

static inline void auto_object_put(struct object **object)
{
	object_put(*object);
}

#define AUTO_OBJECT __attribute__((cleanup(auto_object_put)))

/* error.c */
DWORD error_to_win32(int code, const struct tendril_error *error);
/* Set the last error if code is negative.  Return: TRUE if it is not. */
BOOL error_report(int code, const struct tendril_error *error);

/* process.c */
int process_get(pid_t pid, struct process **ret_process);
struct process *process_ref(struct process *process); /* NULL is allowed */
void process_put(struct process *process);            /* NULL is allowed */
/*
 * The target behind a process object, for one call.  It is not kept with the handle, because it
 * has descriptors of its own, and a handle is one.
 */
int object_target(const struct object *object, struct tendril_target **ret_target,
		  struct tendril_error *error);

static inline void auto_target_close(struct tendril_target **target)
{
	tendril_close(*target);
}

#define AUTO_TARGET __attribute__((cleanup(auto_target_close)))

/* What identifies the executable that a process runs at present: an execve() changes it. */
int process_image(pid_t pid, uint64_t *ret_image);
int process_exit_code(struct object *object, DWORD *ret_code);
/* How what fd, a pidfd, refers to has ended.  Return: 0, -ENODATA: the kernel does not tell. */
int pidfd_exit_code(int fd, DWORD *ret_code);

/* wait.c */
/* Return: 0, or -ETIMEDOUT.  deadline_ns INT64_MAX: without limit. */
int object_wait(struct object *object, int64_t deadline_ns);

/* place.c: what is mapped where in a process */
#define PLACE_ALIGN 65536u /* the allocation granularity that Windows documents */

enum place {
	PLACE_FREE,     /* nothing is mapped in the range */
	PLACE_CODE,     /* all of it is mapped, and each part can be written or executed */
	PLACE_READONLY, /* all of it is mapped */
	PLACE_HOLES,    /* else */
};

/* Return: 0, -ESRCH, -EACCES, ... */
int place_look(pid_t pid, raddr_t address, uint64_t bytes, enum place *ret_place);
/* An address, a multiple of 64 KiB, with room for bytes.  Return: 0, -ENOMEM (no room), ... */
int place_choose(const struct process *process, uint64_t bytes, raddr_t *ret_address);

#endif /* WIN32_INTERNAL_H */
