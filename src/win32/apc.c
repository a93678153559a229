/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apc.c - QueueUserAPC(): calls that a thread makes when it waits alertably
 *
 * A thread of this process gets a queue when somebody queues a call to it, or when it first waits
 * alertably; the queue is gone with the thread, whatever handles there are.  The thread itself
 * makes the calls, so nobody else has to run, and no signal is sent.
 */
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "remote/thread.h"
#include "win32/win32_internal.h"

struct apc {
	struct apc *next;
	PAPCFUNC function;
	ULONG_PTR argument;
};

struct queue {
	struct queue *next;
	pid_t tid;
	uint64_t identity; /* the thread's, for as long as that has not found its queue */
	bool is_found;     /* by its thread, which takes it out of the list at its end */
	struct apc *first, *last;
	uint32_t n;        /* also read without the lock; slept on */
	int alert_fd;      /* of a thread that waits for descriptors; -1 */
};

/* One lock for all: it is held for moments, by those only who have to do with such calls. */
static struct {
	pthread_mutex_t lock;
	struct queue *first;
	unsigned int n_to_find; /* also read without the lock: how many their threads do not know */
} queues = { .lock = PTHREAD_MUTEX_INITIALIZER };

static __thread struct queue *own;
static pthread_key_t own_key; /* for the end of the thread */
static bool has_key;

static void lock(void)
{
	(void)pthread_mutex_lock(&queues.lock);
}

static void unlock(void)
{
	(void)pthread_mutex_unlock(&queues.lock);
}

static void count_to_find(int n)
{
	(void)__atomic_add_fetch(&queues.n_to_find, n, __ATOMIC_ACQ_REL);
}

static uint32_t n_queued(const struct queue *queue)
{
	return __atomic_load_n(&queue->n, __ATOMIC_ACQUIRE);
}

/* Queues */

static struct queue *queue_new(pid_t tid)
{
	struct queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return NULL;
	queue->tid = tid;
	queue->alert_fd = -1;
	return queue;
}

static void drop_calls(struct queue *queue)
{
	struct apc *next;

	for (struct apc *apc = queue->first; apc; apc = next) {
		next = apc->next;
		free(apc);
	}
	queue->first = queue->last = NULL;
	__atomic_store_n(&queue->n, 0, __ATOMIC_RELEASE);
}

static void queue_free(struct queue *queue)
{
	drop_calls(queue);
	free(queue);
}

static void enlist(struct queue *queue)
{
	queue->next = queues.first;
	queues.first = queue;
	if (!queue->is_found)
		count_to_find(1);
}

static void delist(struct queue *queue)
{
	struct queue **link = &queues.first;

	while (*link && *link != queue)
		link = &(*link)->next;
	if (*link)
		*link = queue->next;
	if (!queue->is_found)
		count_to_find(-1);
}

static struct queue *find(pid_t tid)
{
	struct queue *queue;

	for (queue = queues.first; queue; queue = queue->next)
		if (queue->tid == tid)
			break;
	return queue;
}

/* Threads that never waited alertably do not take their queue along when they end. */
static void sweep(void)
{
	struct queue *next;

	for (struct queue *queue = queues.first; queue; queue = next) {
		next = queue->next;
		if (!queue->is_found && syscall(SYS_tgkill, getpid(), queue->tid, 0) < 0 &&
		    errno == ESRCH) {
			delist(queue);
			queue_free(queue);
		}
	}
}

/* The calling thread's own */

static void end_own(void *data)
{
	struct queue *queue = data;

	lock();
	delist(queue);
	unlock();
	own = NULL;
	close_keeping_errno(queue->alert_fd); /* ended in the middle of a wait */
	queue_free(queue);
}

/* In the child of a fork(2) there is one thread, and what was queued is its parent's business. */
static void after_fork(void)
{
	struct queue *next;

	for (struct queue *queue = queues.first; queue; queue = next) {
		next = queue->next;
		if (queue != own)
			queue_free(queue);
	}
	queues.first = own;
	queues.n_to_find = 0;
	if (own) {
		own->next = NULL;
		own->tid = gettid();
		drop_calls(own);
	}
	unlock();
}

__attribute__((constructor)) static void init_queues(void)
{
	has_key = pthread_key_create(&own_key, end_own) == 0;
	(void)pthread_atfork(lock, unlock, after_fork);
	local_set_first_call(apc_run_first);
}

/* The library may be unloaded before its threads end. */
__attribute__((destructor)) static void forget_key(void)
{
	if (has_key)
		(void)pthread_key_delete(own_key);
	has_key = false;
}

static int own_identity(uint64_t *ret_identity)
{
	bool is_process;
	AUTO_CLOSE int fd = open_thread_fd(getpid(), gettid(), &is_process);

	return fd < 0 ? fd : pidfd_identity(fd, gettid(), ret_identity);
}

static void make_own(struct queue *queue)
{
	own = queue;
	(void)pthread_setspecific(own_key, queue);
}

/* Somebody may have queued a call before we asked; or to a thread that had our id before us. */
static void find_own(void)
{
	pid_t tid = gettid();
	uint64_t identity = 0;
	struct queue *queue;
	int r;

	lock();
	queue = find(tid);
	unlock();
	if (!queue)
		return;
	r = own_identity(&identity);
	if (r < 0)
		return; /* out of descriptors: the calls wait on */
	lock();
	queue = find(tid);
	if (queue && queue->identity == identity) {
		queue->is_found = true;
		count_to_find(-1);
	} else if (queue) {
		delist(queue);
		queue_free(queue);
		queue = NULL;
	}
	unlock();
	if (queue)
		make_own(queue);
}

