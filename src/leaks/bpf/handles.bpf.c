/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * handles.bpf.c - keeps, for each open handle of the processes watched, who opened it
 *
 * Runs at the exit of every system call, and must be cheap there for all who are not watched.  What
 * it records it judges by the table of handles itself: a close(2) forgets a handle when the table has
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

#define WORD_BITS	 64
#define WORDS_MAX	 16384 /* a table of 2^20 handles */
#define F_DUPFD		 0
#define F_DUPFD_CLOEXEC	 1030
#define SOL_SOCKET	 1
#define SO_PEERPIDFD	 77
#define MSG_CONTROL_BYTES_AT 40 /* in struct msghdr */
#define STACK_RESERVE	 64    /* above mm->start_stack: argc, the first of argv */
#define EINTR_MAX	 4095

const volatile bool all_processes = false;
const volatile __u32 stack_bytes_max = CAPTURE_LARGE_BYTES - CAPTURE_HEADER;

__u32 own_level;  /* of our own pid namespace: look() tells */
__u32 own_tgid;
__u32 look_mode;
__u32 look_flags; /* of the processes added */
__u32 last_table;
__u64 unkept_events; /* for which the ring had no room */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CALLS_MAX);
	__type(key, __u32);
	__type(value, __u8);
} calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 17);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct process);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 17);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64); /* files_struct */
	__type(value, struct table);
} tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 17);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct page_key);
	__type(value, struct page);
} pages SEC(".maps");

#define POOL(name, bytes, n)                           \
	struct name##_value {                          \
		struct capture head;                   \
		unsigned char room[(bytes) - CAPTURE_HEADER]; \
	};                                             \
	struct {                                       \
		__uint(type, BPF_MAP_TYPE_ARRAY);      \
		__uint(map_flags, BPF_F_MMAPABLE);     \
		__uint(max_entries, n);                \
		__type(key, __u32);                    \
		__type(value, struct name##_value);    \
	} name SEC(".maps");                           \
	struct {                                       \
		__uint(type, BPF_MAP_TYPE_STACK);      \
		__uint(max_entries, n);                \
		__uint(value_size, 4);                 \
	} name##_free SEC(".maps")

POOL(small, CAPTURE_SMALL_BYTES, CAPTURE_SMALL_N);
POOL(medium, CAPTURE_MEDIUM_BYTES, CAPTURE_MEDIUM_N);
POOL(large, CAPTURE_LARGE_BYTES, CAPTURE_LARGE_N);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RELEASES_MAX);
	__type(key, __u32);
	__type(value, struct release);
} releases SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* Where a thread's stack ends: looked up once, not at each call. */
struct stack_range {
	__u64 low, high;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct stack_range);
} stack_ranges SEC(".maps");

/* One system call of a process that is watched. */
struct call {
	__u64 fds;      /* struct file **, in the kernel */
	__u64 open_fds; /* unsigned long * */
	__u64 now_ns;
	__u32 max_fds;
	__u32 table, table_flags;
	__u32 key;      /* of the process */
	__u32 tid, pid;
	__u32 image;
	__u16 nr;
	__u8 origin;    /* of what is found */
	__u8 captures;  /* there is a stack to copy: the task is the current one */
	__u8 decides;   /* differences are true at once, not only at the second look */
	__u8 deep;      /* another handle of the same number is a difference too */
	__u32 readers;  /* handles found whose read(2) may bring others */
};

