/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS 30000
#define START_MS  20000

/* --- time -------------------------------------------------------------------------------- */

bool support_again(int64_t deadline_ns)
{
	const struct timespec turn = { .tv_nsec = 500000 };

	if (support_now_ns() >= deadline_ns)
		return false;
	(void)nanosleep(&turn, NULL);
	return true;
}

/* --- victims ----------------------------------------------------------------------------- */

static char targets_directory[PATH_MAX];

void support_set_targets(const char *directory)
{
	if (!realpath(directory, targets_directory))
		(void)snprintf(targets_directory, sizeof(targets_directory), "%s", directory);
}

/* Beside the test program, when nobody says where. */
static void guess_targets(void)
{
	ssize_t n = readlink("/proc/self/exe", targets_directory, sizeof(targets_directory) - 9);

	if (n <= 0)
		return;
	targets_directory[n] = '\0';
	strcpy(strrchr(targets_directory, '/'), "/targets");
}

const char *support_targets(void)
{
	const char *set = getenv("TENDRIL_TARGETS");

	if (targets_directory[0])
		return targets_directory;
	if (set)
		support_set_targets(set);
	else
		guess_targets();
	return targets_directory;
}

bool support_find(const char *name, char path[4096])
{
	(void)snprintf(path, 4096, "%.3800s/%.200s", support_targets(), name);
	return access(path, X_OK) == 0;
}

/* argv of a victim: wrapper, program, -t N, mode. */
static void fill_argv(const struct target_start *how, char *path, char *threads, char **argv)
{
	size_t n = 0;

	for (const char *const *w = how->wrapper; w && *w && n < 40; w++)
		argv[n++] = (char *)*w;
	argv[n++] = path;
	if (how->mode) {
		argv[n++] = (char *)"-t";
		argv[n++] = threads;
		argv[n++] = (char *)how->mode;
	}
	argv[n] = NULL;
}

__attribute__((noreturn)) static void become_target(const struct target_start *how, char **argv,
						    int in, int out)
{
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(125);
	(void)close_range(3, ~0u, 0);
	if (how->in_child && how->in_child(how->param) != 0)
		_exit(126);
	execvp(argv[0], argv);
	_exit(127);
}

/* The only child of a wrapper; 0 when there is none (yet). */
static pid_t first_child(pid_t pid)
{
	char path[64];
	int child = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%d", &child) != 1)
		child = 0;
	(void)fclose(file);
	return (pid_t)child;
}

/* A whole line out of what the victim has said; -ETIMEDOUT, -EPIPE. */
static int read_line(struct target *target, char *line, size_t bytes, int64_t deadline_ns)
{
	for (;;) {
		char *end = memchr(target->pending, '\n', target->n_pending);
		struct pollfd out = { .fd = target->out, .events = POLLIN };
		ssize_t n;

		if (end) {
			size_t length = (size_t)(end - target->pending);

			(void)snprintf(line, bytes, "%.*s", (int)length, target->pending);
			target->n_pending -= length + 1;
			memmove(target->pending, end + 1, target->n_pending);
			return 0;
		}
		if (support_now_ns() >= deadline_ns)
			return -ETIMEDOUT;
		n = (deadline_ns - support_now_ns()) / 1000000 + 1;
		if (poll(&out, 1, (int)n) <= 0)
			continue;
		n = read(target->out, target->pending + target->n_pending,
			 sizeof(target->pending) - target->n_pending);
		if (n <= 0)
			return -EPIPE;
		target->n_pending += (size_t)n;
	}
}

static int wait_ready(struct target *target, bool inner)
{
	char line[128] = "";
	int64_t deadline_ns = deadline_in_ms(START_MS);
	int r;

	do
		r = read_line(target, line, sizeof(line), deadline_ns);
	while (r == 0 && strcmp(line, "ready") != 0);
	if (r < 0)
		return r;
	while (inner && (target->pid = first_child(target->child)) == 0)
		if (!support_again(deadline_ns))
			return -ETIMEDOUT;
	return 0;
}

