/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * known.c - the processes and threads that handles refer to, one object each
 *
 * Two lists of many chains with a lock for each chain, so that threads which open handles to
 * different processes do not wait for each other.
 */
#include <string.h>
#include <sys/syscall.h>

#include "remote/thread.h"
#include "win32/space.h"

#define N_CHAINS 16

struct chain {
	pthread_mutex_t lock;
	union {
		struct process *process;
		struct thread *thread;
	};
};

static struct chain processes[N_CHAINS], threads[N_CHAINS];

static struct chain *chain_of(struct chain *list, pid_t id)
{
	return &list[(unsigned int)id % N_CHAINS];
}

static void lock(struct chain *chain)
{
	(void)pthread_mutex_lock(&chain->lock);
}

static void unlock(struct chain *chain)
{
	(void)pthread_mutex_unlock(&chain->lock);
}

static void lock_all(void)
{
	for (size_t i = 0; i < N_CHAINS; i++) {
		lock(&threads[i]);
		lock(&processes[i]);
	}
}

static void unlock_all(void)
{
	for (size_t i = N_CHAINS; i-- > 0;) {
		unlock(&processes[i]);
		unlock(&threads[i]);
	}
}

/* What is known of the target was meant for the parent, and may be half written: it is given up. */
static void process_after_fork(struct process *process)
{
	(void)pthread_mutex_init(&process->lock, NULL);
	(void)pthread_mutex_init(&process->target_lock, NULL);
	process->target = NULL;
}

/*
 * In the child of a fork(2): a call that another thread of the parent was in the middle of, and held
 * the process's lock for, goes on in the parent only.
 */
static void after_fork(void)
{
	for (size_t i = 0; i < N_CHAINS; i++)
		for (struct process *p = processes[i].process; p; p = p->next)
			process_after_fork(p);
	unlock_all();
}

__attribute__((constructor)) static void init_chains(void)
{
	for (size_t i = 0; i < N_CHAINS; i++) {
		(void)pthread_mutex_init(&processes[i].lock, NULL);
		(void)pthread_mutex_init(&threads[i].lock, NULL);
	}
	locks_add(lock_all, unlock_all, after_fork);
}

/* Processes */

static void process_free(struct process *process)
{
	region_forget_all(process);
	tendril_close(process->target);
	(void)pthread_mutex_destroy(&process->target_lock);
	(void)pthread_mutex_destroy(&process->lock);
	free(process);
}

static int identity_of(pid_t pid, int fd, uint64_t *ret_identity)
{
	AUTO_CLOSE int own = -1;

	if (pid == getpid()) {
		*ret_identity = IDENTITY_OF_SELF;
		return 0;
	}
	if (fd < 0) {
		own = (int)syscall(SYS_pidfd_open, pid, 0);
		if (own < 0)
			return -errno;
		fd = own;
	}
	return pidfd_identity(fd, pid, ret_identity);
}

static bool has_ended(const struct process *process)
{
	uint64_t identity;
	int r = identity_of(process->pid, -1, &identity);

	return r == -ESRCH || (r == 0 && identity != process->identity);
}

/*
 * Reservations outlive the handle that made them, so a process that has some stays listed without
 * handles until it is gone.
 */
static void sweep(struct chain *chain)
{
	struct process **link = &chain->process;

	while (*link) {
		struct process *process = *link;

		if (process->n_refs > 0 || (process->regions && !has_ended(process))) {
			link = &process->next;
			continue;
		}
		*link = process->next;
		process_free(process);
	}
}

static struct process *process_new(struct chain *chain, pid_t pid, uint64_t identity)
{
	struct process *process = calloc(1, sizeof(*process));

	if (!process)
		return NULL;
	process->pid = pid;
	process->identity = identity;
	(void)pthread_mutex_init(&process->lock, NULL);
	(void)pthread_mutex_init(&process->target_lock, NULL);
	process->next = chain->process;
	chain->process = process;
	return process;
}

int process_get(pid_t pid, int fd, struct process **ret_process)
{
	struct chain *chain = chain_of(processes, pid);
	struct process *process;
	uint64_t identity;
	int r = identity_of(pid, fd, &identity);

	if (r < 0)
		return r;
	lock(chain);
	for (process = chain->process; process; process = process->next)
		if (process->pid == pid && process->identity == identity)
			break;
	if (!process)
		process = process_new(chain, pid, identity);
	if (process)
		process->n_refs++;
	unlock(chain);
	if (!process)
		return -ENOMEM;
	*ret_process = process;
	return 0;
}

