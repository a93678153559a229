/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * handles.bpf.c - keeps, for each open handle of the processes watched, who opened it
 *
 * Runs where the kernel's own functions change a table (fentry.h), or, where those may not be hooked,
 * at the exit of every system call, and must be cheap there for all who are not watched.  What it
 * records it judges by the table of handles itself: a close(2) forgets a handle when the table has
 * none at that number any more, since another thread may have opened one there in the meantime.  For
 * calls whose return value does not tell, all of the table is compared with what is known.  Nothing
 * here stops or changes a process.
 */
#include "kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "calls.h"
#include "handles.h"

#include "chunks.h"

#define WORD_BITS	 64
#define WORDS_MAX	 16384 /* a table of 2^20 handles */
#define F_DUPFD		 0
#define F_DUPFD_CLOEXEC	 1030
#define SOL_SOCKET	 1
#define SO_PEERPIDFD	 77
#define MSG_CONTROL_BYTES_AT 40 /* in struct msghdr */
#define STACK_RESERVE	 64    /* above mm->start_stack: argc, the first of argv */
#define ERRNO_MAX	 4095
#define CACHED_PAGES	 8
#define EVENTS_BYTES	 (1 << 21)

const volatile bool all_processes = false;
const volatile __u32 stack_bytes_max = CAPTURE_LARGE_BYTES - CAPTURE_HEADER;
const volatile __u8 call_kinds[CALLS_MAX] = { 0 }; /* not a map: each process pays for the look */

__u32 own_level;  /* of our own pid namespace: know_self() tells */
__u64 own_namespace;
__u32 own_tgid;
__u32 own_tid; /* of the thread that opens us */
__u32 look_mode;
__u32 look_flags; /* of the processes added */
__u32 last_table, last_process;
__u64 unkept_events; /* for which the ring had no room */
__u64 moments;       /* that the reader has taken: what is opened after one has a later stamp */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 17);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32); /* a number that no other ever has: a pid may be another's before the reader
			     * has heard of the end */
	__type(value, struct process);
} processes SEC(".maps");

/* Of those that have not ended. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 17);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32); /* tgid, in the first pid namespace */
	__type(value, __u32); /* in `processes` */
} process_numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 17);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64); /* files_struct */
	__type(value, __u32);
} tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PAGES_MAX);
	__type(key, __u32);
	__type(value, struct page);
} pages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, PAGES_MAX);
	__uint(value_size, 4);
} pages_free SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PAGES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct page_key);
	__type(value, __u32); /* its number in `pages` */
} page_numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RELEASES_MAX);
	__type(key, __u32);
	__type(value, struct release);
} releases SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, EVENTS_BYTES);
} events SEC(".maps");

/* What is known of a thread that is watched: all that a call needs to find its slot. */
struct thread {
	__u64 files;                 /* its table when we last looked */
	__u64 last_ns;
	__u64 last_tick;             /* jiffies and moments when the clock was read last */
	__u64 stack_low, stack_high; /* looked up once, not at each call */
	__u64 opened, closed, lost;
	__u32 table;
	__u32 key;                   /* number of the process */
	__u32 tid, pid;
	__u32 image;
	__u32 is_counted; /* among its process's threads */
	__u32 pages[CACHED_PAGES];
	/* from here on it is for seldom */
	__u64 told_opened, told_closed, told_lost; /* added to the process's */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

/* One system call of a thread that is watched, or one look at its table from outside. */
struct call {
	__u64 fds;      /* struct file **, in the kernel */
	__u64 open_fds; /* unsigned long * */
	__u64 now_ns;
	__u64 stack_from, stack_wanted; /* 0: not looked for yet */
	__u32 max_fds;
	__u32 table;
	__u32 owner;    /* of pages that are made: number of the process */
	__u32 tid, pid;
	__u32 image;
	__u32 opened, closed, lost;
	__u16 nr;
	__u8 flags;     /* of the slots */
	__u8 origin : 2; /* of what is found */
	__u8 captures : 1; /* there is a stack to copy: the task is the current one */
	__u8 decides : 1; /* differences are true at once, not only at the second look */
	__u8 deep : 1;  /* another handle of the same number is a difference too */
	__u8 guesses : 1; /* it compares: what it finds may be of another thread's call, under way */
};

extern void *bpf_rdonly_cast(const void *address, __u32 type) __ksym __weak;

/* Return: 0 for one that our pid namespace does not show. */
static __always_inline __u32 number_of(struct pid *pid)
{
	struct pid_namespace *namespace = NULL;
	int nr = 0;

	if (!pid || BPF_CORE_READ(pid, level) < own_level)
		return 0;
	bpf_core_read(&namespace, sizeof(namespace), &pid->numbers[own_level].ns);
	if ((__u64)namespace == own_namespace)
		bpf_core_read(&nr, sizeof(nr), &pid->numbers[own_level].nr);
	return (__u32)nr;
}

static __always_inline __u32 own_number_of_thread(struct task_struct *task)
{
	return own_level ? number_of(BPF_CORE_READ(task, thread_pid)) : (__u32)BPF_CORE_READ(task, pid);
}

static __always_inline __u32 own_number_of_process(struct task_struct *task)
{
	return own_level ? number_of(BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID])) :
			   (__u32)BPF_CORE_READ(task, tgid);
}

/* Stacks */

static long note_range(struct task_struct *task, struct vm_area_struct *area, void *context)
{
	struct thread *thread = context;

	thread->stack_low = area->vm_start;
	thread->stack_high = area->vm_end;
	return 0;
}

/* How far to copy: to the mapping's end, but neither a program's environment nor a thread's own
 * block of the C library, which are above the first frame. */
static __noinline int find_stack(struct thread *thread, struct task_struct *task, __u64 sp)
{
	struct thread found = { 0 };
	__u64 start, thread_block;

	thread->stack_low = thread->stack_high = 0;
	if (bpf_find_vma(task, sp, note_range, &found, 0) < 0 || sp >= found.stack_high)
		return 0;
	start = BPF_CORE_READ(task, mm, start_stack) + STACK_RESERVE;
	thread_block = BPF_CORE_READ(task, thread.fsbase);
	if (start > sp && start < found.stack_high)
		found.stack_high = start;
	else if (thread_block > sp && thread_block < found.stack_high)
		found.stack_high = thread_block;
	thread->stack_low = found.stack_low;
	thread->stack_high = found.stack_high;
	return 0;
}

/* Rising, so that it names one opening of this thread.  Reading the clock takes longer than all the
 * rest of a close: it is read once a tick of the kernel's, which is near enough for an age. */
