/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * source_proc.c - processes as /proc tells them, with as few system calls as can be
 *
 * Two sources: the size of /proc/PID/fd is the number of handles since Linux 6.2; before, its entries
 * are counted.
 *
 * Of each process two directories are held open.  They stand for the process, not for its number, so
 * fstat(2) on them also tells that it is still the same one.  Name, user, session and limit seldom
 * change and are dear to read: of a process that was seen before they are read at its first samples
 * (when it executes its program), and then at every 64th.
 *
 * Mappings have no count in /proc: their list is read, which costs as much as all the rest ten times
 * over.  So a third file is held, statm, and the list is read only when the size of all mappings or
 * of the writable ones is another one than before, and at every 64th sample: a mapping that is split
 * without a change of either is seen by then.
 */
#include "monitor/source.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define SETTLED	     4 /* samples after which a process has long executed its program */
#define REFRESH	     64
#define LIMIT_USUAL  1024
#define HELD_SHARE   2 /* of the descriptors that we may have: the rest is for others */
#define FDS_EACH     3
#define STATM_BYTES  256
#define LINKS_OF_DIR 2 /* "." and "..": the others of /proc/PID/task are threads */

/* In pages; as long as both stay, so does the number of mappings, nearly always. */
struct sizes {
	uint64_t all, writable;
};

struct watched {
	struct monitor_process last; /* as it was read last */
	bool kernel_thread;
	int fd_dir, task_dir, statm; /* or -1 */
	struct sizes sizes;          /* before the mappings were counted last */
	uint64_t n_samples, group;
};

struct proc_state {
	const struct source_request *request;
	bool by_entries;
	struct watched *watched; /* in rising order of pid */
	size_t n_watched, n_held, held_max;
};

static bool wants(uint32_t wanted, enum monitor_counter counter)
{
	return wanted & 1u << counter;
}

/* One process by its path */

/*
 * What a worker works on just now is no part of its name ("kworker/0:1-events"), and longer names
 * than a task has room for, other interfaces do not tell.
 */
static void copy_name(const struct proc_process *from, struct monitor_process *to)
{
	enum { TASK_NAME = 15, PREFIX = 8 };

	memcpy(to->name, from->comm, sizeof(to->name));
	if (!from->kernel_thread)
		return;
	if (!strncmp(to->name, "kworker/", PREFIX) && to->name[PREFIX] != 'R')
		to->name[PREFIX + strcspn(to->name + PREFIX, "-+")] = '\0';
	to->name[TASK_NAME] = '\0';
}

/* Then nothing was seen, which is not to say that there is nothing. */
static bool is_shortage(int r)
{
	return r == -EMFILE || r == -ENFILE;
}

/* Return: 0, or the shortage that it failed for. */
static int note_result(struct monitor_process *process, enum monitor_counter counter, int r,
		       uint64_t value)
{
	process->known &= ~(1u << counter);
	process->value[counter] = 0;
	if (r == 0 && value != PROC_UNLIMITED)
		source_note(process, counter, value);
	return is_shortage(r) ? r : 0;
}

/* Of a leader that has ended the memory is gone, but a thread that lives still has it. */
static uint64_t resident_pages(const struct proc_process *from)
{
	struct proc_process other;

	if (from->state != 'Z' || from->n_threads <= 1 ||
	    proc_process_read_stat(proc_live_thread(from->pid), &other) < 0)
		return from->resident_pages;
	return other.resident_pages;
}

static void copy_times(const struct proc_process *from, struct monitor_process *to)
{
	source_note(to, MONITOR_THREADS, from->n_threads);
	source_note(to, MONITOR_RESIDENT_BYTES,
		    resident_pages(from) * (uint64_t)sysconf(_SC_PAGESIZE));
	source_note(to, MONITOR_CPU_NS,
		    from->cpu_ticks * (uint64_t)(NS_PER_S / sysconf(_SC_CLK_TCK)));
}

static void copy_identity(const struct proc_process *from, struct monitor_process *to)
{
	to->pid = from->pid;
	to->start_ticks = from->start_ticks;
	to->uid = from->uid;
	to->session = from->session;
	copy_name(from, to);
	copy_times(from, to);
}

static int read_handles(pid_t pid, bool by_entries, struct monitor_process *process)
{
	uint64_t value = 0;
	int r = by_entries ? proc_count_handle_entries(pid, &value) :
			     proc_count_handles(pid, &value);

	return note_result(process, MONITOR_HANDLES, r, value);
}

