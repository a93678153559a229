/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot.c - a copy of what runs and what is loaded, that does not change
 *
 * It is a sealed file in memory: one descriptor, so that each snapshot is one handle and can be
 * counted.  The file begins with a struct image; all names are behind the records.
 */
#include "win32/enumerate.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <linux/memfd.h>
#include <fcntl.h>

#include "remote/target.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

/* For four million processes; what a process can make its names and paths be is far less. */
#define BYTES_MAX (UINT64_C(1) << 30)

struct image {
	uint64_t n[SNAPSHOT_LISTS], at[SNAPSHOT_LISTS], text_at;
};

struct snapshot {
	unsigned int n_refs; /* atomic: duplicated handles share it, with its positions */
	const struct image *image;
	size_t bytes;
	size_t position[SNAPSHOT_LISTS]; /* atomic: of the next one */
};

static const size_t record_bytes[SNAPSHOT_LISTS] = {
	[SNAPSHOT_PROCESSES] = sizeof(struct process_record),
	[SNAPSHOT_THREADS] = sizeof(struct thread_record),
	[SNAPSHOT_MODULES] = sizeof(struct module_record),
};

struct buffer {
	char *data;
	size_t used, room;
};

struct builder {
	struct buffer list[SNAPSHOT_LISTS], text;
};

static void builder_done(struct builder *builder)
{
	for (size_t i = 0; i < SNAPSHOT_LISTS; i++)
		free(builder->list[i].data);
	free(builder->text.data);
}

static int append(struct buffer *buffer, const void *data, size_t bytes)
{
	size_t room = buffer->room ? buffer->room : 4096;
	char *more;

	while (room - buffer->used < bytes)
		room *= 2;
	if (room > BYTES_MAX)
		return -ENOMEM;
	if (room != buffer->room) {
		more = realloc(buffer->data, room);
		if (!more)
			return -ENOMEM;
		buffer->data = more;
		buffer->room = room;
	}
	memcpy(buffer->data + buffer->used, data, bytes);
	buffer->used += bytes;
	return 0;
}

static int append_text(struct builder *builder, const char *text, uint64_t *ret_at)
{
	*ret_at = builder->text.used;
	return append(&builder->text, text, strlen(text) + 1);
}

static int add_process(void *context, const struct running_process *process)
{
	struct builder *builder = context;
	struct process_record record = {
		.pid = (uint32_t)process->pid,
		.parent = (uint32_t)process->parent,
		.n_threads = (uint32_t)process->n_threads,
		.priority = process->priority,
	};
	int r = append_text(builder, process->name, &record.name);

	return r < 0 ? r : append(&builder->list[SNAPSHOT_PROCESSES], &record, sizeof(record));
}

static int add_thread(void *context, const struct running_thread *thread)
{
	struct builder *builder = context;
	struct thread_record record = { .tid = (uint32_t)thread->tid,
					.pid = (uint32_t)thread->pid,
					.priority = thread->priority };

	return append(&builder->list[SNAPSHOT_THREADS], &record, sizeof(record));
}

/* Ids that were used again */

struct seat {
	uint32_t tid;
	size_t at;
};