static __always_inline __u64 stamp(struct thread *thread)
{
	__u64 tick = bpf_jiffies64() + *(volatile __u64 *)&moments, now = 0;

	if (tick != thread->last_tick) {
		thread->last_tick = tick;
		now = bpf_ktime_get_ns();
	}
	if (now <= thread->last_ns)
		now = thread->last_ns + 1;
	thread->last_ns = now;
	return now;
}

static __always_inline void note_stack(struct call *call, struct thread *thread,
				       struct task_struct *task, __u64 sp)
{
	__u64 wanted = 4096;

	call->now_ns = stamp(thread);
	if (sp < thread->stack_low || sp >= thread->stack_high)
		find_stack(thread, task, sp);
	if (thread->stack_high > sp)
		wanted = thread->stack_high - sp;
	call->stack_from = sp;
	call->stack_wanted = wanted < stack_bytes_max ? wanted : stack_bytes_max;
}

/* The reader is woken: it unwinds the stacks that there are, and gives their chunks back. */
static __noinline int tell_short(void)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return 0;
	told_short = 1;
	__builtin_memset(event, 0, sizeof(*event));
	event->type = EVENT_SHORT;
	event->ns = bpf_ktime_get_ns();
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* The slot's chunk is taken out of it while it is written. */
static __always_inline int capture(struct slot *slot, struct call *call, struct pt_regs *regs)
{
	struct filling filling = { call->now_ns, call->stack_from, call->stack_wanted, call->tid,
				   call->stack_wanted >= stack_bytes_max };
	__u32 class = class_for(call->stack_wanted);
	__u32 chunk = __sync_lock_test_and_set(&slot->chunk, 0);

	if (chunk && !fits(chunk, class)) {
		drop_chunk(chunk);
		chunk = 0;
	}
	if (!chunk) {
		chunk = (__u32)take_chunk(class);
		if (taken[class & CLASS_MASK] > chunks_of(class) / 2 && !told_short)
			tell_short();
	}
	if (!chunk)
		return -1;
	fill_chunk(chunk, &filling, regs);
	/* Another thread may have been at the same number meanwhile. */
	chunk = __sync_lock_test_and_set(&slot->chunk, chunk);
	if (chunk)
		drop_chunk(chunk);
	return 0;
}

/* Pages and slots */

static __noinline __u32 find_page(__u32 table, __u32 index)
{
	struct page_key key = { table, index };
	__u32 *number = bpf_map_lookup_elem(&page_numbers, &key);

	return number ? *number : PAGES_MAX;
}

__noinline int make_page(__u32 table, __u32 index, __u32 owner)
{
	struct page_key key = { table, index };
	__u32 number = PAGES_MAX, *first;
	struct page *page;

	if (bpf_map_pop_elem(&pages_free, &number) < 0)
		return PAGES_MAX;
	page = bpf_map_lookup_elem(&pages, &number);
	if (!page)
		return PAGES_MAX;
	page->present = page->suspected = 0;
	page->index = index;
	page->owner = owner;
	page->table = table;
	if (bpf_map_update_elem(&page_numbers, &key, &number, BPF_NOEXIST) == 0)
		return (int)number;
	page->table = 0; /* another thread was first, or there is no memory */
	bpf_map_push_elem(&pages_free, &number, BPF_ANY);
	first = bpf_map_lookup_elem(&page_numbers, &key); /* not find_page(): stack is short here */
	return first ? (int)*first : PAGES_MAX;
}

/* owner: 0 when a page is not to be made */
static __noinline struct page *page_of(__u32 table, __u32 number, __u32 owner)
{
	__u32 found = find_page(table, number / PAGE_SLOTS);

	if (found == PAGES_MAX && owner)
		found = (__u32)make_page(table, number / PAGE_SLOTS, owner);
	return bpf_map_lookup_elem(&pages, &found);
}

/* The same, for one who asks often. */
static __always_inline struct page *cached_page(struct thread *thread, __u32 number, bool make)
{
	__u32 index = number / PAGE_SLOTS, *cached = &thread->pages[index % CACHED_PAGES];
	struct page *page = bpf_map_lookup_elem(&pages, cached);
	__u32 found;

	if (page && page->table == thread->table && page->index == index)
		return page;
	found = find_page(thread->table, index);
	if (found == PAGES_MAX && make)
		found = (__u32)make_page(thread->table, index, thread->key);
	if (found < PAGES_MAX)
		*cached = found;
	return bpf_map_lookup_elem(&pages, &found);
}

/* Read as a member of a structure, of whichever, a word takes no call.  A kernel that has trees for
 * programs has bpf_rdonly_cast() too, which is a little older. */
static __always_inline __u64 word_at(__u64 address)
{
	__u64 word = 0;

	if (bpf_core_type_exists(struct bpf_rb_root)) {
		const struct timespec64 *as_time = bpf_rdonly_cast(
			(void *)address, bpf_core_type_id_kernel(struct timespec64));

		return (__u64)as_time->tv_sec;
	}
	bpf_probe_read_kernel(&word, sizeof(word), (void *)address);
	return word;
}

static __always_inline __u64 file_at(struct call *call, __u32 number)
{
	return number < call->max_fds ? word_at(call->fds + 8ull * number) : 0;
}

/* What read(2) may bring new handles from, when it was open before we looked. */
static __noinline bool is_reader(__u64 file)
{
	const unsigned char *name = BPF_CORE_READ((struct file *)file, f_path.dentry, d_name.name);
	char start[8] = "";

	bpf_probe_read_kernel_str(start, sizeof(start), name);
	return start[0] == '[' && ((start[1] == 'f' && start[2] == 'a' && start[3] == 'n') ||
				   (start[1] == 'u' && start[2] == 's' && start[3] == 'e'));
}

/* Number is open, and this call has opened it.  Or another has, when in the few instructions from
 * there to here somebody closed the number, which open(2) had returned to nobody, and somebody else
 * opened one in its place: then the stack is not the opener's.  The slot's file does not tell that from
 * a close that is under way, since the kernel uses a struct file anew at once, and what is recorded of
 * the one before would stay: who comes last is right far more often.  The counts are right in either. */
static __always_inline void record_in(struct call *call, struct page *page, __u32 number,
				      struct pt_regs *regs)
{
	__u64 file = file_at(call, number), bit = 1ull << (number % PAGE_SLOTS);
	struct slot *slot;
	bool is_guessed;