int target_start(struct target *target, const struct target_start *how)
{
	char path[4096], threads[16], *argv[48];
	int in[2], out[2], r;

	memset(target, 0, sizeof(*target));
	if (!support_find(how->program ? how->program : "victim", path))
		return -ENOENT;
	(void)snprintf(target->mode, sizeof(target->mode), "%s", how->mode ? how->mode : "");
	(void)snprintf(threads, sizeof(threads), "%u", how->threads ? how->threads : 1);
	fill_argv(how, path, threads, argv);
	if (pipe2(in, O_CLOEXEC) != 0)
		return -errno;
	if (pipe2(out, O_CLOEXEC) != 0) {
		r = -errno;
		close(in[0]);
		close(in[1]);
		return r;
	}
	target->child = fork();
	if (target->child == 0)
		become_target(how, argv, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	target->in = in[1];
	target->out = out[0];
	target->pid = target->child;
	if (target->child < 0) {
		close(in[1]);
		close(out[0]);
		return -EAGAIN;
	}
	r = wait_ready(target, how->inner);
	if (r < 0)
		target_end(target);
	return r;
}

int target_start_victim(struct target *target, const char *mode, unsigned int threads)
{
	struct target_start how = { .mode = mode, .threads = threads };

	return target_start(target, &how);
}

/* The signal may come while the victim is between two calls: it is sent again until answered. */
int target_ask(struct target *target, const char *command, char *answer, size_t bytes)
{
	int64_t deadline_ns = deadline_in_ms(ANSWER_MS);
	char line[128];
	int n = snprintf(line, sizeof(line), "%s\n", command), r;

	if (target->pid <= 0)
		return -EPIPE;
	(void)signal(SIGPIPE, SIG_IGN);
	if (write(target->in, line, (size_t)n) != n)
		return -EPIPE;
	do {
		if (target->mode[0])
			(void)kill(target->pid, SIGUSR1);
		r = read_line(target, answer, bytes, deadline_in_ms(50));
	} while (r == -ETIMEDOUT && support_now_ns() < deadline_ns);
	return r;
}

long target_ask_number(struct target *target, const char *command)
{
	char answer[64];
	int r = target_ask(target, command, answer, sizeof(answer));

	return r < 0 ? r : strtol(answer, NULL, 10);
}

bool target_is_alive(const struct target *target)
{
	siginfo_t info = { 0 };

	if (target->pid <= 0)
		return false;
	if (target->pid != target->child)
		return kill(target->pid, 0) == 0;
	return waitid(P_PID, (id_t)target->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == 0;
}

bool target_is_well(struct target *target, char *why)
{
	char answer[400];
	int r = target_ask(target, "check", answer, sizeof(answer));

	if (r == 0 && strncmp(answer, "ok", 2) == 0)
		return true;
	if (r == 0)
		(void)snprintf(why, WHY_BYTES, "%s: %s", target->mode, answer);
	else
		(void)snprintf(why, WHY_BYTES, "%s: %s", target->mode,
			       r == -ETIMEDOUT ? "hung" : "died");
	return false;
}

void target_end(struct target *target)
{
	if (target->child <= 0)
		return;
	if (!target->collected) {
		(void)kill(target->pid, SIGKILL);
		(void)kill(target->child, SIGKILL);
		while (waitpid(target->child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(target->in);
	close(target->out);
	target->pid = target->child = 0;
}

/* --- snapshots --------------------------------------------------------------------------- */

#define SNAPSHOT_BYTES ((size_t)2 << 20)
#define FILE_BYTES     ((size_t)1 << 20)

struct snapshot {
	size_t used;
	char text[SNAPSHOT_BYTES]; /* lines, each ends in \n */
	char file[FILE_BYTES];	   /* room to read into */
};

struct snapshot *snapshot_new(void)
{
	struct snapshot *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return s == MAP_FAILED ? NULL : s;
}

void snapshot_free(struct snapshot *snapshot)
{
	if (snapshot)
		(void)munmap(snapshot, sizeof(*snapshot));
}

__attribute__((format(printf, 2, 3))) static void note(struct snapshot *s, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(s->text + s->used, sizeof(s->text) - s->used, format, args);
	va_end(args);
	if (n > 0 && s->used + (size_t)n < sizeof(s->text))
		s->used += (size_t)n;
}

/* The whole of a small file of /proc into s->file; -ESRCH. */
__attribute__((format(printf, 2, 3))) static int read_proc(struct snapshot *s, const char *format,
							   ...)
{
	char path[128];
	va_list args;
	size_t used = 0;
	ssize_t n;
	int fd;

	va_start(args, format);
	(void)vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	s->file[0] = '\0';
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ESRCH;
	while ((n = read(fd, s->file + used, FILE_BYTES - 1 - used)) > 0)
		used += (size_t)n;
	s->file[used] = '\0';
	close(fd);
	return n < 0 ? -ESRCH : 0;
}

static int compare_ints(const void *a, const void *b)
{
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

/* The numbers that are names in a directory, sorted; how many, or -ESRCH.  getdents() into a
 * buffer of the stack: opendir() would use the heap that is being looked at. */
static int list_numbers(const char *path, int *numbers, int room)
{
	struct {
		ino64_t ino;
		off64_t off;
		unsigned short reclen;
		unsigned char type;
		char name[];
	} *entry;
	char buffer[8192] __attribute__((aligned(16)));
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = 0;
	ssize_t n;

	if (fd < 0)
		return -ESRCH;
	while ((n = getdents64(fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t at = 0; at < n; at += entry->reclen) {
			entry = (void *)(buffer + at);
			if (isdigit((unsigned char)entry->name[0]) && count < room)
				numbers[count++] = atoi(entry->name);
		}
	close(fd);
	qsort(numbers, (size_t)count, sizeof(int), compare_ints);
	return count;
}

#define NUMBERS_MAX 8192

static int note_handles(struct snapshot *s, pid_t pid)
{
	int numbers[NUMBERS_MAX], n;
	char path[64], link[512], own[64];

	(void)snprintf(own, sizeof(own), "/proc/%d/fd", (int)pid);
	n = list_numbers(own, numbers, NUMBERS_MAX);
	for (int i = 0; i < n; i++) {
		ssize_t bytes;

		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, numbers[i]);
		bytes = readlink(path, link, sizeof(link) - 1);
		if (bytes < 0)
			continue; /* the one that we looked with, or closed since */
		link[bytes] = '\0';
		if (pid != getpid() || strcmp(link, own) != 0)
			note(s, "handle %d -> %s\n", numbers[i], link);
	}
	return n;
}

/* `field: value` lines of a status file that must not change. */
static void note_fields(struct snapshot *s, const char *who, const char *const *fields)
{
	for (; *fields; fields++) {
		char *at = strstr(s->file, *fields);

		if (at)
			note(s, "%s %.*s\n", who, (int)strcspn(at + 1, "\n"), at + 1);
	}
}

/* Calls that a restart block may turn into restart_syscall may differ in number; argument
 * registers that a call does not use are whatever they are. */
static void note_sleeper(struct snapshot *s, pid_t pid, int tid)
{
	long nr;
	char *rest, *pc, *sp;

	if (read_proc(s, "/proc/%d/task/%d/syscall", (int)pid, tid) < 0 ||
	    !isdigit((unsigned char)s->file[0])) {
		note(s, "thread %d runs\n", tid); /* -1 too: asleep in a page fault, say */
		return;
	}
	nr = strtol(s->file, &rest, 10);
	rest[strcspn(rest, "\n")] = '\0';
	pc = strrchr(rest, ' ');
	if (!pc)
		return;
	*pc = '\0';
	sp = strrchr(rest, ' ');
	if (nr == 35 || nr == 230 || nr == 7 || nr == 202 || nr == 219)
		nr = -1;
	note(s, "thread %d sleeps in %ld at %s%s\n", tid, nr, pc + 1, sp ? sp : "");
}

static int note_threads(struct snapshot *s, pid_t pid, unsigned int flags)
{
	static const char *const of_thread[] = { "\nSigBlk:", "\nSigPnd:", "\nTracerPid:",
						 "\nSeccomp:", NULL };
	int tids[NUMBERS_MAX], n;
	char path[64], who[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	n = list_numbers(path, tids, NUMBERS_MAX);
	if (n <= 0)
		return -ESRCH;
	for (int i = 0; i < n; i++) {
		char *state;

		if (read_proc(s, "/proc/%d/task/%d/status", (int)pid, tids[i]) < 0)
			continue;
		state = strstr(s->file, "\nState:\t");
		if (state && (state[8] == 'X' || (state[8] == 'Z' && tids[i] != pid)))
			continue; /* on its way out already */
		(void)snprintf(who, sizeof(who), "thread %d", tids[i]);
		note(s, "%s %.*s\n", who, (int)strcspn(s->file, "\n"), s->file);
		if (!(flags & SNAPSHOT_BUSY))
			note_fields(s, who, of_thread);
		if (state && (state[8] == 'T' || state[8] == 't'))
			note(s, "%s is stopped\n", who);
		if (flags & SNAPSHOT_SLEEPERS)
			note_sleeper(s, pid, tids[i]);
	}
	return 0;
}

static uint64_t checksum(const unsigned char *at, size_t bytes, uint64_t sum)
{
	uint64_t word;

	for (size_t i = 0; i + 8 <= bytes; i += 8) {
		memcpy(&word, at + i, 8);
		sum = (sum ^ word) * UINT64_C(0x100000001b3);
		sum ^= sum >> 29;
	}
	return sum;
}

static uint64_t checksum_memory(pid_t pid, uint64_t from, uint64_t to)
{
	static unsigned char page[65536];
	char path[64];
	uint64_t sum = 14695981039346656037u;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && from < to) {
		size_t bytes = to - from < sizeof(page) ? (size_t)(to - from) : sizeof(page);

		if (pread(fd, page, bytes, (off_t)from) != (ssize_t)bytes)
			break;
		sum = checksum(page, bytes, sum);
		from += bytes;
	}
	if (fd >= 0)
		close(fd);
	return sum ^ (from < to);
}

/* A heap that glibc keeps for one thread: 64 MiB on a boundary of as many, in use and reserved.
 * The first allocation on a thread, as in a pthread_create() on its time, makes it. */
static bool is_thread_heap(uint64_t from, uint64_t to, const char *mode)
{
	const uint64_t heap = UINT64_C(64) << 20;

	return (from % heap == 0 && strcmp(mode, "rw-p") == 0) ||
	       (to % heap == 0 && strcmp(mode, "---p") == 0);
}

/* Heap and stack grow by the target's own doing: where they end is not noted. */
static void note_mapping(struct snapshot *s, pid_t pid, char *line, unsigned int flags)
{
	uint64_t from, to;
	char mode[8] = "", *name;
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %*s%n", &from, &to, mode, &at) < 3)
		return;
	name = line + at + strspn(line + at, " ");
	if (flags & SNAPSHOT_BUSY) {
		if (strstr(name, "tendril") || (mode[2] == 'x' && name[0] == '\0'))
			note(s, "mapping %s\n", line);
		return;
	}
	if (name[0] == '\0' && is_thread_heap(from, to, mode))
		return;
	if (strcmp(name, "[heap]") == 0)
		note(s, "mapping [heap] from %" PRIx64 "\n", from);
	else if (strcmp(name, "[stack]") == 0)
		note(s, "mapping [stack] up to %" PRIx64 "\n", to);
	else
		note(s, "mapping %s\n", line);
	if (mode[2] == 'x' && name[0] == '/' && pid != getpid())
		note(s, "text of %s: %016" PRIx64 "\n", name, checksum_memory(pid, from, to));
}

static int note_mappings(struct snapshot *s, pid_t pid, unsigned int flags)
{
	char *save = NULL;

	if (read_proc(s, "/proc/%d/maps", (int)pid) < 0)
		return -ESRCH;
	for (char *line = strtok_r(s->file, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		note_mapping(s, pid, line, flags);
	return 0;
}

int snapshot_take(struct snapshot *s, pid_t pid, unsigned int flags)
{
	static const char *const of_process[] = { "\nSigCgt:", "\nSigIgn:", "\nShdPnd:",
						  "\nUid:", NULL };

	s->used = 0;
	if (!(flags & SNAPSHOT_NO_MAPPINGS) && note_mappings(s, pid, flags) < 0)
		return -ESRCH;
	if (!(flags & SNAPSHOT_NO_HANDLES) && note_handles(s, pid) < 0)
		return -ESRCH;
	if (!(flags & SNAPSHOT_NO_THREADS) && note_threads(s, pid, flags) < 0)
		return -ESRCH;
	if (read_proc(s, "/proc/%d/status", (int)pid) < 0)
		return -ESRCH;
	if (strstr(s->file, "State:\tZ"))
		return -ESRCH;
	if (!(flags & SNAPSHOT_BUSY))
		note_fields(s, "process", of_process);
	if (read_proc(s, "/proc/%d/limits", (int)pid) < 0)
		return -ESRCH;
	note(s, "limits\n%s", s->file);
	return 0;
}

unsigned int snapshot_flags_of(const char *mode)
{
	static const struct {
		const char *mode;
		unsigned int flags;
	} table[] = {
		{ "malloc", SNAPSHOT_BUSY },
		{ "dlopen", SNAPSHOT_BUSY | SNAPSHOT_NO_HANDLES },
		{ "pthread", SNAPSHOT_BUSY | SNAPSHOT_NO_THREADS },
		{ "stdio", SNAPSHOT_BUSY | SNAPSHOT_NO_HANDLES },
		{ "fork", SNAPSHOT_BUSY },
		{ "signals", SNAPSHOT_BUSY },
		{ "alarm-pause", SNAPSHOT_BUSY },
		{ "alarm-suspend", SNAPSHOT_BUSY },
		{ "spin", 0 },
		{ "gap", 0 },
		{ "rseq", 0 },
		{ "idle-epoll-timeout", 0 },
		{ "idle-nanosleep", 0 },
		{ "idle-poll", 0 },
		{ "idle-select", 0 },
		{ "idle-cond", 0 },
	};

	for (size_t i = 0; i < ARRAY_LENGTH(table); i++)
		if (strcmp(table[i].mode, mode) == 0)
			return table[i].flags;
	return SNAPSHOT_SLEEPERS;
}

/* The first line of a that is not in b; NULL when all are.  Both are in the same order mostly. */
static const char *missing_line(const struct snapshot *a, const struct snapshot *b, size_t *length)
{
	size_t hint = 0;

	for (size_t at = 0; at < a->used; at += *length + 1) {
		*length = strcspn(a->text + at, "\n");
		if (hint + *length < b->used &&
		    memcmp(a->text + at, b->text + hint, *length + 1) == 0) {
			hint += *length + 1;
			continue;
		}
		for (hint = 0; hint < b->used; hint += strcspn(b->text + hint, "\n") + 1)
			if (hint + *length < b->used &&
			    memcmp(a->text + at, b->text + hint, *length + 1) == 0)
				break;
		if (hint >= b->used)
			return a->text + at;
		hint += *length + 1;
	}
	return NULL;
}

bool same_target(const struct snapshot *before, const struct snapshot *after, char *why)
{
	size_t length = 0;
	const char *line = missing_line(after, before, &length);
	const char *how = "new";

	if (!line) {
		line = missing_line(before, after, &length);
		how = "gone";
	}
	if (!line)
		return true;
	(void)snprintf(why, WHY_BYTES, "%s: %.*s", how, (int)(length < 400 ? length : 400), line);
	return false;
}

int snapshot_settle(struct snapshot *settled, struct snapshot *scratch, pid_t pid,
		    unsigned int flags)
{
	int64_t deadline_ns = deadline_in_ms(5000);
	char why[WHY_BYTES];
	int r;

	do {
		r = snapshot_take(settled, pid, flags);
		if (r == 0 && support_again(deadline_ns))
			r = snapshot_take(scratch, pid, flags);
		if (r < 0)
			return r;
		settled->text[settled->used] = '\0';
		if (!strstr(settled->text, " runs\n") && same_target(settled, scratch, why))
			return 0;
	} while (support_again(deadline_ns));
	return -ETIMEDOUT;
}

bool becomes_same(const struct snapshot *before, struct snapshot *after, pid_t pid,
		  unsigned int flags, int64_t ms, char *why)
{
	int64_t deadline_ns = deadline_in_ms(ms);

	do {
		if (snapshot_take(after, pid, flags) < 0) {
			(void)snprintf(why, WHY_BYTES, "the process is gone");
			return false;
		}
		if (same_target(before, after, why))
			return true;
	} while (support_again(deadline_ns));
	return false;
}

/* --- small things ------------------------------------------------------------------------ */

/* The text after `field:` in /proc/PID/status; false when it is not there. */
static bool status_text(pid_t pid, const char *field, char *text, size_t bytes)
{
	char path[64], line[256];
	size_t length = strlen(field);
	bool found = false;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = strncmp(line, field, length) == 0 && line[length] == ':';
	(void)fclose(file);
	if (found)
		(void)snprintf(text, bytes, "%s", line + length + 1 + strspn(line + length + 1, " \t"));
	return found;
}

long status_number(pid_t pid, const char *field)
{
	char text[256];

	return status_text(pid, field, text, sizeof(text)) ? strtol(text, NULL, 10) : -1;
}

bool status_is(pid_t pid, const char *field, char letter)
{
	char text[256];

	return status_text(pid, field, text, sizeof(text)) && text[0] == letter;
}

int count_handles(pid_t pid)
{
	int numbers[NUMBERS_MAX];
	char path[64];
	int n;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	n = list_numbers(path, numbers, NUMBERS_MAX);
	return pid == getpid() && n > 0 ? n - 1 : n;
}

int count_threads(pid_t pid)
{
	return (int)status_number(pid, "Threads");
}

static int compare_doubles(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) -
	       (*(const double *)a < *(const double *)b);
}

void sort_doubles(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare_doubles);
}

double quantile(const double *values, size_t n, double q)
{
	size_t at = (size_t)(q * (double)n);

	if (n == 0)
		return 0;
	return values[at < n ? at : n - 1];
}