static __always_inline __u32 number_of(struct pid *pid)
{
	int nr = 0;

	if (pid)
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

/* Chunks */

static __always_inline __u32 class_for(__u32 bytes)
{
	if (bytes <= CAPTURE_SMALL_BYTES - CAPTURE_HEADER)
		return CAPTURE_SMALL;
	return bytes <= CAPTURE_MEDIUM_BYTES - CAPTURE_HEADER ? CAPTURE_MEDIUM : CAPTURE_LARGE;
}

static __always_inline struct capture *chunk_at(__u32 chunk)
{
	__u32 index = (chunk & 0xffffff) - 1;

	switch (chunk >> 24) {
	case CAPTURE_SMALL:
		return bpf_map_lookup_elem(&small, &index);
	case CAPTURE_MEDIUM:
		return bpf_map_lookup_elem(&medium, &index);
	default:
		return bpf_map_lookup_elem(&large, &index);
	}
}

static __always_inline long pop(__u32 class, __u32 *index)
{
	switch (class) {
	case CAPTURE_SMALL:
		return bpf_map_pop_elem(&small_free, index);
	case CAPTURE_MEDIUM:
		return bpf_map_pop_elem(&medium_free, index);
	default:
		return bpf_map_pop_elem(&large_free, index);
	}
}

/* Of the class wanted, or a larger one, or else a smaller one, where the stack will be cut. */
static __noinline __u32 take_chunk(__u32 class)
{
	__u32 index = 0;

	for (__u32 c = class; c < CAPTURE_CLASSES; c++)
		if (pop(c, &index) == 0)
			return c << 24 | (index + 1);
	if (class > CAPTURE_MEDIUM && pop(CAPTURE_MEDIUM, &index) == 0)
		return CAPTURE_MEDIUM << 24 | (index + 1);
	if (class > CAPTURE_SMALL && pop(CAPTURE_SMALL, &index) == 0)
		return CAPTURE_SMALL << 24 | (index + 1);
	return 0;
}

__noinline int drop_chunk(__u32 chunk)
{
	__u32 index = (chunk & 0xffffff) - 1;
	struct capture *capture = chunk_at(chunk);

	if (!capture || __sync_fetch_and_add(&capture->refs, -1) != 1)
		return 0;
	switch (chunk >> 24) {
	case CAPTURE_SMALL:
		return (int)bpf_map_push_elem(&small_free, &index, BPF_ANY);
	case CAPTURE_MEDIUM:
		return (int)bpf_map_push_elem(&medium_free, &index, BPF_ANY);
	default:
		return (int)bpf_map_push_elem(&large_free, &index, BPF_ANY);
	}
}

/* Stacks */

static long note_range(struct task_struct *task, struct vm_area_struct *area, void *context)
{
	struct stack_range *range = context;

	range->low = area->vm_start;
	range->high = area->vm_end;
	return 0;
}

/* How far to copy: to the mapping's end, but neither a program's environment nor a thread's own
 * block of the C library, which are above the first frame. */
static __always_inline __u64 stack_end(struct task_struct *task, __u64 sp)
{
	struct stack_range found = { 0, 0 };
	struct stack_range *known = bpf_task_storage_get(&stack_ranges, task, NULL,
							 BPF_LOCAL_STORAGE_GET_F_CREATE);
	__u64 start, thread_block;

	if (known && sp >= known->low && sp < known->high)
		return known->high;
	if (bpf_find_vma(task, sp, note_range, &found, 0) < 0 || sp >= found.high)
		return sp + 4096;
	start = BPF_CORE_READ(task, mm, start_stack) + STACK_RESERVE;
	thread_block = BPF_CORE_READ(task, thread.fsbase);
	if (start > sp && start < found.high)
		found.high = start;
	else if (thread_block > sp && thread_block < found.high)
		found.high = thread_block;
	if (known)
		*known = found;
	return found.high;
}

static __always_inline void copy_registers(struct capture *capture, struct pt_regs *regs)
{
	__u64 *to = capture->registers;

	to[0] = regs->ax, to[1] = regs->dx, to[2] = regs->cx, to[3] = regs->bx;
	to[4] = regs->si, to[5] = regs->di, to[6] = regs->bp, to[7] = regs->sp;
	to[8] = regs->r8, to[9] = regs->r9, to[10] = regs->r10, to[11] = regs->r11;
	to[12] = regs->r12, to[13] = regs->r13, to[14] = regs->r14, to[15] = regs->r15;
	to[16] = regs->ip;
}

/* As much as there is, page by page, when a page that is not there made the whole copy fail. */
static __always_inline __u32 copy_pages(unsigned char *to, __u32 room, __u64 from, __u32 wanted)
{
	__u32 done = 4096 - (__u32)(from & 4095);

	if (done > wanted)
		done = wanted;
	if (done > room || bpf_probe_read_user(to, done, (void *)from) < 0)
		return 0;
	for (int i = 0; i < CAPTURE_LARGE_BYTES / 4096; i++) {
		barrier_var(done); /* the verifier is to see the value checked as the one used */
		if (done > room - 4096 || room < 4096 || done >= wanted)
			break;
		if (bpf_probe_read_user(to + done, 4096, (void *)(from + done)) < 0)
			break;
		done += 4096;
	}
	return done < wanted ? done : wanted;
}

static __always_inline void fill(struct capture *capture, unsigned char *stack, __u32 room, struct call *call,
				 struct pt_regs *regs, __u64 from, __u64 wanted)
{
	__u64 bytes = wanted;

	__sync_lock_test_and_set(&capture->opened_ns, 0);
	copy_registers(capture, regs);
	barrier_var(bytes); /* or the verifier sees another register compared than the one used */
	if (bytes > room)
		bytes = room;
	if (bpf_probe_read_user(stack, (__u32)bytes, (void *)from) < 0)
		bytes = copy_pages(stack, room, from, (__u32)bytes);
	capture->bytes = (__u32)bytes;
	capture->whole = bytes == wanted;
	capture->tid = call->tid;
	capture->refs = 1;
	__sync_lock_test_and_set(&capture->opened_ns, call->now_ns);
}

#define FILL(map)                                                                               \
	do {                                                                                    \
		struct map##_value *value_ = bpf_map_lookup_elem(&map, &index);                 \
		if (value_)                                                                     \
			fill(&value_->head, value_->room, sizeof(value_->room), call, regs, from, wanted);    \
	} while (0)

__noinline int fill_chunk(__u32 chunk, struct call *call, __u64 from, __u64 wanted)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	__u32 index = (chunk & 0xffffff) - 1;

	if (!call)
		return 0;
	switch (chunk >> 24) {
	case CAPTURE_SMALL:
		FILL(small);
		break;
	case CAPTURE_MEDIUM:
		FILL(medium);
		break;
	default:
		FILL(large);
	}
	return 0;
}

