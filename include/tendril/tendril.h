/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * tendril.h - threads in other live processes, all or nothing
 *
 * A call either does the whole of what it names, or leaves the caller and the
 * target as they were and says why.  Functions return 0 (or a useful
 * non-negative number), or a negative errno; what they hand out is written
 * only on success.  The library prints nothing, keeps no global state, and
 * installs no signal handler.
 *
 * Addresses in the target are uint64_t, never pointers: they cannot be
 * dereferenced by mistake.  Time is CLOCK_MONOTONIC, in the unit that the name
 * says.  Unless a function says otherwise it may block, is not
 * async-signal-safe, and may be called by several threads at once, on the same
 * target too.
 */
#ifndef TENDRIL_TENDRIL_H
#define TENDRIL_TENDRIL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) && defined(TENDRIL_BUILD)
#define TENDRIL_API __attribute__((visibility("default")))
#else
#define TENDRIL_API
#endif

#define TENDRIL_VERSION_MAJOR 0
#define TENDRIL_VERSION_MINOR 1

/** tendril_version() - version of the library at run time, such as "0.1" */
TENDRIL_API const char *tendril_version(void);

/** What a failed call left behind in the target. */
enum tendril_left {
	TENDRIL_LEFT_NOTHING = 0, /* the target is as it was */
	TENDRIL_LEFT_CHANGED = 1, /* something could not be put back: a bug of ours */
	TENDRIL_LEFT_GONE = 2,    /* the target has ended */
};

/** How far a call had come when it failed. */
enum tendril_stage {
	TENDRIL_STAGE_CHECK = 0,   /* arguments, access, symbols: nothing touched */
	TENDRIL_STAGE_REACH = 1,   /* finding one thread at a safe point */
	TENDRIL_STAGE_PREPARE = 2, /* mapping memory there */
	TENDRIL_STAGE_CREATE = 3,  /* the target's own pthread_create() */
	TENDRIL_STAGE_ATTACH = 4,  /* taking a handle to the new thread */
	TENDRIL_STAGE_COMMIT = 5,  /* telling it to run */
	TENDRIL_STAGE_WAIT = 6,    /* waiting for a result */
};

/** A rule that refused, for programs that want to tell a user the remedy. */
enum tendril_rule {
	TENDRIL_RULE_NONE = 0,
	TENDRIL_RULE_NO_PROCESS = 1,   /* no such process */
	TENDRIL_RULE_ZOMBIE = 2,       /* it has ended, its parent has not noticed */
	TENDRIL_RULE_KERNEL_THREAD = 3,
	TENDRIL_RULE_UID = 4,          /* another user's, no CAP_SYS_PTRACE */
	TENDRIL_RULE_DUMPABLE = 5,     /* not dumpable (prctl(2)), no CAP_SYS_PTRACE */
	TENDRIL_RULE_YAMA = 6,         /* kernel.yama.ptrace_scope */
	TENDRIL_RULE_USER_NAMESPACE = 7,
	TENDRIL_RULE_TRACED = 8,       /* somebody else traces it */
	TENDRIL_RULE_STOPPED = 9,      /* stopped by a signal */
	TENDRIL_RULE_SECCOMP = 10,
	TENDRIL_RULE_ARCHITECTURE = 11,
	TENDRIL_RULE_NO_LIBC = 12,     /* static, or a runtime of its own */
	TENDRIL_RULE_NO_SYMBOL = 13,
	TENDRIL_RULE_NO_SAFE_POINT = 14,
	TENDRIL_RULE_LIMIT = 15,       /* a resource limit, of the target or the caller */
	TENDRIL_RULE_SHADOW_STACK = 16,
	TENDRIL_RULE_SELF = 17,        /* not possible on the own process */
};

/**
 * struct tendril_error - why a call failed
 *
 * Owned by the caller, who may pass NULL wherever one is asked for.  Untouched
 * on success.  @code is the negative errno that the call returned.
 */
struct tendril_error {
	int code;
	enum tendril_stage stage;
	enum tendril_left left;
	enum tendril_rule rule;
	char text[256]; /* one line, UTF-8, ends in NUL; what was wrong and what to do */
};

/** A process that the caller works on.  Holds a pidfd. */
struct tendril_target;
/** A thread made in a target.  Holds a pidfd of the thread. */
struct tendril_thread;

/**
 * struct tendril_options - how to work on a target; zero means default
 * @size:        sizeof(struct tendril_options), so that it can grow
 * @timeout_ms:  how long one call may look for a safe point and wait for the
 *               new thread to exist; 0: 5,000
 */
struct tendril_options {
	size_t size;
	uint32_t timeout_ms;
	uint32_t flags; /* none yet; must be 0 */
};