static int read_limit(pid_t pid, struct monitor_process *process)
{
	uint64_t value = 0;
	int r = proc_handle_limit(pid, &value);

	return note_result(process, MONITOR_HANDLE_LIMIT, r, value);
}

static int read_mappings(pid_t pid, struct monitor_process *process)
{
	uint64_t value = 0;
	int r = proc_count_mappings(pid, &value);

	return note_result(process, MONITOR_MAPPINGS, r, value);
}

static int read_by_path(pid_t pid, uint32_t wanted, bool by_entries,
			struct monitor_process *ret_process, bool *ret_kernel_thread)
{
	struct monitor_process process = { 0 };
	struct proc_process from;
	int r = proc_process_read(pid, &from);

	if (r < 0)
		return r;
	copy_identity(&from, &process);
	if (wants(wanted, MONITOR_HANDLES))
		r = read_handles(pid, by_entries, &process);
	if (r == 0 && wants(wanted, MONITOR_HANDLE_LIMIT))
		r = read_limit(pid, &process);
	if (r == 0 && wants(wanted, MONITOR_MAPPINGS))
		r = read_mappings(pid, &process);
	if (r < 0)
		return r;
	*ret_kernel_thread = from.kernel_thread;
	*ret_process = process;
	return 0;
}

int source_read_process(pid_t pid, uint32_t wanted, bool by_entries,
			struct monitor_process *ret_process)
{
	bool kernel_thread;

	return read_by_path(pid, wanted, by_entries, ret_process, &kernel_thread);
}

/* Processes that are watched */

static void let_go(struct proc_state *state, struct watched *watched)
{
	state->n_held -= (size_t)(watched->fd_dir >= 0) + (size_t)(watched->task_dir >= 0) +
			 (size_t)(watched->statm >= 0);
	close_keeping_errno(watched->fd_dir);
	close_keeping_errno(watched->task_dir);
	close_keeping_errno(watched->statm);
	watched->fd_dir = watched->task_dir = watched->statm = -1;
}

static int hold_file(struct proc_state *state, pid_t pid, const char *name, int how)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, how | O_CLOEXEC);
	if (fd >= 0)
		state->n_held++;
	return fd;
}

/* Before it is read: then what was read is of the process that is held, if it still is there
 * afterwards. */
static void hold(struct proc_state *state, struct watched *watched, pid_t pid)
{
	watched->fd_dir = watched->task_dir = watched->statm = -1;
	if (state->by_entries || state->n_held + FDS_EACH > state->held_max)
		return;
	watched->fd_dir = hold_file(state, pid, "fd", O_PATH | O_DIRECTORY);
	watched->task_dir = hold_file(state, pid, "task", O_PATH | O_DIRECTORY);
	if (watched->fd_dir < 0 || watched->task_dir < 0)
		let_go(state, watched);
	else if (wants(state->request->wanted, MONITOR_MAPPINGS))
		watched->statm = hold_file(state, pid, "statm", O_RDONLY);
}

/* "size resident shared text lib data dt".  False: it does not tell, as of a process whose leader
 * has ended. */
static bool read_sizes(int statm, struct sizes *ret_sizes)
{
	enum { ALL = 0, DATA = 5, FIELDS };
	char text[STATM_BYTES];
	uint64_t field[FIELDS];
	ssize_t n = statm < 0 ? -1 : pread(statm, text, sizeof(text) - 1, 0);
	const char *s = text;

	if (n <= 0)
		return false;
	text[n] = '\0';
	for (int i = 0; s && i < FIELDS; i++)
		s = proc_scan(s, 10, &field[i]);
	if (!s || field[ALL] == 0)
		return false;
	*ret_sizes = (struct sizes){ field[ALL], field[DATA] };
	return true;
}

/* Before mappings are counted: what changes meanwhile is another size the next time. */
static bool has_new_sizes(struct watched *watched)
{
	struct sizes before = watched->sizes;

	watched->sizes = (struct sizes){ 0 };
	if (watched->kernel_thread)
		return false; /* it has no memory, and what it borrows is not its own */
	return !read_sizes(watched->statm, &watched->sizes) || before.all != watched->sizes.all ||
	       before.writable != watched->sizes.writable;
}

