/* SPDX-License-Identifier: BSD-2-Clause */
/* memory.c - what the kernel tells about a process, and reading its memory */
#include "elf/private.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#define PIECES_PER_CALL 128 /* of the 1024 that the kernel takes: bounds our stack */
#define AUXV_WORDS	128 /* real ones have some 45 */

static void auto_close_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static void auto_close_file(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

#define AUTO_CLOSE_DIR	__attribute__((cleanup(auto_close_dir)))
#define AUTO_CLOSE_FILE __attribute__((cleanup(auto_close_file)))

/* An errno from below /proc/PID, as the callers of this room know it. */
static int proc_error(int error)
{
	switch (error) {
	case ENOENT:
	case ESRCH:
		return -ESRCH;
	case EPERM:
	case EACCES:
		return -EACCES;
	default:
		return -error;
	}
}

static int proc_open(pid_t pid, pid_t tid, const char *file)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)pid, (int)tid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? proc_error(errno) : fd;
}

/* How many bytes, 0 when that thread has no memory (any more), or an error. */
static int auxv_bytes(pid_t pid, pid_t tid, uint64_t *words, size_t bytes)
{
	AUTO_CLOSE int fd = proc_open(pid, tid, "auxv");
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, words, bytes);
	return n < 0 ? proc_error(errno) : (int)n;
}

/* Of /proc/PID/stat, which everybody may read: PF_EXITING and PF_KTHREAD of <linux/sched.h>. */
#define FLAG_EXITING 0x00000004u
#define FLAG_KTHREAD 0x00200000u

/*
 * Why a thread's memory is out of reach: -ESRCH: it is ending, and has none; -ENOEXEC: it is the
 * kernel's own; 0: neither.  The kernel (6.18) refuses with EACCES what has no memory any more,
 * unless one is privileged: without this look an ended process would seem somebody else's.
 */