	if (!file || !page) { /* closed already, by another thread; or there is no memory */
		call->opened += !call->guesses;
		call->closed += !call->guesses && !file;
		call->lost += file != 0;
		return;
	}
	slot = &page->slot[number % PAGE_SLOTS];
	is_guessed = call->guesses || (slot->flags & SLOT_GUESSED && slot->file == file);
	slot->file = file;
	slot->opened_ns = call->now_ns;
	slot->tid = call->tid;
	slot->pid = call->pid;
	slot->image = call->image;
	slot->nr = call->nr;
	slot->origin = call->origin;
	slot->flags = call->flags | (call->guesses ? SLOT_GUESSED : 0);
	if (call->captures && capture(slot, call, regs) < 0)
		slot->flags |= SLOT_NO_STACK;
	/* A comparison of another thread may meet it before this call has come to its end.  Whoever of
	 * the two sets the bit counts it. */
	if (!(__sync_fetch_and_or(&page->present, bit) & bit)) {
		call->opened++;
		/* The reader has taken the stack back, as one of a number that is closed. */
		if (call->captures && !*(volatile __u32 *)&slot->chunk)
			slot->flags |= SLOT_NO_STACK;
	} else if (!is_guessed) { /* dup2() over it; or its close is under way */
		call->opened++;
		call->closed++;
	}
}

static __always_inline bool is_known(struct call *call, struct page *page, __u32 number)
{
	struct slot *slot;
	__u64 file;

	if (!page || !(page->present >> (number % PAGE_SLOTS) & 1))
		return false;
	slot = &page->slot[number % PAGE_SLOTS];
	file = file_at(call, number);
	return !file || (slot->file == file && slot->origin != SLOT_FOUND);
}

static __always_inline void forget_in(struct call *call, struct page *page, __u32 number)
{
	__u64 bit = 1ull << (number % PAGE_SLOTS);

	if (!page || !(page->present & bit) || file_at(call, number))
		return;
	if (!(__sync_fetch_and_and(&page->present, ~bit) & bit))
		return;
	/* Another thread may have opened one there since the look at the table.  Whoever of the two
	 * finds the bit set counts the handle that has gone. */
	if (!file_at(call, number) || __sync_fetch_and_or(&page->present, bit) & bit)
		call->closed++;
}

/* Comparing a table with what is known of it */

static __always_inline __u64 open_word(struct call *call, __u32 index)
{
	return word_at(call->open_fds + 8ull * index);
}

static __always_inline __u32 lowest(__u64 word)
{
	__u32 bit = 0;

	if (!(word & 0xffffffff))
		bit += 32, word >>= 32;
	if (!(word & 0xffff))
		bit += 16, word >>= 16;
	if (!(word & 0xff))
		bit += 8, word >>= 8;
	if (!(word & 0xf))
		bit += 4, word >>= 4;
	if (!(word & 3))
		bit += 2, word >>= 2;
	return bit + !(word & 1);
}

/* Linux 6.1 counts stack in steps of 32 bytes, and there is none left. */
struct comparison {
	struct call call;
	__u64 difference;
	__u32 index;
};

_Static_assert(sizeof(struct comparison) <= 96, "or Linux 6.1 refuses to load it");

__noinline int settle(struct call *call, __u32 number)
{
	struct page *page;

	if (!call)
		return 0;
	page = page_of(call->table, number, call->owner);
	if (!file_at(call, number)) {
		forget_in(call, page, number);
	} else if (!call->guesses || !is_known(call, page, number)) {
		call->flags = call->deep && is_reader(file_at(call, number)) ? SLOT_READER : 0;
		record_in(call, page, number,
			  (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf()));
	}
	return 0;
}

static long compare_bit(__u32 i, struct comparison *comparison)
{
	__u32 number;

	if (!comparison->difference)
		return 1;
	number = comparison->index * PAGE_SLOTS + lowest(comparison->difference);
	comparison->difference &= comparison->difference - 1;
	settle(&comparison->call, number);
	return 0;
}

/* The numbers that are open still, or again, with another file. */
static long find_replaced(__u32 i, struct comparison *comparison)
{
	struct page *page = page_of(comparison->call.table, comparison->index * PAGE_SLOTS, 0);
	__u64 file;

	if (!page || i >= PAGE_SLOTS)
		return 1;
	if (!(page->present >> i & 1))
		return 0;
	file = file_at(&comparison->call, comparison->index * PAGE_SLOTS + i);
	if (file && file != page->slot[i].file)
		comparison->difference |= 1ull << i;
	return 0;
}

/* A difference seen from outside may be a call that is under way: only the second look counts, and
 * only if nothing was opened at that number in between. */
static long suspect(__u32 i, struct comparison *comparison)
{
	struct page *page = page_of(comparison->call.table, comparison->index * PAGE_SLOTS, 0);
	struct slot *slot;

	if (!page || i >= PAGE_SLOTS)
		return 1;
	slot = &page->slot[i];
	if (slot->suspected != (__u32)slot->opened_ns)
		comparison->difference &= ~(1ull << i);
	slot->suspected = (__u32)slot->opened_ns;
	return 0;
}

static __always_inline void keep_seen_twice(struct comparison *comparison)
{
	struct call *call = &comparison->call;
	__u64 difference = comparison->difference;
	struct page *page = page_of(call->table, comparison->index * PAGE_SLOTS,
				    difference ? call->owner : 0);

	comparison->difference = page ? difference & page->suspected : 0;
	if (!page)
		return;
	page->suspected = difference;
	if (difference)
		bpf_loop(PAGE_SLOTS, suspect, comparison, 0);
}

static long compare_word(__u32 index, struct comparison *comparison)
{
	struct call *call = &comparison->call;
	struct page *page = page_of(call->table, index * PAGE_SLOTS, 0);

	if (page && !page->owner)
		page->owner = call->owner;
	comparison->index = index;
	comparison->difference = open_word(call, index) ^ (page ? page->present : 0);
	if (page && call->deep)
		bpf_loop(PAGE_SLOTS, find_replaced, comparison, 0);
	if (!call->decides)
		keep_seen_twice(comparison);
	if (comparison->difference)
		bpf_loop(PAGE_SLOTS, compare_bit, comparison, 0);
	return 0;
}

__noinline int compare_table(struct call *call)
{
	struct comparison comparison = { .index = 0 };
	__u32 words;

	if (!call)
		return 0;
	comparison.call = *call;
	comparison.call.guesses = 1;
	words = call->max_fds / WORD_BITS;
	bpf_loop(words < WORDS_MAX ? words : WORDS_MAX, compare_word, &comparison, 0);
	call->opened = comparison.call.opened;
	call->closed = comparison.call.closed;
	call->lost = comparison.call.lost;
	return 0;
}

/* Tables */

static __always_inline void read_table(struct call *call, struct files_struct *files)
{
	struct fdtable *table = files->fdt;

	call->max_fds = table->max_fds;
	call->fds = (__u64)table->fd;
	call->open_fds = (__u64)table->open_fds;
}

