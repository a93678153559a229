/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * tasks.bpf.c - the counters of every process, in one read(2)
 *
 * Runs in the kernel, once for each task.  The structures name only the members that are used: where
 * those are in this kernel is found out when the program is loaded.
 */
#include "base/bpf_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "tasks.h"

enum { RLIMIT_NOFILE = 7, PIDTYPE_SID = 3 };
enum { MM_FILE = 0, MM_ANONYMOUS = 1, MM_SHARED = 3 };

#define WORD_BITS     64
#define CHUNK_WORDS   32
#define FEW_WORDS     4  /* 256 handles: a shell has so much room, and its children inherit it */
#define LEVELS_MAX    32 /* namespaces in namespaces: the kernel's own bound */

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} KERNEL;

struct upid {
	int nr;
	struct pid_namespace *ns;
} KERNEL;

struct pid {
	unsigned int level;
	struct upid numbers[1];
} KERNEL;

struct fdtable {
	unsigned int max_fds;
	unsigned long *open_fds;
} KERNEL;

struct files_struct {
	struct fdtable *fdt;
} KERNEL;

struct rlimit {
	unsigned long rlim_cur;
} KERNEL;

struct signal_struct {
	int nr_threads;
	unsigned long long sum_sched_runtime;
	struct rlimit rlim[16];
	struct pid *pids[4];
} KERNEL;

struct percpu_counter {
	__s64 count;
} KERNEL;

struct mm_struct {
	int map_count;
	struct percpu_counter rss_stat[4];
} KERNEL;

/* Before Linux 6.2.  A number where the kernel has a structure around it would not be found. */
typedef struct {
	__s64 counter;
} atomic64_t;

struct mm_rss_stat {
	atomic64_t count[4];
} KERNEL;

struct mm_struct___before_6_2 {
	struct mm_rss_stat rss_stat;
} KERNEL;

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t uid;
} KERNEL;

struct sched_entity {
	__u64 sum_exec_runtime;
} KERNEL;

struct css_set;

struct task_struct {
	struct task_struct *group_leader;
	struct signal_struct *signal;
	struct files_struct *files;
	struct mm_struct *mm;
	const struct cred *real_cred;
	struct pid *thread_pid;
	struct css_set *cgroups;
	struct sched_entity se;
	__u64 start_boottime;
	int tgid;
	char comm[16];
} KERNEL;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} KERNEL;

/*
 * What nobody wants is not looked at: nearly all of the time goes into memory that is not in the
 * cache.  Threads are told only for the sake of the CPU time of processes.
 */
const volatile bool wants_cpu = false, wants_limit = false, wants_resident = false;

/* Handles: the bits of the table of open descriptors, as in the size of /proc/PID/fd */

struct count {
	unsigned long *words;
	__u32 n_words;
	__u32 n_open;
};

static __always_inline __u32 bits_of(__u64 word)
{
	word -= word >> 1 & 0x5555555555555555ULL;
	word = (word & 0x3333333333333333ULL) + (word >> 2 & 0x3333333333333333ULL);
	word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return word * 0x0101010101010101ULL >> 56;
}

static long count_chunk(__u32 index, void *context)
{
	struct count *count = context;
	__u64 word[CHUNK_WORDS];
	__u32 first = index * CHUNK_WORDS, n = count->n_words - first, n_open = 0;

	barrier_var(n); /* the bound below must be that of the register that is used */
	if (n > CHUNK_WORDS)
		n = CHUNK_WORDS;
	if (bpf_probe_read_kernel(word, n * sizeof(word[0]), count->words + first) < 0) {
		count->n_open = TASK_UNKNOWN;
		return 1;
	}
	for (__u32 i = 0; i < CHUNK_WORDS && i < n; i++)
		n_open += bits_of(word[i]);
	count->n_open += n_open;
	return 0;
}

static __always_inline __u32 count_handles(struct task_struct *task)
{
	struct files_struct *files = task->files;
	struct count count = { 0 };
	struct fdtable *fdt;
	__u32 n;

	if (!files)
		return 0;
	fdt = files->fdt;
	if (!fdt)
		return TASK_UNKNOWN;
	count.words = fdt->open_fds;
	count.n_words = n = fdt->max_fds / WORD_BITS;
	barrier_var(n); /* as above */
	if (n <= FEW_WORDS) { /* nearly everybody's */
		__u64 word[FEW_WORDS] = { 0 };

		if (bpf_probe_read_kernel(word, n * sizeof(word[0]), count.words) < 0)
			return TASK_UNKNOWN;
		for (__u32 i = 0; i < FEW_WORDS; i++)
			count.n_open += bits_of(word[i]);
	} else {
		bpf_loop((count.n_words + CHUNK_WORDS - 1) / CHUNK_WORDS, count_chunk, &count, 0);
	}
	/* It may end under our eyes, and its table be somebody else's meanwhile. */
	return task->files == files ? count.n_open : TASK_UNKNOWN;
}

