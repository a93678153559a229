/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * source_ptrace.c - handles and their stacks by stopping at every system call
 *
 * For kernels and users that BPF is refused to.  The target runs many times slower, and whoever else
 * wants to trace it cannot; it is neither changed nor signalled, and runs on by itself when we end,
 * however we end.  Tracing is done by a thread of its own, since a stopped thread waits for it, and
 * not for the next time that somebody asks.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "leaks/calls.h"
#include "leaks/source.h"
#include "proc/proc.h"

struct entry {
	bool open;
	struct source_handle handle;
	unsigned char *stack; /* NULL: none, or given back */
	size_t stack_bytes;
	uint64_t registers[STACK_REGISTERS];
};

/* A table of handles, of one process: threads that unshare theirs are not told apart. */
struct table {
	struct entry *entry;
	size_t n;
};

struct traced_process {
	pid_t pid;
	uint32_t key; /* from 1: which of all that there ever were */
	bool follow, ended;
	uint32_t image;
	size_t n_threads;
	struct table table;
	uint64_t opened, closed, lost;
};

struct traced_thread {
	pid_t tid;
	struct traced_process *process; /* NULL: told of before its parent was */
	bool in_call;
	uint64_t nr, args[6];
	int64_t entered_ns, last_ns;
};

enum news_type { NEWS_PROCESS, NEWS_EXECUTED, NEWS_ENDED };

struct news {
	enum news_type type;
	pid_t pid, parent;
	uint32_t key;
	uint32_t image;
	int status;
	pid_t held; /* this thread is stopped at its end until the news has been told */
};

enum order_type { ORDER_NONE, ORDER_ADD, ORDER_LET_END, ORDER_END };

struct ptrace_source {
	struct source base;
	pthread_t thread;
	pthread_mutex_t lock;    /* of everything below */
	pthread_cond_t answered;
	int news_fd;             /* an eventfd: something has happened */
	enum order_type order;
	pid_t order_pid;
	bool order_follow;
	int order_result;
	unsigned char kinds[CALLS_MAX];
	size_t stack_bytes_max;
	struct traced_process **process;
	size_t n_processes;
	struct traced_thread *threads;
	size_t n_threads, threads_room;
	struct news *news;
	size_t n_news, news_room;
	uint64_t unkept; /* for which there was no memory */
};

static struct ptrace_source *self_of(struct source *source)
{
	return (struct ptrace_source *)source;
}

static void tell_news(struct ptrace_source *self, const struct news *news)
{
	const uint64_t one = 1;

	if (self->n_news == self->news_room) {
		size_t room = self->news_room ? self->news_room * 2 : 16;
		struct news *grown = realloc(self->news, room * sizeof(*grown));

		if (!grown) {
			self->unkept++;
			if (news->held)
				(void)ptrace(PTRACE_DETACH, news->held, NULL, NULL);
			return;
		}
		self->news = grown;
		self->news_room = room;
	}
	self->news[self->n_news++] = *news;
	(void)!write(self->news_fd, &one, sizeof(one));
}

/* Tables */

static struct entry *entry_at(struct table *table, int number)
{
	size_t room = (size_t)number + 1;
	struct entry *grown;

	if (number < 0)
		return NULL;
	if (room <= table->n)
		return &table->entry[number];
	room = room < 64 ? 64 : room * 2;
	grown = reallocarray(table->entry, room, sizeof(*grown));
	if (!grown)
		return NULL;
	memset(grown + table->n, 0, (room - table->n) * sizeof(*grown));
	table->entry = grown;
	table->n = room;
	return &grown[number];
}

static void drop_stack(struct entry *entry)
{
	free(entry->stack);
	entry->stack = NULL;
	entry->handle.has_stack = false;
}

static void close_entry(struct traced_process *process, struct entry *entry)
{
	drop_stack(entry);
	entry->open = false;
	process->closed++;
}