static int why_no_memory(pid_t pid, pid_t tid)
{
	AUTO_CLOSE int fd = proc_open(pid, tid, "stat");
	unsigned int flags;
	char text[256], state;
	const char *name_end;
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return proc_error(errno);
	text[n] = '\0';
	name_end = strrchr(text, ')'); /* the name before it may hold anything */
	if (!name_end || sscanf(name_end, ") %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2)
		return -ESRCH;
	if (flags & FLAG_KTHREAD)
		return -ENOEXEC;
	return state == 'Z' || state == 'X' || (flags & FLAG_EXITING) ? -ESRCH : 0;
}

/* The leader may have exited while other threads go on: any of them will do. */
static int auxv_of_any_thread(pid_t pid, pid_t *ret_tid, uint64_t *words, size_t bytes)
{
	AUTO_CLOSE_DIR DIR *dir = NULL;
	struct dirent *entry;
	char path[32];
	int why, r = -ESRCH;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return proc_error(errno);
	while ((entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);
		int n = tid > 0 ? auxv_bytes(pid, tid, words, bytes) : -ESRCH;

		if (n > 0)
			*ret_tid = tid;
		if (n > 0 || (n < 0 && n != -ESRCH && n != -EACCES))
			return n;
		why = tid > 0 ? why_no_memory(pid, tid) : -ESRCH;
		if (why == -ENOEXEC)
			return why;
		if (why == 0 && n == -EACCES)
			r = n;
	}
	return r;
}

int elf_auxv_read(pid_t pid, pid_t *ret_reader, struct elf_auxv *ret_auxv)
{
	uint64_t words[AUXV_WORDS] = { 0 };
	struct elf_auxv auxv = { 0 };
	uint64_t phdr_bytes = 0;
	pid_t tid = pid;
	int n;

	n = auxv_bytes(pid, pid, words, sizeof(words));
	if (n == 0 || n == -ESRCH || n == -EACCES)
		n = auxv_of_any_thread(pid, &tid, words, sizeof(words));
	if (n < 0)
		return n;
	for (size_t i = 0; i + 1 < n / sizeof(words[0]) && words[i] != AT_NULL; i += 2) {
		if (words[i] == AT_PHDR)
			auxv.phdr = words[i + 1];
		else if (words[i] == AT_PHNUM)
			auxv.n_phdr = words[i + 1];
		else if (words[i] == AT_PHENT)
			phdr_bytes = words[i + 1];
		else if (words[i] == AT_BASE)
			auxv.base = words[i + 1];
		else if (words[i] == AT_SYSINFO_EHDR)
			auxv.vdso = words[i + 1];
	}
	if (words[0] == AT_NULL)
		return -EAGAIN; /* in the middle of execve(2): the vector is written near its end */
	/* A 32-bit (or x32) process has a vector of 32-bit words: no AT_PHENT is found in it.
	 * This needs no permission on the file, as a look at its ELF header would. */
	if (phdr_bytes != sizeof(Elf64_Phdr))
		return -ENOEXEC;
	*ret_auxv = auxv;
	*ret_reader = tid;
	return 0;
}

int elf_program_path(const struct elf_modules *modules, char **ret_path)
{
	static const char deleted[] = " (deleted)";
	char link[64], path[PATH_MAX + sizeof(deleted)];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/%d/task/%d/exe", (int)modules->pid,
		       (int)modules->reader);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		n = 0; /* nothing depends on it but messages */
	path[n] = '\0';
	if (n >= (ssize_t)sizeof(deleted) && !strcmp(path + n - (sizeof(deleted) - 1), deleted))
		path[n - (sizeof(deleted) - 1)] = '\0';
	*ret_path = strdup(path);
	return *ret_path ? 0 : -ENOMEM;
}

struct span {
	raddr_t low, high;
	unsigned long long inode;
	bool ended;
	char path[PATH_MAX];
};

/* Does the mapping go on what the span holds?  An anonymous one may, once: it is the .bss. */
static bool span_grow(struct span *span, const struct span *mapping)
{
	if (span->ended || span->high != mapping->low)
		return false;
	if (mapping->inode != span->inode && (mapping->inode != 0 || span->inode == 0))
		return false;
	span->ended = mapping->inode != span->inode;
	span->high = mapping->high;
	return true;
}

static bool parse_mapping(const char *line, struct span *mapping)
{
	unsigned long long low, high;
	int at = 0;

	mapping->ended = false;
	mapping->path[0] = '\0';
	if (sscanf(line, "%llx-%llx %*s %*x %*s %llu %n", &low, &high, &mapping->inode, &at) < 3)
		return false;
	mapping->low = low;
	mapping->high = high;
	(void)snprintf(mapping->path, sizeof(mapping->path), "%.*s", (int)strcspn(line + at, "\n"),
		       line + at);
	return true;
}

int elf_maps_span(const struct elf_modules *modules, raddr_t inside, raddr_t *ret_low,
		  raddr_t *ret_high, char **ret_path)
{
	AUTO_CLOSE int fd = proc_open(modules->pid, modules->reader, "maps");
	AUTO_CLOSE_FILE FILE *file = NULL;
	AUTO_FREE char *line = NULL;
	struct span span = { 0 }, mapping;
	size_t size = 0;

	if (fd < 0)
		return fd;
	file = fdopen(fd, "r");
	if (!file)
		return -ENOMEM;
	(void)take_fd(&fd);
	while (getline(&line, &size, file) > 0) {
		if (!parse_mapping(line, &mapping) || span_grow(&span, &mapping))
			continue;
		if (inside >= span.low && inside < span.high)
			break;
		span = mapping;
	}
	if (inside < span.low || inside >= span.high)
		return -ENOENT;
	if (ret_path && !(*ret_path = strdup(span.path)))
		return -ENOMEM;
	*ret_low = span.low;
	*ret_high = span.high;
	return 0;
}

/*
 * process_vm_readv(2) copies page by page in the order of the pieces and ends at the first page
 * that it cannot read.  Return: how many bytes, -EFAULT: not even the first; -ESRCH; -EACCES.
 */
static ssize_t read_run(const struct elf_modules *modules, const struct elf_piece *piece, size_t n)
{
	struct iovec local[PIECES_PER_CALL], remote[PIECES_PER_CALL];
	uint64_t words[AUXV_WORDS];
	pid_t tid = 0;
	ssize_t got;
	int error, r;

	for (size_t i = 0; i < n; i++) {
		local[i] = (struct iovec){ piece[i].buffer, piece[i].bytes };
		remote[i] = (struct iovec){ (void *)(uintptr_t)piece[i].address, piece[i].bytes };
	}
	got = process_vm_readv(modules->reader, local, n, remote, n, 0);
	if (got >= 0)
		return got;
	if (errno != ESRCH && errno != EPERM)
		return proc_error(errno);
	error = proc_error(errno); /* perhaps that thread has exited since; and the process? */
	r = auxv_of_any_thread(modules->pid, &tid, words, sizeof(words));
	if (r < 0 || tid == modules->reader)
		return r < 0 ? r : error;
	got = process_vm_readv(tid, local, n, remote, n, 0);
	return got < 0 ? proc_error(errno) : got;
}

int elf_read_pieces(const struct elf_modules *modules, struct elf_piece *piece, size_t n)
{
	size_t i = 0;

	for (size_t k = 0; k < n; k++)
		piece[k].got = 0;
	while (i < n) {
		size_t end = n - i < PIECES_PER_CALL ? n : i + PIECES_PER_CALL;
		ssize_t left = read_run(modules, piece + i, end - i);

		if (left < 0 && left != -EFAULT)
			return left;
		if (left < 0)
			left = 0;
		while (i < end && piece[i].bytes <= (size_t)left) {
			left -= piece[i].bytes;
			piece[i].got = piece[i].bytes;
			i++;
		}
		if (i < end) /* here it ended: go on behind it */
			piece[i++].got = left;
	}
	return 0;
}

int elf_read(const struct elf_modules *modules, raddr_t address, void *buffer, size_t bytes)
{
	struct elf_piece piece = { address, buffer, bytes, 0 };
	int r = elf_read_pieces(modules, &piece, 1);

	if (r < 0)
		return r;
	return piece.got == bytes ? 0 : -EFAULT;
}
