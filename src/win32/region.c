/* SPDX-License-Identifier: BSD-2-Clause */
/* region.c - reservations, each written down in a page below it */
#include <string.h>

#include "win32/space.h"

static const uint64_t region_mark[2] = { 0x6e6f69676572206cul, 0xb1d4c2e95a7f3806ul };

void region_init(struct region_record *record, raddr_t base, uint64_t bytes, DWORD protect)
{
	memset(record, 0, sizeof(*record));
	memcpy(record->mark, region_mark, sizeof(record->mark));
	record->base = base;
	record->bytes = bytes;
	record->protect = protect;
}

static bool is_sound(const struct region_record *record, raddr_t base)
{
	return memcmp(record->mark, region_mark, sizeof(region_mark)) == 0 &&
	       record->base == base && record->bytes > 0 && record->bytes % PAGE_BYTES == 0 &&
	       record->bytes <= USER_END - base && record->n_closed <= CLOSED_MAX;
}

static int read_page(struct space *space, raddr_t base, struct region_record *ret_record)
{
	int mem;

	if (base < PAGE_BYTES || base >= USER_END || base % PLACE_ALIGN != 0)
		return -ENOENT;
	mem = space_memory(space);
	if (mem < 0)
		return mem;
	if (pread(mem, ret_record, sizeof(*ret_record), (off_t)region_page(base)) !=
	    (ssize_t)sizeof(*ret_record))
		return -ENOENT;
	return is_sound(ret_record, base) ? 0 : -ENOENT;
}

static struct region *find_remembered(const struct process *process, raddr_t address)
{
	for (struct region *region = process->regions; region; region = region->next)
		if (address - region->record.base < region->record.bytes)
			return region;
	return NULL;
}

int region_at(struct space *space, raddr_t base, struct region_record *ret_record)
{
	const struct region *region = find_remembered(space->process, base);

	if (!region || region->record.base != base)
		return read_page(space, base, ret_record);
	*ret_record = region->record;
	return 0;
}

bool region_is_page(const struct proc_map *map)
{
	return map->write && !map->read && !map->execute && !map->shared && !map->path[0] &&
	       map->high - map->low == PAGE_BYTES && map->high % PLACE_ALIGN == 0;
}

int region_around(struct space *space, const struct proc_maps *maps, raddr_t address,
		  struct region_record *ret_record)
{
	const struct region *region = find_remembered(space->process, address);
	int r = -ENOENT;

	if (region) {
		*ret_record = region->record;
		return 0;
	}
	/* They do not overlap, so only the nearest below can have the address. */
	for (size_t i = maps->n_maps; i-- > 0 && r == -ENOENT;) {
		if (maps->map[i].high > address || !region_is_page(&maps->map[i]))
			continue;
		r = read_page(space, maps->map[i].high, ret_record);
		if (r == 0 && address - ret_record->base >= ret_record->bytes)
			return -ENOENT;
	}
	return r;
}

int region_write(struct space *space, const struct region_record *record)
{
	struct region *region = find_remembered(space->process, record->base);
	int mem;

	if (region) {
		region->record = *record;
		return 0;
	}
	mem = space_memory(space);
	if (mem < 0)
		return mem;
	return pwrite(mem, record, sizeof(*record), (off_t)region_page(record->base)) ==
			       (ssize_t)sizeof(*record)
		       ? 0
		       : -EIO;
}

int region_remember(struct space *space, const struct region_record *record)
{
	struct region *region = malloc(sizeof(*region));

	if (!region)
		return -ENOMEM;
	region->record = *record;
	region->next = space->process->regions;
	space->process->regions = region;
	return 0;
}

void region_forget(struct process *process, raddr_t base)
{
	struct region **link = &process->regions;
	struct region *region;

	while (*link && (*link)->record.base != base)
		link = &(*link)->next;
	region = *link;
	if (!region)
		return;
	*link = region->next;
	free(region);
}

void region_forget_all(struct process *process)
{
	while (process->regions)
		region_forget(process, process->regions->record.base);
}

static void drop(struct region_record *record, uint32_t i)
{
	record->closed[i] = record->closed[--record->n_closed];
}

bool region_open(struct region_record *record, raddr_t low, raddr_t high)
{
	uint32_t n_before = record->n_closed;
	bool was_any = false;

	for (uint32_t i = n_before; i-- > 0;) {
		uint64_t from = record->closed[i].low, to = record->closed[i].high;

		if (to <= low || from >= high)
			continue;
		was_any = true;
		drop(record, i);
		/* What is cut in the middle becomes two; for the second there is room, or it is
		 * taken for reserved, which its pages cannot be told from. */
		if (from < low && record->n_closed < CLOSED_MAX) {
			record->closed[record->n_closed].low = from;
			record->closed[record->n_closed++].high = low;
		}
		if (to > high && record->n_closed < CLOSED_MAX) {
			record->closed[record->n_closed].low = high;
			record->closed[record->n_closed++].high = to;
		}
	}
	return was_any;
}

int region_close(struct region_record *record, raddr_t low, raddr_t high)
{
	for (uint32_t i = record->n_closed; i-- > 0;) {
		if (record->closed[i].high < low || record->closed[i].low > high)
			continue;
		if (record->closed[i].low < low)
			low = record->closed[i].low;
		if (record->closed[i].high > high)
			high = record->closed[i].high;
		drop(record, i);
	}
	if (record->n_closed == CLOSED_MAX)
		return -ENOMEM;
	record->closed[record->n_closed].low = low;
	record->closed[record->n_closed++].high = high;
	return 0;
}

bool region_is_closed(const struct region_record *record, raddr_t address, raddr_t high,
		      raddr_t *ret_end)
{
	bool is_closed = false;

	for (uint32_t i = 0; i < record->n_closed; i++) {
		uint64_t from = record->closed[i].low, to = record->closed[i].high;

		if (address >= from && address < to) {
			is_closed = true;
			high = to < high ? to : high;
		} else if (from > address && from < high) {
			high = from;
		}
	}
	*ret_end = high;
	return is_closed;
}