static void free_table(struct table *table)
{
	for (size_t i = 0; i < table->n; i++)
		free(table->entry[i].stack);
	free(table->entry);
	*table = (struct table){ 0 };
}

static void copy_table(struct traced_process *child, const struct traced_process *parent)
{
	for (size_t i = 0; i < parent->table.n; i++) {
		const struct entry *from = &parent->table.entry[i];
		struct entry *to = from->open ? entry_at(&child->table, (int)i) : NULL;

		if (!to)
			continue;
		*to = *from;
		to->handle.owner = child->key;
		to->handle.origin = LEAKS_INHERITED;
		to->stack = from->stack ? malloc(from->stack_bytes) : NULL;
		to->handle.has_stack = to->stack != NULL;
		if (to->stack)
			memcpy(to->stack, from->stack, from->stack_bytes);
	}
}

/* Up to the bound, or as much of it as is mapped. */
static void capture_stack(struct ptrace_source *self, pid_t tid, struct entry *entry)
{
	struct user_regs_struct regs;
	struct iovec local, remote;
	ssize_t n;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return;
	entry->stack = malloc(self->stack_bytes_max);
	if (!entry->stack)
		return;
	local = (struct iovec){ entry->stack, self->stack_bytes_max };
	remote = (struct iovec){ (void *)(uintptr_t)regs.rsp, self->stack_bytes_max };
	n = process_vm_readv(tid, &local, 1, &remote, 1, 0);
	if (n <= 0) {
		drop_stack(entry);
		return;
	}
	entry->stack_bytes = (size_t)n;
	memcpy(entry->registers,
	       (uint64_t[]){ regs.rax, regs.rdx, regs.rcx, regs.rbx, regs.rsi, regs.rdi, regs.rbp,
			     regs.rsp, regs.r8, regs.r9, regs.r10, regs.r11, regs.r12, regs.r13,
			     regs.r14, regs.r15, regs.rip },
	       sizeof(entry->registers));
	entry->handle.has_stack = true;
}

/* A thread that lives: where the first one has ended, /proc shows no handles of the process. */
static bool is_open(pid_t tid, int number)
{
	char name[64];
	struct stat stat;

	(void)snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)tid, number);
	return lstat(name, &stat) == 0;
}

/* By a look, before the call that opens it came to its end. */
static bool was_met_early(const struct entry *entry, const struct traced_thread *thread)
{
	return entry->handle.origin == LEAKS_FOUND && entry->handle.opened_ns >= thread->entered_ns;
}

/* thread: who opened it; NULL when nobody saw it come */
static void record(struct ptrace_source *self, struct traced_process *process,
		   struct traced_thread *thread, int number, enum leaks_origin origin)
{
	struct entry *entry = entry_at(&process->table, number);
	int64_t now = now_ns();

	if (!entry) {
		process->lost++;
		return;
	}
	if (entry->open && !(thread && was_met_early(entry, thread)))
		close_entry(process, entry); /* dup2() over it */
	drop_stack(entry);
	entry->open = true;
	entry->handle = (struct source_handle){
		.owner = process->key,
		.pid = process->pid,
		.tid = thread ? thread->tid : process->pid,
		.number = number,
		.syscall = thread ? (int)thread->nr : -1,
		.origin = origin,
		.image = process->image,
		.opened_ns = now,
	};
	if (!thread)
		return;
	if (now <= thread->last_ns)
		entry->handle.opened_ns = thread->last_ns + 1;
	thread->last_ns = entry->handle.opened_ns;
	capture_stack(self, thread->tid, entry);
	entry->handle.no_stack = !entry->handle.has_stack;
	process->opened++;
}

