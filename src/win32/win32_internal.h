/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * win32_internal.h - objects behind handles, and how a negative errno becomes a last error
 *
 * Inside this room functions return negative errno as everywhere else.  These have a meaning of
 * their own here:
 *   -EBADF          not an open handle, or one of another kind
 *   -EPERM          the handle lacks a right
 *   -ESRCH          the handle is fine, its process or thread has ended
 *   -EIO            a part of the memory is not there
 *   -EFAULT         a local pointer, or memory that is there but may not be used so
 *   -EMSGSIZE       a structure that is too small
 *   -EADDRNOTAVAIL  not reserved, or reserved already
 *   -ELIBACC        no such library
 *   -ELIBBAD        no such function in it
 */
#ifndef WIN32_INTERNAL_H
#define WIN32_INTERNAL_H

#include <pthread.h>

#include <tendril/win32.h>

#include "base/base.h"

/*
 * A process that handles or reservations refer to, one for all of them: what must outlive a
 * single handle.  It owns no descriptor.  Key: pid and identity, so a reused pid is another one.
 */
struct process {
	struct process *next;    /* guarded by the list's lock, as is n_refs */
	unsigned int n_refs;
	pid_t pid;
	uint64_t identity;
	uint64_t exited;         /* atomic: CODE_KNOWN and the code that it has ended with, or 0 */
	uint64_t terminated;     /* the same of the first TerminateProcess() here */
	pthread_mutex_t lock;    /* guards what follows; held during calls into the target */
	uint64_t image;          /* which executable the reservations below belong to */
	struct region *regions;  /* space.h */
	raddr_t spare;           /* the last reservation that was given back; 0: none */
	uint64_t spare_bytes;
	pthread_mutex_t target_lock; /* guards what follows, while somebody uses it */
	struct tendril_target *target; /* what is known of the process; without a descriptor */
};

#define CODE_KNOWN (1ull << 32)

/* A thread that handles refer to, one for all of them.  Key: tid and identity. */
struct thread {
	struct thread *next;     /* guarded by the list's lock, as is n_refs */
	unsigned int n_refs;
	pid_t pid, tid;
	uint64_t identity;
	struct process *process;
	struct tendril_thread *remote; /* without a descriptor: the handles have those */
	uint64_t terminated;     /* atomic: CODE_KNOWN and the code it was ended with from here, or 0 */
};

enum object_kind {
	OBJECT_ANY = 0,
	OBJECT_PROCESS = 1,
	OBJECT_THREAD = 2,
	OBJECT_SNAPSHOT = 3,
};

/*
 * What an open handle stands for.  One reference belongs to the table, one to each call that uses
 * it; the last one closes the descriptor.  A pseudo-handle gets an object for one call that is in
 * no table.  But for the atomic fields nothing changes once it is published.
 *
 * The memory of an object is used again for another one, but never given back: so whoever has read
 * a pointer to it from the table may look at n_refs, however late.
 */
struct object {
	struct object *next_spare; /* guarded by the lock of the spare ones */
	unsigned int n_refs;       /* atomic; 0: spare */
	HANDLE handle;             /* NULL: pseudo */
	enum object_kind kind;
	DWORD access;              /* rights granted */
	pid_t id;                  /* of the process or thread */
	int fd;                    /* becomes readable at the end of the process or thread; -1: pseudo */
	uint64_t inode;            /* by which we know that fd still is the one that we opened */
	bool is_protected;         /* atomic: HANDLE_FLAG_PROTECT_FROM_CLOSE */
	bool is_displaced;         /* atomic: the program closed fd, and we got the number again */
	bool has_ended;            /* atomic: the process was once seen so, which stays true */
	struct thread *thread;     /* NULL: not a thread, or the calling one */
	struct process *process;   /* NULL: pseudo */
	struct snapshot *snapshot; /* what a snapshot's fd holds; NULL: another kind */
};

