/* SPDX-License-Identifier: BSD-2-Clause */
/* place.c - finding room in the address space of a process */
#include <string.h>

#include "win32/space.h"

/*
 * The kernel maps new things (a thread's stack, to begin with) right below the lowest library.
 * We stay this far below, so that the thread that makes our mapping does not take our place.
 */
#define MARGIN_BYTES ((uint64_t)1 << 30)

int place_look(pid_t pid, raddr_t address, uint64_t bytes, enum place *ret_place)
{
	raddr_t high = address + bytes, covered = address;
	struct proc_maps maps;
	bool is_code = true, is_free = true;
	int r = proc_maps_read(pid, &maps);

	if (r < 0)
		return r;
	for (size_t i = 0; i < maps.n_maps; i++) {
		const struct proc_map *map = &maps.map[i];

		if (map->high <= address || map->low >= high)
			continue;
		is_free = false;
		is_code = is_code && (map->write || map->execute);
		if (map->low <= covered)
			covered = map->high;
	}
	proc_maps_done(&maps);
	if (is_free)
		*ret_place = PLACE_FREE;
	else if (covered < high)
		*ret_place = PLACE_HOLES;
	else
		*ret_place = is_code ? PLACE_CODE : PLACE_READONLY;
	return 0;
}

/* The highest place in [low, high) that keeps the margin, or 0. */
static raddr_t place_in(raddr_t low, raddr_t high, uint64_t bytes, uint64_t margin)
{
	raddr_t at;

	if (high - low < margin + PAGE_BYTES || high - low - margin < bytes)
		return 0;
	at = (high - margin - bytes) / PLACE_ALIGN * PLACE_ALIGN;
	return at >= low + PAGE_BYTES ? at : 0;
}

/* From the top, below the main thread's stack: that gap is its room to grow. */
static raddr_t search(const struct proc_maps *maps, uint64_t bytes, uint64_t margin)
{
	size_t top = maps->n_maps;

	for (size_t i = 0; i < maps->n_maps; i++)
		if (strcmp(maps->map[i].path, "[stack]") == 0)
			top = i;
	for (size_t i = top; i-- > 1;) {
		raddr_t high = maps->map[i].low;
		/* Our own reservations may touch: the kernel has no business there. */
		uint64_t keep = region_is_page(&maps->map[i]) ? 0 : margin;
		raddr_t at = place_in(maps->map[i - 1].high, high, bytes, keep);

		if (at != 0)
			return at;
	}
	return 0;
}

int place_choose(pid_t pid, uint64_t bytes, raddr_t *ret_address)
{
	struct proc_maps maps;
	raddr_t at;
	int r = proc_maps_read(pid, &maps);

	if (r < 0)
		return r;
	at = search(&maps, bytes, MARGIN_BYTES);
	if (at == 0)
		at = search(&maps, bytes, 0);
	proc_maps_done(&maps);
	if (at == 0)
		return -ENOMEM;
	*ret_address = at;
	return 0;
}