/* Memory */

/* Only where an index is a literal the kernel's size of an element is found out: hence a macro. */
#define READ_COUNT_BEFORE_6_2(to, base, index)                                                     \
	bpf_core_read(&(to), sizeof(to), &(base)->rss_stat.count[index].counter)

static __always_inline __u64 resident_pages(struct mm_struct *mm)
{
	__s64 file = 0, anonymous = 0, shared = 0;

	if (bpf_core_type_exists(struct mm_rss_stat)) {
		struct mm_struct___before_6_2 *old = (void *)mm;

		READ_COUNT_BEFORE_6_2(file, old, MM_FILE);
		READ_COUNT_BEFORE_6_2(anonymous, old, MM_ANONYMOUS);
		READ_COUNT_BEFORE_6_2(shared, old, MM_SHARED);
	} else {
		file = mm->rss_stat[MM_FILE].count;
		anonymous = mm->rss_stat[MM_ANONYMOUS].count;
		shared = mm->rss_stat[MM_SHARED].count;
	}
	/* What single processors hold back can make them negative. */
	return (file > 0 ? file : 0) + (anonymous > 0 ? anonymous : 0) + (shared > 0 ? shared : 0);
}

static __always_inline void read_memory(struct task_struct *task, struct task_record *record)
{
	struct mm_struct *mm = task->mm;

	if (!mm)
		return;
	record->has_memory = 1;
	record->mappings = mm->map_count;
	if (wants_resident)
		record->resident_pages = resident_pages(mm);
}

/* Identity, in the words of whoever reads */

/* The index is no literal here: an upid has had this size since namespaces came. */
static __always_inline int number_at(struct pid *pid, __u32 level, struct pid_namespace *ns)
{
	struct upid upid;

	if (!pid || level >= LEVELS_MAX || pid->level < level)
		return 0;
	if (bpf_core_read(&upid.nr, sizeof(upid.nr), &pid->numbers[level].nr) < 0 ||
	    bpf_core_read(&upid.ns, sizeof(upid.ns), &pid->numbers[level].ns) < 0)
		return 0;
	return !ns || upid.ns == ns ? upid.nr : 0;
}

static __always_inline void read_identity(struct task_struct *leader, struct task_record *record)
{
	struct pid *reader = bpf_get_current_task_btf()->thread_pid;
	struct pid *session = leader->signal->pids[PIDTYPE_SID];
	__u32 level = reader->level;

	if (level == 0) {
		record->pid = leader->tgid;
		record->session = session ? session->numbers[0].nr : 0;
	} else if (level < LEVELS_MAX) {
		struct pid_namespace *ns = NULL;

		(void)bpf_core_read(&ns, sizeof(ns), &reader->numbers[level].ns);
		record->pid = number_at(leader->thread_pid, level, ns);
		record->session = number_at(session, level, ns);
	}
}

static __always_inline void read_process(struct task_struct *task, struct task_record *record)
{
	struct signal_struct *signal = task->signal;

	record->start_ns = task->start_boottime;
	record->threads = signal->nr_threads;
	if (wants_limit)
		record->handle_limit = signal->rlim[RLIMIT_NOFILE].rlim_cur;
	if (wants_cpu)
		record->cpu_ns = signal->sum_sched_runtime;
	record->uid = task->real_cred->uid.val;
	record->cgroups = (__u64)task->cgroups;
	bpf_core_read(record->name, sizeof(record->name), &task->comm);
}

SEC("iter/task")
int tell_task(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task, *leader;
	struct task_record record = { 0 };

	if (!task)
		return 0;
	leader = task->group_leader;
	if (task != leader) {
		bool is_leaderless = !leader->files && !leader->mm && (task->files || task->mm);

		if (!wants_cpu && !is_leaderless)
			return 0;
		record.kind = TASK_THREAD;
		if (is_leaderless)
			read_memory(task, &record);
		record.handles = is_leaderless ? count_handles(task) : 0;
	} else {
		read_process(task, &record);
		read_memory(task, &record);
		record.handles = count_handles(task);
	}
	read_identity(leader, &record);
	if (wants_cpu)
		record.cpu_ns += task->se.sum_exec_runtime;
	bpf_seq_write(context->meta->seq, &record, sizeof(record));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
