/* SPDX-License-Identifier: BSD-2-Clause */
/* query.c - VirtualQueryEx(), and FlushInstructionCache() */
#include <string.h>

#include "win32/space.h"

/* Told of one page, and of as many behind it as are alike. */
struct pages {
	raddr_t low, high;
	raddr_t base; /* of the allocation */
	DWORD base_protect, state, protect, type;
};

static bool is_same_file(const struct proc_map *a, const struct proc_map *b)
{
	return a->inode != 0 && a->inode == b->inode && a->device == b->device;
}

/* What a program has behind its initialised data, and the kernel knows no file of: .bss. */
static bool is_bss(const struct proc_maps *maps, size_t i)
{
	const struct proc_map *map = &maps->map[i], *before = i > 0 ? map - 1 : NULL;

	return before && map->inode == 0 && !map->path[0] && map->write && !map->execute &&
	       before->high == map->low && before->inode != 0 && before->write && !before->shared;
}

/* The mappings of one file that lie together, the one at index i among them. */
static void find_file(const struct proc_maps *maps, size_t i, size_t *ret_first, size_t *ret_last)
{
	size_t first = i, last = i;

	while (first > 0 && is_same_file(&maps->map[first - 1], &maps->map[i]))
		first--;
	while (last + 1 < maps->n_maps && is_same_file(&maps->map[last + 1], &maps->map[i]))
		last++;
	*ret_first = first;
	*ret_last = last;
}

/* Some libraries are mapped with holes between their parts; another one may be in them. */
static bool is_image(const struct proc_maps *maps, size_t first, size_t last)
{
	for (size_t i = first; i <= last; i++)
		if (maps->map[i].execute)
			return true;
	return false;
}

static void tell_mapping(const struct proc_maps *maps, size_t i, struct pages *pages)
{
	const struct proc_map *map = &maps->map[i];
	size_t file = is_bss(maps, i) ? i - 1 : i, first, last;

	pages->high = map->high;
	pages->state = MEM_COMMIT;
	pages->protect = memory_protect_of(map);
	pages->base = map->low;
	pages->base_protect = pages->protect;
	pages->type = map->shared ? MEM_MAPPED : MEM_PRIVATE;
	if (maps->map[file].inode == 0)
		return;
	find_file(maps, file, &first, &last);
	pages->type = MEM_MAPPED;
	if (is_image(maps, first, last)) {
		pages->type = MEM_IMAGE;
		pages->base = maps->map[first].low;
		pages->base_protect = PAGE_EXECUTE_WRITECOPY;
	} else if (file != i) {
		pages->type = MEM_PRIVATE;
	}
}

static void tell_part(const struct region_record *record, const struct proc_map *map,
		      struct pages *pages)
{
	raddr_t end = record->base + record->bytes;
	bool is_accessible = map->read || map->write || map->execute;

	pages->base = record->base;
	pages->base_protect = record->protect;
	pages->type = MEM_PRIVATE;
	pages->high = map->high < end ? map->high : end;
	pages->state = MEM_COMMIT;
	pages->protect = memory_protect_of(map);
	if (is_accessible || region_is_closed(record, pages->low, pages->high, &pages->high))
		return;
	pages->state = MEM_RESERVE;
	pages->protect = 0;
}

static void tell_free(const struct proc_maps *maps, struct pages *pages)
{
	pages->state = MEM_FREE;
	pages->protect = PAGE_NOACCESS;
	pages->high = USER_END;
	for (size_t i = 0; i < maps->n_maps; i++) {
		if (maps->map[i].low < pages->low)
			continue;
		if (maps->map[i].low < pages->high)
			pages->high = maps->map[i].low;
		return;
	}
}