/**
 * tendril_open() - take hold of a process
 * @pid:        a process; not the id of one of its other threads
 * @options:    may be NULL
 * @ret_target: to be closed with tendril_close()
 * @error:      may be NULL
 *
 * Reads the target, touches nothing in it.  pid may be the caller's own.
 *
 * Return: 0, or
 *   -ESRCH    no such process, or it has ended
 *   -EACCES   the kernel's access rules refuse (@error->rule says which)
 *   -EINVAL   unknown option
 *   -EMFILE   the caller's limit of open handles
 *   -ENOEXEC  it runs on a shadow stack
 * Whether its architecture and its libc will do is found by the first call that needs them.
 */
TENDRIL_API int tendril_open(pid_t pid, const struct tendril_options *options,
			     struct tendril_target **ret_target, struct tendril_error *error);

/** tendril_open_pidfd() - as tendril_open(); @pidfd stays the caller's own */
TENDRIL_API int tendril_open_pidfd(int pidfd, const struct tendril_options *options,
				   struct tendril_target **ret_target,
				   struct tendril_error *error);

/** tendril_close() - let go of a target; its threads go on; NULL is allowed */
TENDRIL_API void tendril_close(struct tendril_target *target);

/** tendril_target_pid() - the process id that the target was opened with */
TENDRIL_API pid_t tendril_target_pid(const struct tendril_target *target);

/** tendril_target_fd() - the pidfd of the target; readable when it has ended; not to be closed */
TENDRIL_API int tendril_target_fd(const struct tendril_target *target);

/**
 * tendril_resolve() - find a symbol in the target's memory
 * @symbol: `name`, `library!name`, either with `+0x10`, or a number.  A library
 *          is named by its file name, with or without version: `libc`,
 *          `libc.so.6`; the program itself by its own file name.
 *
 * Only dynamic symbols are seen.  Without a library the first definition in the
 * loader's own order counts.  Nothing is run in the target: an indirect function,
 * whose address only its resolver knows, is refused (see
 * tendril_resolve_function()).
 *
 * Return: 0, -ENOENT (no such symbol, @error->text has near misses; or an
 * indirect function), -EINVAL (malformed), -ESRCH, -ENOEXEC (an architecture
 * that is not supported).
 */
TENDRIL_API int tendril_resolve(struct tendril_target *target, const char *symbol,
				uint64_t *ret_address, struct tendril_error *error);

/**
 * tendril_resolve_function() - find a function, also one that only the target itself can name
 * @symbol:     as tendril_resolve() takes it
 * @timeout_ms: how long an indirect function's resolver may run; negative: without limit
 *
 * As tendril_resolve(), which only reads.  But where the symbol is an indirect
 * function (STT_GNU_IFUNC; glibc's strlen() is one), its resolver is called in
 * the target, as by tendril_call(), and the address is what that returns.
 *
 * Return: as tendril_resolve(), and of an indirect function as tendril_call()
 */
TENDRIL_API int tendril_resolve_function(struct tendril_target *target, const char *symbol,
					 int64_t timeout_ms, uint64_t *ret_address,
					 struct tendril_error *error);

/**
 * tendril_read() - copy memory out of the target
 * @ret_bytes: may be NULL; how many bytes were copied, also on failure
 * Return: 0 when all of it was, -EFAULT, -ESRCH, -EACCES
 */
TENDRIL_API int tendril_read(struct tendril_target *target, uint64_t address, void *buffer,
			     size_t bytes, size_t *ret_bytes, struct tendril_error *error);

/**
 * tendril_write() - copy memory into the target
 *
 * Read-only memory can be written only with TENDRIL_WRITE_FORCE in @flags, as a
 * debugger does to set a breakpoint; its protection stays as it was.
 */
#define TENDRIL_WRITE_FORCE 1u
TENDRIL_API int tendril_write(struct tendril_target *target, uint64_t address, const void *buffer,
			      size_t bytes, uint32_t flags, size_t *ret_bytes,
			      struct tendril_error *error);

#define TENDRIL_THREAD_SUSPENDED 1u
#define TENDRIL_THREAD_STAY	 2u

/**
 * struct tendril_thread_options - what kind of thread; zero means default
 * @size:        sizeof(struct tendril_thread_options)
 * @flags:       TENDRIL_THREAD_SUSPENDED: it exists but does not run its
 *               function until tendril_thread_resume()
 *               TENDRIL_THREAD_STAY: one that is suspended stays so when its handle is
 *               closed or its creator ends; whoever may trace it can tendril_resume() it
 * @stack_bytes: 0: as much as the target's own threads get
 */
struct tendril_thread_options {
	size_t size;
	uint32_t flags;
	uint32_t reserved;
	uint64_t stack_bytes;
};

