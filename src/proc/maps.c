/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps.c - the mappings of a process
 *
 * Read in the setup of every remote thread, so the parser is written by hand, and all paths stay
 * in the one buffer that the file was read into.
 */
#include "proc/proc.h"

#include <string.h>
#include <sys/sysmacros.h>

/* The default limit is 65,530 mappings, of some hundred bytes: far below this. */
#define MAPS_BYTES_MAX (256u << 20)
/* "0-1 r--p 0 0:0 0\n": no line is shorter, so this bounds the number of them. */
#define TRIES	       20
#define LINE_BYTES_MIN 17

static const char *scan_hex(const char *s, uint64_t *ret_value)
{
	const char *first = s;
	uint64_t value = 0;

	for (;; s++) {
		unsigned c = (unsigned char)*s;
		unsigned digit = c - '0';

		if (digit > 9) {
			digit = c - 'a' + 10;
			if (digit < 10 || digit > 15)
				break;
		}
		value = value << 4 | digit;
	}
	if (s == first || s - first > 16)
		return NULL;
	*ret_value = value;
	return s;
}

static const char *scan_decimal(const char *s, uint64_t *ret_value)
{
	const char *first = s;
	uint64_t value = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		value = value * 10 + (uint64_t)(*s - '0');
	*ret_value = value;
	return s == first ? NULL : s;
}

/* "r-xp " */
static const char *scan_protection(const char *s, struct proc_map *map)
{
	if (s[0] != ' ' || !s[1] || !s[2] || !s[3] || !s[4] || s[5] != ' ')
		return NULL;
	map->read = s[1] == 'r';
	map->write = s[2] == 'w';
	map->execute = s[3] == 'x';
	map->shared = s[4] == 's';
	return s + 6;
}

/* One line: "low-high rwxp offset major:minor inode      path", its newline made a NUL already. */
static int parse_line(char *line, struct proc_map *map)
{
	const char *s = scan_hex(line, &map->low);
	uint64_t major, minor;

	if (!s || *s != '-')
		return -EIO;
	s = scan_hex(s + 1, &map->high);
	if (!s || map->high <= map->low)
		return -EIO;
	s = scan_protection(s, map);
	if (s)
		s = scan_hex(s, &map->offset);
	if (!s || *s != ' ')
		return -EIO;
	s = scan_hex(s + 1, &major);
	if (!s || *s != ':')
		return -EIO;
	s = scan_hex(s + 1, &minor);
	if (!s || *s != ' ')
		return -EIO;
	map->device = makedev((unsigned int)major, (unsigned int)minor);
	s = scan_decimal(s + 1, &map->inode);
	if (!s || (*s != ' ' && *s != '\0'))
		return -EIO;
	map->path = line + (s - line) + strspn(s, " ");
	return 0;
}

int proc_maps_parse(char *text, size_t bytes, struct proc_maps *ret_maps)
{
	size_t room = bytes / 64 + 16, n = 0;
	AUTO_FREE struct proc_map *map = malloc(room * sizeof(*map));

	if (!map)
		return -ENOMEM;
	for (char *line = text, *end = text + bytes; line < end; n++) {
		char *newline = memchr(line, '\n', (size_t)(end - line));

		if (!newline)
			return -EIO;
		*newline = '\0';
		if (n == room) { /* lines without a path are shorter than was thought */
			struct proc_map *more;

			room = bytes / LINE_BYTES_MIN + 1;
			more = realloc(map, room * sizeof(*map));
			if (!more)
				return -ENOMEM;
			map = more;
		}
		if (n == room || parse_line(line, &map[n]) < 0 ||
		    (n > 0 && map[n].low < map[n - 1].high))
			return -EIO;
		line = newline + 1;
	}
	*ret_maps = (struct proc_maps){ .map = map, .n_maps = n, .text = text };
	map = NULL;
	return 0;
}

/*
 * The kernel fills such a file a page at a time and goes on where it was by address, so what
 * changes meanwhile is seen or not, but no line is torn.  A mapping that grows between two pages is
 * told twice, though, and is its own neighbour then: such a list is read again.
 */
static int read_maps(pid_t tid, char **ret_text, size_t *ret_bytes)
{
	AUTO_CLOSE int dir = proc_open(tid);

	return dir < 0 ? dir : proc_read_file(dir, "maps", MAPS_BYTES_MAX, ret_text, ret_bytes);
}

/* The file of a leader that has ended is empty, though the process lives: ask another thread. */
static int read_maps_alive(pid_t pid, char **ret_text, size_t *ret_bytes)
{
	AUTO_FREE char *text = NULL;
	size_t bytes = 0;
	int r = read_maps(pid, &text, &bytes);
	pid_t other = pid;

	if (r == 0 && bytes == 0)
		other = proc_live_thread(pid);
	if (other != pid) {
		free(text);
		text = NULL;
		r = read_maps(other, &text, &bytes); /* which may be refused, or be gone */
	}
	if (r < 0)
		return r;
	*ret_text = text;
	*ret_bytes = bytes;
	text = NULL;
	return 0;
}

static int read_maps_once(pid_t pid, struct proc_maps *ret_maps)
{
	char *text = NULL;
	size_t bytes = 0;
	int r = read_maps_alive(pid, &text, &bytes);

	if (r < 0)
		return r;
	r = proc_maps_parse(text, bytes, ret_maps);
	if (r < 0)
		free(text);
	return r;
}

int proc_maps_read(pid_t pid, struct proc_maps *ret_maps)
{
	int r = -EIO;

	for (int i = 0; r == -EIO && i < TRIES; i++)
		r = read_maps_once(pid, ret_maps);
	return r;
}

const struct proc_map *proc_maps_find(const struct proc_maps *maps, raddr_t address)
{
	size_t low = 0, high = maps->n_maps;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct proc_map *map = &maps->map[middle];

		if (address < map->low)
			high = middle;
		else if (address >= map->high)
			low = middle + 1;
		else
			return map;
	}
	return NULL;
}

void proc_maps_done(struct proc_maps *maps)
{
	free(maps->map);
	free(maps->text);
	*maps = (struct proc_maps){ 0 };
}

/* Is the last mapping, they are in order, the page that the kernel shows to every process? */
static bool ends_in_kernel_half(const char *text, size_t bytes)
{
	const char *end = bytes > 0 ? memrchr(text, '\n', bytes - 1) : NULL;
	uint64_t low;

	return bytes > 0 && proc_scan(end ? end + 1 : text, 16, &low) && low >> 63;
}

int proc_count_mappings(pid_t pid, uint64_t *ret_count)
{
	AUTO_FREE char *text = NULL;
	size_t bytes = 0;
	uint64_t n = 0;
	int r = read_maps_alive(pid, &text, &bytes);

	if (r < 0)
		return r;
	for (char *s = text; (s = memchr(s, '\n', (size_t)(text + bytes - s))); s++)
		n++;
	if (ends_in_kernel_half(text, bytes))
		n--;
	*ret_count = n;
	return 0;
}
