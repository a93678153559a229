/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * perf_map.c - /tmp/perf-PID.map, where compilers at run time (V8, the JVM's agents, Python's
 * trampoline) write a line for each function: "START SIZE name", in hexadecimal
 *
 * Anybody who may write to the target's /tmp can make such a file: it has to be a regular one of
 * the target's user or root.  Code is moved and freed, so a later line is worth more than an
 * earlier one.
 */
#include "symbolize/space.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "proc/proc.h"

#define BYTES_MAX     (32u << 20)
#define ENTRIES_MAX   (1u << 20)
#define BLOCK_BYTES   65536
#define LINE_MAX_USED 4096
#define LOOK_BACK_MAX 256
#define FRESH_NS      NS_PER_S

struct entry {
	uint64_t low, high;
	size_t number; /* of the line */
	const char *name;
};

struct block {
	struct block *next;
	size_t used;
	char bytes[BLOCK_BYTES];
};

struct perf_map {
	unsigned int references;
	struct perf_map *parent; /* of the process that this one was forked from, whose code it has */
	pid_t pid;
	struct stat seen; /* the file as it was read */
	off_t done;	  /* so much of it */
	int64_t looked_ns; /* when we looked at the file */
	struct entry *entry;
	size_t n, room;
	bool sorted;
	struct block *names; /* of all times: they have been handed out */
	size_t name_bytes;
};

int perf_map_new(pid_t pid, struct perf_map *parent, struct perf_map **ret_map)
{
	struct perf_map *map = calloc(1, sizeof(*map));

	if (!map)
		return -ENOMEM;
	map->references = 1;
	map->pid = pid;
	map->parent = parent;
	if (parent)
		parent->references++;
	*ret_map = map;
	return 0;
}

static void free_names(struct block *block)
{
	while (block) {
		struct block *next = block->next;

		free(block);
		block = next;
	}
}

void perf_map_put(struct perf_map *map)
{
	while (map && --map->references == 0) {
		struct perf_map *parent = map->parent;

		free_names(map->names);
		free(map->entry);
		free(map);
		map = parent;
	}
}

static const char *keep_name(struct perf_map *map, const char *name, size_t bytes)
{
	struct block *block = map->names;
	char *copy;

	if (map->name_bytes + bytes > BYTES_MAX)
		return NULL;
	if (!block || sizeof(block->bytes) - block->used <= bytes) {
		block = malloc(sizeof(*block));
		if (!block)
			return NULL;
		block->next = map->names;
		block->used = 0;
		map->names = block;
	}
	copy = block->bytes + block->used;
	memcpy(copy, name, bytes);
	copy[bytes] = '\0';
	block->used += bytes + 1;
	map->name_bytes += bytes + 1;
	return copy;
}

static bool add_entry(struct perf_map *map, uint64_t low, uint64_t bytes, const char *name)
{
	if (map->n == ENTRIES_MAX)
		return false;
	if (map->n == map->room) {
		size_t room = map->room ? map->room * 2 : 256;
		struct entry *more = reallocarray(map->entry, room, sizeof(*more));

		if (!more)
			return false;
		map->entry = more;
		map->room = room;
	}
	map->entry[map->n] = (struct entry){low, low + bytes, map->n, name};
	map->n++;
	map->sorted = false;
	return true;
}

static void take_line(struct perf_map *map, const char *line, size_t length)
{
	const char *end = line + length, *s, *name;
	uint64_t low, bytes;

	s = proc_scan(line, 16, &low);
	if (!s || s >= end || *s != ' ')
		return;
	s = proc_scan(s, 16, &bytes);
	if (!s || s >= end || *s != ' ' || bytes == 0 || low + bytes < low)
		return;
	s++;
	length = (size_t)(end - s);
	if (length == 0)
		return;
	name = keep_name(map, s, length < LINE_MAX_USED ? length : LINE_MAX_USED);
	if (name)
		(void)add_entry(map, low, bytes, name);
}