/**
 * tendril_create() - start one thread in the target, or change nothing
 * @start:   address there of a function `void *start(void *)`
 * @param:   its argument
 * @options: may be NULL
 *
 * The thread is made by the target's own pthread_create(), on the time of one
 * thread of the target that is at a safe point.  No other one is stopped.  The
 * function has not run, not even its first instruction, when the call fails.
 *
 * Return: 0, or
 *   -EINVAL     bad option or size
 *   -EFAULT     no executable memory at @start (not asked of a suspended thread)
 *   -ESRCH      the target has ended, before or during the call
 *   -EACCES     the kernel's access rules refuse
 *   -EBUSY      traced or stopped by somebody else
 *   -EAGAIN     the target may have no more threads (or no safe point was found)
 *   -ENOMEM     the target may map no more memory
 *   -EMFILE     the caller's, or the target's, limit of open handles
 *   -ENOEXEC    no libc there that could make a thread
 *   -ETIMEDOUT  the options' timeout passed; @error->left says whether the target's
 *               pthread_create() was still at work, in which case what comes of it leaves
 *               by itself
 *   -ECANCELED  the process that made the call on our behalf was killed (it is made by a
 *               short-lived one where our own death would show in the target)
 */
TENDRIL_API int tendril_create(struct tendril_target *target, uint64_t start, uint64_t param,
			       const struct tendril_thread_options *options,
			       struct tendril_thread **ret_thread, struct tendril_error *error);

/** tendril_thread_tid() - the kernel's id of the thread, in the caller's PID namespace */
TENDRIL_API pid_t tendril_thread_tid(const struct tendril_thread *thread);

/** tendril_thread_fd() - its descriptor: readable when the thread has ended; not to be closed */
TENDRIL_API int tendril_thread_fd(const struct tendril_thread *thread);

/** tendril_thread_process_id() - the process that it is a thread of */
TENDRIL_API pid_t tendril_thread_process_id(const struct tendril_thread *thread);

/**
 * tendril_thread_wait() - wait for the end of the thread
 * @timeout_ms: 0: only look; negative: without limit
 *
 * When it returns 0 the thread, its stack and all else that was made for it
 * are gone from the target.  (One that is stopped at this very moment has to be
 * waited for no longer than a second: then the stack goes when it continues.)
 *
 * Return: 0, -ETIMEDOUT
 */
TENDRIL_API int tendril_thread_wait(struct tendril_thread *thread, int64_t timeout_ms);

/**
 * tendril_thread_value() - what the function returned
 * Return: 0, -EAGAIN (not ended yet), -ESRCH (ended without returning: the
 * process ended, or the thread was made to end in some other way)
 */
TENDRIL_API int tendril_thread_value(struct tendril_thread *thread, uint64_t *ret_value);

/**
 * tendril_thread_resume() - take one suspension back of a thread that was created suspended
 *
 * By memory that is shared with it: it is not stopped for that.
 * Return: 0: it runs; n > 0: it was suspended further by tendril_suspend(), and is still n times;
 * -EALREADY: it does not wait for its first resumption; -ESRCH: gone
 */
TENDRIL_API int tendril_thread_resume(struct tendril_thread *thread);

/**
 * tendril_suspend() - keep a thread of the target from running
 * @tid:          any of its threads, also one that nobody here has made; also the calling one
 * @ret_previous: may be NULL; how often it was suspended before
 * @error:        may be NULL
 *
 * The thread runs no more of its program until it has been resumed as often as it was suspended, by
 * whomever.  It is not traced meanwhile, nothing is mapped, and no handle is open: the count is on
 * the thread's own stack, and stays when the caller ends.  A system call that it was in goes on
 * when it is resumed, without EINTR, and one with a time limit ends when it would have (but epoll_wait(2)
 * and the few others that the kernel gives no such help begin their time anew).  Signals to the thread
 * wait.  It is stopped at a safe point if it comes to one within a millisecond or so, or else wherever it is, in
 * malloc() perhaps: then whoever needs what it holds waits for it.
 *
 * Return: 0, or
 *   -EOVERFLOW  it was suspended 127 times
 *   -ESRCH      there is no such thread in the target, or it has ended
 *   -EBUSY      traced, stopped, or uninterruptible until the options' timeout; or without room on a
 *               stack that is its own
 *   -EACCES     the kernel's access rules refuse, or the target's seccomp filter does
 *   -ENOEXEC    no libc there
 */
TENDRIL_API int tendril_suspend(struct tendril_target *target, pid_t tid, uint32_t *ret_previous,
				struct tendril_error *error);

/**
 * tendril_resume() - take one suspension of a thread back, whoever made it
 * @ret_previous: may be NULL; how often it was suspended before; 0: it was not, and nothing was done
 * Return: as tendril_suspend()
 */
TENDRIL_API int tendril_resume(struct tendril_target *target, pid_t tid, uint32_t *ret_previous,
			       struct tendril_error *error);

