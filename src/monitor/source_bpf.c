/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * source_bpf.c - every process in one read(2) of a BPF task iterator
 *
 * The kernel may leave processes out of what it iterates over (PID 1 was, on some machines).  So
 * /proc is enumerated too, now and then: at every sample that would cost more than the sample.
 */
#include "monitor/source.h"

#include <string.h>
#include <sys/syscall.h>

#include "monitor/bpf/tasks.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpointer-arith" /* bpftool made it */
#include "tasks.skel.h"
#pragma GCC diagnostic pop

#define READ_BYTES	(64u << 10)
#define BYTES_MAX	(1u << 30) /* of records: so many tasks has no machine */
#define ENUMERATE_NS	(60 * NS_PER_S)
#define SELF_CHECKS	3 /* our own threads and handles may change between two looks */
#define SELF_TEXT_BYTES (64u << 10)

struct bpf_state {
	const struct source_request *request;
	int link_fd;
	char *records;
	size_t room, used;
	int64_t boot_offset_ns; /* of our time namespace */
	uint64_t tick_ns, page_bytes;
	pid_t *left_out; /* ids that /proc knows and the iterator does not */
	size_t n_left_out;
	int64_t enumerate_at_ns;
};

static bool wants(const struct source_request *request, enum monitor_counter counter)
{
	return request->wanted & 1u << counter;
}

/* Reading */

static int open_iterator(int link_fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.iter_create.link_fd = (uint32_t)link_fd;
	return (int)syscall(SYS_bpf, BPF_ITER_CREATE, &attr, sizeof(attr));
}

static int make_record_room(struct bpf_state *state)
{
	char *grown;

	if (state->room - state->used >= READ_BYTES)
		return 0;
	if (state->room >= BYTES_MAX)
		return -EFBIG;
	grown = realloc(state->records, state->room * 2 + READ_BYTES);
	if (!grown)
		return -ENOMEM;
	state->records = grown;
	state->room = state->room * 2 + READ_BYTES;
	return 0;
}

static int read_records(struct bpf_state *state)
{
	AUTO_CLOSE int fd = open_iterator(state->link_fd);

	if (fd < 0)
		return -errno;
	state->used = 0;
	for (;;) {
		int r = make_record_room(state);
		ssize_t n;

		if (r < 0)
			return r;
		n = read(fd, state->records + state->used, state->room - state->used);
		if (n == 0)
			return 0;
		/* EAGAIN: after a million tasks that were not told */
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0)
			state->used += (size_t)n;
	}
}

int64_t source_bpf_read_bare(void *state)
{
	int r = read_records(state);

	return r < 0 ? r : (int64_t)((struct bpf_state *)state)->used;
}

/* From records to processes */

static void note_memory(const struct bpf_state *state, const struct task_record *record,
			struct monitor_process *process)
{
	source_note(process, MONITOR_MAPPINGS, record->mappings);
	if (wants(state->request, MONITOR_RESIDENT_BYTES))
		source_note(process, MONITOR_RESIDENT_BYTES,
			    record->resident_pages * state->page_bytes);
}

static int add_process(const struct bpf_state *state, const struct task_record *record,
		       struct source_list *list)
{
	struct monitor_process *process = source_list_add(list);

	if (!process)
		return -ENOMEM;
	process->pid = (pid_t)record->pid;
	process->session = (pid_t)record->session;
	process->uid = record->uid;
	process->start_ticks =
		(record->start_ns + (uint64_t)state->boot_offset_ns) / state->tick_ns;
	memcpy(process->name, record->name, sizeof(record->name) - 1);
	source_note(process, MONITOR_THREADS, record->threads);
	if (wants(state->request, MONITOR_CPU_NS))
		source_note(process, MONITOR_CPU_NS, record->cpu_ns);
	if (record->handles != TASK_UNKNOWN)
		source_note(process, MONITOR_HANDLES, record->handles);
	if (wants(state->request, MONITOR_HANDLE_LIMIT) && record->handle_limit != PROC_UNLIMITED)
		source_note(process, MONITOR_HANDLE_LIMIT, record->handle_limit);
	if (record->has_memory)
		note_memory(state, record, process);
	list->group[list->n - 1] = record->cgroups;
	return 0;
}