/* object.c: the life of objects */
struct object *object_new(enum object_kind kind, DWORD access); /* NULL: out of memory */
/* The pseudo-handles stand for whoever asks, so each call makes its own object. */
int object_new_pseudo(HANDLE handle, enum object_kind kind, struct object **ret_object);
bool object_try_ref(struct object *object); /* false: it is spare */
void object_put(struct object *object);     /* NULL is allowed */

static inline void auto_object_put(struct object **object)
{
	object_put(*object);
}

#define AUTO_OBJECT __attribute__((cleanup(auto_object_put)))

/* handle.c: the table */
/* May one more handle be opened?  The table has an end, as Windows's has.  -EMFILE. */
int handle_room(void);
/* Give the object a handle.  Cannot fail.  Takes over the caller's reference. */
HANDLE object_publish(struct object *object, bool inherit);
/* Check handle, kind and rights (all bits of access) in this order and take a reference. */
int object_get(HANDLE handle, enum object_kind kind, DWORD access, struct object **ret_object);
int handle_close(HANDLE handle);

/* rights.c */
/* The rights that come with those asked for; unknown bits are ignored. */
DWORD rights_granted(enum object_kind kind, DWORD asked);
/*
 * Would the kernel's rules refuse what the rights are for?  Then it is better said when the handle
 * is opened than at its first use; with MAXIMUM_ALLOWED such rights are taken from *access instead.
 */
int rights_check(enum object_kind kind, pid_t pid, DWORD asked, DWORD *access,
		 struct tendril_error *error);

/* error.c */
DWORD error_to_win32(int code, const struct tendril_error *error);
/* Set the last error if code is negative.  Return: TRUE if it is not. */
BOOL error_report(int code, const struct tendril_error *error);

/* pidfd.c: what the kernel tells of the process or thread that a descriptor pins */
bool pidfd_is_ended(int fd);
/* A number that no other process or thread has, not even one of the same id later on. */
int pidfd_identity(int fd, pid_t id, uint64_t *ret_identity);
/* The process of a thread. */
int pidfd_process_id(int fd, pid_t tid, pid_t *ret_pid);
/* How it has ended, as waitpid(2) has it.  Return: 0, -ENODATA: nobody can tell any more. */
int pidfd_exit_status(int fd, pid_t id, int *ret_status);
/* The same of a single thread. */
int pidfd_thread_status(int fd, int *ret_status);
/* What identifies the executable that a process runs at present: an execve() changes it. */
int process_image(pid_t pid, uint64_t *ret_image);

/* known.c: processes and threads that handles refer to */
/* fd pins the process; -1: the calling process. */
int process_get(pid_t pid, int fd, struct process **ret_process);
struct process *process_ref(struct process *process); /* NULL is allowed */
void process_put(struct process *process);            /* NULL is allowed */
/* The thread of which fd is a descriptor; one that was made here has its value, too. */
int thread_get(pid_t pid, pid_t tid, int fd, bool fd_is_process, struct thread **ret_thread);
/* Room for one that will be made, so that nothing can fail afterwards.  NULL: out of memory. */
struct thread *thread_new(struct process *process);
/* It was: remote, whose descriptor is the caller's from now on, is the thread's. */
void thread_made(struct thread *thread, struct tendril_thread *remote, int fd);
struct thread *thread_ref(struct thread *thread); /* NULL is allowed */
void thread_put(struct thread *thread);           /* NULL is allowed */
/* Remember a code in one of the words above; the first one counts. */
static inline void code_set(uint64_t *word, DWORD code)
{
	uint64_t none = 0;

	(void)__atomic_compare_exchange_n(word, &none, CODE_KNOWN | code, false, __ATOMIC_ACQ_REL,
					  __ATOMIC_ACQUIRE);
}

static inline bool code_get(const uint64_t *word, DWORD *ret_code)
{
	uint64_t code = __atomic_load_n(word, __ATOMIC_ACQUIRE);

	if (code & CODE_KNOWN)
		*ret_code = (DWORD)code;
	return code & CODE_KNOWN;
}