/* Numbers in /proc/TID/fd, in a bitmap of as many as there are. */
static unsigned char *read_numbers(pid_t tid, size_t *ret_n)
{
	char name[64];
	unsigned char *map = NULL;
	size_t n = 0;
	DIR *dir;

	(void)snprintf(name, sizeof(name), "/proc/%d/fd", (int)tid);
	dir = opendir(name);
	if (!dir)
		return NULL;
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		size_t number = strtoul(d->d_name, NULL, 10);

		if (d->d_name[0] == '.')
			continue;
		if (number >= n) {
			unsigned char *grown = realloc(map, number * 2 + 64);

			if (!grown)
				break;
			memset(grown + n, 0, number * 2 + 64 - n);
			map = grown;
			n = number * 2 + 64;
		}
		map[number] = 1;
	}
	(void)closedir(dir);
	*ret_n = n;
	return map;
}

/* tid: of a thread that has its handles still */
static void compare_with(struct ptrace_source *self, struct traced_process *process, pid_t tid,
			 struct traced_thread *thread, enum leaks_origin origin)
{
	size_t n = 0;
	AUTO_FREE unsigned char *numbers = read_numbers(tid, &n);

	if (!numbers)
		return;
	for (size_t i = 0; i < n || i < process->table.n; i++) {
		bool known = i < process->table.n && process->table.entry[i].open;
		bool open = i < n && numbers[i];

		if (open && !known)
			record(self, process, thread, (int)i, origin);
		else if (known && !open)
			close_entry(process, &process->table.entry[i]);
	}
}

static void compare(struct ptrace_source *self, struct traced_process *process,
		    struct traced_thread *thread, enum leaks_origin origin)
{
	pid_t tid = thread ? thread->tid : process->pid;

	for (size_t i = 0; i < self->n_threads && !thread; i++)
		if (self->threads[i].process == process) {
			tid = self->threads[i].tid;
			break;
		}
	compare_with(self, process, tid, thread, origin);
}

/* System calls */

static void record_pair(struct ptrace_source *self, struct traced_thread *thread, uint64_t address)
{
	int pair[2];
	struct iovec local = { pair, sizeof(pair) }, remote = { (void *)(uintptr_t)address, sizeof(pair) };

	if (process_vm_readv(thread->tid, &local, 1, &remote, 1, 0) != sizeof(pair))
		return;
	record(self, thread->process, thread, pair[0], LEAKS_OPENED);
	record(self, thread->process, thread, pair[1], LEAKS_OPENED);
}

static void leave_call(struct ptrace_source *self, struct traced_thread *thread, int64_t ret)
{
	struct traced_process *process = thread->process;
	unsigned char kind = thread->nr < CALLS_MAX ? self->kinds[thread->nr] : CALL_NONE;
	int number = (int)thread->args[0];

	if (kind == CALL_CLOSES && (size_t)number < process->table.n &&
	    process->table.entry[number].open && !is_open(thread->tid, number))
		close_entry(process, &process->table.entry[number]);
	if (kind == CALL_NONE || kind == CALL_CLOSES || ret < 0)
		return;
	switch (kind) {
	case CALL_OPENS:
	case CALL_OPENS_READER:
		record(self, process, thread, (int)ret, LEAKS_OPENED);
		break;
	case CALL_MAY_OPEN:
		if (is_open(thread->tid, (int)ret) && (thread->nr == SYS_dup2 ?
		    thread->args[0] != thread->args[1] :
		    ((size_t)ret >= process->table.n || !process->table.entry[ret].open)))
			record(self, process, thread, (int)ret, LEAKS_OPENED);
		break;
	case CALL_FCNTL:
		if (thread->args[1] == F_DUPFD || thread->args[1] == F_DUPFD_CLOEXEC)
			record(self, process, thread, (int)ret, LEAKS_OPENED);
		break;
	case CALL_PAIR_FIRST:
		record_pair(self, thread, thread->args[0]);
		break;
	case CALL_PAIR_LAST:
		record_pair(self, thread, thread->args[3]);
		break;
	case CALL_RING:
		compare(self, process, thread, LEAKS_ASYNCHRONOUS);
		break;
	case CALL_READ: /* of those that bring handles there is no telling here: a look will find them */
		break;
	default:
		compare(self, process, thread, LEAKS_OPENED);
	}
}