static struct queue *own_queue_if_any(void)
{
	if (!own && has_key && __atomic_load_n(&queues.n_to_find, __ATOMIC_ACQUIRE) > 0)
		find_own();
	return own;
}

/* NULL: out of memory, or for lack of a descriptor one in the list cannot be told to be ours. */
static struct queue *own_queue(void)
{
	struct queue *queue = own_queue_if_any();

	if (queue || !has_key)
		return queue;
	queue = queue_new(gettid());
	if (!queue)
		return NULL;
	queue->is_found = true;
	lock();
	if (find(queue->tid)) {
		unlock();
		free(queue);
		return NULL;
	}
	enlist(queue);
	unlock();
	make_own(queue);
	return queue;
}

bool apc_is_pending(void)
{
	struct queue *queue = own_queue_if_any();

	return queue && n_queued(queue) > 0;
}

static bool take_call(struct queue *queue, struct apc *ret_call)
{
	struct apc *apc;

	lock();
	apc = queue->first;
	if (apc) {
		queue->first = apc->next;
		(void)__atomic_sub_fetch(&queue->n, 1, __ATOMIC_ACQ_REL);
		*ret_call = *apc;
	}
	unlock();
	free(apc);
	return apc;
}

/* Those also that are queued meanwhile.  A call may end the thread. */
void apc_run(void)
{
	struct queue *queue = own_queue_if_any();
	struct apc call;

	while (queue && take_call(queue, &call))
		call.function(call.argument);
}

void apc_run_first(void)
{
	if (__atomic_load_n(&queues.n_to_find, __ATOMIC_ACQUIRE) > 0)
		apc_run();
}

int apc_alert_begin(void)
{
	struct queue *queue = own_queue();
	int fd = queue ? descriptor_above_stdio(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) : -1;

	if (fd < 0)
		return -1;
	lock();
	queue->alert_fd = fd;
	if (queue->first)
		(void)eventfd_write(fd, 1);
	unlock();
	return fd;
}

void apc_alert_end(int fd)
{
	if (fd < 0)
		return;
	lock();
	own->alert_fd = -1;
	unlock();
	close_keeping_errno(fd);
}

bool apc_sleep(int64_t deadline_ns)
{
	struct timespec ts = { .tv_sec = deadline_ns / NS_PER_S, .tv_nsec = deadline_ns % NS_PER_S };
	struct queue *queue = own_queue();

	while (queue && n_queued(queue) == 0 && now_ns() < deadline_ns)
		(void)syscall(SYS_futex, &queue->n, FUTEX_WAIT_BITSET_PRIVATE, 0,
			      deadline_ns == INT64_MAX ? NULL : &ts, NULL,
			      FUTEX_BITSET_MATCH_ANY);
	while (!queue && now_ns() < deadline_ns && !apc_is_pending())
		nap_ns(NS_PER_MS);
	return apc_is_pending();
}

/* Other threads */

static void append(struct queue *queue, struct apc *apc)
{
	if (queue->first)
		queue->last->next = apc;
	else
		queue->first = apc;
	queue->last = apc;
	(void)__atomic_add_fetch(&queue->n, 1, __ATOMIC_ACQ_REL);
	if (queue->alert_fd >= 0)
		(void)eventfd_write(queue->alert_fd, 1);
	(void)syscall(SYS_futex, &queue->n, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* With the lock held. */
static int queue_of(const struct object *object, struct queue **ret_queue)
{
	struct queue *queue = find(object->id);

	if (queue && !queue->is_found && queue->identity != object->thread->identity) {
		delist(queue);
		queue_free(queue);
		queue = NULL;
	}
	if (!queue) {
		sweep();
		queue = queue_new(object->id);
		if (!queue)
			return -ENOMEM;
		queue->identity = object->thread->identity;
		enlist(queue);
	}
	*ret_queue = queue;
	return 0;
}

static int queue_to(struct object *object, struct apc *apc)
{
	struct queue *queue;
	int r;

	lock();
	/* It lives, so the id is its own, and the queue that is found by it. */
	r = thread_has_ended(object->thread->remote, object->fd) ? -EOWNERDEAD
								 : queue_of(object, &queue);
	if (r == 0)
		append(queue, apc);
	unlock();
	return r;
}

static int queue_to_self(struct apc *apc)
{
	struct queue *queue = own_queue();

	if (!queue)
		return -ENOMEM;
	lock();
	append(queue, apc);
	unlock();
	return 0;
}

int apc_queue(struct object *object, PAPCFUNC function, ULONG_PTR argument)
{
	struct apc *apc = calloc(1, sizeof(*apc));
	int r;

	if (!apc)
		return -ENOMEM;
	apc->function = function;
	apc->argument = argument;
	r = object->thread ? queue_to(object, apc) : queue_to_self(apc);
	if (r < 0)
		free(apc);
	return r;
}

static int queue_call(HANDLE thread, PAPCFUNC function, ULONG_PTR argument,
		      struct tendril_error *error)
{
	AUTO_OBJECT struct object *object = NULL;
	int r = object_get(thread, OBJECT_THREAD, THREAD_SET_CONTEXT, &object);

	if (r == 0 && !function)
		r = -EINVAL;
	if (r < 0)
		return r;
	if (!object->thread || object->thread->pid == getpid())
		return apc_queue(object, function, argument);
	return far_queue(object, (uintptr_t)function, argument, error);
}

WINBASEAPI DWORD WINAPI QueueUserAPC(PAPCFUNC pfnAPC, HANDLE hThread, ULONG_PTR dwData)
{
	struct tendril_error error = { 0 };
	int r = queue_call(hThread, pfnAPC, dwData, &error);

	return (DWORD)error_report(r, &error);
}
