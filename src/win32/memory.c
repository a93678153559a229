/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.c - VirtualAllocEx(), VirtualFreeEx() and VirtualProtectEx()
 *
 * What they do in the process is done by system calls of one of its threads, which is borrowed for
 * that, at an address that we choose.  Should we die in the middle, the thread goes home by itself,
 * and what is half there it unmaps on its way.  Only not if we die right after the mmap(2), before
 * it was told so: told before, it could unmap what somebody else has at that address.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "win32/space.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* Somebody may map at our place between the look and the call: then look again. */
#define MAX_TRIES 8

static int linux_protection(DWORD protect, int *ret_protection)
{
	switch (protect) {
	case PAGE_NOACCESS:
		*ret_protection = PROT_NONE;
		return 0;
	case PAGE_READONLY:
		*ret_protection = PROT_READ;
		return 0;
	case PAGE_READWRITE:
		*ret_protection = PROT_READ | PROT_WRITE;
		return 0;
	case PAGE_EXECUTE:
		*ret_protection = PROT_EXEC;
		return 0;
	case PAGE_EXECUTE_READ:
		*ret_protection = PROT_READ | PROT_EXEC;
		return 0;
	case PAGE_EXECUTE_READWRITE:
		*ret_protection = PROT_READ | PROT_WRITE | PROT_EXEC;
		return 0;
	default:
		return -EINVAL;
	}
}

static raddr_t round_down(raddr_t address, uint64_t unit)
{
	return address / unit * unit;
}

/* The whole pages that touch [address, address + bytes). */
static int pages_of(raddr_t address, uint64_t bytes, raddr_t *ret_low, uint64_t *ret_bytes)
{
	raddr_t high;

	if (bytes == 0 || address > UINT64_MAX - bytes ||
	    address + bytes > UINT64_MAX - PAGE_BYTES)
		return -EINVAL;
	high = round_down(address + bytes + PAGE_BYTES - 1, PAGE_BYTES);
	*ret_low = round_down(address, PAGE_BYTES);
	*ret_bytes = high - *ret_low;
	return 0;
}

static bool is_within(const struct region_record *record, raddr_t low, uint64_t bytes)
{
	return low >= record->base && low - record->base < record->bytes &&
	       bytes <= record->bytes - (low - record->base);
}

/* What the kernel says of a mapping or a change of one. */
static int code_of(int64_t result)
{
	switch (result) {
	case -EEXIST:
	case -EPERM: /* below vm.mmap_min_addr */
		return -EADDRNOTAVAIL;
	case -EACCES: /* a file that may not be written */
		return -EACCES;
	default:
		return result < 0 && result >= -4095 ? -ENOMEM : 0;
	}
}

static int call(struct space *space, long number, raddr_t address, uint64_t bytes, int protection)
{
	const uint64_t arguments[6] = { address, bytes, (uint64_t)protection };
	int64_t result = 0;
	int r = space_call(space, number, arguments, &result);

	return r < 0 ? r : code_of(result);
}

static int map(struct space *space, raddr_t address, uint64_t bytes, int protection, int flags)
{
	const uint64_t arguments[6] = { address, bytes, (uint64_t)protection,
					(uint64_t)(MAP_PRIVATE | MAP_ANONYMOUS | flags),
					UINT64_MAX, 0 };
	int64_t result = 0;
	int r = space_call(space, SYS_mmap, arguments, &result);

	if (r == 0)
		r = code_of(result);
	if (r < 0 || (raddr_t)result == address)
		return r;
	/* A kernel that does not know MAP_FIXED_NOREPLACE has put it elsewhere. */
	(void)call(space, SYS_munmap, (raddr_t)result, bytes, 0);
	return -EADDRNOTAVAIL;
}

/* Reserving and committing */

struct wish {
	struct region_record record;
	int protection, flags;
};