static void stop_at_call(struct ptrace_source *self, struct traced_thread *thread)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, thread->tid, sizeof(info), &info) < 0)
		return;
	if (info.arch != AUDIT_ARCH_X86_64) {
		thread->in_call = false; /* its numbers are others: a look finds what it opens */
		return;
	}
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		thread->in_call = true;
		thread->entered_ns = now_ns();
		thread->nr = info.entry.nr;
		memcpy(thread->args, info.entry.args, sizeof(thread->args));
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT && thread->in_call) {
		thread->in_call = false;
		leave_call(self, thread, info.exit.rval);
	}
}

/* Threads and processes */

static struct traced_thread *find_thread(struct ptrace_source *self, pid_t tid)
{
	for (size_t i = 0; i < self->n_threads; i++)
		if (self->threads[i].tid == tid)
			return &self->threads[i];
	return NULL;
}

static struct traced_thread *add_thread(struct ptrace_source *self, pid_t tid)
{
	struct traced_thread *thread = find_thread(self, tid);

	if (thread)
		return thread;
	if (self->n_threads == self->threads_room) {
		size_t room = self->threads_room ? self->threads_room * 2 : 16;
		struct traced_thread *grown = realloc(self->threads, room * sizeof(*grown));

		if (!grown)
			return NULL;
		self->threads = grown;
		self->threads_room = room;
	}
	thread = &self->threads[self->n_threads++];
	*thread = (struct traced_thread){ .tid = tid };
	return thread;
}

static void forget_thread(struct ptrace_source *self, struct traced_thread *thread)
{
	*thread = self->threads[--self->n_threads];
}

static void forget_tid(struct ptrace_source *self, pid_t tid)
{
	struct traced_thread *thread = find_thread(self, tid);

	if (thread)
		forget_thread(self, thread);
}

static struct traced_process *find_process(struct ptrace_source *self, pid_t pid)
{
	for (size_t i = self->n_processes; i-- > 0;)
		if (self->process[i]->pid == pid && !self->process[i]->ended)
			return self->process[i];
	return NULL;
}

static struct traced_process *add_process(struct ptrace_source *self, pid_t pid, pid_t parent, bool follow)
{
	struct traced_process *process = calloc(1, sizeof(*process)), **grown;
	struct news news = { .type = NEWS_PROCESS, .pid = pid, .parent = parent };

	grown = process ? reallocarray(self->process, self->n_processes + 1, sizeof(*grown)) : NULL;
	if (!grown) {
		free(process);
		return NULL;
	}
	self->process = grown;
	self->process[self->n_processes++] = process;
	process->pid = pid;
	process->key = news.key = (uint32_t)self->n_processes;
	process->follow = follow;
	tell_news(self, &news);
	return process;
}

static void end_process(struct ptrace_source *self, struct traced_process *process, int status,
			pid_t held)
{
	struct news news = { .type = NEWS_ENDED, .key = process->key, .status = status, .held = held };

	process->ended = true;
	tell_news(self, &news);
}

static const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
			    PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT;

/* The first thread stays as a zombie until the others have ended. */
static bool has_departed(pid_t tid)
{
	struct proc_process now;

	return proc_process_read_stat(tid, &now) == 0 && (now.state == 'Z' || now.state == 'X');
}

/* Also those that come while we look: until a whole round finds none. */
static int seize_threads(struct ptrace_source *self, struct traced_process *process)
{
	bool found;
	int r;

	do {
		AUTO_FREE pid_t *tids = NULL;
		size_t n;

		found = false;
		r = proc_threads(process->pid, &tids, &n);
		for (size_t i = 0; r == 0 && i < n; i++) {
			struct traced_thread *thread;

			if (find_thread(self, tids[i]))
				continue;
			if (ptrace(PTRACE_SEIZE, tids[i], NULL, options) < 0) {
				int code = errno;

				if (code != ESRCH && !has_departed(tids[i]))
					r = -code;
				continue;
			}
			found = true;
			(void)ptrace(PTRACE_INTERRUPT, tids[i], NULL, NULL);
			thread = add_thread(self, tids[i]);
			if (!thread)
				return -ENOMEM;
			thread->process = process;
			process->n_threads++;
		}
	} while (r == 0 && found);
	return r;
}

