/* SPDX-License-Identifier: BSD-2-Clause */
#include "faults/state.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define LINK_BYTES  4096
#define NUMBERS_MAX 65536

/* Handles */

static int compare_numbers(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The numbers of the handles of a process, in rising order. */
static int read_numbers(pid_t pid, int **ret_numbers, size_t *ret_n)
{
	AUTO_FREE int *numbers = NULL;
	size_t n = 0, room = 0;
	char path[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)) && n < NUMBERS_MAX) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		if (n == room) {
			int *more = realloc(numbers, (room = room * 2 + 16) * sizeof(*numbers));

			if (!more) {
				closedir(dir);
				return -ENOMEM;
			}
			numbers = more;
		}
		numbers[n++] = atoi(entry->d_name);
	}
	closedir(dir);
	if (n)
		qsort(numbers, n, sizeof(*numbers), compare_numbers);
	*ret_numbers = numbers;
	*ret_n = n;
	numbers = NULL;
	return 0;
}

static char *read_link(pid_t pid, int number)
{
	char path[64], text[LINK_BYTES];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, number);
	n = readlink(path, text, sizeof(text) - 1);
	return n < 0 ? NULL : strndup(text, (size_t)n);
}

/* The replaced ones have one open file between them: has this one, and another, it still? */
static int other_replaced(const struct baseline *baseline, const struct baseline_handle *handle)
{
	for (size_t i = 0; i < baseline->n_handles; i++)
		if (baseline->handle[i].replaced && &baseline->handle[i] != handle)
			return baseline->handle[i].number;
	return -1;
}

static bool is_same_file(const struct baseline *baseline, const struct baseline_handle *handle,
			 pid_t pid)
{
	int other = handle->replaced ? other_replaced(baseline, handle) : handle->number;
	AUTO_FREE char *link = NULL;

	if (baseline->stands && other >= 0) {
		long r = syscall(SYS_kcmp, handle->replaced ? pid : baseline->pid, pid, KCMP_FILE,
				 other, handle->number);

		if (r == 0 || (r > 0 && !handle->replaced) || (r < 0 && errno != ENOSYS))
			return r == 0;
	}
	link = read_link(pid, handle->number);
	return link && strcmp(link, handle->replaced ? "/dev/null" : handle->link) == 0;
}

static int compare_handles(const struct baseline *baseline, pid_t pid, struct leftovers *left)
{
	AUTO_FREE int *numbers = NULL;
	size_t n, known = 0;
	int r = read_numbers(pid, &numbers, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		while (known < baseline->n_handles && baseline->handle[known].number < numbers[i])
			known++;
		if (known < baseline->n_handles && baseline->handle[known].number == numbers[i] &&
		    is_same_file(baseline, &baseline->handle[known], pid))
			continue;
		leftovers_add(left,
			      &(struct left){.type = FAULTS_LEFT_HANDLE, .number = numbers[i]});
	}
	return 0;
}

/* Most cases leave nothing: then the number of handles, and a look at each known one, are enough.
 */
static bool has_same_handles(const struct baseline *baseline, pid_t pid)
{
	uint64_t count;

	if (proc_count_handles(pid, &count) < 0 || count != baseline->n_handles)
		return false;
	for (size_t i = 0; i < baseline->n_handles; i++)
		if (!is_same_file(baseline, &baseline->handle[i], pid))
			return false;
	return true;
}

bool baseline_has(const struct baseline *baseline, int number)
{
	for (size_t i = 0; i < baseline->n_handles; i++)
		if (baseline->handle[i].number == number)
			return true;
	return false;
}

/* Mappings */

static int read_pages(pid_t pid, uint64_t *ret_pages)
{
	char path[64], text[64];
	AUTO_CLOSE int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return fd < 0 ? -errno : -ESRCH;
	text[n] = '\0';
	return proc_scan(text, 10, ret_pages) ? 0 : -EIO;
}

static bool is_same_kind(const struct proc_map *a, const struct proc_map *b)
{
	return a->inode == b->inode && a->device == b->device && a->shared == b->shared;
}

/* The part of a mapping, from its low end, that the baseline had; or 0. */
static raddr_t known_until(const struct baseline *baseline, const struct proc_map *map, raddr_t at)
{
	const struct proc_map *known = proc_maps_find(&baseline->maps, at);

	return known && is_same_kind(known, map) ? known->high : 0;
}

static raddr_t next_known(const struct baseline *baseline, const struct proc_map *map, raddr_t at)
{
	for (size_t i = 0; i < baseline->maps.n_maps; i++) {
		const struct proc_map *known = &baseline->maps.map[i];

		if (known->low > at && known->low < map->high)
			return known->low;
	}
	return map->high;
}

static void add_mapping(struct leftovers *left, const struct proc_map *map, raddr_t low,
			raddr_t high)
{
	struct left item = {.type = FAULTS_LEFT_MAPPING, .low = low, .high = high};

	snprintf(item.what, sizeof(item.what), "%s", map->path);
	leftovers_add(left, &item);
}

/* The heap and the stack grow by themselves, and what the loader relocates changes its colour. */
static bool grows_by_itself(const struct proc_map *map)
{
	return map->path[0] == '[';
}

static int compare_mappings(const struct baseline *baseline, pid_t pid, struct leftovers *left)
{
	struct proc_maps maps;
	int r = proc_maps_read(pid, &maps);

	if (r < 0)
		return r;
	for (size_t i = 0; i < maps.n_maps; i++) {
		const struct proc_map *map = &maps.map[i];
		raddr_t at = map->low;

		while (at < map->high && !grows_by_itself(map)) {
			raddr_t known = known_until(baseline, map, at), next;

			if (known) {
				at = known;
				continue;
			}
			next = next_known(baseline, map, at);
			add_mapping(left, map, at, next);
			at = next;
		}
	}
	proc_maps_done(&maps);
	return 0;
}