/* A chunk that nobody else refers to, and that is not far too large, is used again. */
static __always_inline bool fits(__u32 chunk, __u32 class)
{
	struct capture *capture = chunk_at(chunk);

	return capture && capture->refs == 1 && chunk >> 24 == class;
}

/* The slot's chunk is taken out of it while it is written: whoever finds none leaves it alone. */
static __always_inline int capture(struct slot *slot, struct call *call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 from = regs->sp, wanted = stack_end(task, from) - from;
	__u32 chunk, class;

	if (wanted > stack_bytes_max)
		wanted = stack_bytes_max;
	class = class_for((__u32)wanted);
	chunk = __sync_lock_test_and_set(&slot->chunk, 0);
	if (chunk && !fits(chunk, class)) {
		drop_chunk(chunk);
		chunk = 0;
	}
	if (!chunk)
		chunk = take_chunk(class);
	if (!chunk)
		return -1;
	fill_chunk(chunk, call, from, wanted);
	__sync_lock_test_and_set(&slot->chunk, chunk);
	return 0;
}

/* Slots */

static __always_inline struct process *process_of(struct call *call)
{
	return bpf_map_lookup_elem(&processes, &call->key);
}

static __noinline void count_lost(struct call *call)
{
	struct process *process = process_of(call);

	if (process)
		__sync_fetch_and_add(&process->lost, 1);
}

static const struct page no_page;

/* owner: 0 when a page is not to be made */
static __noinline struct page *page_of(__u32 table, __u32 number, __u32 owner)
{
	struct page_key key = { table, number / PAGE_SLOTS };
	struct page *page = bpf_map_lookup_elem(&pages, &key);

	if (page || !owner)
		return page;
	bpf_map_update_elem(&pages, &key, &no_page, BPF_NOEXIST);
	page = bpf_map_lookup_elem(&pages, &key);
	if (page)
		page->owner = owner;
	return page;
}

static __always_inline __u64 file_at(struct call *call, __u32 number)
{
	__u64 file = 0;

	if (number < call->max_fds)
		bpf_probe_read_kernel(&file, sizeof(file), (void *)(call->fds + 8ull * number));
	return file;
}