struct copying {
	__u64 open_fds, fds;
	__u64 known; /* numbers of the page that the original knew */
	__u32 from, to, owner;
	__u32 page;  /* of the copy */
};

/* Both refer to the same chunk from now on.  Other threads of the parent go on meanwhile: the chunk
 * may be free by now, or another opening's. */
static __always_inline void share_stack(struct slot *slot)
{
	struct capture *capture = slot->chunk ? chunk_at(slot->chunk) : NULL;

	if (!capture || !share_chunk(capture)) {
		slot->chunk = 0;
	} else if (capture->opened_ns != slot->opened_ns || capture->tid != slot->tid) {
		drop_chunk(slot->chunk);
		slot->chunk = 0;
	}
}

/* Another thread of the parent has been at this number since the table was copied: what the copy has
 * there is not what the slot tells. */
static __always_inline void forget_opener(struct slot *slot, __u64 file)
{
	slot->file = file;
	slot->opened_ns = bpf_ktime_get_ns();
	slot->pid = slot->tid = own_number_of_process(bpf_get_current_task_btf());
	slot->chunk = 0;
	slot->nr = CALL_UNKNOWN;
	slot->origin = SLOT_FOUND;
	slot->flags |= SLOT_NO_STACK;
}

static long copy_slot(__u32 i, struct copying *copying)
{
	struct page *page = bpf_map_lookup_elem(&pages, &copying->page);
	struct slot *slot;
	__u64 file = 0;

	if (!page || i >= PAGE_SLOTS)
		return 1;
	slot = &page->slot[i];
	if (!(page->present >> i & 1)) {
		slot->chunk = 0;
		return 0;
	}
	slot->flags |= SLOT_IN_PARENT;
	bpf_probe_read_kernel(&file, sizeof(file),
			      (void *)(copying->fds + 8ull * (page->index * PAGE_SLOTS + i)));
	if (slot->file == file && copying->known >> i & 1)
		share_stack(slot);
	else
		forget_opener(slot, file);
	return 0;
}

static long copy_page(__u32 index, struct copying *copying)
{
	struct page *from = page_of(copying->from, index * PAGE_SLOTS, 0), *to;
	__u64 word = 0;

	if (!from)
		return 0;
	bpf_probe_read_kernel(&word, sizeof(word), (void *)(copying->open_fds + 8ull * index));
	if (!word)
		return 0;
	copying->page = (__u32)make_page(copying->to, index, copying->owner);
	to = bpf_map_lookup_elem(&pages, &copying->page);
	if (!to)
		return 0;
	bpf_probe_read_kernel(to->slot, sizeof(to->slot), from->slot);
	copying->known = from->present;
	to->present = word;
	bpf_loop(PAGE_SLOTS, copy_slot, copying, 0);
	return 0;
}

/* A table of its own for files; what is known of the one it was copied from goes along.
 * Return: its number; 0 when there is no memory. */
static __noinline __u32 make_table(struct files_struct *files, __u32 from, __u32 owner)
{
	struct copying copying = { .from = from, .owner = owner };
	struct fdtable *fdt = files->fdt;
	__u64 key = (__u64)files;
	__u32 words = fdt->max_fds / WORD_BITS;

	copying.to = __sync_fetch_and_add(&last_table, 1) + 1;
	copying.open_fds = (__u64)fdt->open_fds;
	copying.fds = (__u64)fdt->fd;
	if (from)
		bpf_loop(words < WORDS_MAX ? words : WORDS_MAX, copy_page, &copying, 0);
	return bpf_map_update_elem(&tables, &key, &copying.to, BPF_ANY) < 0 ? 0 : copying.to;
}

static __noinline __u32 find_table(struct files_struct *files, __u32 from, __u32 owner)
{
	__u64 key = (__u64)files;
	__u32 *known = bpf_map_lookup_elem(&tables, &key);

	return known ? *known : make_table(files, from, owner);
}

/* Threads */

static __always_inline void take_counts(struct thread *thread, struct call *call)
{
	thread->opened += call->opened;
	thread->closed += call->closed;
	thread->lost += call->lost;
}

static __noinline int tell_counts(struct thread *thread, struct process *process)
{
	__u64 opened = thread->opened, closed = thread->closed, lost = thread->lost;

	__sync_fetch_and_add(&process->opened, opened - thread->told_opened);
	__sync_fetch_and_add(&process->closed, closed - thread->told_closed);
	__sync_fetch_and_add(&process->lost, lost - thread->told_lost);
	thread->told_opened = opened;
	thread->told_closed = closed;
	thread->told_lost = lost;
	return 0;
}

static __always_inline void name_thread(struct thread *thread, struct task_struct *task, __u32 pid,
					__u32 key)
{
	thread->key = key;
	thread->tid = own_number_of_thread(task);
	thread->pid = pid;
}

/* One that is ending may be past the place where it would be taken off. */
static __always_inline void count_thread(struct thread *thread, struct task_struct *task)
{
	struct process *process = bpf_map_lookup_elem(&processes, &thread->key);

	if (!process || task->flags & PF_EXITING || thread->is_counted)
		return;
	thread->is_counted = 1;
	__sync_fetch_and_add(&process->threads, 1);
}

static __always_inline bool is_last_thread(struct thread *thread, struct process *process)
{
	if (!thread || !thread->is_counted)
		return process->threads == 0;
	thread->is_counted = 0;
	return __sync_fetch_and_add(&process->threads, -1) == 1;
}

/* Events */

static __noinline int tell(__u32 type, __u32 key, __u32 pid, __u32 other, __u32 status)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return -1;
	event->type = type;
	event->key = key;
	event->pid = pid;
	event->parent = type == EVENT_PROCESS ? other : 0;
	event->image = type == EVENT_EXECUTED ? other : 0;
	event->status = status;
	event->ns = bpf_ktime_get_ns();
	bpf_core_read(event->name, sizeof(event->name), &task->comm);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* The ring had no room: the reader takes it from `processes`. */
static __noinline int note_untold(__u32 key, __u32 what)
{
	struct process *process = bpf_map_lookup_elem(&processes, &key);

	if (process)
		__sync_fetch_and_or(&process->untold, what);
	__sync_fetch_and_add(&unkept_events, 1);
	return 0;
}

static __noinline __u32 known_process(struct task_struct *task)
{
	__u32 tgid = (__u32)task->tgid, *known = bpf_map_lookup_elem(&process_numbers, &tgid);

	return known ? *known : 0;
}

