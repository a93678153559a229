/* SPDX-License-Identifier: BSD-2-Clause */
/* mappings.c - executable mappings, told by perf events */
#include "leaks/mappings.h"

#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define RING_PAGES  64 /* a power of two */
#define RECORD_MAX  65536 /* size is a 16-bit field */
#define CPUS_MAX    4096

struct ring {
	int fd;
	struct perf_event_mmap_page *page;
};

struct mappings {
	size_t page_bytes;
	struct ring *ring;
	size_t n_rings;
	uint64_t lost;
	unsigned char record[RECORD_MAX]; /* one that wraps around, made whole */
};

/* What follows a record of every type with sample_id_all: pid and tid, time, as asked for. */
struct sample_id {
	uint32_t pid, tid;
	uint64_t time;
};

struct record_mmap2 {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t address, bytes, offset;
	union {
		struct {
			uint32_t major, minor;
			uint64_t inode, generation;
		};
		struct {
			uint8_t build_id_bytes, reserved1;
			uint16_t reserved2;
			uint8_t build_id[20];
		};
	};
	uint32_t protection, flags;
	char path[];
};

struct record_lost {
	struct perf_event_header header;
	uint64_t id, lost;
};

struct record_comm {
	struct perf_event_header header;
	uint32_t pid, tid;
};

static int open_ring(const struct mappings *mappings, int cpu, struct ring *ret_ring)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
		.mmap = 1,
		.mmap2 = 1,
		.build_id = 1,
		.comm = 1,
		.comm_exec = 1,
		.sample_id_all = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.exclude_kernel = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	void *page;

	if (fd < 0)
		return -errno;
	page = mmap(NULL, (RING_PAGES + 1) * mappings->page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		    fd, 0);
	if (page == MAP_FAILED) {
		int r = -errno;

		close(fd);
		return r;
	}
	ret_ring->fd = fd;
	ret_ring->page = page;
	return 0;
}

int mappings_open(struct mappings **ret_mappings)
{
	struct mappings *mappings = calloc(1, sizeof(*mappings));
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	int r = 0;

	if (!mappings)
		return -ENOMEM;
	mappings->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	mappings->ring = calloc(CPUS_MAX, sizeof(*mappings->ring));
	if (!mappings->ring)
		r = -ENOMEM;
	for (int cpu = 0; r == 0 && cpu < cpus && cpu < CPUS_MAX; cpu++) {
		r = open_ring(mappings, cpu, &mappings->ring[mappings->n_rings]);
		if (r == 0)
			mappings->n_rings++;
		else if (r == -ENODEV) /* a processor that is switched off */
			r = 0;
	}
	if (r < 0) {
		mappings_close(mappings);
		return r;
	}
	*ret_mappings = mappings;
	return 0;
}

void mappings_close(struct mappings *mappings)
{
	if (!mappings)
		return;
	for (size_t i = 0; i < mappings->n_rings; i++) {
		(void)munmap(mappings->ring[i].page, (RING_PAGES + 1) * mappings->page_bytes);
		close(mappings->ring[i].fd);
	}
	free(mappings->ring);
	free(mappings);
}

uint64_t mappings_lost(const struct mappings *mappings)
{
	return mappings->lost;
}

/* Parsing */

struct list {
	struct mapping_event *event;
	size_t n, room;
};

static struct mapping_event *append(struct list *list)
{
	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		struct mapping_event *grown = realloc(list->event, room * sizeof(*grown));

		if (!grown)
			return NULL;
		list->event = grown;
		list->room = room;
	}
	memset(&list->event[list->n], 0, sizeof(list->event[0]));
	return &list->event[list->n++];
}

static int64_t time_of(const struct perf_event_header *header)
{
	struct sample_id id;

	memcpy(&id, (const unsigned char *)header + header->size - sizeof(id), sizeof(id));
	return (int64_t)id.time;
}

