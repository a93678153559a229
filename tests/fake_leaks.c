/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_leaks.c - an engine of `tendril leaks` that makes its snapshots up
 *
 * What is behind the command is tested elsewhere; here is what the command does with it.  It looks at
 * nothing but whether the processes live.  FAKE_LEAKS in the environment says what it tells:
 *   (nothing)   each process leaks a file in read_config() at each step, and keeps one log open
 *   clean       only the log
 *   denied      leaks_open() fails for want of a capability
 *   gone        leaks_open() finds no such process
 * To the descriptor whose number is in FAKE_READY a byte is written when watching has begun.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>

#include "leaks/leaks.h"
#include "proc/proc.h"

#define PROCESSES_MAX 8
#define HANDLES_MAX   4096 /* more than come before the tests give up */
#define STEP_NS	      (20 * NS_PER_MS) /* a handle leaks so often */

struct watched {
	pid_t pid;
	int pidfd;
	bool ended;
	uint64_t start_ticks;
	char name[LEAKS_NAME_BYTES];
	int64_t ended_ns;
};

struct leaks {
	struct watched watched[PROCESSES_MAX];
	size_t n;
	int64_t began_ns;
	bool is_clean;
};

/* Everything a snapshot points to. */
struct whole {
	struct leaks_snapshot snapshot; /* first: it is what is freed */
	struct leaks_process process[PROCESSES_MAX];
	struct leaks_site site[PROCESSES_MAX][3];
	struct leaks_handle leaked[PROCESSES_MAX][HANDLES_MAX], log[PROCESSES_MAX],
		before[PROCESSES_MAX][3];
};

static const struct frame leak_stack[] = {
	{ .ip = 0x7f0000001000, .offset = 0x1b, .function = "openat64",
	  .module = "/usr/lib/x86_64-linux-gnu/libc.so.6" },
	{ .ip = 0x401150, .function = "read_config", .file = "src/config.c", .line = 42,
	  .module = "/usr/bin/server" },
	{ .ip = 0x401200, .function = "main", .file = "src/main.c", .line = 7,
	  .module = "/usr/bin/server" },
};
static const struct frame log_stack[] = {
	{ .ip = 0x7f0000001000, .offset = 0x1b, .function = "openat64",
	  .module = "/usr/lib/x86_64-linux-gnu/libc.so.6" },
	{ .ip = 0x401300, .function = "open_log", .file = "src/log.c", .line = 9,
	  .module = "/usr/bin/server" },
};

static bool scenario(const char *name)
{
	const char *wanted = getenv("FAKE_LEAKS");

	return wanted && !strcmp(wanted, name);
}

int leaks_add(struct leaks *leaks, pid_t pid, struct tendril_error *error)
{
	struct watched *watched = &leaks->watched[leaks->n];
	struct proc_process process;
	int r = leaks->n == PROCESSES_MAX ? -E2BIG : proc_process_read(pid, &process);

	if (r < 0)
		return r;
	*watched = (struct watched){ .pid = pid, .start_ticks = process.start_ticks };
	(void)snprintf(watched->name, sizeof(watched->name), "%s", process.comm);
	watched->pidfd = pidfd_open(pid, 0);
	if (watched->pidfd < 0)
		return -errno;
	leaks->n++;
	return 0;
}

int leaks_remove(struct leaks *leaks, pid_t pid)
{
	for (size_t i = 0; i < leaks->n; i++)
		if (leaks->watched[i].pid == pid) {
			(void)close(leaks->watched[i].pidfd);
			leaks->watched[i] = leaks->watched[--leaks->n];
			return 0;
		}
	return -ESRCH;
}

int leaks_open(const struct leaks_options *options, struct leaks **ret_leaks,
	       struct tendril_error *error)
{
	struct leaks *leaks;
	int r = 0;

	if (scenario("gone"))
		return -ESRCH;
	if (scenario("denied"))
		return fail(error, -EPERM, TENDRIL_STAGE_CHECK, TENDRIL_RULE_NONE,
			    "CAP_BPF is missing");
	leaks = calloc(1, sizeof(*leaks));
	if (!leaks)
		return -ENOMEM;
	leaks->began_ns = now_ns();
	leaks->is_clean = scenario("clean");
	for (size_t i = 0; r == 0 && i < options->n_pids; i++)
		r = leaks_add(leaks, options->pids[i], error);
	if (r < 0)
		leaks_close(leaks);
	else
		*ret_leaks = leaks;
	return r;
}

const char *leaks_hook(const struct leaks *leaks)
{
	return "tracepoint";
}

int leaks_poll_fd(const struct leaks *leaks)
{
	return -1;
}