/* Before anything is mapped: what makes a reservation of it, and what takes it back. */
static int check_calls_that_follow(struct space *space)
{
	static const long numbers[] = { SYS_mprotect, SYS_munmap };
	int r = 0;

	for (size_t i = 0; r == 0 && space->borrowed && i < ARRAY_SIZE(numbers); i++)
		r = borrowed_may_call(space->borrowed, numbers[i], &space->error);
	return r;
}

static int map_with_page(struct space *space, const struct wish *wish)
{
	const struct region_record *record = &wish->record;
	raddr_t low = region_page(record->base);
	uint64_t bytes = record->bytes + PAGE_BYTES;
	int r = check_calls_that_follow(space);

	if (r == 0)
		r = map(space, low, bytes, wish->protection, wish->flags | MAP_FIXED_NOREPLACE);
	if (r < 0)
		return r;
	if (space->borrowed)
		r = borrowed_unmap_if_we_die(space->borrowed, low, bytes, &space->error);
	if (r == 0)
		r = region_write(space, record);
	if (r == 0)
		r = call(space, SYS_mprotect, low, PAGE_BYTES, PROT_WRITE);
	if (r < 0)
		(void)call(space, SYS_munmap, low, bytes, 0);
	return r;
}

static int map_without_page(struct space *space, const struct wish *wish)
{
	const struct region_record *record = &wish->record;
	uint64_t image = 0;
	int r = process_image(space->object->id, &image);

	if (r == 0)
		r = region_remember(space, record);
	if (r < 0)
		return r;
	r = map(space, record->base, record->bytes, wish->protection,
		wish->flags | MAP_FIXED_NOREPLACE);
	if (r < 0)
		region_forget(space->process, record->base);
	else
		space->process->image = image;
	return r;
}

static int reserve_here(struct space *space, void *data)
{
	const struct wish *wish = data;
	int r = wish->record.base > PAGE_BYTES ? map_with_page(space, wish) : -EADDRNOTAVAIL;

	return r == -EADDRNOTAVAIL ? map_without_page(space, wish) : r;
}

/* Where we have just given back enough, there most likely is room; else look. */
static int choose(struct space *space, uint64_t bytes, int n_tried, raddr_t *ret_base)
{
	struct process *process = space->process;

	if (n_tried == 0 && process->spare && bytes <= process->spare_bytes) {
		*ret_base = process->spare;
		process->spare = 0;
		return 0;
	}
	return place_choose(space->object->id, bytes, ret_base);
}

static int map_with_page_here(struct space *space, void *data)
{
	return map_with_page(space, data);
}

static int reserve_anywhere(struct space *space, struct wish *wish)
{
	int r = -EADDRNOTAVAIL;

	for (int i = 0; i < MAX_TRIES && r == -EADDRNOTAVAIL; i++) {
		r = choose(space, wish->record.bytes, i, &wish->record.base);
		for (uint32_t n = 0; n < wish->record.n_closed; n++) {
			wish->record.closed[n].low = wish->record.base;
			wish->record.closed[n].high = wish->record.base + wish->record.bytes;
		}
		if (r == 0)
			r = space_run(space, map_with_page_here, wish);
	}
	return r == -EADDRNOTAVAIL ? -ENOMEM : r;
}

/* Reserve, and commit at once if asked to: then the pages are mapped as they shall be. */
static int reserve(struct space *space, raddr_t address, uint64_t size, DWORD protect, bool commit,
		   raddr_t *ret_base)
{
	struct wish wish = { .flags = commit ? 0 : MAP_NORESERVE };
	raddr_t base = round_down(address, PLACE_ALIGN), low;
	uint64_t bytes = 0;
	int r = linux_protection(protect, &wish.protection);

	if (r == 0)
		r = pages_of(base, size + (address - base), &low, &bytes);
	if (r == 0 && ((address != 0 && base == 0) || base >= USER_END))
		r = -EINVAL;
	if (r == 0 && bytes > USER_END - base)
		r = -ENOMEM;
	if (r < 0)
		return r;
	region_init(&wish.record, base, bytes, protect);
	if (!commit)
		wish.protection = PROT_NONE;
	else if (wish.protection == PROT_NONE)
		(void)region_close(&wish.record, base, base + bytes);
	r = base != 0 ? space_run(space, reserve_here, &wish) : reserve_anywhere(space, &wish);
	if (r == 0)
		*ret_base = wish.record.base;
	return r;
}