static int add_running(struct ptrace_source *self, pid_t pid, bool follow)
{
	struct traced_process *process = find_process(self, pid);
	int r;

	if (process)
		return 0;
	process = add_process(self, pid, 0, follow);
	if (!process)
		return -ENOMEM;
	r = seize_threads(self, process);
	if (r == 0 && process->n_threads == 0)
		r = -ESRCH;
	compare(self, process, NULL, LEAKS_BEFORE);
	if (r < 0)
		end_process(self, process, 0, 0);
	return r;
}

/* Whose it is, told by its parent's stop or by its own first one, whichever comes first.
 * Return: false for a child that is not followed. */
static bool place_thread(struct ptrace_source *self, pid_t tid)
{
	struct traced_thread *thread = add_thread(self, tid);
	struct traced_process *process, *parent;
	struct proc_process now;

	if (!thread || thread->process)
		return thread != NULL;
	if (proc_process_read(tid, &now) < 0)
		return true; /* it has ended: that will be told */
	process = find_process(self, now.tgid);
	parent = find_process(self, now.ppid);
	if (!process && parent && parent->follow) {
		process = add_process(self, now.tgid, parent->pid, true);
		if (!process)
			return false;
		process->image = parent->image;
		copy_table(process, parent);
	}
	if (!process)
		return false;
	thread->process = process;
	process->n_threads++;
	return true;
}

static void executed(struct ptrace_source *self, pid_t tid)
{
	struct traced_thread *thread = find_thread(self, tid);
	struct news news = { .type = NEWS_EXECUTED };

	if (!thread || !thread->process)
		return;
	for (size_t i = self->n_threads; i-- > 0;)
		if (self->threads[i].process == thread->process && self->threads[i].tid != tid) {
			forget_thread(self, &self->threads[i]);
			thread = find_thread(self, tid);
		}
	thread->process->n_threads = 1;
	news.key = thread->process->key;
	news.image = ++thread->process->image;
	tell_news(self, &news);
	compare(self, thread->process, NULL, LEAKS_FOUND);
}

/* Its handles are there still: look a last time, and let it go to its end. */
static void ending(struct ptrace_source *self, struct traced_thread *thread)
{
	struct traced_process *process = thread->process;
	unsigned long status = 0;
	pid_t tid = thread->tid;

	(void)ptrace(PTRACE_GETEVENTMSG, tid, NULL, &status);
	forget_thread(self, thread);
	if (process && --process->n_threads == 0) {
		compare_with(self, process, tid, NULL, LEAKS_FOUND);
		end_process(self, process, (int)status, tid);
		return; /* it is let go when what it maps has been read */
	}
	(void)ptrace(PTRACE_DETACH, tid, NULL, NULL);
}

/* The tracing thread */

static void go_on(pid_t tid, int signal)
{
	(void)ptrace(PTRACE_SYSCALL, tid, NULL, (long)signal);
}

static void take_event_stop(struct ptrace_source *self, pid_t tid, int event, int signal)
{
	struct traced_thread *thread = find_thread(self, tid);
	unsigned long message = 0;

	switch (event) {
	case PTRACE_EVENT_CLONE:
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
		if (ptrace(PTRACE_GETEVENTMSG, tid, NULL, &message) == 0 &&
		    !place_thread(self, (pid_t)message))
			forget_tid(self, (pid_t)message); /* let go at its own stop */
		break;
	case PTRACE_EVENT_EXEC:
		executed(self, tid);
		break;
	case PTRACE_EVENT_EXIT:
		if (thread)
			ending(self, thread);
		else
			(void)ptrace(PTRACE_DETACH, tid, NULL, NULL);
		return;
	case PTRACE_EVENT_STOP:
		if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) {
			(void)ptrace(PTRACE_LISTEN, tid, NULL, NULL); /* stopped with its process */
			return;
		}
		break;
	default:
		break;
	}
	go_on(tid, 0);
}