/* Return: 0, -ESRCH: the process that these stand for is no more. */
static int look_at_held(struct watched *watched)
{
	struct monitor_process *process = &watched->last;
	struct stat handles, threads;

	if (fstat(watched->fd_dir, &handles) < 0 || fstat(watched->task_dir, &threads) < 0 ||
	    threads.st_nlink <= LINKS_OF_DIR)
		return -ESRCH;
	source_note(process, MONITOR_THREADS, threads.st_nlink - LINKS_OF_DIR);
	if (handles.st_size > 0 || watched->kernel_thread)
		source_note(process, MONITOR_HANDLES, (uint64_t)handles.st_size);
	else /* it has ended, or its leader alone has */
		return read_handles(process->pid, false, process);
	return 0;
}

static bool needs_all(const struct proc_state *state, const struct watched *watched)
{
	bool is_unsure = watched->fd_dir < 0 && !state->request->holds_nothing;

	return state->by_entries || watched->n_samples < SETTLED || is_unsure ||
	       (watched->n_samples + (uint64_t)watched->last.pid) % REFRESH == 0;
}

/* Another process has the number: -ESRCH, as if it were not there. */
static int read_all(const struct proc_state *state, struct watched *watched, pid_t pid)
{
	uint64_t start_ticks = watched->last.start_ticks;
	uint32_t wanted = state->request->wanted;
	struct monitor_process process;
	int r;

	if (watched->fd_dir >= 0)
		wanted &= ~(1u << MONITOR_HANDLES); /* look_at_held() tells them */
	r = read_by_path(pid, wanted, state->by_entries, &process, &watched->kernel_thread);

	if (r < 0)
		return r;
	if (watched->n_samples > 0 && process.start_ticks != start_ticks)
		return -ESRCH;
	watched->last = process;
	watched->group++; /* look again where it belongs */
	return 0;
}

/* Only what changes from sample to sample. */
static int read_dear(const struct proc_state *state, struct watched *watched, bool is_new_size)
{
	uint32_t wanted = state->request->wanted;
	struct proc_process from = { 0 };
	int r;

	if (wants(wanted, MONITOR_RESIDENT_BYTES) || wants(wanted, MONITOR_CPU_NS)) {
		r = proc_process_read_stat(watched->last.pid, &from);
		if (r < 0)
			return r;
		copy_times(&from, &watched->last);
	}
	if (wants(wanted, MONITOR_MAPPINGS) && is_new_size)
		return read_mappings(watched->last.pid, &watched->last);
	return 0;
}

/* Where nothing is held, the time of its start tells that it is still the same process. */
static int read_by_stat(const struct proc_state *state, struct watched *watched)
{
	struct monitor_process *process = &watched->last;
	uint32_t wanted = state->request->wanted;
	struct proc_process from;
	int r = proc_process_read_stat(process->pid, &from);

	if (r < 0)
		return r;
	if (from.start_ticks != process->start_ticks)
		return -ESRCH;
	copy_name(&from, process);
	copy_times(&from, process);
	if (wants(wanted, MONITOR_HANDLES))
		r = read_handles(process->pid, false, process);
	if (r == 0 && wants(wanted, MONITOR_MAPPINGS))
		r = read_mappings(process->pid, process);
	return r;
}

static int read_again(struct proc_state *state, struct watched *watched, bool all)
{
	bool is_new_size;

	if (!all && state->request->holds_nothing)
		return read_by_stat(state, watched);
	is_new_size = wants(state->request->wanted, MONITOR_MAPPINGS) && has_new_sizes(watched);
	return all ? read_all(state, watched, watched->last.pid) :
		     read_dear(state, watched, is_new_size);
}

/* What is held is looked at last: if it is there still, then what was read before was its. */
static int sample_again(struct proc_state *state, struct watched *watched)
{
	bool all = needs_all(state, watched);
	int r;

	/* It was let go, or there was no room.  That it is still the same process, read_all() sees. */
	if (watched->fd_dir < 0)
		hold(state, watched, watched->last.pid);
	r = read_again(state, watched, all);
	if (r < 0 || watched->fd_dir < 0)
		return r;
	return look_at_held(watched);
}

static int sample_new(struct proc_state *state, struct watched *watched, pid_t pid)
{
	int r;

	*watched = (struct watched){ .fd_dir = -1, .task_dir = -1, .statm = -1 };
	hold(state, watched, pid);
	(void)has_new_sizes(watched);
	r = read_all(state, watched, pid);
	if (r == 0 && watched->fd_dir >= 0)
		r = look_at_held(watched);
	if (r < 0)
		let_go(state, watched);
	return r;
}

/* All of them */