static int take_mapping(struct list *list, const struct record_mmap2 *record)
{
	size_t room = record->header.size - sizeof(*record) - sizeof(struct sample_id);
	struct mapping_event *event;

	if (record->header.size < sizeof(*record) + sizeof(struct sample_id) ||
	    !(record->protection & PROT_EXEC))
		return 0;
	event = append(list);
	if (!event)
		return -ENOMEM;
	event->ns = time_of(&record->header);
	event->pid = (pid_t)record->pid;
	event->path = strndup(record->path, room);
	event->mapping.low = record->address;
	event->mapping.high = record->address + record->bytes;
	event->mapping.offset = record->offset;
	if (record->header.misc & PERF_RECORD_MISC_MMAP_BUILD_ID) {
		event->mapping.build_id_bytes = record->build_id_bytes <= sizeof(event->build_id) ?
						record->build_id_bytes : 0;
		memcpy(event->build_id, record->build_id, sizeof(event->build_id));
	} else {
		event->mapping.device = makedev(record->major, record->minor);
		event->mapping.inode = record->inode;
	}
	return event->path ? 0 : -ENOMEM;
}

static int take_record(struct mappings *mappings, struct list *list,
		       const struct perf_event_header *header)
{
	struct mapping_event *event;

	switch (header->type) {
	case PERF_RECORD_MMAP2:
		return take_mapping(list, (const struct record_mmap2 *)header);
	case PERF_RECORD_COMM:
		if (!(header->misc & PERF_RECORD_MISC_COMM_EXEC))
			return 0;
		event = append(list);
		if (!event)
			return -ENOMEM;
		event->ns = time_of(header);
		event->pid = (pid_t)((const struct record_comm *)header)->pid;
		event->executes = true;
		return 0;
	case PERF_RECORD_LOST:
		mappings->lost += ((const struct record_lost *)header)->lost;
		return 0;
	default:
		return 0;
	}
}

static const struct perf_event_header *record_at(struct mappings *mappings, const unsigned char *data,
						 size_t bytes, uint64_t at)
{
	size_t begin = at % bytes;
	const struct perf_event_header *header = (const void *)(data + begin);
	size_t first = bytes - begin;

	if (header->size <= first) /* a header itself is aligned and never wraps */
		return header;
	memcpy(mappings->record, header, first);
	memcpy(mappings->record + first, data, header->size - first);
	return (const void *)mappings->record;
}

static int drain(struct mappings *mappings, struct ring *ring, struct list *list)
{
	size_t bytes = RING_PAGES * mappings->page_bytes;
	const unsigned char *data = (const unsigned char *)ring->page + mappings->page_bytes;
	uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = ring->page->data_tail;
	int r = 0;

	while (tail < head && r == 0) {
		const struct perf_event_header *header = record_at(mappings, data, bytes, tail);

		if (header->size < sizeof(*header) + sizeof(struct sample_id))
			break;
		r = take_record(mappings, list, header);
		tail += header->size;
	}
	__atomic_store_n(&ring->page->data_tail, head, __ATOMIC_RELEASE);
	return r;
}

static int by_time(const void *left, const void *right)
{
	const struct mapping_event *a = left, *b = right;

	return a->ns < b->ns ? -1 : a->ns > b->ns;
}

int mappings_take(struct mappings *mappings, struct mapping_event **ret_events, size_t *ret_n)
{
	struct list list = { 0 };
	int r = 0;

	for (size_t i = 0; i < mappings->n_rings && r == 0; i++)
		r = drain(mappings, &mappings->ring[i], &list);
	if (r < 0) {
		mappings_free_events(list.event, list.n);
		return r;
	}
	if (list.n > 0)
		qsort(list.event, list.n, sizeof(*list.event), by_time);
	for (size_t i = 0; i < list.n; i++) { /* they move no more */
		list.event[i].mapping.path = list.event[i].path;
		list.event[i].mapping.build_id = list.event[i].build_id;
	}
	*ret_events = list.event;
	*ret_n = list.n;
	return 0;
}

void mappings_free_events(struct mapping_event *events, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(events[i].path);
	free(events);
}