/* What read(2) may bring new handles from, when it was open before we looked. */
static __always_inline bool is_reader(__u64 file)
{
	const unsigned char *name = BPF_CORE_READ((struct file *)file, f_path.dentry, d_name.name);
	char start[8] = "";

	bpf_probe_read_kernel_str(start, sizeof(start), name);
	return start[0] == '[' && ((start[1] == 'f' && start[2] == 'a' && start[3] == 'n') ||
				   (start[1] == 'u' && start[2] == 's' && start[3] == 'e'));
}

/* Number is open, and this call has opened it. */
__noinline int record(struct call *call, __u32 number)
{
	struct process *process;
	struct page *page;
	struct slot *slot;
	__u64 file, bit = 1ull << (number % PAGE_SLOTS);

	process = call ? process_of(call) : NULL;
	if (!process)
		return 0;
	file = file_at(call, number);
	if (call->captures)
		__sync_fetch_and_add(&process->opened, 1);
	if (!file) { /* closed already, by another thread */
		if (call->captures)
			__sync_fetch_and_add(&process->closed, 1);
		return 0;
	}
	page = page_of(call->table, number, call->pid);
	if (!page) {
		count_lost(call);
		return 0;
	}
	slot = &page->slot[number % PAGE_SLOTS];
	slot->file = file;
	slot->opened_ns = call->now_ns;
	slot->tid = call->tid;
	slot->pid = call->pid;
	slot->nr = call->nr;
	slot->image = call->image;
	slot->origin = call->origin;
	slot->flags = 0;
	if (call->captures && capture(slot, call) < 0)
		slot->flags = SLOT_NO_STACK;
	if (call->deep && is_reader(file))
		call->readers++;
	if (__sync_fetch_and_or(&page->present, bit) & bit && call->captures)
		__sync_fetch_and_add(&process->closed, 1); /* dup2() over it; or its close is under way */
	return 0;
}

/* As record(), unless what is there is what was there. */
static __always_inline int record_if_new(struct call *call, __u32 number)
{
	__u64 bit = 1ull << (number % PAGE_SLOTS), file;
	struct page *page;
	struct slot *slot;

	page = page_of(call->table, number, 0);
	if (page && page->present & bit) {
		file = file_at(call, number);
		slot = &page->slot[number % PAGE_SLOTS];
		if (!file || (slot->file == file && slot->origin != SLOT_FOUND))
			return 0;
	}
	return record(call, number);
}

__noinline int forget(struct call *call, __u32 number)
{
	__u64 bit = 1ull << (number % PAGE_SLOTS);
	struct process *process;
	struct page *page;

	if (!call)
		return 0;
	page = page_of(call->table, number, 0);
	if (!page || !(page->present & bit) || file_at(call, number))
		return 0;
	if (!(__sync_fetch_and_and(&page->present, ~bit) & bit))
		return 0;
	process = process_of(call);
	if (process)
		__sync_fetch_and_add(&process->closed, 1);
	return 0;
}

/* Comparing a table with what is known of it */

static __always_inline __u64 open_word(struct call *call, __u32 index)
{
	__u64 word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), (void *)(call->open_fds + 8ull * index));
	return word;
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

struct comparison {
	struct call call;
	__u64 difference;
	__u32 index;
};