/* how: BPF_ANY where no other can have the same pid.  Return: its number; 0 when there is no memory. */
static __noinline __u32 make_process(struct task_struct *task, struct process *made, __u64 how)
{
	__u32 tgid = (__u32)task->tgid, number = __sync_fetch_and_add(&last_process, 1) + 1;

	bpf_core_read(made->name, sizeof(made->name), &task->comm);
	if (bpf_map_update_elem(&processes, &number, made, BPF_ANY) < 0) {
		__sync_fetch_and_add(&unkept_events, 1);
		return 0;
	}
	if (bpf_map_update_elem(&process_numbers, &tgid, &number, how) < 0) {
		bpf_map_delete_elem(&processes, &number);
		return known_process(task); /* another thread was first */
	}
	if (tell(EVENT_PROCESS, number, made->pid, made->parent, 0) < 0)
		note_untold(number, UNTOLD_PROCESS);
	return number;
}

static __noinline __u32 find_process(struct task_struct *task, __u32 flags)
{
	struct process made = { .flags = flags };
	__u32 known = known_process(task);

	if (known)
		return known;
	made.pid = own_number_of_process(task);
	return make_process(task, &made, BPF_NOEXIST);
}

/* With all processes watched, one is met at its first call. */
static __noinline struct thread *meet(struct task_struct *task)
{
	__u32 pid = own_number_of_process(task), key;
	struct thread *thread;

	if ((__u32)task->tgid == own_tgid || task->flags & PF_KTHREAD || !pid)
		return NULL;
	key = find_process(task, 0);
	if (!key)
		return NULL;
	thread = bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!thread)
		return NULL;
	name_thread(thread, task, pid, key);
	count_thread(thread, task);
	return thread;
}

/* System calls */

static __always_inline void record_pair(struct call *call, struct thread *thread, __u64 address)
{
	__u32 pair[2];

	if (bpf_probe_read_user(pair, sizeof(pair), (void *)address) < 0) {
		compare_table(call); /* unmapped since */
		return;
	}
	settle(call, pair[0]);
	settle(call, pair[1]);
}

static __always_inline bool message_has_control(__u64 header)
{
	__u64 bytes = 1;

	bpf_probe_read_user(&bytes, sizeof(bytes), (void *)(header + MSG_CONTROL_BYTES_AT));
	return bytes != 0;
}

static __always_inline __u64 clone3_flags(__u64 arguments)
{
	__u64 flags = CLONE_PIDFD;

	bpf_probe_read_user(&flags, sizeof(flags), (void *)arguments);
	return flags;
}

static __always_inline bool is_reading_more(struct thread *thread, __u32 number)
{
	struct page *page = cached_page(thread, number, false);

	return page && page->slot[number % PAGE_SLOTS].flags & SLOT_READER;
}

/* Return: what the call returned is a handle that it opened. */
static __always_inline bool opens(struct call *call, struct thread *thread, struct pt_regs *regs,
				  __u8 kind, __s64 ret)
{
	switch (kind) {
	case CALL_OPENS_READER:
		call->flags = SLOT_READER;
		return true;
	case CALL_OPENS:
		return true;
	case CALL_FCNTL:
		return regs->si == F_DUPFD || regs->si == F_DUPFD_CLOEXEC;
	case CALL_MAY_OPEN:
		return !is_known(call, cached_page(thread, (__u32)ret, false), (__u32)ret);
	default:
		return false;
	}
}

/* Those that may change the table, and do so seldom. */
static __always_inline void follow_call(struct call *call, struct thread *thread,
					struct pt_regs *regs, __u8 kind)
{
	switch (kind) {
	case CALL_OPENS_READER:
	case CALL_OPENS:
	case CALL_FCNTL:
	case CALL_MAY_OPEN:
		break;
	case CALL_PAIR_FIRST:
		record_pair(call, thread, regs->di);
		break;
	case CALL_PAIR_LAST:
		record_pair(call, thread, regs->r10);
		break;
	case CALL_MESSAGE:
		if (message_has_control(regs->si))
			compare_table(call);
		break;
	case CALL_CLONE:
		if (regs->di & CLONE_PIDFD)
			compare_table(call);
		break;
	case CALL_CLONE3:
		if (clone3_flags(regs->di) & CLONE_PIDFD)
			compare_table(call);
		break;
	case CALL_SOCKOPT:
		if (regs->si == SOL_SOCKET && regs->dx == SO_PEERPIDFD)
			compare_table(call);
		break;
	case CALL_RING:
		call->origin = SLOT_ASYNCHRONOUS;
		compare_table(call);
		break;
	case CALL_EXECUTES: /* executed() */
		break;
	default:
		compare_table(call);
	}
}

/* What is given to others by its address has to be in memory: a copy, for these calls only. */
static __always_inline void follow_copy(struct call *call, struct thread *thread,
					struct pt_regs *regs, __u8 kind)
{
	struct call copy = *call;

	follow_call(&copy, thread, regs, kind);
	call->opened = copy.opened;
	call->closed = copy.closed;
	call->lost = copy.lost;
}

/* Most calls end here: they close or open one, or read from what is no source of handles. */
static __always_inline void follow(struct call *call, struct thread *thread, struct task_struct *task,
				   struct pt_regs *regs, __u8 kind, __s64 ret)
{
	if (kind == CALL_CLOSES) {
		forget_in(call, cached_page(thread, (__u32)regs->di, false), (__u32)regs->di);
		return;
	}
	if (kind == CALL_READ && !is_reading_more(thread, (__u32)regs->di))
		return;
	note_stack(call, thread, task, regs->sp);
	if (opens(call, thread, regs, kind, ret))
		record_in(call, cached_page(thread, (__u32)ret, true), (__u32)ret, regs);
	else
		follow_copy(call, thread, regs, kind);
}

static __noinline int change_table(struct thread *thread, struct files_struct *files)
{
	__u32 table = find_table(files, thread->table, thread->key);

	if (!table) {
		thread->lost++;
		return -1;
	}
	thread->table = table;
	thread->files = (__u64)files;
	return 0;
}

/* Return: NULL for a thread that is not watched, or cannot be. */
static __always_inline struct thread *begin_call(struct call *call, struct task_struct *task)
{
	struct files_struct *files = task->files;
	struct thread *thread = bpf_task_storage_get(&threads, task, NULL, 0);

	if (!thread && all_processes)
		thread = meet(task);
	if (!thread || !files)
		return NULL;
	if (thread->files != (__u64)files && change_table(thread, files) < 0)
		return NULL;
	call->table = thread->table;
	call->owner = thread->key;
	call->tid = thread->tid;
	call->pid = thread->pid;
	call->image = thread->image;
	read_table(call, files);
	return thread;
}