/* process.c */
/* Has the process of a process handle ended?  Never of a pseudo-handle. */
bool object_has_ended(const struct object *object);
/*
 * The target behind a process object, for one call.  What was found out of it stays with the
 * process; its descriptor is that of the handle, so a handle stays one descriptor.
 */
int object_target(const struct object *object, struct tendril_target **ret_target,
		  struct tendril_error *error);
/* What a status that waitpid(2) would give comes to as an exit code. */
DWORD process_code_of_status(const struct process *process, int status);
/* STILL_ACTIVE, or how the process that fd pins has ended.  Return: 0, -ENODATA: that is lost. */
int process_exit_code(struct process *process, int fd, DWORD *ret_code);
int open_pidfd(pid_t pid); /* above the standard ones; negative errno */
/* A new pidfd of one that handles refer to.  -ESRCH: it has ended and been reaped. */
int process_open_again(const struct process *process);

void object_target_done(struct tendril_target *target); /* NULL is allowed */

static inline void auto_target_done(struct tendril_target **target)
{
	object_target_done(*target);
}

#define AUTO_TARGET __attribute__((cleanup(auto_target_done)))

/* thread.c */
int open_thread_by_id(pid_t tid, bool *ret_is_process); /* a descriptor, or negative errno */

/* suspend.c */
/* Is it the calling thread, by a pseudo-handle or a real one? */
bool object_is_own_thread(const struct object *object);
/* The process of a thread that is not the calling one, for one call.  -ESRCH: the thread has ended. */
int object_thread_target(struct object *object, struct tendril_target **ret_target,
			 struct tendril_error *error);

/* duplicate.c: another object of what this one is, with a descriptor of its own */
int object_copy(const struct object *from, DWORD access, struct object **ret_copy);

/* far.c: handles of another process, which has this library too.  -ENOENT: it has not. */
int far_adopt(const struct object *to, const struct object *object, bool inherit, HANDLE *ret_handle,
	      struct tendril_error *error);
int far_fetch(const struct object *from, HANDLE handle, struct object **ret_object,
	      struct tendril_error *error);
int far_close(const struct object *from, HANDLE handle, struct tendril_error *error);
/* A call for a thread of another process, by addresses there. */
int far_queue(const struct object *thread, uint64_t function, uint64_t argument,
	      struct tendril_error *error);

/* wait.c */
/* Return: 0, or -ETIMEDOUT.  deadline_ns INT64_MAX: without limit; 0: only look. */
int object_wait(struct object *object, int64_t deadline_ns);

/* snapshot.c: what Toolhelp's handles stand for */
struct snapshot *snapshot_ref(struct snapshot *snapshot); /* NULL is allowed */
void snapshot_put(struct snapshot *snapshot);             /* NULL is allowed */

/* apc.c: calls that are queued for a thread of this process */
/* -EOWNERDEAD: it has ended. */
int apc_queue(struct object *thread, PAPCFUNC function, ULONG_PTR argument);
/* ... for the calling one */
bool apc_is_pending(void);
void apc_run(void);       /* all of them; perhaps one does not return */
void apc_run_first(void); /* the same, in a thread that begins */
/* Sleep until there are some or the deadline has come.  Return: there are. */
bool apc_sleep(int64_t deadline_ns);
/* A descriptor that becomes readable when there are some, for one wait.  -1: there can be none. */
int apc_alert_begin(void);
void apc_alert_end(int fd); /* -1 is allowed */

/* priority.c: a new thread has normal priority, whatever the thread has that made it */
void priority_begin(const struct object *object, pid_t creator);

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
/* An address, a multiple of 64 KiB, with room for bytes and a page before them.  Return: 0, -ENOMEM (no room), ... */
int place_choose(pid_t pid, uint64_t bytes, raddr_t *ret_address);

#endif /* WIN32_INTERNAL_H */
