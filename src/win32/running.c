/* SPDX-License-Identifier: BSD-2-Clause */
/* running.c - the processes and threads that run, each once */
#include "win32/enumerate.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "proc/proc.h"

#define STAT_BYTES_MAX 4096
/* How often the threads of a process are listed, until there are as many as it says to have. */
#define LISTINGS 4

/* A process while it is looked at.  /proc/PID that is held open never becomes another one's. */
struct candidate {
	int dir;
	struct proc_process stat;
	char path[PATH_MAX + 16];
	pid_t *tids;
	size_t n_tids;
};

static void candidate_done(struct candidate *candidate)
{
	close_keeping_errno(candidate->dir);
	free(candidate->tids);
}

const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void strip_deleted(char *path)
{
	static const char deleted[] = " (deleted)";
	size_t n = strlen(path);

	if (n >= sizeof(deleted) && !strcmp(path + n - (sizeof(deleted) - 1), deleted))
		path[n - (sizeof(deleted) - 1)] = '\0';
}

static int read_executable(int dir, char *path, size_t bytes)
{
	ssize_t n = readlinkat(dir, "exe", path, bytes - 1);

	if (n < 0)
		return errno == ENOENT ? -ENXIO : errno == EPERM ? -EACCES : -errno;
	path[n] = '\0';
	strip_deleted(path);
	return 0;
}

int executable_path(pid_t pid, char **ret_path)
{
	AUTO_CLOSE int dir = proc_open(proc_live_thread(pid));
	char path[PATH_MAX + 16];
	int r = dir < 0 ? dir : read_executable(dir, path, sizeof(path));

	if (r < 0)
		return r;
	*ret_path = strdup(path);
	return *ret_path ? 0 : -ENOMEM;
}

/*
 * Windows's base priorities: 8 is normal, 1 and 15 are the ends of what anybody may have, above is
 * real time.  So nice 10 is 4 (idle class), 5 is 6, -5 is 10 and -15 is 13 (high class).
 */
static int base_priority(pid_t tid)
{
	int policy = sched_getscheduler(tid), nice;
	struct sched_param param;

	if (policy == SCHED_IDLE)
		return 1;
	if ((policy == SCHED_FIFO || policy == SCHED_RR) && sched_getparam(tid, &param) == 0)
		return 16 + param.sched_priority * 15 / 99;
	nice = getpriority(PRIO_PROCESS, (id_t)tid);
	return (8 * 20 + 9 - nice * 7) / 20;
}

static int read_stat(int dir, const char *name, struct proc_process *stat)
{
	AUTO_FREE char *text = NULL;
	size_t bytes;
	int r = proc_read_file(dir, name, STAT_BYTES_MAX, &text, &bytes);

	return r < 0 ? r : proc_parse_stat(text, bytes, stat);
}

static bool has_ended(const struct proc_process *stat)
{
	return stat->state == 'Z' || stat->state == 'X';
}

static bool is_gone(int r)
{
	return r == -ESRCH || r == -EACCES; /* the latter with hidepid= */
}

/* A directory that changes while it is read can miss what was there all the time. */
static int list_threads(struct candidate *candidate)
{
	for (int i = 0; i < LISTINGS; i++) {
		int r;

		free(candidate->tids);
		candidate->tids = NULL;
		candidate->n_tids = 0;
		r = proc_threads(candidate->stat.pid, &candidate->tids, &candidate->n_tids);
		if (r == 0)
			r = read_stat(candidate->dir, "stat", &candidate->stat);
		if (r < 0)
			return r;
		if (candidate->n_tids == candidate->stat.n_threads)
			break;
	}
	return 0;
}

/* A thread that has ended can still be listed: the first one, until the others have; any other for
 * a moment, while whoever waited for it is awake already. */
static int drop_ended_threads(struct candidate *candidate)
{
	size_t n = 0;

	for (size_t i = 0; i < candidate->n_tids; i++) {
		struct proc_process stat = { 0 };
		char name[32];
		int r;

		(void)snprintf(name, sizeof(name), "task/%d/stat", (int)candidate->tids[i]);
		r = read_stat(candidate->dir, name, &stat);
		if (r < 0 && !is_gone(r))
			return r;
		if (r == 0 && !has_ended(&stat))
			candidate->tids[n++] = candidate->tids[i];
	}
	candidate->n_tids = n;
	return 0;
}

/* Most processes have one thread, of which all is known already. */
static int find_threads(struct candidate *candidate)
{
	int r;

	if (candidate->stat.n_threads > 1) {
		r = list_threads(candidate);
		return r < 0 ? r : drop_ended_threads(candidate);
	}
	candidate->tids = malloc(sizeof(candidate->tids[0]));
	if (!candidate->tids)
		return -ENOMEM;
	candidate->tids[0] = candidate->stat.pid;
	candidate->n_tids = 1;
	return 0;
}

static int tell_threads(const struct running_told *told, struct candidate *candidate)
{
	int r = find_threads(candidate);

	for (size_t i = 0; r == 0 && i < candidate->n_tids; i++) {
		struct running_thread thread = { .tid = candidate->tids[i],
						 .pid = candidate->stat.pid,
						 .priority = base_priority(candidate->tids[i]) };

		r = told->thread(told->context, &thread);
	}
	candidate->stat.n_threads = candidate->n_tids;
	return r;
}

static int tell_process(const struct running_told *told, struct candidate *candidate)
{
	const struct proc_process *stat = &candidate->stat;
	struct running_process process = {
		.pid = stat->pid,
		.parent = stat->ppid,
		.n_threads = stat->n_threads,
	};

	if (told->ids_only)
		return told->process(told->context, &process);
	process.priority = base_priority(stat->pid);
	process.name = stat->comm;
	/* Not everybody may see whose program it is; the name that it gave itself all may. */
	if (!stat->kernel_thread &&
	    read_executable(candidate->dir, candidate->path, sizeof(candidate->path)) == 0)
		process.name = last_component(candidate->path);
	return told->process(told->context, &process);
}

static int tell_one(const struct running_told *told, pid_t pid)
{
	__attribute__((cleanup(candidate_done))) struct candidate candidate = {
		.dir = proc_open(pid), .stat.pid = pid
	};
	int r = candidate.dir < 0 ? candidate.dir : 0;

	if (r == 0)
		r = read_stat(candidate.dir, "stat", &candidate.stat);
	if (r < 0)
		return is_gone(r) ? 0 : r;
	if (proc_is_zombie(&candidate.stat))
		return 0;
	if (told->thread) {
		r = tell_threads(told, &candidate);
		if (is_gone(r))
			return 0;
	} else if (has_ended(&candidate.stat)) {
		candidate.stat.n_threads--; /* its first thread alone */
	}
	if (r < 0 || !told->process || candidate.stat.n_threads == 0)
		return r;
	return tell_process(told, &candidate);
}

int running_tell(const struct running_told *told)
{
	AUTO_FREE pid_t *pids = NULL;
	size_t n = 0;
	int r = proc_processes(&pids, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = tell_one(told, pids[i]);
	return r;
}