/* A part of a reservation, whose pages shall be otherwise. */
struct change {
	struct region_record *record; /* NULL: memory that is not ours */
	raddr_t low;
	uint64_t bytes;
	int protection;
	const struct proc_maps *maps; /* as it was before, to be put back */
};

/* First the note, since that says nothing of pages that can be accessed. */
static int protect_here(struct space *space, void *data)
{
	const struct change *change = data;
	int r = 0;

	if (change->record && change->protection == PROT_NONE) {
		r = region_close(change->record, change->low, change->low + change->bytes);
		if (r == 0)
			r = region_write(space, change->record);
	}
	return r < 0 ? r : call(space, SYS_mprotect, change->low, change->bytes,
				change->protection);
}

static int find_region(struct space *space, raddr_t address, struct region_record *ret_record)
{
	struct proc_maps maps;
	int r = region_at(space, round_down(address, PLACE_ALIGN), ret_record);

	if (r != -ENOENT)
		return r;
	r = space_read_maps(space, &maps);
	if (r < 0)
		return r;
	r = region_around(space, &maps, address, ret_record);
	proc_maps_done(&maps);
	return r == -ENOENT ? -EADDRNOTAVAIL : r;
}

static int commit(struct space *space, raddr_t address, uint64_t size, DWORD protect,
		  raddr_t *ret_base)
{
	struct region_record record;
	struct change change = { .record = &record };
	int r = linux_protection(protect, &change.protection);

	if (r == 0)
		r = pages_of(address, size, &change.low, &change.bytes);
	if (r == 0)
		r = find_region(space, change.low, &record);
	if (r == 0 && !is_within(&record, change.low, change.bytes))
		r = -EADDRNOTAVAIL;
	if (r == 0)
		r = space_run(space, protect_here, &change);
	if (r == 0)
		*ret_base = change.low;
	return r;
}

static int check_alloc(SIZE_T size, DWORD type, DWORD protect)
{
	int protection;

	if (size == 0 || size > SIZE_MAX - 2 * PLACE_ALIGN || !(type & (MEM_RESERVE | MEM_COMMIT)) ||
	    type & ~(MEM_RESERVE | MEM_COMMIT | MEM_TOP_DOWN))
		return -EINVAL;
	return linux_protection(protect, &protection);
}

WINBASEAPI LPVOID WINAPI VirtualAllocEx(HANDLE hProcess, LPVOID lpAddress, SIZE_T dwSize,
					DWORD flAllocationType, DWORD flProtect)
{
	AUTO_OBJECT struct object *object = NULL;
	AUTO_SPACE struct space space = { 0 };
	raddr_t address = (uintptr_t)lpAddress, base = 0;
	int r = object_get(hProcess, OBJECT_PROCESS, PROCESS_VM_OPERATION, &object);

	if (r == 0)
		r = check_alloc(dwSize, flAllocationType, flProtect);
	if (r == 0)
		r = space_init(&space, object);
	if (r == 0 && (flAllocationType & MEM_RESERVE || address == 0))
		r = reserve(&space, address, dwSize, flProtect, flAllocationType & MEM_COMMIT,
			    &base);
	else if (r == 0)
		r = commit(&space, address, dwSize, flProtect, &base);
	return error_report(r, &space.error) ? (LPVOID)(uintptr_t)base : NULL;
}

/* Giving back */

static int unmap_here(struct space *space, void *data)
{
	const struct change *change = data;

	return call(space, SYS_munmap, change->low, change->bytes, 0);
}