/* What is mapped in pieces, or has come together in one piece by chance, is told as what it is. */
static void tell(struct space *space, const struct proc_maps *maps, struct pages *pages)
{
	const struct proc_map *map = proc_maps_find(maps, pages->low);
	struct region_record record;

	if (!map) {
		tell_free(maps, pages);
		return;
	}
	if (region_around(space, maps, pages->low, &record) == 0) {
		tell_part(&record, map, pages);
		return;
	}
	tell_mapping(maps, (size_t)(map - maps->map), pages);
	/* The kernel joins what is alike, also what lies right above a reservation with it. */
	if (pages->base == map->low && region_around(space, maps, map->low, &record) == 0)
		pages->base = record.base + record.bytes;
	/* A reservation without a page may have been joined to what was mapped below it. */
	for (const struct region *region = space->process->regions; region; region = region->next)
		if (region->record.base > pages->low && region->record.base < pages->high)
			pages->high = region->record.base;
}

static bool is_alike(const struct pages *a, const struct pages *b)
{
	return a->base == b->base && a->base_protect == b->base_protect && a->state == b->state &&
	       a->protect == b->protect && a->type == b->type;
}

/* One reservation is often several mappings, since the kernel makes one of a page that is changed. */
static void tell_all_alike(struct space *space, const struct proc_maps *maps, struct pages *pages)
{
	tell(space, maps, pages);
	while (pages->state != MEM_FREE && pages->high < USER_END) {
		struct pages next = { .low = pages->high };

		if (!proc_maps_find(maps, next.low))
			return;
		tell(space, maps, &next);
		if (!is_alike(pages, &next))
			return;
		pages->high = next.high;
	}
}

static int query(const struct object *object, raddr_t address, struct pages *ret_pages)
{
	AUTO_SPACE struct space space = { 0 };
	struct pages pages = { .low = address / PAGE_BYTES * PAGE_BYTES };
	struct proc_maps maps;
	int r = address >= USER_END ? -EINVAL : space_init(&space, object);

	if (r == 0)
		r = space_read_maps(&space, &maps);
	if (r < 0)
		return r;
	tell_all_alike(&space, &maps, &pages);
	proc_maps_done(&maps);
	*ret_pages = pages;
	return 0;
}

WINBASEAPI SIZE_T WINAPI VirtualQueryEx(HANDLE hProcess, LPCVOID lpAddress,
					PMEMORY_BASIC_INFORMATION lpBuffer, SIZE_T dwLength)
{
	AUTO_OBJECT struct object *object = NULL;
	struct pages pages = { 0 };
	int r = object_get(hProcess, OBJECT_PROCESS, PROCESS_QUERY_LIMITED_INFORMATION, &object);

	if (r == 0 && dwLength < sizeof(*lpBuffer))
		r = -EMSGSIZE;
	if (r == 0 && !lpBuffer)
		r = -EFAULT;
	if (r == 0)
		r = query(object, (uintptr_t)lpAddress, &pages);
	if (!error_report(r, NULL))
		return 0;
	memset(lpBuffer, 0, sizeof(*lpBuffer));
	lpBuffer->BaseAddress = (PVOID)(uintptr_t)pages.low;
	lpBuffer->AllocationBase = (PVOID)(uintptr_t)pages.base;
	lpBuffer->AllocationProtect = pages.base_protect;
	lpBuffer->RegionSize = pages.high - pages.low;
	lpBuffer->State = pages.state;
	lpBuffer->Protect = pages.protect;
	lpBuffer->Type = pages.type;
	return sizeof(*lpBuffer);
}

WINBASEAPI SIZE_T WINAPI VirtualQuery(LPCVOID lpAddress, PMEMORY_BASIC_INFORMATION lpBuffer,
				      SIZE_T dwLength)
{
	return VirtualQueryEx(GetCurrentProcess(), lpAddress, lpBuffer, dwLength);
}

WINBASEAPI BOOL WINAPI FlushInstructionCache(HANDLE hProcess, LPCVOID lpBaseAddress, SIZE_T dwSize)
{
	AUTO_OBJECT struct object *object = NULL;
	int r = object_get(hProcess, OBJECT_PROCESS, PROCESS_VM_OPERATION, &object);

	if (r == 0 && object_has_ended(object))
		r = -ESRCH;
	/* Through a pointer the compiler may have kept something back; only then is it a pointer. */
	if (r == 0 && object->id == getpid() && lpBaseAddress)
		__builtin___clear_cache((char *)(uintptr_t)lpBaseAddress,
					(char *)(uintptr_t)lpBaseAddress + dwSize);
	return error_report(r, NULL);
}