static long compare_bit(__u32 i, struct comparison *comparison)
{
	__u32 number;

	if (!comparison->difference)
		return 1;
	number = comparison->index * PAGE_SLOTS + lowest(comparison->difference);
	comparison->difference &= comparison->difference - 1;
	if (file_at(&comparison->call, number))
		record_if_new(&comparison->call, number);
	else
		forget(&comparison->call, number);
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

/* A difference seen from outside may be a call that is under way: only the second look counts. */
static __noinline __u64 seen_twice(struct call *call, __u32 index, __u64 difference)
{
	struct page *page = page_of(call->table, index * PAGE_SLOTS, difference ? call->pid : 0);
	__u64 before;

	if (!page)
		return 0;
	before = page->suspected;
	page->suspected = difference;
	return before & difference;
}

static long compare_word(__u32 index, struct comparison *comparison)
{
	struct call *call = &comparison->call;
	struct page *page = page_of(call->table, index * PAGE_SLOTS, 0);

	comparison->index = index;
	comparison->difference = open_word(call, index) ^ (page ? page->present : 0);
	if (page && call->deep)
		bpf_loop(PAGE_SLOTS, find_replaced, comparison, 0);
	if (!call->decides)
		comparison->difference = seen_twice(call, index, comparison->difference);
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
	words = call->max_fds / WORD_BITS;
	bpf_loop(words < WORDS_MAX ? words : WORDS_MAX, compare_word, &comparison, 0);
	call->readers = comparison.call.readers;
	return 0;
}

/* Tables */

static __always_inline void read_table(struct call *call, struct files_struct *files)
{
	struct fdtable *table = BPF_CORE_READ(files, fdt);

	call->max_fds = BPF_CORE_READ(table, max_fds);
	call->fds = (__u64)BPF_CORE_READ(table, fd);
	call->open_fds = (__u64)BPF_CORE_READ(table, open_fds);
}

struct copying {
	__u32 from, to, owner;
	__u64 open_fds;
	struct page *page;
};

/* Both refer to the same chunk from now on, unless it is being written. */
static long copy_slot(__u32 i, struct copying *copying)
{
	struct page_key key = { copying->to, (__u32)(copying->open_fds >> 32) };
	struct page *page = bpf_map_lookup_elem(&pages, &key);
	struct capture *capture;
	struct slot *slot;

	if (!page || i >= PAGE_SLOTS)
		return 1;
	slot = &page->slot[i];
	slot->flags |= SLOT_IN_PARENT;
	if (!slot->chunk)
		return 0;
	capture = page->present >> i & 1 ? chunk_at(slot->chunk) : NULL;
	if (capture && capture->opened_ns == slot->opened_ns)
		__sync_fetch_and_add(&capture->refs, 1);
	else
		slot->chunk = 0;
	return 0;
}

static long copy_page(__u32 index, struct copying *copying)
{
	struct page_key from = { copying->from, index }, to = { copying->to, index };
	struct copying inner = { .to = copying->to, .open_fds = (__u64)index << 32 };
	struct page *page = bpf_map_lookup_elem(&pages, &from);
	__u64 word = 0;

	if (!page)
		return 0;
	bpf_probe_read_kernel(&word, sizeof(word), (void *)(copying->open_fds + 8ull * index));
	if (!word)
		return 0;
	bpf_map_update_elem(&pages, &to, page, BPF_ANY);
	page = bpf_map_lookup_elem(&pages, &to);
	if (!page)
		return 0;
	page->present &= word;
	page->suspected = 0;
	page->owner = copying->owner;
	bpf_loop(PAGE_SLOTS, copy_slot, &inner, 0);
	return 0;
}

/* A table of its own for files; what is known of the one it was copied from goes along. */
static __noinline int make_table(struct files_struct *files, __u32 from, __u32 owner,
				 struct table *ret_table)
{
	struct copying copying = { .from = from, .owner = owner };
	struct fdtable *fdt = BPF_CORE_READ(files, fdt);
	__u64 key = (__u64)files;
	__u32 words = BPF_CORE_READ(fdt, max_fds) / WORD_BITS;

	ret_table->id = __sync_fetch_and_add(&last_table, 1) + 1;
	copying.to = ret_table->id;
	copying.open_fds = (__u64)BPF_CORE_READ(fdt, open_fds);
	if (from)
		bpf_loop(words < WORDS_MAX ? words : WORDS_MAX, copy_page, &copying, 0);
	return (int)bpf_map_update_elem(&tables, &key, ret_table, BPF_ANY);
}

static __always_inline bool find_table(struct call *call, struct process *process,
				       struct files_struct *files)
{
	__u64 key = (__u64)files;
	struct table *known = bpf_map_lookup_elem(&tables, &key), made = { 0 };

	if (known) {
		call->table = known->id;
		call->table_flags = known->flags;
	} else {
		if (make_table(files, process->table, process->pid, &made) < 0)
			return false;
		call->table = made.id;
	}
	process->table = call->table;
	return true;
}

static __noinline int flag_table(struct files_struct *files, __u32 flags)
{
	__u64 key = (__u64)files;
	struct table *known = bpf_map_lookup_elem(&tables, &key);

	if (known)
		known->flags |= flags;
	return 0;
}

/* Events */

static __noinline int tell(__u32 type, __u32 key, struct process *process, __u32 parent, __u32 status)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		__sync_fetch_and_add(&unkept_events, 1);
		return -1;
	}
	event->type = type;
	event->key = key;
	event->pid = process ? process->pid : 0;
	event->table = process ? process->table : 0;
	event->image = process ? process->image : 0;
	event->parent = parent;
	event->status = status;
	event->unused = 0;
	event->ns = bpf_ktime_get_ns();
	bpf_core_read(event->name, sizeof(event->name), &task->comm);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* System calls */