/**
 * tendril_terminate() - end a thread of the target, without its consent
 * @tid:   any of its threads, suspended ones included; also the calling one
 * @value: what it seems to have returned: to pthread_join(3), or to tendril_thread_value() of one
 *         that was made by this library, by whomever
 *
 * The thread ends at a point where it holds no lock of its libc, allocator or loader; one that is not
 * there is let run on until it is.  What it holds of the program's own stays as it is, and its stack is
 * freed as at any other end.  One that is made by this library seems to return from its function; one that was
 * created suspended never runs it.  Others call pthread_exit() where they are: clean-up handlers that
 * were pushed in C++'s way, destructors among them, are passed over.  Ending a process's last thread
 * ends it.
 *
 * It ends after the call, not in it: tendril_thread_wait().
 *
 * Return: 0, or
 *   -ESRCH    there is no such thread in the target, or it has ended
 *   -EBUSY    it came to no such point until the options' timeout; or as tendril_suspend()
 *   -EACCES   the kernel's access rules refuse
 *   -ENOEXEC  no libc there, or none that could end a thread (glibc needs libgcc_s for that)
 */
TENDRIL_API int tendril_terminate(struct tendril_target *target, pid_t tid, uint64_t value,
				  struct tendril_error *error);

/** tendril_thread_terminate() - the same of a thread that was made in @target */
TENDRIL_API int tendril_thread_terminate(struct tendril_target *target,
					 struct tendril_thread *thread, uint64_t value,
					 struct tendril_error *error);

/**
 * tendril_thread_close() - let go of a thread, which goes on; NULL is allowed
 *
 * One that is still suspended leaves without having run, unless it is to stay (TENDRIL_THREAD_STAY).
 */
TENDRIL_API void tendril_thread_close(struct tendril_thread *thread);

/** What making a thread cost, in microseconds. */
struct tendril_cost {
	size_t size;         /* sizeof(struct tendril_cost), set by the caller */
	double latency_us;   /* from the call to the verdict */
	double stopped_us;   /* how long a thread of the target was stopped by us */
	uint32_t attempts;   /* threads that were looked at before one was at a safe point */
	pid_t borrowed_tid;  /* the thread that was borrowed; 0: none was */
};
TENDRIL_API int tendril_thread_cost(const struct tendril_thread *thread,
				    struct tendril_cost *ret_cost);

enum tendril_argument_kind {
	TENDRIL_INTEGER = 0, /* @value */
	TENDRIL_BYTES = 1,   /* @bytes bytes at @data are copied into the target for the
				duration of the call; the function gets their address */
};

struct tendril_argument {
	enum tendril_argument_kind kind;
	uint32_t reserved;
	uint64_t value;
	const void *data;
	size_t bytes;
};

#define TENDRIL_ARGUMENTS_MAX 6
#define TENDRIL_ARGUMENT_BYTES_MAX (1u << 20) /* of all arguments together */

/**
 * tendril_call_start() - call a function of up to six arguments on a thread of its own
 *
 * As tendril_create(); the thread's value is what the function returned, all 64
 * bits.  Floating point and structures by value are not passed.
 * Return: as tendril_create(); -E2BIG: too many arguments or bytes
 */
TENDRIL_API int tendril_call_start(struct tendril_target *target, uint64_t function,
				   const struct tendril_argument *arguments, size_t n_arguments,
				   const struct tendril_thread_options *options,
				   struct tendril_thread **ret_thread,
				   struct tendril_error *error);

/**
 * tendril_call() - tendril_call_start(), wait, value
 * @timeout_ms: how long the function may run; negative: without limit
 * Return: as tendril_create(); -ETIMEDOUT with stage TENDRIL_STAGE_WAIT: the
 * function had not returned in time; it goes on, and cleans up when it returns
 */
TENDRIL_API int tendril_call(struct tendril_target *target, uint64_t function,
			     const struct tendril_argument *arguments, size_t n_arguments,
			     int64_t timeout_ms, uint64_t *ret_value, struct tendril_error *error);

/**
 * tendril_load() - load a shared library into the target
 * @path:       absolute, as the target sees it
 * @ret_handle: what dlopen() returned there
 *
 * Return: as tendril_call(); -ELIBACC: dlopen() refused, @error->text is the
 * loader's own text.
 */
TENDRIL_API int tendril_load(struct tendril_target *target, const char *path, int64_t timeout_ms,
			     uint64_t *ret_handle, struct tendril_error *error);

/**
 * tendril_unload() - give back a library that was loaded
 * @path: as given to tendril_load(), or the library's file name
 * Return: as tendril_call(); -ENOENT: no such library there; -ELIBACC: the program
 * itself needs it
 */
TENDRIL_API int tendril_unload(struct tendril_target *target, const char *path,
			       int64_t timeout_ms, struct tendril_error *error);

#ifdef __cplusplus
}
#endif
#endif /* TENDRIL_TENDRIL_H */