static bool has_page(const struct space *space, raddr_t base)
{
	for (const struct region *region = space->process->regions; region; region = region->next)
		if (region->record.base == base)
			return false;
	return true;
}

static int release(struct space *space, raddr_t address, uint64_t size)
{
	struct region_record record;
	struct change change = { 0 };
	int r = size != 0 ? -EINVAL : region_at(space, address, &record);

	if (r < 0)
		return r == -ENOENT ? -EADDRNOTAVAIL : r;
	change.low = record.base;
	change.bytes = record.bytes;
	if (has_page(space, address)) {
		change.low -= PAGE_BYTES;
		change.bytes += PAGE_BYTES;
	}
	r = space_run(space, unmap_here, &change);
	if (r < 0)
		return r; /* more mappings than it may have */
	region_forget(space->process, address);
	space->process->spare = address;
	space->process->spare_bytes = record.bytes;
	return 0;
}

/* Mapping anew forgets the contents and makes the pages reserved in one step. */
static int decommit_here(struct space *space, void *data)
{
	const struct change *change = data;

	if (region_open(change->record, change->low, change->low + change->bytes)) {
		int r = region_write(space, change->record);

		if (r < 0)
			return r;
	}
	return map(space, change->low, change->bytes, PROT_NONE, MAP_NORESERVE | MAP_FIXED);
}

static int decommit(struct space *space, raddr_t address, uint64_t size)
{
	struct region_record record;
	struct change change = { .record = &record };
	int r = find_region(space, address, &record);

	if (r == 0 && size == 0 && record.base != address)
		r = -EADDRNOTAVAIL;
	if (r == 0)
		r = pages_of(address, size != 0 ? size : record.bytes, &change.low, &change.bytes);
	if (r == 0 && !is_within(&record, change.low, change.bytes))
		r = -EADDRNOTAVAIL;
	return r < 0 ? r : space_run(space, decommit_here, &change);
}

WINBASEAPI BOOL WINAPI VirtualFreeEx(HANDLE hProcess, LPVOID lpAddress, SIZE_T dwSize,
				     DWORD dwFreeType)
{
	AUTO_OBJECT struct object *object = NULL;
	AUTO_SPACE struct space space = { 0 };
	int r = object_get(hProcess, OBJECT_PROCESS, PROCESS_VM_OPERATION, &object);

	if (r == 0 && dwFreeType != MEM_RELEASE && dwFreeType != MEM_DECOMMIT)
		r = -EINVAL;
	if (r == 0)
		r = space_init(&space, object);
	if (r == 0 && dwFreeType == MEM_RELEASE)
		r = release(&space, (uintptr_t)lpAddress, dwSize);
	else if (r == 0)
		r = decommit(&space, (uintptr_t)lpAddress, dwSize);
	return error_report(r, &space.error);
}

/* Protection */

DWORD memory_protect_of(const struct proc_map *map)
{
	static const DWORD plain[] = { PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE, PAGE_READWRITE };
	static const DWORD execute[] = { PAGE_EXECUTE, PAGE_EXECUTE_READ, PAGE_EXECUTE_READWRITE,
					 PAGE_EXECUTE_READWRITE };
	unsigned int index = (map->write ? 2u : 0u) | (map->read ? 1u : 0u);

	return map->execute ? execute[index] : plain[index];
}

static bool has_access(const struct proc_map *map)
{
	return map->read || map->write || map->execute;
}

/* All of the pages have to be there and committed, and none of them a page of ours. */
static int check_committed(struct space *space, const struct change *change)
{
	raddr_t at = change->low, high = change->low + change->bytes, end;

	for (size_t i = 0; i < change->maps->n_maps && at < high; i++) {
		const struct proc_map *map = &change->maps->map[i];
		struct region_record record;

		if (map->high <= at)
			continue;
		if (map->low > at || region_is_page(map))
			return -EADDRNOTAVAIL;
		end = map->high < high ? map->high : high;
		while (!has_access(map) && at < end &&
		       region_around(space, change->maps, at, &record) == 0) {
			if (!region_is_closed(&record, at, end, &at))
				return -EADDRNOTAVAIL;
		}
		at = end;
	}
	return at < high ? -EADDRNOTAVAIL : 0;
}