static __always_inline int leave_call(struct task_struct *task, struct pt_regs *regs, __u8 kind, __s64 ret)
{
	struct call call = { .captures = 1, .decides = 1, .origin = SLOT_OPENED };
	struct thread *thread = begin_call(&call, task);

	if (!thread)
		return 0;
	call.nr = (__u16)regs->orig_ax;
	if (kind == CALL_ANY && task->thread_info.status & TS_COMPAT)
		call.nr = CALL_UNKNOWN; /* its numbers are others */
	follow(&call, thread, task, regs, kind, ret);
	take_counts(thread, &call);
	return 0;
}

/* Of a call with other numbers, a 32-bit one, it is not known: its table is looked at instead. */
static __always_inline __u8 kind_of(struct task_struct *task, __u64 nr)
{
	if (task->thread_info.status & TS_COMPAT)
		return CALL_ANY;
	return nr < CALLS_MAX ? call_kinds[nr] : CALL_NONE;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(leave, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u8 kind = kind_of(task, regs->orig_ax);

	if (kind == CALL_NONE)
		return 0;
	if (ret < 0 && ret >= -ERRNO_MAX && kind != CALL_CLOSES && kind != CALL_ANY)
		return 0;
	return leave_call(task, regs, kind, ret);
}

static __noinline int begin_program(struct task_struct *task, struct thread *thread)
{
	struct process *process = bpf_map_lookup_elem(&processes, &thread->key);

	/* Whichever thread it was, it has the first one's number from now on. */
	thread->tid = own_number_of_thread(task);
	thread->image++;
	thread->stack_low = thread->stack_high = 0;
	if (process) {
		process->image = thread->image;
		bpf_core_read(process->name, sizeof(process->name), &task->comm);
	}
	if (tell(EVENT_EXECUTED, thread->key, thread->pid, thread->image, 0) < 0)
		note_untold(thread->key, UNTOLD_EXECUTED);
	return 0;
}

/* Those that close at execve(2) are gone, and the rest belongs to another program.  Not at the call's
 * exit: a program of 32 bits has other numbers. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(executed, struct task_struct *task)
{
	struct call call = { .decides = 1, .origin = SLOT_OPENED, .nr = CALL_UNKNOWN };
	struct thread *thread = bpf_task_storage_get(&threads, task, NULL, 0);
	struct files_struct *files = task->files;

	if (!thread || !files)
		return 0;
	begin_program(task, thread);
	if (thread->files != (__u64)files)
		return 0; /* it is copied at the thread's next call */
	call.table = thread->table;
	call.owner = thread->key;
	call.tid = thread->tid;
	call.pid = thread->pid;
	call.image = thread->image;
	call.now_ns = stamp(thread);
	read_table(&call, files);
	compare_table(&call);
	take_counts(thread, &call);
	return 0;
}

#include "fentry.h"

/* Processes and threads that come and go */

static __always_inline void inherit(struct thread *child, const struct thread *parent)
{
	child->files = parent->files;
	child->table = parent->table;
	child->image = parent->image;
}

static __noinline int follow_thread(struct task_struct *child, struct thread *parent)
{
	struct thread *thread = bpf_task_storage_get(&threads, child, NULL,
						     BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!thread) {
		parent->lost++;
		return 0;
	}
	name_thread(thread, child, parent->pid, parent->key);
	count_thread(thread, child);
	inherit(thread, parent);
	return 0;
}

/* Its table is a copy of its parent's, or the same. */
static __noinline int follow_process(struct task_struct *child, struct thread *parent, __u32 flags)
{
	struct process made = { .flags = flags, .pid = own_number_of_process(child),
				.parent = parent->pid, .image = parent->image };
	struct thread *thread = bpf_task_storage_get(&threads, child, NULL,
						     BPF_LOCAL_STORAGE_GET_F_CREATE);
	struct files_struct *files = child->files;
	__u32 key = thread && files ? make_process(child, &made, BPF_ANY) : 0;

	if (!key) {
		parent->lost++;
		bpf_task_storage_delete(&threads, child);
		return 0;
	}
	name_thread(thread, child, made.pid, key);
	inherit(thread, parent);
	/* A table just made may be where another was, of which nobody saw the end. */
	thread->table = files == bpf_get_current_task_btf()->files ?
			find_table(files, parent->table, key) :
			make_table(files, parent->table, key);
	thread->files = thread->table ? (__u64)files : 0;
	count_thread(thread, child);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(newtask, struct task_struct *child, unsigned long clone_flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *parent = bpf_task_storage_get(&threads, task, NULL, 0);
	struct process *process;

	if (!parent)
		return 0;
	if (clone_flags & CLONE_THREAD)
		return follow_thread(child, parent);
	process = bpf_map_lookup_elem(&processes, &parent->key);
	if (!process || !(all_processes || process->flags & PROCESS_FOLLOW || clone_flags & CLONE_FILES))
		return 0;
	return follow_process(child, parent, process->flags);
}

/* Giving pages back */

static __always_inline void drop_slot(struct slot *slot)
{
	__u32 chunk = __sync_lock_test_and_set(&slot->chunk, 0);

	if (chunk)
		drop_chunk(chunk);
}

static long drop_slot_of(__u32 i, __u32 *number)
{
	struct page *page = bpf_map_lookup_elem(&pages, number);

	if (page && i < PAGE_SLOTS)
		drop_slot(&page->slot[i]);
	return 0;
}

static __noinline int free_page(__u32 number)
{
	struct page *page = bpf_map_lookup_elem(&pages, &number);
	struct page_key key;

	if (!page)
		return 0;
	key.index = page->index;
	key.table = __sync_lock_test_and_set(&page->table, 0);
	if (!key.table)
		return 0;
	bpf_map_delete_elem(&page_numbers, &key);
	bpf_loop(PAGE_SLOTS, drop_slot_of, &number, 0);
	return (int)bpf_map_push_elem(&pages_free, &number, BPF_ANY);
}

struct closing {
	__u32 table, page;
	__u64 closed;
};

/* Those that came with the copy were not counted as opened. */
static long count_closed(__u32 i, struct closing *closing)
{
	struct page *page = bpf_map_lookup_elem(&pages, &closing->page);

	if (page && i < PAGE_SLOTS && page->present >> i & 1 &&
	    !(page->slot[i].flags & SLOT_IN_PARENT))
		closing->closed++;
	return 0;
}

static long close_page(__u32 index, struct closing *closing)
{
	closing->page = find_page(closing->table, index);
	if (closing->page < PAGES_MAX) {
		bpf_loop(PAGE_SLOTS, count_closed, closing, 0);
		free_page(closing->page);
	}
	return 0;
}

struct telling {
	__u64 open_fds, fds;
	__u32 table, index;
};

/* Names from the file upwards, over mount points. */
struct climb {
	__u64 entry, mount; /* dentry, vfsmount; 0 above the top */
};

static __always_inline void leave_mount(struct climb *at)
{
	struct mount *mount = (void *)at->mount - bpf_core_field_offset(struct mount, mnt);
	struct mount *parent = BPF_CORE_READ(mount, mnt_parent);

	at->entry = parent == mount ? 0 : (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
	at->mount = (__u64)parent + bpf_core_field_offset(struct mount, mnt);
}

static __always_inline void name_entry(struct climb *at, char *name)
{
	struct dentry *entry = (struct dentry *)at->entry;
	struct dentry *parent = BPF_CORE_READ(entry, d_parent);

	bpf_probe_read_kernel_str(name, NAME_BYTES, BPF_CORE_READ(entry, d_name.name));
	at->entry = parent == entry ? 0 : (__u64)parent;
}

static __noinline int name_file(struct handle_event *event, struct file *file)
{
	struct climb at = { 0 };

	at.entry = (__u64)BPF_CORE_READ(file, f_path.dentry);
	at.mount = (__u64)BPF_CORE_READ(file, f_path.mnt);
	for (int i = 0; i < NAMES_MAX; i++)
		event->names[i][0] = '\0';
	for (int steps = 0, n = 0; steps < NAMES_MAX + 4 && n < NAMES_MAX && at.entry; steps++) {
		struct vfsmount *mount = (struct vfsmount *)at.mount;

		if ((struct dentry *)at.entry == BPF_CORE_READ(mount, mnt_root))
			leave_mount(&at);
		else
			name_entry(&at, event->names[n++]);
	}
	return 0;
}

static __always_inline void fill_head(struct handle_head *head, __u32 type, struct telling *telling,
				      struct slot *slot, __u32 bit, struct file *file)
{
	head->type = type;
	head->number = telling->index * PAGE_SLOTS + bit;
	head->tid = slot->tid;
	head->opened_ns = slot->opened_ns;
	head->mode = BPF_CORE_READ(file, f_inode, i_mode);
	head->magic = (__u32)BPF_CORE_READ(file, f_inode, i_sb, s_magic);
	head->unused = 0;
}

/* Paths are dear; the rest of the ring is for what must not be lost. */
static __noinline int tell_kind(struct telling *telling, struct slot *slot, __u32 bit, struct file *file)
{
	struct kind_event *event;

	if (!telling || !slot || bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > EVENTS_BYTES / 16 * 15)
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return 0;
	fill_head(&event->head, EVENT_KIND, telling, slot, bit, file);
	bpf_probe_read_kernel_str(event->name, sizeof(event->name),
				  BPF_CORE_READ(file, f_path.dentry, d_name.name));
	bpf_ringbuf_submit(event, 0);
	return 0;
}

static long tell_handle(__u32 bit, struct telling *telling)
{
	struct page *page = page_of(telling->table, telling->index * PAGE_SLOTS, 0);
	struct handle_event *event;
	struct file *file = NULL;

	if (!page || bit >= PAGE_SLOTS)
		return 1;
	if (!(page->present >> bit & 1))
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file),
			      (void *)(telling->fds + 8ull * (telling->index * PAGE_SLOTS + bit)));
	if (!file)
		return 0;
	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > EVENTS_BYTES / 2)
		return tell_kind(telling, &page->slot[bit], bit, file);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return 0;
	fill_head(&event->head, EVENT_HANDLE, telling, &page->slot[bit], bit, file);
	name_file(event, file);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