/* All together */

int baseline_take(pid_t pid, bool stands, struct baseline *ret_baseline)
{
	struct baseline baseline = {.pid = pid, .stands = stands};
	AUTO_FREE int *numbers = NULL;
	size_t n;
	int r = read_numbers(pid, &numbers, &n);

	if (r < 0)
		return r;
	baseline.handle = calloc(n + 1, sizeof(*baseline.handle));
	if (!baseline.handle)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		char *link = read_link(pid, numbers[i]);

		if (link)
			baseline.handle[baseline.n_handles++] =
				(struct baseline_handle){.number = numbers[i], .link = link};
	}
	r = proc_maps_read(pid, &baseline.maps);
	if (r == 0)
		r = read_pages(pid, &baseline.pages);
	if (r < 0) {
		baseline_done(&baseline);
		return r;
	}
	*ret_baseline = baseline;
	return 0;
}

void baseline_done(struct baseline *baseline)
{
	for (size_t i = 0; i < baseline->n_handles; i++)
		free(baseline->handle[i].link);
	free(baseline->handle);
	proc_maps_done(&baseline->maps);
	*baseline = (struct baseline){0};
}

int state_compare(const struct baseline *baseline, pid_t pid, struct leftovers *left)
{
	uint64_t pages;
	int r = 0;

	if (!has_same_handles(baseline, pid))
		r = compare_handles(baseline, pid, left);
	if (r == 0)
		r = read_pages(pid, &pages);
	if (r == 0 && pages != baseline->pages)
		r = compare_mappings(baseline, pid, left);
	return r;
}

void leftovers_add(struct leftovers *left, const struct left *item)
{
	left->n_all[item->type]++;
	if (left->n < LEFT_MAX)
		left->item[left->n++] = *item;
}

struct leftovers *leftovers_shrink(struct leftovers *left)
{
	struct leftovers *less =
		realloc(left, offsetof(struct leftovers, item) + left->n * sizeof(left->item[0]));

	return less ? less : left;
}

static void describe_handle(struct left *item, const struct proc_handles *handles)
{
	for (size_t i = 0; i < handles->n_handles; i++) {
		const struct proc_handle *handle = &handles->handle[i];

		if (handle->number != item->number)
			continue;
		item->kind = proc_handle_kind_name(handle->kind);
		if (handle->what)
			snprintf(item->what, sizeof(item->what), "%s", handle->what);
	}
}

void leftovers_describe(struct leftovers *left, pid_t pid)
{
	static const char *const kinds[] = {"other", "mapping", "thread", "process"};
	struct proc_handles handles = {0};
	bool has_handles = proc_handles_read(pid, &handles) == 0;

	for (size_t i = 0; i < left->n; i++) {
		struct left *item = &left->item[i];

		item->kind = kinds[item->type];
		if (item->type == FAULTS_LEFT_HANDLE && has_handles)
			describe_handle(item, &handles);
	}
	if (has_handles)
		proc_handles_done(&handles);
}

static uint64_t hash_text(const char *text)
{
	uint64_t hash = 1;

	for (; *text; text++)
		hash = hash * 0x100000001b3 + (unsigned char)*text;
	return hash | 1;
}

void leftovers_note_links(struct leftovers *left, pid_t pid)
{
	for (size_t i = 0; i < left->n; i++) {
		AUTO_FREE char *link = left->item[i].type == FAULTS_LEFT_HANDLE
					       ? read_link(pid, (int)left->item[i].number)
					       : NULL;

		if (link)
			left->item[i].link = hash_text(link);
	}
}

static bool mapping_is_there(const struct left *item, pid_t pid)
{
	struct proc_maps maps;
	bool there;

	if (proc_maps_read(pid, &maps) < 0)
		return false;
	there = proc_maps_find(&maps, item->low) != NULL;
	proc_maps_done(&maps);
	return there;
}

bool left_is_there(const struct left *item, pid_t pid)
{
	struct proc_process process;
	AUTO_FREE char *link = NULL;
	char path[64];

	switch (item->type) {
	case FAULTS_LEFT_HANDLE:
		link = read_link(pid, (int)item->number);
		return link && (item->link == 0 || item->link == hash_text(link));
	case FAULTS_LEFT_MAPPING:
		return mapping_is_there(item, pid);
	case FAULTS_LEFT_THREAD:
		snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, (int)item->number);
		return access(path, F_OK) == 0;
	default:
		return proc_process_read_stat((pid_t)item->number, &process) == 0 &&
		       process.ppid == pid;
	}
}

/* There is nothing in it that could be taken out. */
static bool is_process(const char *link)
{
	return strcmp(link, "anon_inode:[pidfd]") == 0 || strncmp(link, "pidfd:", 6) == 0;
}

enum sharing state_sharing(pid_t pid, int number, uint64_t *ret_position)
{
	AUTO_FREE char *link = read_link(pid, number);
	char path[64], text[256];
	AUTO_CLOSE int fd = -1;
	const char *value;
	ssize_t n;

	if (!link || strncmp(link, "/dev/", 5) == 0 || is_process(link))
		return SHARES_NOTHING;
	if (link[0] != '/')
		return SHARES_CONTENT;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, number);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	value = proc_find_line(text, "pos");
	return value && proc_scan(value, 10, ret_position) ? SHARES_POSITION : SHARES_NOTHING;
}