/* The kernel has changed a part of it and then come to a limit: put that back. */
static int protect_or_put_back(struct space *space, void *data)
{
	const struct change *change = data;
	int r = protect_here(space, data);

	for (size_t i = 0; r < 0 && i < change->maps->n_maps; i++) {
		const struct proc_map *map = &change->maps->map[i];
		raddr_t low = map->low > change->low ? map->low : change->low;
		raddr_t end = change->low + change->bytes;
		raddr_t high = map->high < end ? map->high : end;

		if (low < high)
			(void)call(space, SYS_mprotect, low, high - low,
				   (map->read ? PROT_READ : 0) | (map->write ? PROT_WRITE : 0) |
					   (map->execute ? PROT_EXEC : 0));
	}
	return r;
}

static int protect(struct space *space, struct change *change, DWORD *ret_old)
{
	const struct proc_map *first = proc_maps_find(change->maps, change->low);
	struct region_record record;
	int r = check_committed(space, change);

	if (r < 0)
		return r;
	r = region_around(space, change->maps, change->low, &record);
	if (r == 0 && is_within(&record, change->low, change->bytes))
		change->record = &record;
	else if (r == 0)
		return -EADDRNOTAVAIL; /* beyond the end of the reservation */
	r = space_run(space, protect_or_put_back, change);
	if (r == 0)
		*ret_old = memory_protect_of(first);
	return r;
}

WINBASEAPI BOOL WINAPI VirtualProtectEx(HANDLE hProcess, LPVOID lpAddress, SIZE_T dwSize,
					DWORD flNewProtect, PDWORD lpflOldProtect)
{
	AUTO_OBJECT struct object *object = NULL;
	AUTO_SPACE struct space space = { 0 };
	struct change change = { 0 };
	struct proc_maps maps = { 0 };
	DWORD old = 0;
	int r = object_get(hProcess, OBJECT_PROCESS, PROCESS_VM_OPERATION, &object);

	if (r == 0)
		r = linux_protection(flNewProtect, &change.protection);
	if (r == 0)
		r = pages_of((uintptr_t)lpAddress, dwSize, &change.low, &change.bytes);
	if (r == 0 && !lpflOldProtect)
		r = -EFAULT;
	if (r == 0)
		r = space_init(&space, object);
	if (r == 0)
		r = space_read_maps(&space, &maps);
	if (r == 0) {
		change.maps = &maps;
		r = protect(&space, &change, &old);
	}
	proc_maps_done(&maps);
	if (!error_report(r, &space.error))
		return FALSE;
	*lpflOldProtect = old;
	return TRUE;
}

/* The same in the calling process */

WINBASEAPI LPVOID WINAPI VirtualAlloc(LPVOID lpAddress, SIZE_T dwSize, DWORD flAllocationType,
				      DWORD flProtect)
{
	return VirtualAllocEx(GetCurrentProcess(), lpAddress, dwSize, flAllocationType, flProtect);
}

WINBASEAPI BOOL WINAPI VirtualFree(LPVOID lpAddress, SIZE_T dwSize, DWORD dwFreeType)
{
	return VirtualFreeEx(GetCurrentProcess(), lpAddress, dwSize, dwFreeType);
}

WINBASEAPI BOOL WINAPI VirtualProtect(LPVOID lpAddress, SIZE_T dwSize, DWORD flNewProtect,
				      PDWORD lpflOldProtect)
{
	return VirtualProtectEx(GetCurrentProcess(), lpAddress, dwSize, flNewProtect,
				lpflOldProtect);
}