static void take_stop(struct ptrace_source *self, pid_t tid, int status)
{
	int signal = WSTOPSIG(status), event = status >> 16;
	struct traced_thread *thread;

	if (!place_thread(self, tid)) {
		forget_tid(self, tid);
		(void)ptrace(PTRACE_DETACH, tid, NULL, NULL);
		return;
	}
	thread = find_thread(self, tid);
	if (signal == (SIGTRAP | 0x80)) {
		if (thread && thread->process)
			stop_at_call(self, thread);
		go_on(tid, 0);
	} else if (event) {
		take_event_stop(self, tid, event, signal);
	} else {
		go_on(tid, signal); /* a signal of its own */
	}
}

static void take_death(struct ptrace_source *self, pid_t tid, int status)
{
	struct traced_thread *thread = find_thread(self, tid);
	struct traced_process *process = thread ? thread->process : NULL;

	if (!thread)
		return;
	forget_thread(self, thread);
	if (process && !process->ended && --process->n_threads == 0)
		end_process(self, process, status, 0);
}

static void take_order(struct ptrace_source *self)
{
	if (self->order != ORDER_ADD && self->order != ORDER_LET_END)
		return;
	if (self->order == ORDER_ADD)
		self->order_result = add_running(self, self->order_pid, self->order_follow);
	else
		(void)ptrace(PTRACE_DETACH, self->order_pid, NULL, NULL);
	self->order = ORDER_NONE;
	(void)pthread_cond_signal(&self->answered);
}

/* Wait for stops, and nothing else: __WNOTHREAD leaves the children of our other threads alone.
 * Tracees run on by themselves when this thread ends. */
static void *trace(void *context)
{
	struct ptrace_source *self = context;
	enum order_type order;

	do {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL | __WNOTHREAD);

		if (tid < 0 && errno == ECHILD)
			(void)poll(NULL, 0, 100); /* nobody yet, or nobody any more; an order interrupts */
		pthread_mutex_lock(&self->lock);
		if (tid > 0 && WIFSTOPPED(status))
			take_stop(self, tid, status);
		else if (tid > 0)
			take_death(self, tid, status);
		take_order(self);
		order = self->order;
		pthread_mutex_unlock(&self->lock);
	} while (order != ORDER_END);
	return NULL;
}

/* The source's side: of other threads */

#define ORDER_SIGNAL (SIGRTMAX - 1)

static void wake_only(int signal)
{
}

/* The signal may come right before it waits: then it is sent again. */
static int give_order(struct ptrace_source *self, enum order_type type)
{
	self->order = type;
	while (self->order == type) {
		struct timespec until;

		(void)pthread_kill(self->thread, ORDER_SIGNAL);
		(void)clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 5 * NS_PER_MS;
		if (until.tv_nsec >= NS_PER_S) {
			until.tv_nsec -= NS_PER_S;
			until.tv_sec++;
		}
		(void)pthread_cond_timedwait(&self->answered, &self->lock, &until);
	}
	return self->order_result;
}

static int ptrace_add(struct source *source, pid_t pid, bool follow, struct tendril_error *error)
{
	struct ptrace_source *self = self_of(source);
	int r;

	if (pid == 0)
		return fail(error, -ENOTSUP, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "without BPF not every process can be watched: name the ones");
	pthread_mutex_lock(&self->lock);
	self->order_pid = pid;
	self->order_follow = follow;
	r = give_order(self, ORDER_ADD);
	pthread_mutex_unlock(&self->lock);
	if (r == -ESRCH)
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NO_PROCESS,
			    "there is no process %d", (int)pid);
	if (r < 0)
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_UID,
			    "process %d may not be traced: it is another user's, or traced already",
			    (int)pid);
	return 0;
}