static __always_inline void record_pair(struct call *call, __u64 address)
{
	__u32 pair[2];

	if (bpf_probe_read_user(pair, sizeof(pair), (void *)address) < 0) {
		compare_table(call); /* written to since */
		return;
	}
	record(call, pair[0]);
	record(call, pair[1]);
}

static __always_inline bool message_has_control(__u64 header)
{
	__u64 bytes = 1;

	bpf_probe_read_user(&bytes, sizeof(bytes), (void *)(header + MSG_CONTROL_BYTES_AT));
	return bytes != 0;
}

static __always_inline int executed(struct call *call, struct process *process)
{
	__sync_fetch_and_add(&process->image, 1);
	call->captures = 0;
	compare_table(call);
	return tell(EVENT_EXECUTED, call->key, process, 0, 0);
}

static __always_inline void follow_call(struct call *call, struct process *process,
					struct files_struct *task_files, struct pt_regs *regs,
					__u8 kind, __s64 ret)
{
	switch (kind) {
	case CALL_OPENS:
		record(call, (__u32)ret);
		break;
	case CALL_OPENS_READER:
		flag_table(task_files, TABLE_READ_OPENS);
		record(call, (__u32)ret);
		break;
	case CALL_MAY_OPEN:
		record_if_new(call, (__u32)ret);
		break;
	case CALL_FCNTL:
		if (regs->si == F_DUPFD || regs->si == F_DUPFD_CLOEXEC)
			record(call, (__u32)ret);
		break;
	case CALL_CLOSES:
		forget(call, (__u32)regs->di);
		break;
	case CALL_PAIR_FIRST:
		record_pair(call, regs->di);
		break;
	case CALL_PAIR_LAST:
		record_pair(call, regs->r10);
		break;
	case CALL_MESSAGE:
		if (message_has_control(regs->si))
			compare_table(call);
		break;
	case CALL_SOCKOPT:
		if (regs->si == SOL_SOCKET && regs->dx == SO_PEERPIDFD)
			compare_table(call);
		break;
	case CALL_READ:
		if (call->table_flags & TABLE_READ_OPENS)
			compare_table(call);
		break;
	case CALL_RING:
		call->origin = SLOT_ASYNCHRONOUS;
		compare_table(call);
		break;
	case CALL_EXECUTES:
		executed(call, process);
		break;
	default:
		compare_table(call);
	}
}

static __always_inline struct process *watched(__u32 key)
{
	struct process *process = bpf_map_lookup_elem(&processes, &key), made = { 0 };

	if (process || !all_processes || key == own_tgid)
		return process;
	made.pid = own_number_of_process(bpf_get_current_task_btf());
	bpf_map_update_elem(&processes, &key, &made, BPF_NOEXIST);
	return bpf_map_lookup_elem(&processes, &key);
}