static long tell_word(__u32 index, struct telling *telling)
{
	__u64 word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), (void *)(telling->open_fds + 8ull * index));
	telling->index = index;
	if (word)
		bpf_loop(PAGE_SLOTS, tell_handle, telling, 0);
	return 0;
}

static __noinline int tell_handles(struct files_struct *files, __u32 table)
{
	struct telling telling = { .table = table };
	struct fdtable *fdt = BPF_CORE_READ(files, fdt);
	__u32 words = BPF_CORE_READ(fdt, max_fds) / WORD_BITS;

	telling.fds = (__u64)BPF_CORE_READ(fdt, fd);
	telling.open_fds = (__u64)BPF_CORE_READ(fdt, open_fds);
	bpf_loop(words < WORDS_MAX ? words : WORDS_MAX, tell_word, &telling, 0);
	return 0;
}

/* Of a thread that had a table to itself, and whose process goes on: all of it is closed. */
static __noinline int close_table(struct files_struct *files, struct thread *thread)
{
	struct fdtable *fdt = BPF_CORE_READ(files, fdt);
	__u32 words = BPF_CORE_READ(fdt, max_fds) / WORD_BITS;
	struct closing closing = { .table = thread->table };

	bpf_loop(words < WORDS_MAX ? words : WORDS_MAX, close_page, &closing, 0);
	thread->closed += closing.closed;
	return 0;
}

/* While it still has its handles: what is open now stays in the pages for the reader. */
static __always_inline int end_table(struct files_struct *files, struct thread *thread, bool goes_on)
{
	struct call call = { .nr = CALL_UNKNOWN, .deep = 1, .decides = 1, .origin = SLOT_FOUND };
	__u64 key = (__u64)files;

	call.table = thread->table;
	call.owner = thread->key;
	call.tid = call.pid = thread->pid;
	call.image = thread->image;
	call.now_ns = bpf_ktime_get_ns();
	read_table(&call, files);
	compare_table(&call);
	if (goes_on)
		close_table(files, thread);
	else
		tell_handles(files, thread->table);
	return (int)bpf_map_delete_elem(&tables, &key);
}

static long leave_page(__u32 index, struct call *call)
{
	struct page *page = page_of(call->table, index * PAGE_SLOTS, 0);

	if (page && page->owner == call->owner)
		page->owner = 0;
	return 0;
}

/* Another process has it too (CLONE_FILES): what is in it is that one's when it looks next. */
static __noinline int leave_table(struct files_struct *files, struct thread *thread)
{
	struct call call = { .table = thread->table, .owner = thread->key };
	struct fdtable *fdt = BPF_CORE_READ(files, fdt);
	__u32 words = BPF_CORE_READ(fdt, max_fds) / WORD_BITS;

	bpf_loop(words < WORDS_MAX ? words : WORDS_MAX, leave_page, &call, 0);
	return 0;
}

/* Its threads may be here all at once, and each has the table still. */
static __always_inline bool is_last(struct task_struct *task, struct files_struct *files, bool goes_on)
{
	int users = BPF_CORE_READ(files, count.counter);

	return users <= 1 || (!goes_on && users <= BPF_CORE_READ(task, signal, nr_threads));
}