static int pids_to_read(const struct proc_state *state, pid_t **ret_pids, size_t *ret_n)
{
	size_t bytes = state->request->n_pids * sizeof(pid_t);

	if (!state->request->pids)
		return proc_processes(ret_pids, ret_n);
	*ret_pids = malloc(bytes + 1);
	if (!*ret_pids)
		return -ENOMEM;
	memcpy(*ret_pids, state->request->pids, bytes);
	*ret_n = state->request->n_pids;
	return 0;
}

/* The next number's process, into *place.  old: who had the number last time, or NULL. */
static int sample_one(struct proc_state *state, struct watched *old, pid_t pid,
		      struct watched *place)
{
	int r = -ESRCH;

	if (old) {
		*place = *old;
		r = sample_again(state, place);
		if (r < 0)
			let_go(state, place);
	}
	if (r < 0)
		r = sample_new(state, place, pid);
	return r;
}

static int sample_pids(struct proc_state *state, const pid_t *pids, size_t n, struct watched *now,
		       size_t *ret_n)
{
	struct watched *old = state->watched, *end = old ? old + state->n_watched : NULL;
	size_t used = 0;
	int result = 0;

	for (size_t i = 0; i < n; i++) {
		int r;

		for (; old < end && old->last.pid < pids[i]; old++)
			let_go(state, old);
		r = sample_one(state, old < end && old->last.pid == pids[i] ? old++ : NULL,
			       pids[i], &now[used]);
		if (r == 0)
			now[used++].n_samples++;
		if (r == -ENOMEM || is_shortage(r))
			result = r;
	}
	for (; old < end; old++)
		let_go(state, old);
	*ret_n = used;
	return result;
}

static void forget_all(struct proc_state *state, struct watched *watched, size_t n)
{
	for (size_t i = 0; i < n; i++)
		let_go(state, &watched[i]);
	free(watched);
}

static int tell(const struct proc_state *state, struct source_list *list)
{
	for (size_t i = 0; i < state->n_watched; i++) {
		struct monitor_process *process = source_list_add(list);

		if (!process)
			return -ENOMEM;
		*process = state->watched[i].last;
		list->group[list->n - 1] = state->watched[i].group;
	}
	return 0;
}

static int read_all_processes(struct proc_state *state)
{
	AUTO_FREE pid_t *pids = NULL;
	struct watched *now;
	size_t n_pids = 0, n = 0;
	int r = pids_to_read(state, &pids, &n_pids);

	if (r < 0)
		return r;
	now = calloc(n_pids + 1, sizeof(*now));
	if (!now)
		return -ENOMEM;
	r = sample_pids(state, pids, n_pids, now, &n);
	free(state->watched);
	state->watched = now;
	state->n_watched = n;
	return r;
}

static void hold_less(struct proc_state *state)
{
	state->held_max = state->n_held / 2;
	for (size_t i = 0; i < state->n_watched; i++)
		let_go(state, &state->watched[i]);
}

/* Others of this program may want more handles than we left them: then a process that could not be
 * opened would look like one that is not there. */
static int proc_read(void *param, struct source_list *list)
{
	struct proc_state *state = param;
	int r = read_all_processes(state);

	if (is_shortage(r) && state->n_held > 0) {
		hold_less(state);
		r = read_all_processes(state);
	}
	return r < 0 ? r : tell(state, list);
}

/* Opening */

static size_t held_max(void)
{
	struct rlimit limit;

	/* A seccomp filter may forbid to ask; what we take too much is given up when it shows. */
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		limit.rlim_cur = LIMIT_USUAL;
	return limit.rlim_cur / HELD_SHARE;
}

static int open_state(const struct source_request *request, bool by_entries, void **ret_state)
{
	struct proc_state *state = calloc(1, sizeof(*state));

	if (!state)
		return -ENOMEM;
	state->request = request;
	state->by_entries = by_entries;
	state->held_max = request->holds_nothing ? 0 : held_max();
	*ret_state = state;
	return 0;
}

static int stat_open(const struct source_request *request, void **ret_state)
{
	return proc_has_handle_count() ? open_state(request, false, ret_state) : -ENOTSUP;
}

static int count_open(const struct source_request *request, void **ret_state)
{
	return open_state(request, true, ret_state);
}

static void proc_close(void *param)
{
	struct proc_state *state = param;

	forget_all(state, state->watched, state->n_watched);
	free(state);
}

const struct source source_stat = { stat_open, proc_read, proc_close };
const struct source source_count = { count_open, proc_read, proc_close };