static __always_inline int leave_call(struct task_struct *task, struct pt_regs *regs, __u8 kind, __s64 ret)
{
	struct call call = { .captures = 1, .decides = 1, .origin = SLOT_OPENED };
	struct files_struct *files = task->files;
	struct process *process;

	call.key = (__u32)(bpf_get_current_pid_tgid() >> 32);
	process = watched(call.key);
	if (!process || !files)
		return 0;
	if (!find_table(&call, process, files))
		return 0;
	read_table(&call, files);
	call.now_ns = bpf_ktime_get_ns();
	call.tid = own_number_of_thread(task);
	call.pid = process->pid;
	call.image = process->image;
	call.nr = (__u16)regs->orig_ax;
	follow_call(&call, process, files, regs, kind, ret);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(leave, struct pt_regs *regs, long ret)
{
	__u32 nr = (__u32)regs->orig_ax;
	struct task_struct *task = bpf_get_current_task_btf();
	__u8 *kind, any = CALL_ANY;

	if (task->thread_info.status & TS_COMPAT) {
		kind = &any; /* other numbers: look at the table instead */
	} else {
		kind = bpf_map_lookup_elem(&calls, &nr);
		if (!kind || *kind == CALL_NONE)
			return 0;
		if (ret < 0 && ret >= -EINTR_MAX && *kind != CALL_CLOSES && *kind != CALL_ANY)
			return 0;
	}
	return leave_call(task, regs, *kind, ret);
}

/* Processes that come and go */

/* Of a child: its own table, or its parent's, is looked up at its first call. */
static __noinline int follow_child(struct task_struct *child, __u32 parent_key)
{
	struct process *parent = bpf_map_lookup_elem(&processes, &parent_key), made = { 0 };
	struct table table = { 0 };
	__u64 files = (__u64)child->files;
	__u32 key = (__u32)child->tgid;

	if (!parent || !files)
		return 0;
	made.flags = parent->flags;
	made.image = parent->image;
	made.pid = own_number_of_process(child);
	made.table = parent->table;
	if (!bpf_map_lookup_elem(&tables, &files)) {
		if (make_table(child->files, parent->table, made.pid, &table) < 0)
			return 0;
		made.table = table.id;
	}
	bpf_map_update_elem(&processes, &key, &made, BPF_ANY);
	return tell(EVENT_PROCESS, key, &made, parent->pid, 0);
}

SEC("tp_btf/task_newtask")
int BPF_PROG(newtask, struct task_struct *child, unsigned long clone_flags)
{
	__u32 key = (__u32)(bpf_get_current_pid_tgid() >> 32);
	struct process *parent;

	if (clone_flags & CLONE_THREAD)
		return 0;
	parent = bpf_map_lookup_elem(&processes, &key);
	if (!parent || !(parent->flags & PROCESS_FOLLOW || clone_flags & CLONE_FILES))
		return 0;
	return follow_child(child, key);
}

struct telling {
	__u64 open_fds, fds;
	__u32 table, index;
};

static long tell_handle(__u32 bit, struct telling *telling)
{
	struct page *page = page_of(telling->table, telling->index * PAGE_SLOTS, 0);
	struct handle_event *event;
	struct dentry *entry;
	struct file *file = NULL;

	if (!page || bit >= PAGE_SLOTS)
		return 1;
	if (!(page->present >> bit & 1))
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file),
			      (void *)(telling->fds + 8ull * (telling->index * PAGE_SLOTS + bit)));
	event = file ? bpf_ringbuf_reserve(&events, sizeof(*event), 0) : NULL;
	if (!event)
		return 0;
	event->type = EVENT_HANDLE;
	event->table = telling->table;
	event->number = telling->index * PAGE_SLOTS + bit;
	event->mode = BPF_CORE_READ(file, f_inode, i_mode);
	event->opened_ns = page->slot[bit].opened_ns;
	event->tid = page->slot[bit].tid;
	event->unused = 0;
	entry = BPF_CORE_READ(file, f_path.dentry);
	for (int i = 0; i < NAMES_MAX; i++) {
		struct dentry *parent = BPF_CORE_READ(entry, d_parent);

		event->names[i][0] = '\0';
		if (entry)
			bpf_probe_read_kernel_str(event->names[i], NAME_BYTES,
						  BPF_CORE_READ(entry, d_name.name));
		entry = parent == entry ? NULL : parent;
	}
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

