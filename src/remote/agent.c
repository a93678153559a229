/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent.c - the code that runs inside the target
 *
 * Copied there as bytes: no data of its own, no calls out of its section, no libc, nothing that a
 * compiler might turn into a call to memcpy().  Built without sanitizers, stack protector and
 * vector registers.
 */
#include "remote/agent.h"

#include <stddef.h>
#include <asm/stat.h>
#include <linux/futex.h>
#include <linux/prctl.h>

#include "arch/raw_syscall.h"

#define IN_AGENT __attribute__((section("tendril_agent")))

#define PAGE_BYTES       4096
#define PROT_READ_WRITE  3
#define MAP_SHARED_FIXED 0x11
#define MFD_FLAGS        3 /* MFD_CLOEXEC | MFD_ALLOW_SEALING */
#define FUTEX_SHARED(op) (op)
#define SIG_SETMASK      2
#define HEARING_NAPS     60 /* up to some 20 ms */
#define ESRCH            3

_Static_assert(offsetof(struct agent, arena) == AGENT_ARENA, "agent_layout.h");
_Static_assert(offsetof(struct agent, arena_bytes) == AGENT_ARENA_BYTES, "agent_layout.h");
_Static_assert(offsetof(struct agent, munmap) == AGENT_MUNMAP, "agent_layout.h");
_Static_assert(offsetof(struct agent, patience) == AGENT_PATIENCE, "agent_layout.h");
_Static_assert(offsetof(struct agent, rest) == AGENT_REST, "agent_layout.h");
_Static_assert(offsetof(struct agent, rest_bytes) == AGENT_REST_BYTES, "agent_layout.h");
_Static_assert(offsetof(struct agent, home_unmap) == AGENT_HOME_UNMAP, "agent_layout.h");
_Static_assert(offsetof(struct agent, fetch) == AGENT_FETCH, "agent_layout.h");
_Static_assert(sizeof(struct mailbox) <= PAGE_BYTES, "one page");

#define call1(n, a)          raw_syscall(n, (long)(a), 0, 0, 0, 0, 0)
#define call2(n, a, b)       raw_syscall(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define call3(n, a, b, c)    raw_syscall(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define call4(n, a, b, c, d) raw_syscall(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define load_acquire(p)     __atomic_load_n(p, __ATOMIC_ACQUIRE)

typedef int attr_function(void *attr);
typedef int attr_int_function(void *attr, int value);
typedef int attr_size_function(void *attr, uint64_t value);
typedef int attr_stack_function(void *attr, uint64_t stack, uint64_t bytes);
typedef int create_function(uint64_t *thread, void *attr, uint64_t start, void *param);
typedef int clock_function(uint64_t thread, int *ret_clock);
typedef void push_function(void *buffer, uint64_t routine, void *param);
typedef void pop_function(void *buffer, int execute);

/* Room for any libc's pthread_attr_t (56 bytes) and _pthread_cleanup_buffer (32 bytes). */
struct opaque {
	uint64_t words[16];
};

/* The target's own pthread_create(), with a stack that can be unmapped when the thread is gone. */
IN_AGENT static int create(struct agent *agent)
{
	struct opaque attr;
	uint64_t thread;
	int r, clock;

	r = ((attr_function *)agent->attr_init)(&attr);
	if (r)
		return r;
	r = ((attr_int_function *)agent->attr_setdetachstate)(&attr, 1);
	if (!r && agent->stack)
		r = ((attr_stack_function *)agent->attr_setstack)(&attr, agent->stack,
								  agent->stack_bytes);
	else if (!r && agent->stack_bytes)
		r = ((attr_size_function *)agent->attr_setstacksize)(&attr, agent->stack_bytes);
	if (!r)
		r = ((create_function *)agent->pthread_create)(&thread, &attr, agent->thread_entry,
							       agent);
	if (r)
		return r;
	/* The thread's clock has its id for a number, which the thread itself may tell much later. */
	if (((clock_function *)agent->getcpuclockid)(thread, &clock) == 0)
		agent->tid = ~(clock >> 3);
	return 0;
}

IN_AGENT static void nap_for(int64_t ns)
{
	struct agent_time time = { 0, ns };

	(void)call4(__NR_clock_nanosleep, 1, 0, &time, 0); /* CLOCK_MONOTONIC */
}