/* Whole lines only; what is behind the last one is read again when there is more. */
static void take_text(struct perf_map *map, char *text, size_t bytes)
{
	size_t at = 0;

	while (at < bytes) {
		char *newline = memchr(text + at, '\n', bytes - at);

		if (!newline)
			break;
		*newline = '\0';
		take_line(map, text + at, strlen(text + at));
		at = (size_t)(newline - text) + 1;
	}
	map->done += (off_t)at;
}

static int open_map(const struct perf_map *map, struct stat *ret_stat)
{
	struct proc_process process = {0};
	AUTO_CLOSE int fd = -1;
	char path[64];
	int r = proc_process_read(map->pid, &process);
	pid_t inner = map->pid;

	if (r == 0 && process.n_ns_pids > 0)
		inner = process.ns_pid[process.n_ns_pids - 1];
	(void)snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)inner);
	fd = file_open_as_seen(r == 0 ? map->pid : 0, path, O_NOFOLLOW);
	if (fd < 0)
		return fd;
	if (fstat(fd, ret_stat) < 0 || !S_ISREG(ret_stat->st_mode))
		return -EINVAL;
	/* of one that is gone, nobody can tell who it was: but we know who we are */
	if (ret_stat->st_uid != 0 && ret_stat->st_uid != (r == 0 ? process.euid : geteuid()))
		return -EACCES;
	return take_fd(&fd);
}

static void forget(struct perf_map *map)
{
	map->n = 0;
	map->done = 0;
}

static void read_more(struct perf_map *map, int fd, const struct stat *stat)
{
	size_t want = (size_t)(stat->st_size - map->done), got = 0;
	AUTO_FREE char *text = NULL;

	if (stat->st_size > (off_t)BYTES_MAX)
		want = map->done < (off_t)BYTES_MAX ? BYTES_MAX - (size_t)map->done : 0;
	text = malloc(want + 1);
	if (!text)
		return;
	while (got < want) {
		ssize_t n = pread(fd, text + got, want - got, map->done + (off_t)got);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	text[got] = '\0';
	take_text(map, text, got);
}

/* Another file, or one that was cut, begins anew. */
static void refresh(struct perf_map *map)
{
	struct stat stat;
	AUTO_CLOSE int fd = open_map(map, &stat);

	if (fd < 0)
		return;
	if (stat.st_ino != map->seen.st_ino || stat.st_dev != map->seen.st_dev ||
	    stat.st_size < map->done)
		forget(map);
	else if (stat.st_size == map->seen.st_size)
		return;
	map->seen = stat;
	read_more(map, fd, &stat);
}

static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static const struct entry *find(struct perf_map *map, uint64_t ip)
{
	const struct entry *best = NULL;
	size_t low = 0, high = map->n;

	if (!map->sorted && map->n > 0)
		qsort(map->entry, map->n, sizeof(*map->entry), compare_entries);
	map->sorted = true;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (map->entry[middle].low <= ip)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i > 0 && low - i < LOOK_BACK_MAX; i--) {
		const struct entry *entry = &map->entry[i - 1];

		if (ip < entry->high && (!best || entry->number > best->number))
			best = entry;
	}
	return best;
}

static bool find_in_one(struct perf_map *map, uint64_t ip, struct jit_symbol *ret_symbol)
{
	const struct entry *entry = find(map, ip);

	/* Code moves seldom, and stacks have many frames of it. */
	if (!entry || now_ns() - map->looked_ns > FRESH_NS) {
		refresh(map);
		map->looked_ns = now_ns();
		entry = find(map, ip);
	}
	if (!entry)
		return false;
	*ret_symbol = (struct jit_symbol){entry->low, entry->high, entry->name};
	return true;
}

bool perf_map_find(struct perf_map *map, uint64_t ip, struct jit_symbol *ret_symbol)
{
	while (map && !find_in_one(map, ip, ret_symbol))
		map = map->parent;
	return map;
}