/* While it still has its handles: what is open now stays in the pages for the reader. */
static __noinline int end_table(struct task_struct *task, struct process *process, __u32 key)
{
	struct files_struct *files = task->files;
	__u64 table_key = (__u64)files;
	struct table *table = bpf_map_lookup_elem(&tables, &table_key);

	if (!files || !table || BPF_CORE_READ(files, count.counter) > 1)
		return 0;
	process->table = table->id;
	tell_handles(files, table->id);
	bpf_map_delete_elem(&tables, &table_key);
	return tell(EVENT_TABLE_ENDED, key, process, 0, 0);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(ended, struct task_struct *task)
{
	__u32 key = (__u32)task->tgid;
	struct process *process = bpf_map_lookup_elem(&processes, &key);

	if (!process)
		return 0;
	end_table(task, process, key);
	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		tell(EVENT_ENDED, key, process, 0, (__u32)task->exit_code);
	return 0;
}

/* Looking at tables from outside */

static __always_inline bool may_be_watched(struct task_struct *task)
{
	return !(task->flags & PF_KTHREAD) && (__u32)task->tgid != own_tgid;
}

static __noinline int look_at(struct task_struct *task, struct process *process, __u32 key)
{
	struct call call = { .nr = 0xffff, .deep = 1, .origin = SLOT_FOUND };
	struct files_struct *files = task->files;
	struct table made = { 0 };
	__u64 table_key = (__u64)files;
	struct table *known;

	if (!files)
		return 0;
	known = bpf_map_lookup_elem(&tables, &table_key);
	if (!known && look_mode == LOOK_RECONCILE)
		return 0; /* it is met at the first call of who made it, or at the next look */
	if (!known && make_table(files, 0, process->pid, &made) < 0)
		return 0;
	if (look_mode == LOOK_ADD) {
		call.origin = SLOT_BEFORE;
		call.decides = 1;
	}
	call.key = key;
	call.table = known ? known->id : made.id;
	call.tid = call.pid = process->pid;
	call.image = process->image;
	call.now_ns = bpf_ktime_get_ns();
	read_table(&call, files);
	compare_table(&call);
	if (call.readers)
		flag_table(files, TABLE_READ_OPENS);
	if (task->pid == task->tgid)
		process->table = call.table;
	return 0;
}

static __noinline int look_at_process(struct task_struct *task, __u32 key)
{
	struct process *process = bpf_map_lookup_elem(&processes, &key), made = { 0 };

	if (!process && look_mode == LOOK_ADD) {
		made.pid = own_number_of_process(task);
		made.flags = look_flags;
		bpf_map_update_elem(&processes, &key, &made, BPF_NOEXIST);
		process = bpf_map_lookup_elem(&processes, &key);
		tell(EVENT_PROCESS, key, &made, 0, 0);
	}
	if (process)
		look_at(task, process, key);
	return 0;
}

SEC("iter/task")
int look(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;

	if (!task || !may_be_watched(task))
		return 0;
	if (task->pid != task->tgid && task->files == BPF_CORE_READ(task, group_leader, files))
		return 0;
	return look_at_process(task, (__u32)task->tgid);
}

/* To know ourselves, before anything else runs. */
SEC("iter/task")
int know_self(struct bpf_iter__task *context)
{
	struct task_struct *self = bpf_get_current_task_btf();

	own_tgid = (__u32)(bpf_get_current_pid_tgid() >> 32);
	own_level = BPF_CORE_READ(self, thread_pid, level);
	return 0;
}

static long release_one(__u32 i, void *unused)
{
	struct release *release = bpf_map_lookup_elem(&releases, &i);
	struct page *page;
	struct slot *slot;
	__u32 chunk;

	if (!release)
		return 1;
	page = page_of(release->table, release->number, 0);
	if (!page)
		return 0;
	slot = &page->slot[release->number % PAGE_SLOTS];
	if (slot->opened_ns != release->opened_ns)
		return 0;
	chunk = __sync_lock_test_and_set(&slot->chunk, 0);
	if (chunk)
		drop_chunk(chunk);
	return 0;
}

struct release_request {
	__u32 n;
};

SEC("syscall")
int release_chunks(struct release_request *request)
{
	__u32 n = request->n < RELEASES_MAX ? request->n : RELEASES_MAX;

	bpf_loop(n, release_one, NULL, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