IN_AGENT static uint64_t inode_of(long fd)
{
	struct stat st;

	st.st_ino = 0;
	return call2(__NR_fstat, fd, &st) < 0 ? 0 : st.st_ino;
}

/* Unless the program has closed that number itself, and has something else there now. */
IN_AGENT static void close_mailbox(const struct agent *agent)
{
	if (inode_of(agent->memfd) == agent->mailbox_inode)
		(void)call1(__NR_close, agent->memfd);
}

/*
 * The mailbox page: memory shared with the caller, which takes the descriptor by pidfd_getfd(2).
 * It is the only thing that outlives the thread, in the caller, where the value is read.
 */
IN_AGENT static long open_mailbox(struct agent *agent)
{
	long fd = call2(__NR_memfd_create, agent->name, MFD_FLAGS);
	long r;

	if (fd < 0)
		return fd;
	r = call2(__NR_ftruncate, fd, PAGE_BYTES);
	if (r >= 0)
		r = raw_syscall(__NR_mmap, (long)agent->mailbox, PAGE_BYTES, PROT_READ_WRITE,
				MAP_SHARED_FIXED, fd, 0);
	if (r < 0 && r > -4096) {
		(void)call1(__NR_close, fd);
		return r;
	}
	agent->mailbox_inode = inode_of(fd);
	((struct mailbox *)agent->mailbox)->mark = agent->mark;
	((struct mailbox *)agent->mailbox)->home_ip = agent->return_entry;
	((struct mailbox *)agent->mailbox)->park.kind = PARK_MAILBOX;
	((struct mailbox *)agent->mailbox)->park.mark =
		PARK_MARK ^ (agent->mailbox + offsetof(struct mailbox, park));
	__atomic_store_n(&agent->memfd, (int32_t)fd, __ATOMIC_RELEASE);
	return 0;
}

/*
 * The borrowed thread comes here, with all its signals blocked.  It must not touch the arena any
 * more once it has started home, except that the way home's "leave" writes agent->left.
 */
IN_AGENT struct agent_way agent_borrow(struct agent *agent)
{
	struct agent_way way = { agent->home_unmap, agent->fetch };
	int r = (int)-open_mailbox(agent);

	if (!r) {
		r = create(agent);
		if (r)
			close_mailbox(agent);
	}
	if (r) {
		agent->create_result = r;
		store_release(&agent->created, AGENT_NOT_CREATED);
		/*
		 * The arena goes with us, and with it the reason: let it be read, but not for long.
		 * (One that is fetched waits anyway, and must not sleep here: that would take the
		 * place of the sleep that it was interrupted in.)
		 */
		for (int i = 0; !agent->fetch && i < HEARING_NAPS && !load_acquire(&agent->heard); i++)
			nap_for(i < HEARING_NAPS / 2 ? 20000 : 500000);
	} else {
		way.sp = agent->home_leave;
		/* Before anybody can know of the thread: without it it would seem to be none of ours. */
		((struct mailbox *)agent->mailbox)->tid = agent->tid;
		store_release(&agent->created, AGENT_CREATED);
	}
	return way;
}