struct process *process_ref(struct process *process)
{
	struct chain *chain = process ? chain_of(processes, process->pid) : NULL;

	if (!process)
		return NULL;
	lock(chain);
	process->n_refs++;
	unlock(chain);
	return process;
}

void process_put(struct process *process)
{
	struct chain *chain = process ? chain_of(processes, process->pid) : NULL;

	if (!process)
		return;
	lock(chain);
	if (--process->n_refs == 0)
		sweep(chain);
	unlock(chain);
}

/* Threads */

struct thread *thread_new(struct process *process)
{
	struct thread *thread = calloc(1, sizeof(*thread));

	if (!thread)
		return NULL;
	thread->n_refs = 1;
	thread->process = process_ref(process);
	return thread;
}

static void enlist(struct chain *chain, struct thread *thread)
{
	thread->next = chain->thread;
	chain->thread = thread;
}

void thread_made(struct thread *thread, struct tendril_thread *remote, int fd)
{
	struct chain *chain = chain_of(threads, remote->tid);

	thread->pid = remote->pid;
	thread->tid = remote->tid;
	thread->remote = remote;
	/* One that has ended at once cannot be opened by its id: then nobody looks for it here. */
	if (pidfd_identity(fd, thread->tid, &thread->identity) < 0)
		thread->identity = 0;
	lock(chain);
	enlist(chain, thread);
	unlock(chain);
}

static void thread_free(struct thread *thread)
{
	tendril_thread_close(thread->remote);
	process_put(thread->process);
	free(thread);
}

/* A new one, which is not in the list so far. */
static int thread_open(pid_t pid, pid_t tid, uint64_t identity, bool fd_is_process,
		       struct thread **ret_thread)
{
	struct process *process = NULL;
	struct thread *thread;
	int r = process_get(pid, -1, &process);

	if (r < 0)
		return r;
	thread = thread_new(process);
	process_put(process);
	if (!thread)
		return -ENOMEM;
	thread->pid = pid;
	thread->tid = tid;
	thread->identity = identity;
	thread->remote = thread_new_bare(pid, tid, fd_is_process);
	if (!thread->remote) {
		thread_free(thread);
		return -ENOMEM;
	}
	*ret_thread = thread;
	return 0;
}

static struct thread *find(const struct chain *chain, pid_t tid, uint64_t identity)
{
	struct thread *thread;

	for (thread = chain->thread; thread; thread = thread->next)
		if (thread->tid == tid && thread->identity == identity)
			break;
	return thread;
}

int thread_get(pid_t pid, pid_t tid, int fd, bool fd_is_process, struct thread **ret_thread)
{
	struct chain *chain = chain_of(threads, tid);
	struct thread *thread, *made = NULL;
	uint64_t identity;
	int r = pidfd_identity(fd, tid, &identity);

	if (r == 0)
		r = thread_open(pid, tid, identity, fd_is_process, &made);
	if (r < 0)
		return r;
	lock(chain);
	thread = find(chain, tid, identity);
	if (thread)
		thread->n_refs++;
	else
		enlist(chain, made);
	unlock(chain);
	if (thread)
		thread_free(made);
	*ret_thread = thread ? thread : made;
	return 0;
}

struct thread *thread_ref(struct thread *thread)
{
	struct chain *chain = thread ? chain_of(threads, thread->tid) : NULL;

	if (!thread)
		return NULL;
	lock(chain);
	thread->n_refs++;
	unlock(chain);
	return thread;
}

static void delist(struct chain *chain, const struct thread *thread)
{
	struct thread **link = &chain->thread;

	while (*link && *link != thread)
		link = &(*link)->next;
	if (*link)
		*link = thread->next;
}

void thread_put(struct thread *thread)
{
	struct chain *chain = thread ? chain_of(threads, thread->tid) : NULL;
	bool is_last;

	if (!thread)
		return;
	lock(chain);
	is_last = --thread->n_refs == 0;
	if (is_last)
		delist(chain, thread);
	unlock(chain);
	if (is_last)
		thread_free(thread);
}