static int ptrace_poll_fd(const struct source *source)
{
	return ((const struct ptrace_source *)source)->news_fd;
}

static void let_end(struct ptrace_source *self, pid_t tid)
{
	pthread_mutex_lock(&self->lock);
	self->order_pid = tid;
	(void)give_order(self, ORDER_LET_END);
	pthread_mutex_unlock(&self->lock);
}

static int ptrace_events(struct source *source)
{
	struct ptrace_source *self = self_of(source);
	struct news *news;
	uint64_t count;
	size_t n;

	(void)!read(self->news_fd, &count, sizeof(count));
	pthread_mutex_lock(&self->lock);
	news = self->news;
	n = self->n_news;
	self->news = NULL;
	self->n_news = self->news_room = 0;
	pthread_mutex_unlock(&self->lock);
	for (size_t i = 0; i < n; i++) {
		uint32_t key = news[i].key;

		if (news[i].type == NEWS_PROCESS)
			source->callbacks->process(source->context, news[i].pid, news[i].parent, key, "");
		else if (news[i].type == NEWS_EXECUTED)
			source->callbacks->executed(source->context, key, news[i].image, "");
		else
			source->callbacks->ended(source->context, key, news[i].status);
		if (news[i].held)
			let_end(self, news[i].held);
	}
	free(news);
	return 0;
}

/* Also what came by ways that no call of its own shows. */
static int ptrace_look(struct source *source)
{
	struct ptrace_source *self = self_of(source);

	pthread_mutex_lock(&self->lock);
	for (size_t i = 0; i < self->n_processes; i++)
		if (!self->process[i]->ended)
			compare(self, self->process[i], NULL, LEAKS_FOUND);
	pthread_mutex_unlock(&self->lock);
	return 0;
}

/* Each stack has memory of its own. */
static int64_t ptrace_now_ns(struct source *source)
{
	return now_ns();
}

static bool ptrace_is_short(const struct source *source)
{
	return false;
}

static int ptrace_each_handle(struct source *source, uint32_t owner,
			      int (*tell)(void *, const struct source_handle *), void *context)
{
	struct ptrace_source *self = self_of(source);
	int r = 0;

	pthread_mutex_lock(&self->lock);
	for (size_t i = 0; i < self->n_processes && r == 0; i++) {
		struct traced_process *process = self->process[i];

		if (owner && process->key != owner)
			continue;
		for (size_t k = 0; k < process->table.n && r == 0; k++)
			if (process->table.entry[k].open) {
				process->table.entry[k].handle.page = (uint32_t)i;
				r = tell(context, &process->table.entry[k].handle);
			}
	}
	pthread_mutex_unlock(&self->lock);
	return r;
}

/* Called back from each_handle(), which holds the lock. */
static struct entry *entry_of(struct ptrace_source *self, const struct source_handle *handle)
{
	struct traced_process *process = handle->page < self->n_processes ? self->process[handle->page] :
									   NULL;

	if (!process || (size_t)handle->number >= process->table.n)
		return NULL;
	return &process->table.entry[handle->number];
}

static int ptrace_capture(struct source *source, const struct source_handle *handle,
			  struct captured_stack *ret_stack, unsigned char *buffer)
{
	struct entry *entry = entry_of(self_of(source), handle);

	if (!entry || !entry->stack)
		return -ENOENT;
	memcpy(buffer, entry->stack, entry->stack_bytes);
	memcpy(ret_stack->registers, entry->registers, sizeof(entry->registers));
	ret_stack->bytes = buffer;
	ret_stack->n_bytes = entry->stack_bytes;
	ret_stack->whole = entry->stack_bytes < self_of(source)->stack_bytes_max;
	return 0;
}

static int ptrace_release(struct source *source, const struct source_handle *handle)
{
	struct entry *entry = entry_of(self_of(source), handle);

	if (entry)
		drop_stack(entry);
	return 0;
}