static struct monitor_process *find(const struct source_list *list, pid_t pid)
{
	struct monitor_sample sample = { .process = list->process, .n_processes = list->n };

	return (struct monitor_process *)monitor_find(&sample, pid, 0);
}

/* What a leader that has ended no longer has is still its threads'. */
static void add_thread(const struct bpf_state *state, const struct task_record *record,
		       struct monitor_process *process)
{
	process->value[MONITOR_CPU_NS] += record->cpu_ns;
	if (!record->has_memory || monitor_is_known(process, MONITOR_MAPPINGS))
		return;
	if (record->handles != TASK_UNKNOWN)
		source_note(process, MONITOR_HANDLES, record->handles);
	note_memory(state, record, process);
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* Processes first: a thread's record may come before its leader's, whose id is the higher one when
 * the ids have been round once. */
static int add_records(const struct bpf_state *state, struct source_list *list)
{
	const struct task_record *record = (const struct task_record *)state->records;
	size_t n = state->used / sizeof(*record), n_threads = 0;
	struct monitor_process *process;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		n_threads += record[i].kind == TASK_THREAD;
		if (record[i].kind == TASK_PROCESS && record[i].pid)
			r = add_process(state, &record[i], list);
	}
	for (size_t i = 0; r == 0 && n_threads && i < n; i++)
		if (record[i].kind == TASK_THREAD &&
		    (process = find(list, (pid_t)record[i].pid)))
			add_thread(state, &record[i], process);
	/* Whoever has no memory is a kernel thread or has ended: that is known. */
	for (size_t i = 0; r == 0 && i < list->n; i++)
		if (!monitor_is_known(&list->process[i], MONITOR_MAPPINGS)) {
			const struct task_record none = { 0 };

			note_memory(state, &none, &list->process[i]);
		}
	return r;
}

/* What the iterator leaves out */

static int look_for_left_out(struct bpf_state *state, const struct source_list *list)
{
	AUTO_FREE pid_t *pids = NULL;
	size_t n = 0, n_left = 0;
	int r;

	if (now_ns() < state->enumerate_at_ns)
		return 0;
	state->enumerate_at_ns = now_ns() + ENUMERATE_NS;
	r = proc_processes(&pids, &n);
	if (r < 0)
		return r == -ENOMEM ? r : 0; /* no /proc: the iterator is all there is */
	for (size_t i = 0; i < n; i++)
		if (!find(list, pids[i]))
			pids[n_left++] = pids[i];
	free(state->left_out);
	state->left_out = pids;
	state->n_left_out = n_left;
	pids = NULL;
	return 0;
}

static int compare_processes(const void *a, const void *b)
{
	return compare_pids(&((const struct monitor_process *)a)->pid,
			    &((const struct monitor_process *)b)->pid);
}

static void insert_at_its_place(struct source_list *list)
{
	size_t at = list->n - 1;
	struct monitor_process process = list->process[at];
	uint64_t group = list->group[at];

	for (; at > 0 && compare_processes(&list->process[at - 1], &process) > 0; at--) {
		list->process[at] = list->process[at - 1];
		list->group[at] = list->group[at - 1];
	}
	list->process[at] = process;
	list->group[at] = group;
}

static int add_left_out(struct bpf_state *state, struct source_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i < state->n_left_out; i++) {
		struct monitor_process process, *place;
		pid_t pid = state->left_out[i];

		/* It was only new, or it has ended meanwhile. */
		if (find(list, pid) ||
		    source_read_process(pid, state->request->wanted, false, &process) < 0)
			continue;
		place = source_list_add(list);
		if (!place)
			return -ENOMEM;
		*place = process;
		insert_at_its_place(list);
		state->left_out[n++] = pid;
	}
	state->n_left_out = n;
	return 0;
}

static int bpf_read(void *param, struct source_list *list)
{
	struct bpf_state *state = param;
	int r = read_records(state);

	if (r == 0)
		r = add_records(state, list);
	if (r == 0)
		r = look_for_left_out(state, list);
	return r < 0 ? r : add_left_out(state, list);
}