/* Before the kernel gives its pid to another. */
static __always_inline void end_process(struct task_struct *task, struct process *process, __u32 key)
{
	__u32 tgid = (__u32)task->tgid, status = (__u32)task->exit_code;

	bpf_map_delete_elem(&process_numbers, &tgid);
	process->status = status;
	if (tell(EVENT_ENDED, key, process->pid, 0, status) < 0)
		note_untold(key, UNTOLD_ENDED);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(ended, struct task_struct *task)
{
	struct thread *thread = bpf_task_storage_get(&threads, task, NULL, 0);
	struct files_struct *files = task->files;
	bool goes_on = BPF_CORE_READ(task, signal, live.counter) > 0, is_end;
	__u32 key = thread ? thread->key : goes_on ? 0 : known_process(task);
	struct process *process = bpf_map_lookup_elem(&processes, &key);

	if (!process)
		return 0;
	if (thread)
		tell_counts(thread, process);
	is_end = is_last_thread(thread, process);
	if (!goes_on && (!is_end || __sync_lock_test_and_set(&process->has_ended, 1)))
		return 0; /* another thread does it */
	if (thread && files && thread->files == (__u64)files) {
		if (is_last(task, files, goes_on))
			end_table(files, thread, goes_on);
		else if (!goes_on)
			leave_table(files, thread);
		tell_counts(thread, process);
	}
	if (!goes_on)
		end_process(task, process, key);
	return 0;
}

/* Looking from outside */

static __always_inline int look_at_table(struct task_struct *task, struct thread *thread)
{
	struct call call = { .nr = CALL_UNKNOWN, .deep = 1, .origin = SLOT_FOUND };
	struct files_struct *files = task->files;

	if (!files)
		return 0;
	if (look_mode == LOOK_ADD) {
		call.origin = SLOT_BEFORE;
		call.decides = 1;
		thread->table = find_table(files, 0, thread->key);
		thread->files = (__u64)files;
	}
	if (thread->files != (__u64)files || !thread->table)
		return 0; /* it is copied at the thread's next call */
	call.table = thread->table;
	call.owner = thread->key;
	call.tid = thread->tid;
	call.pid = thread->pid;
	call.image = thread->image;
	call.now_ns = bpf_ktime_get_ns();
	read_table(&call, files);
	compare_table(&call);
	if (look_mode != LOOK_ADD)
		take_counts(thread, &call);
	return 0;
}

static __always_inline int add_thread(struct task_struct *task)
{
	struct thread *thread;
	__u32 key;

	if (task->flags & PF_EXITING)
		return 0; /* it may have told its end */
	key = find_process(task, look_flags);
	thread = key ? bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE) :
		       NULL;
	if (!thread)
		return 0;
	name_thread(thread, task, own_number_of_process(task), key);
	count_thread(thread, task);
	return 0;
}

/* Its pages are the reader's to free, but for those of a table that another process has, too. */
static __noinline int remove_thread(struct task_struct *task, struct thread *thread)
{
	struct files_struct *files = task->files;
	__u64 table = (__u64)files;
	__u32 tgid = (__u32)task->tgid;

	if (files && thread->files == table) {
		if (is_last(task, files, false))
			bpf_map_delete_elem(&tables, &table);
		else
			leave_table(files, thread);
	}
	bpf_map_delete_elem(&process_numbers, &tgid);
	return (int)bpf_task_storage_delete(&threads, task);
}

SEC("iter/task")
int look(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	struct process *process;
	struct thread *thread;

	if (!task || task->flags & PF_KTHREAD || (__u32)task->tgid == own_tgid)
		return 0;
	if (look_mode == LOOK_ADD)
		add_thread(task);
	thread = bpf_task_storage_get(&threads, task, NULL, 0);
	if (thread && look_mode == LOOK_REMOVE)
		return remove_thread(task, thread), 0;
	process = thread ? bpf_map_lookup_elem(&processes, &thread->key) : NULL;
	if (!process)
		return 0;
	tell_counts(thread, process);
	if (look_mode == LOOK_ADD || task->pid == task->tgid ||
	    task->files != BPF_CORE_READ(task, group_leader, files))
		look_at_table(task, thread);
	return 0;
}

/* To know ourselves, before anything else runs. */
SEC("iter/task")
int know_self(struct bpf_iter__task *context)
{
	struct task_struct *self = bpf_get_current_task_btf();

	own_tgid = (__u32)(bpf_get_current_pid_tgid() >> 32);
	own_tid = (__u32)bpf_get_current_pid_tgid();
	own_level = BPF_CORE_READ(self, thread_pid, level);
	own_namespace = (__u64)BPF_CORE_READ(self, thread_pid, numbers[own_level].ns);
	return 0;
}

/* Giving back */

/* Unless it has been given back already, and may be another table's by now. */
static __noinline int release_page(struct release *release)
{
	__u32 number = release->page;
	struct page *page = bpf_map_lookup_elem(&pages, &number);

	return page && page->table == release->opened_ns ? free_page(number) : 0;
}

/* Since the reader's look the slot may have become another opening's, or that one have set its bit:
 * what was taken is then put back.  A call that is just opening there sets the bit first and looks
 * for its stack afterwards, so that one of the two sees the other. */
static __always_inline void release_stack(struct page *page, struct slot *slot,
					  struct release *release)
{
	__u64 bit = 1ull << (release->number % PAGE_SLOTS);
	__u32 chunk = __sync_lock_test_and_set(&slot->chunk, 0);
	struct capture *capture = chunk ? chunk_at(chunk) : NULL;
	bool is_meant;

	if (!capture)
		return;
	if (release->number & RELEASE_CLOSED)
		is_meant = !(*(volatile __u64 *)&page->present & bit);
	else
		is_meant = capture->opened_ns == release->opened_ns;
	if (is_meant || __sync_val_compare_and_swap(&slot->chunk, 0, chunk))
		drop_chunk(chunk);
}

static long release_one(__u32 i, void *unused)
{
	struct release *release = bpf_map_lookup_elem(&releases, &i);
	struct page *page;
	struct slot *slot;

	if (!release)
		return 1;
	if (release->number == RELEASE_PAGE)
		return release_page(release), 0;
	page = bpf_map_lookup_elem(&pages, &release->page);
	if (!page)
		return 0;
	slot = &page->slot[release->number % PAGE_SLOTS];
	if (slot->opened_ns == release->opened_ns)
		release_stack(page, slot, release);
	return 0;
}

/* Run when asked, attached to nothing: its only argument is how many.  SEC("syscall") is for that, but
 * may not use stacks of free chunks before Linux 6.4. */
SEC("raw_tp")
int release_chunks(__u64 *arguments)
{
	__u64 n = arguments[0];

	bpf_loop(n < RELEASES_MAX ? n : RELEASES_MAX, release_one, NULL, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