static int ptrace_flush_releases(struct source *source)
{
	return 0;
}

static int ptrace_counts(struct source *source, uint32_t key, struct leaks_process *process)
{
	struct ptrace_source *self = self_of(source);
	const struct traced_process *traced;

	pthread_mutex_lock(&self->lock);
	traced = self->process[key - 1];
	process->opened = traced->opened;
	process->closed = traced->closed;
	process->lost = traced->lost;
	pthread_mutex_unlock(&self->lock);
	return 0;
}

static uint64_t ptrace_missed(const struct source *source)
{
	return __atomic_load_n(&((const struct ptrace_source *)source)->unkept, __ATOMIC_RELAXED);
}

static int ptrace_remove(struct source *source, pid_t pid, uint32_t key)
{
	return -ENOTSUP;
}

static void ptrace_forget(struct source *source, uint32_t key)
{
	struct ptrace_source *self = self_of(source);

	pthread_mutex_lock(&self->lock);
	free_table(&self->process[key - 1]->table);
	pthread_mutex_unlock(&self->lock);
}

static void ptrace_close(struct source *source)
{
	struct ptrace_source *self = self_of(source);

	pthread_mutex_lock(&self->lock);
	self->order = ORDER_END;
	pthread_mutex_unlock(&self->lock);
	while (pthread_kill(self->thread, ORDER_SIGNAL) == 0) {
		struct timespec until;

		(void)clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += until.tv_nsec / 990000000;
		until.tv_nsec = (until.tv_nsec + 5 * NS_PER_MS) % NS_PER_S;
		if (pthread_timedjoin_np(self->thread, NULL, &until) == 0)
			break;
	}
	for (size_t i = 0; i < self->n_processes; i++) {
		free_table(&self->process[i]->table);
		free(self->process[i]);
	}
	free(self->process);
	free(self->threads);
	free(self->news);
	close(self->news_fd);
	free(self);
}

static const struct source_ops ptrace_ops = {
	.name = "ptrace",
	.add = ptrace_add,
	.poll_fd = ptrace_poll_fd,
	.events = ptrace_events,
	.look = ptrace_look,
	.now_ns = ptrace_now_ns,
	.is_short = ptrace_is_short,
	.each_handle = ptrace_each_handle,
	.capture = ptrace_capture,
	.release = ptrace_release,
	.flush_releases = ptrace_flush_releases,
	.counts = ptrace_counts,
	.missed = ptrace_missed,
	.remove = ptrace_remove,
	.forget = ptrace_forget,
	.close = ptrace_close,
};

int source_ptrace_open(const struct leaks_options *leaks, struct source **ret_source,
		       struct tendril_error *error)
{
	struct ptrace_source *self = calloc(1, sizeof(*self));
	const struct sigaction wake = { .sa_handler = wake_only };
	int r = 0;

	if (!self)
		return fail(error, -ENOMEM, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE, "out of memory");
	self->base.ops = &ptrace_ops;
	self->stack_bytes_max = leaks->stack_bytes > 0 && leaks->stack_bytes < SOURCE_STACK_MAX ?
				leaks->stack_bytes : SOURCE_STACK_MAX;
	calls_fill(self->kinds);
	self->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (self->news_fd < 0)
		r = -errno;
	(void)pthread_mutex_init(&self->lock, NULL);
	(void)pthread_cond_init(&self->answered, NULL);
	(void)sigaction(ORDER_SIGNAL, &wake, NULL);
	if (r == 0)
		r = -pthread_create(&self->thread, NULL, trace, self);
	if (r < 0) {
		close_keeping_errno(self->news_fd);
		free(self);
		return fail(error, r, TENDRIL_STAGE_CHECK, TENDRIL_RULE_LIMIT,
			    "no thread could be started to trace with: %s", strerror(-r));
	}
	*ret_source = &self->base;
	return 0;
}