/* Opening */

/* The same sight of ourselves as /proc has: otherwise namespaces of processes, users or time stand
 * between the two, or this kernel's structures are not what we think. */
static int check_self(struct bpf_state *state)
{
	static const enum monitor_counter same[] = { MONITOR_HANDLES, MONITOR_HANDLE_LIMIT,
						     MONITOR_THREADS, MONITOR_MAPPINGS };
	const uint32_t wanted = 1u << MONITOR_HANDLES | 1u << MONITOR_THREADS |
				1u << MONITOR_MAPPINGS |
				(state->request->wanted & 1u << MONITOR_HANDLE_LIMIT);
	struct source_list list = { 0 };
	struct monitor_process told = { 0 };
	const struct monitor_process *own = NULL;
	int r = source_read_process(getpid(), wanted, false, &told);

	/* Counting entries takes one more of our own than asking for their number. */
	if (r == 0 && !proc_has_handle_count())
		told.value[MONITOR_HANDLES]--;
	if (r == 0)
		r = read_records(state);
	if (r == 0)
		r = add_records(state, &list);
	if (r == 0)
		own = find(&list, getpid());
	if (r == 0 && (!own || own->start_ticks != told.start_ticks || own->uid != told.uid ||
		       own->session != told.session || strcmp(own->name, told.name) != 0))
		r = -ENOTSUP;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(same); i++)
		if (monitor_is_known(own, same[i]) != monitor_is_known(&told, same[i]) ||
		    own->value[same[i]] != told.value[same[i]])
			r = -ENOTSUP;
	source_list_done(&list);
	return r;
}

/* "boottime  -5  250000000": both parts carry the sign of their own. */
static int64_t read_boot_offset(void)
{
	AUTO_CLOSE int dir = proc_open(getpid());
	AUTO_FREE char *text = NULL;
	const char *line;
	size_t bytes;
	char *end;
	int64_t seconds;

	if (dir < 0 || proc_read_file(dir, "timens_offsets", SELF_TEXT_BYTES, &text, &bytes) < 0)
		return 0; /* a kernel without such namespaces */
	line = strstr(text, "boottime");
	if (!line)
		return 0;
	seconds = strtoll(line + strlen("boottime"), &end, 10);
	return seconds * NS_PER_S + strtoll(end, NULL, 10);
}

static int load(const struct source_request *request, int *ret_link_fd)
{
	struct tasks *skeleton = tasks__open();
	int r;

	if (!skeleton)
		return -ENOMEM;
	skeleton->rodata->wants_cpu = wants(request, MONITOR_CPU_NS);
	skeleton->rodata->wants_limit = wants(request, MONITOR_HANDLE_LIMIT);
	skeleton->rodata->wants_resident = wants(request, MONITOR_RESIDENT_BYTES);
	r = tasks__load(skeleton);
	if (r == 0)
		r = tasks__attach(skeleton);
	if (r == 0) {
		*ret_link_fd = skeleton->links.tell_task_fd;
		skeleton->links.tell_task_fd = 0; /* the link holds the program, the program its maps */
	}
	tasks__destroy(skeleton);
	return r == 0 || r == -ENOMEM ? r : -ENOTSUP;
}

static void bpf_close(void *param)
{
	struct bpf_state *state = param;

	close_keeping_errno(state->link_fd);
	free(state->records);
	free(state->left_out);
	free(state);
}

static int bpf_open(const struct source_request *request, void **ret_state)
{
	struct bpf_state *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return -ENOMEM;
	state->request = request;
	state->tick_ns = (uint64_t)(NS_PER_S / sysconf(_SC_CLK_TCK));
	state->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	state->boot_offset_ns = read_boot_offset();
	state->link_fd = -1;
	r = load(request, &state->link_fd);
	for (int i = 0; i < SELF_CHECKS && (r == 0 || r == -ENOTSUP) && state->link_fd >= 0; i++) {
		r = check_self(state);
		if (r == 0)
			break;
	}
	if (r < 0) {
		bpf_close(state);
		return r;
	}
	*ret_state = state;
	return 0;
}

const struct source source_bpf = { bpf_open, bpf_read, bpf_close };