static void tell_ready(void)
{
	const char *number = getenv("FAKE_READY");

	if (!number)
		return;
	(void)!write((int)strtol(number, NULL, 10), "r", 1);
	(void)unsetenv("FAKE_READY");
}

int leaks_step(struct leaks *leaks)
{
	tell_ready();
	for (size_t i = 0; i < leaks->n; i++) {
		struct watched *watched = &leaks->watched[i];
		struct pollfd end = { .fd = watched->pidfd, .events = POLLIN };

		if (watched->ended || poll(&end, 1, 0) != 1)
			continue;
		watched->ended = true;
		watched->ended_ns = now_ns();
	}
	return 0;
}

size_t leaks_alive(const struct leaks *leaks)
{
	size_t n = 0;

	for (size_t i = 0; i < leaks->n; i++)
		n += !leaks->watched[i].ended;
	return n;
}

static size_t leaked_by(const struct leaks *leaks, const struct watched *watched, int64_t now)
{
	int64_t end = watched->ended ? watched->ended_ns : now;
	int64_t n = (end - leaks->began_ns) / STEP_NS + 1;

	return leaks->is_clean ? 0 : n < HANDLES_MAX ? (size_t)n : HANDLES_MAX;
}

void leaks_count(const struct leaks *leaks, struct leaks_counts *ret_counts)
{
	*ret_counts = (struct leaks_counts){ 0 };
	for (size_t i = 0; i < leaks->n; i++)
		ret_counts->opened += leaked_by(leaks, &leaks->watched[i], now_ns()) + 1;
	ret_counts->handles = ret_counts->opened + 3 * leaks->n;
}

static struct leaks_handle make(const struct watched *watched, int number, int64_t opened_ns,
				const char *what)
{
	return (struct leaks_handle){ .number = number,
				      .pid = watched->pid,
				      .tid = watched->pid,
				      .syscall = SYS_openat,
				      .opened_ns = opened_ns,
				      .kind = "file",
				      .what = what };
}

static void fill(const struct leaks *leaks, struct whole *whole, size_t i)
{
	const struct watched *watched = &leaks->watched[i];
	struct leaks_process *process = &whole->process[i];
	struct leaks_site *site = whole->site[i];
	size_t n = leaked_by(leaks, watched, whole->snapshot.taken_ns);

	for (size_t k = 0; k < n; k++)
		whole->leaked[i][k] = make(watched, (int)k + 4, leaks->began_ns + (int64_t)k * STEP_NS,
					   "/etc/server.conf");
	whole->log[i] = make(watched, 3, leaks->began_ns, "/var/log/server\x1b[31m.log");
	for (int k = 0; k < 3; k++) {
		whole->before[i][k] = make(watched, k, leaks->began_ns, "/dev/null");
		whole->before[i][k].origin = LEAKS_BEFORE;
		whole->before[i][k].kind = "device";
	}
	if (n)
		*site++ = (struct leaks_site){ .frames = leak_stack,
					       .n_frames = ARRAY_SIZE(leak_stack), .id = 0xfeed,
					       .handles = whole->leaked[i], .n_handles = n };
	*site++ = (struct leaks_site){ .frames = log_stack, .n_frames = ARRAY_SIZE(log_stack),
				       .id = 0x106, .handles = &whole->log[i], .n_handles = 1 };
	*site++ = (struct leaks_site){ .handles = whole->before[i], .n_handles = 3 };
	*process = (struct leaks_process){ .pid = watched->pid,
					   .start_ticks = watched->start_ticks,
					   .ended = watched->ended,
					   .ended_ns = watched->ended_ns,
					   .opened = n + 1,
					   .handles = n + 4,
					   .sites = whole->site[i],
					   .n_sites = (size_t)(site - whole->site[i]) };
	memcpy(process->name, watched->name, sizeof(process->name));
}

int leaks_snapshot(struct leaks *leaks, struct leaks_snapshot **ret_snapshot)
{
	struct whole *whole = calloc(1, sizeof(*whole));

	if (!whole)
		return -ENOMEM;
	whole->snapshot = (struct leaks_snapshot){ .began_ns = leaks->began_ns,
						   .taken_ns = now_ns(),
						   .source = "bpf",
						   .processes = whole->process,
						   .n_processes = leaks->n };
	for (size_t i = 0; i < leaks->n; i++)
		fill(leaks, whole, i);
	*ret_snapshot = &whole->snapshot;
	return 0;
}

void leaks_snapshot_free(struct leaks_snapshot *snapshot)
{
	free(snapshot);
}

void leaks_close(struct leaks *leaks)
{
	for (size_t i = 0; i < leaks->n; i++)
		(void)close(leaks->watched[i].pidfd);
	free(leaks);
}