IN_AGENT static uint32_t change_verdict(struct mailbox *box, uint32_t from, uint32_t to)
{
	/* Whoever is first decides; the other one obeys. */
	if (__atomic_compare_exchange_n(&box->verdict, &from, to, 0, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return to;
	return from;
}

/* A process that has ended has no memory to read, be it a zombie or reaped: ESRCH. */
IN_AGENT static int caller_is_gone(const struct agent *agent)
{
	uint64_t byte = 0;
	struct {
		uint64_t base, bytes;
	} here = { (uint64_t)&byte, 1 }, there = { 0, 1 };

	return agent->caller_pid &&
	       raw_syscall(__NR_process_vm_readv, agent->caller_pid, (long)&here, 1, (long)&there,
			   1, 0) == -ESRCH;
}

IN_AGENT static uint32_t wait_for_verdict(struct agent *agent, struct mailbox *box)
{
	for (uint32_t i = 0; i < agent->park_spins; i++) {
		if (load_acquire(&box->verdict) != AGENT_VERDICT_NONE)
			return load_acquire(&box->verdict);
		ARCH_PAUSE();
	}
	/* In slices: a caller that could not map the mailbox can write to it, but not wake us. */
	for (uint32_t i = 0; i < agent->park_slices; i++) {
		if (load_acquire(&box->verdict) != AGENT_VERDICT_NONE)
			return load_acquire(&box->verdict);
		(void)call4(__NR_futex, &box->verdict, FUTEX_SHARED(FUTEX_WAIT), AGENT_VERDICT_NONE,
			    &agent->park);
		if (caller_is_gone(agent))
			break;
	}
	return change_verdict(box, AGENT_VERDICT_NONE, AGENT_VERDICT_TOO_LATE);
}

IN_AGENT static void show_waiting(struct park_record *park)
{
	store_release(&park->waits, 1);
	(void)call3(__NR_futex, &park->waits, FUTEX_SHARED(FUTEX_WAKE), 1);
}

IN_AGENT static uint32_t wait_for_resume(struct agent *agent, struct mailbox *box)
{
	const struct agent_time *slice = agent->stays ? 0 : &agent->suspend;
	uint32_t word;

	show_waiting(&box->park);
	for (;;) {
		uint32_t verdict = load_acquire(&box->verdict);

		if (verdict != AGENT_VERDICT_SUSPEND)
			return verdict;
		word = load_acquire(&box->park.word);
		if (park_count(word) <= 0)
			return change_verdict(box, AGENT_VERDICT_SUSPEND, AGENT_VERDICT_RUN);
		(void)call4(__NR_futex, &box->park.word, FUTEX_SHARED(FUTEX_WAIT), word, slice);
		/* Only its creator has promised to resume it. */
		if (!agent->stays && caller_is_gone(agent))
			return change_verdict(box, AGENT_VERDICT_SUSPEND, AGENT_VERDICT_LEAVE);
	}
}

IN_AGENT static void copy_text(struct mailbox *box, const char *text)
{
	for (int i = 0; text && i < AGENT_TEXT_BYTES - 1 && text[i]; i++)
		*(volatile char *)&box->text[i] = text[i];
}

/* What dlopen() gives begins with these, in glibc and in musl: struct link_map of <link.h>. */
struct library {
	uint64_t offset, name, dynamic;
};

/* The loader adds offset to the addresses in the file, which may begin at another one than 0. */
IN_AGENT static uint64_t where_it_begins(const struct agent *agent, const struct library *library)
{
	struct {
		uint64_t file, base, symbol, address;
	} found;
	uint64_t arguments[6], unused;

	if (!library)
		return 0;
	arguments[0] = library->dynamic;
	arguments[1] = (uint64_t)&found;
	return (int)agent_call(agent->follow, arguments, &unused) ? found.base : library->offset;
}

/* Is the library that was closed a last time still there, because the program itself needs it? */
IN_AGENT static int stays_loaded(const struct agent *agent)
{
	uint64_t arguments[6], unused;

	arguments[0] = agent_call(agent->function, agent->arguments, &unused);
	if (!arguments[0])
		return 0;
	(void)agent_call(agent->follow, arguments, &unused);
	return 1;
}

IN_AGENT static void lock_loader(const struct agent *agent, uint64_t function)
{
	uint64_t arguments[6], unused;

	arguments[0] = agent->loader_mutex;
	if (agent->loader_mutex)
		(void)agent_call(function, arguments, &unused);
}

/*
 * Opened once more, because another library may be at its address by now: closed twice.  Under the
 * loader's own lock: of two threads that each held it open, the second one would close what is
 * gone, which the loader takes for a library still.
 */
IN_AGENT uint64_t agent_close_library(const struct agent *agent)
{
	uint64_t arguments[6], unused, result = 0;
	const struct library *library;

	lock_loader(agent, agent->mutex_lock);
	library = (const struct library *)agent_call(agent->function, agent->arguments, &unused);
	arguments[0] = (uint64_t)library;
	if (library && library->offset == agent->arguments[2]) {
		(void)agent_call(agent->follow, arguments, &unused);
		result = 1;
	}
	/* Refused: nobody counts what the program itself needs. */
	if (library && (int)agent_call(agent->follow, arguments, &unused) != 0)
		result = stays_loaded(agent) ? agent->arguments[3] : 0;
	lock_loader(agent, agent->mutex_unlock);
	return result;
}

IN_AGENT static uint64_t find_value(const struct agent *agent, struct mailbox *box)
{
	/* What is done with a result of the loader's own must not be done with a code that the thread
	 * was ended with: there it cannot be ended half way. */
	int may_be_left = agent->value == AGENT_VALUE_RESULT;
	uint64_t result, unused;

	if (agent->value == AGENT_VALUE_GIVEN)
		return agent->arguments[0];
	if (agent->value == AGENT_VALUE_CLOSED)
		return agent_close_library(agent);
	result = agent_call(agent->function, agent->arguments,
			    may_be_left ? &box->home_sp : &unused);
	if (agent->value == AGENT_VALUE_MODULE)
		return where_it_begins(agent, (const struct library *)result);
	return result;
}

IN_AGENT static void run(struct agent *agent, struct mailbox *box)
{
	struct opaque cleanup;
	uint64_t value, unused;

	((push_function *)agent->cleanup_push)(&cleanup, agent->exit_entry, agent);
	value = find_value(agent, box);
	if (agent->follow_when == AGENT_FOLLOW_ON_NULL && value == 0)
		copy_text(box, (const char *)agent_call(agent->follow, agent->arguments, &unused));
	((pop_function *)agent->cleanup_pop)(&cleanup, 0);
	box->value = value;
	store_release(&box->end, AGENT_RETURNED);
}

/*
 * Everything of ours has to go, the stack that we stand on included.  With a stack of ours: a
 * reaper, which does it when this thread is gone; with libc's: the caller of this does.
 */
IN_AGENT static struct agent *leave(struct agent *agent, int *ret_reaper_tid)
{
	uint64_t all = ~0ul, old;

	while (load_acquire(&agent->left.s) == 0 && load_acquire(&agent->left.ns) == 0)
		nap_for(50000);
	if (!agent->stack)
		return agent;
	/*
	 * glibc itself never looks at the thread id word of a detached thread on a stack that is
	 * not its own, once the thread is off its lists; so the kernel may clear ours instead.
	 */
	agent->gone = 1;
	(void)call1(__NR_set_tid_address, &agent->gone);
	(void)call4(__NR_rt_sigprocmask, SIG_SETMASK, &all, &old, 8); /* for the reaper */
	while (agent_spawn_reaper(&agent->gone, agent->arena, agent->arena_bytes,
				  agent->exit_loop, ret_reaper_tid) < 0)
		nap_for(50000); /* no thread may be made right now: better late than a stack left behind */
	(void)call4(__NR_rt_sigprocmask, SIG_SETMASK, &old, 0, 8);
	return 0;
}

/* Whoever looks at the process finds the thread and its memory by name. */
IN_AGENT static void show_names(const struct agent *agent)
{
	(void)call2(__NR_prctl, PR_SET_NAME, agent->name);
	(void)raw_syscall(__NR_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, (long)agent->arena,
			  (long)(agent->mailbox - agent->arena), (long)agent->name, 0);
}

IN_AGENT struct agent *agent_thread(struct agent *agent)
{
	struct mailbox *box = (struct mailbox *)agent->mailbox;
	/* One that comes when nobody waits for it any more leaves at once. */
	uint32_t verdict = load_acquire(&agent->heard) ? AGENT_VERDICT_LEAVE
						       : wait_for_verdict(agent, box);

	close_mailbox(agent);
	show_names(agent);
	if (verdict == AGENT_VERDICT_SUSPEND)
		verdict = wait_for_resume(agent, box);
	if (verdict == AGENT_VERDICT_RUN)
		run(agent, box); /* the point of no return was the caller's compare-and-swap */
	return leave(agent, &box->reaper_tid);
}

IN_AGENT struct agent *agent_thread_exit(struct agent *agent)
{
	struct mailbox *box = (struct mailbox *)agent->mailbox;

	if (box->end == AGENT_RUNNING) /* else it has said itself what it returns */
		store_release(&box->end, AGENT_EXITED);
	return leave(agent, &box->reaper_tid);
}