static int compare_seats(const void *a, const void *b)
{
	const struct seat *x = a, *y = b;

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static struct process_record *find_process(struct builder *builder, uint32_t pid)
{
	struct process_record *record = (void *)builder->list[SNAPSHOT_PROCESSES].data;
	size_t low = 0, high = builder->list[SNAPSHOT_PROCESSES].used / sizeof(*record);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (record[middle].pid == pid)
			return &record[middle];
		if (record[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Its thread had ended, otherwise nobody else could have the id. */
static void take_thread(struct builder *builder, struct thread_record *record)
{
	struct process_record *process = find_process(builder, record->pid);

	if (process && process->n_threads > 0)
		process->n_threads--;
	record->tid = 0;
}

static int drop_reused_ids(struct builder *builder)
{
	struct buffer *list = &builder->list[SNAPSHOT_THREADS];
	struct thread_record *record = (void *)list->data;
	size_t n = list->used / sizeof(*record), n_left = 0;
	AUTO_FREE struct seat *seat = n ? malloc(n * sizeof(*seat)) : NULL;

	if (n == 0)
		return 0;
	if (!seat)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		seat[i] = (struct seat){ record[i].tid, i };
	qsort(seat, n, sizeof(*seat), compare_seats);
	for (size_t i = 0; i + 1 < n; i++)
		if (seat[i].tid == seat[i + 1].tid)
			take_thread(builder, &record[seat[i].at]);
	for (size_t i = 0; i < n; i++)
		if (record[i].tid != 0)
			record[n_left++] = record[i];
	list->used = n_left * sizeof(*record);
	return 0;
}

static int add_running(struct builder *builder, DWORD flags)
{
	const struct running_told told = {
		.process = flags & TH32CS_SNAPPROCESS ? add_process : NULL,
		.thread = flags & TH32CS_SNAPTHREAD ? add_thread : NULL,
		.context = builder,
	};
	int r = running_tell(&told);

	return r < 0 ? r : drop_reused_ids(builder);
}

static int add_modules(struct builder *builder, DWORD flags, pid_t pid)
{
	AUTO_MODULE_LIST struct module_list list = { 0 };
	int r = module_list_read(pid, &list);

	if (r < 0 || (!(flags & TH32CS_SNAPMODULE) && !list.is_32bit))
		return r;
	for (size_t i = 0; r == 0 && i < list.n_modules; i++) {
		struct module_record record = { .base = list.module[i].base,
						.bytes = list.module[i].bytes,
						.pid = (uint32_t)pid };

		r = append_text(builder, list.module[i].name, &record.name);
		if (r == 0)
			r = append_text(builder, list.module[i].path, &record.path);
		if (r == 0)
			r = append(&builder->list[SNAPSHOT_MODULES], &record, sizeof(record));
	}
	return r;
}

/* The file */

static int open_memory(void)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = (int)syscall(SYS_memfd_create, "snapshot", flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_memfd_create, "snapshot", flags);
	fd = descriptor_above_stdio(fd);
	return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const void *data, size_t bytes)
{
	const char *at = data;

	while (bytes > 0) {
		ssize_t n = write(fd, at, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno != ENOSPC ? -errno : -ENOMEM;
		at += n;
		bytes -= (size_t)n;
	}
	return 0;
}

/* Every record is a multiple of four bytes long, those with 64-bit numbers come first. */
static int write_image(int fd, const struct builder *builder, size_t *ret_bytes)
{
	static const enum snapshot_list order[] = { SNAPSHOT_PROCESSES, SNAPSHOT_MODULES,
						    SNAPSHOT_THREADS };
	struct image image = { 0 };
	uint64_t at = sizeof(image);
	int r;

	for (size_t i = 0; i < SNAPSHOT_LISTS; i++) {
		const struct buffer *list = &builder->list[order[i]];

		image.n[order[i]] = list->used / record_bytes[order[i]];
		image.at[order[i]] = at;
		at += list->used;
	}
	image.text_at = at;
	r = write_all(fd, &image, sizeof(image));
	for (size_t i = 0; r == 0 && i < SNAPSHOT_LISTS; i++)
		r = write_all(fd, builder->list[order[i]].data, builder->list[order[i]].used);
	if (r == 0)
		r = write_all(fd, builder->text.data, builder->text.used);
	*ret_bytes = at + builder->text.used;
	return r;
}

static int seal(int fd)
{
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;

	return fcntl(fd, F_ADD_SEALS, seals) < 0 ? -errno : 0;
}

static int map_image(int fd, size_t bytes, struct snapshot **ret_snapshot)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
	void *image;

	if (!snapshot)
		return -ENOMEM;
	image = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (image == MAP_FAILED) {
		free(snapshot);
		return -ENOMEM;
	}
	snapshot->n_refs = 1;
	snapshot->image = image;
	snapshot->bytes = bytes;
	*ret_snapshot = snapshot;
	return 0;
}

int snapshot_make(DWORD flags, pid_t pid, int *ret_fd, struct snapshot **ret_snapshot)
{
	__attribute__((cleanup(builder_done))) struct builder builder = { 0 };
	AUTO_CLOSE int fd = open_memory();
	size_t bytes = 0;
	int r = fd < 0 ? fd : 0;

	if (r == 0 && flags & (TH32CS_SNAPMODULE | TH32CS_SNAPMODULE32))
		r = add_modules(&builder, flags, pid);
	if (r == 0 && flags & (TH32CS_SNAPPROCESS | TH32CS_SNAPTHREAD))
		r = add_running(&builder, flags);
	if (r == 0)
		r = write_image(fd, &builder, &bytes);
	if (r == 0)
		r = seal(fd);
	if (r == 0)
		r = map_image(fd, bytes, ret_snapshot);
	if (r == 0)
		*ret_fd = take_fd(&fd);
	return r;
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
	if (snapshot)
		__atomic_add_fetch(&snapshot->n_refs, 1, __ATOMIC_RELAXED);
	return snapshot;
}

void snapshot_put(struct snapshot *snapshot)
{
	if (!snapshot || __atomic_sub_fetch(&snapshot->n_refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	(void)munmap((void *)(uintptr_t)snapshot->image, snapshot->bytes);
	free(snapshot);
}

const void *snapshot_next(struct snapshot *snapshot, enum snapshot_list list, bool first)
{
	const struct image *image = snapshot->image;
	size_t *position = &snapshot->position[list];
	size_t at = 0;

	if (first)
		__atomic_store_n(position, image->n[list] > 0, __ATOMIC_RELAXED);
	else
		at = __atomic_load_n(position, __ATOMIC_RELAXED);
	while (!first && at < image->n[list])
		if (__atomic_compare_exchange_n(position, &at, at + 1, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			break;
	if (at >= image->n[list])
		return NULL;
	return (const char *)image + image->at[list] + at * record_bytes[list];
}

const char *snapshot_text(const struct snapshot *snapshot, uint64_t at)
{
	return (const char *)snapshot->image + snapshot->image->text_at + at;
}
