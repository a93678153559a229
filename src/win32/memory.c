/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.c - VirtualAllocEx() and VirtualFreeEx()
 *
 * Each does its work in one system call of the target, made on a thread of its own there, at an
 * address that we choose: two calls could fail between them and leave the first one's effect.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "win32/win32_internal.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define PAGE_BYTES 4096u
/* Somebody may map at our place between the look and the call: then look again. */
#define MAX_TRIES  8

enum memory_call {
	CALL_MMAP = 0,
	CALL_MPROTECT = 1,
	CALL_MUNMAP = 2,
};

static const struct {
	const char *symbol, *plain;
	long number;
} calls[] = {
	[CALL_MMAP] = { "libc!mmap", "mmap", SYS_mmap },
	[CALL_MPROTECT] = { "libc!mprotect", "mprotect", SYS_mprotect },
	[CALL_MUNMAP] = { "libc!munmap", "munmap", SYS_munmap },
};

/* The process that a call works on, for the duration of that call. */
struct space {
	struct tendril_target *target; /* NULL: the calling process */
	struct process *process;       /* its lock is held */
	struct tendril_error error;
};

static void forget_image(struct process *process)
{
	struct region *next;

	for (struct region *region = process->regions; region; region = next) {
		next = region->next;
		free(region);
	}
	process->regions = NULL;
	memset(process->memory_call, 0, sizeof(process->memory_call));
}

/* After an execve() nothing that we knew of the memory is true, and acting on it would do harm. */
static int check_image(struct process *process)
{
	uint64_t image;
	int r = process_image(process->pid, &image);

	if (r < 0)
		return r;
	if (image != process->image)
		forget_image(process);
	process->image = image;
	return 0;
}

static void space_done(struct space *space)
{
	tendril_close(space->target);
	if (!space->process)
		return;
	pthread_mutex_unlock(&space->process->lock);
	process_put(space->process);
}

#define AUTO_SPACE __attribute__((cleanup(space_done)))

static int space_init(struct space *space, const struct object *object)
{
	struct process *process = process_ref(object->process);
	int r = 0;

	if (!process)
		r = process_get(object->id, object->fd, &process);
	if (r < 0)
		return r;
	pthread_mutex_lock(&process->lock);
	space->process = process;
	r = check_image(process);
	if (r == 0 && object->id != getpid())
		r = object_target(object, &space->target, &space->error);
	return r;
}

static int find_call(struct space *space, enum memory_call call, raddr_t *ret_address)
{
	raddr_t *known = &space->process->memory_call[call];
	int r = 0;

	if (*known == 0)
		r = tendril_resolve(space->target, calls[call].symbol, known, &space->error);
	if (r == -ENOENT)
		r = tendril_resolve(space->target, calls[call].plain, known, &space->error);
	if (r == 0)
		*ret_address = *known;
	return r;
}

/* Make one of the system calls.  Return: 0, -ECANCELED: it was made and failed, or why not. */
static int call_there(struct space *space, enum memory_call call, const uint64_t args[6])
{
	struct tendril_argument argument[6] = { 0 };
	uint64_t value;
	raddr_t function = 0;
	int r;

	if (!space->target)
		return syscall(calls[call].number, args[0], args[1], args[2], args[3], args[4],
			       args[5]) == -1 ? -ECANCELED : 0;
	r = find_call(space, call, &function);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(argument); i++)
		argument[i].value = args[i];
	r = tendril_call(space->target, function, argument, ARRAY_SIZE(argument), -1, &value,
			 &space->error);
	if (r < 0)
		return r;
	/* -1 of an int function has 32 bits; no mapping of ours ends in them. */
	return (uint32_t)value == UINT32_MAX ? -ECANCELED : 0;
}

static int map_fixed(struct space *space, raddr_t base, uint64_t bytes, int protection, int flags)
{
	uint64_t args[6] = { base, bytes, (uint64_t)protection,
			     (uint64_t)(MAP_PRIVATE | MAP_ANONYMOUS | flags), UINT64_MAX, 0 };

	return call_there(space, CALL_MMAP, args);
}

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

static struct region *region_with(const struct process *process, raddr_t low, uint64_t bytes)
{
	for (struct region *region = process->regions; region; region = region->next)
		if (low >= region->base && low - region->base < region->bytes &&
		    bytes <= region->bytes - (low - region->base))
			return region;
	return NULL;
}

/* Why could it not be mapped: because something is there, or because it may not have more? */
static int blame(struct space *space, raddr_t base, uint64_t bytes)
{
	enum place place;
	int r = place_look(space->process->pid, base, bytes, &place);

	if (r < 0)
		return r;
	return place == PLACE_FREE ? -ENOMEM : -EADDRNOTAVAIL;
}

static int reserve_at(struct space *space, raddr_t base, uint64_t bytes, int protection, int flags)
{
	int r = blame(space, base, bytes);

	if (r != -ENOMEM)
		return r;
	r = map_fixed(space, base, bytes, protection, flags | MAP_FIXED_NOREPLACE);
	return r == -ECANCELED ? blame(space, base, bytes) : r;
}

static int reserve_anywhere(struct space *space, uint64_t bytes, int protection, int flags,
			    raddr_t *ret_base)
{
	raddr_t base;
	int r = -EADDRNOTAVAIL;

	for (int i = 0; i < MAX_TRIES && r == -EADDRNOTAVAIL; i++) {
		r = place_choose(space->process, bytes, &base);
		if (r == 0)
			r = reserve_at(space, base, bytes, protection, flags);
	}
	if (r < 0)
		return r == -EADDRNOTAVAIL ? -ENOMEM : r;
	*ret_base = base;
	return 0;
}

/* Reserve, and commit at once if asked to: then the pages are mapped as they shall be. */
static int reserve(struct space *space, raddr_t address, uint64_t size, bool commit, int protection,
		   raddr_t *ret_base)
{
	int flags = commit ? 0 : MAP_NORESERVE;
	raddr_t base = round_down(address, PLACE_ALIGN), low;
	AUTO_FREE struct region *region = malloc(sizeof(*region));
	uint64_t bytes;
	int r = pages_of(base, size + (address - base), &low, &bytes);

	if (!region)
		return -ENOMEM;
	if (r == 0 && address != 0 && base == 0)
		r = -EINVAL;
	if (r < 0)
		return r;
	if (!commit)
		protection = PROT_NONE;
	if (base != 0)
		r = reserve_at(space, base, bytes, protection, flags);
	else
		r = reserve_anywhere(space, bytes, protection, flags, &base);
	if (r < 0)
		return r;
	*region = (struct region){ .next = space->process->regions, .base = base, .bytes = bytes };
	space->process->regions = region;
	region = NULL;
	*ret_base = base;
	return 0;
}

static int commit(struct space *space, raddr_t address, uint64_t size, int protection,
		  raddr_t *ret_base)
{
	uint64_t args[6] = { 0, 0, (uint64_t)protection };
	int r = pages_of(address, size, &args[0], &args[1]);

	if (r == 0 && !region_with(space->process, args[0], args[1]))
		r = -EADDRNOTAVAIL;
	if (r == 0)
		r = call_there(space, CALL_MPROTECT, args);
	if (r < 0)
		return r == -ECANCELED ? -ENOMEM : r;
	*ret_base = args[0];
	return 0;
}

static int check_alloc(SIZE_T size, DWORD type, DWORD protect, int *ret_protection)
{
	if (size == 0 || size > SIZE_MAX - 2 * PLACE_ALIGN || !(type & (MEM_RESERVE | MEM_COMMIT)) ||
	    type & ~(MEM_RESERVE | MEM_COMMIT | MEM_TOP_DOWN))
		return -EINVAL;
	return linux_protection(protect, ret_protection);
}

WINBASEAPI LPVOID WINAPI VirtualAllocEx(HANDLE hProcess, LPVOID lpAddress, SIZE_T dwSize,
					DWORD flAllocationType, DWORD flProtect)
{
	AUTO_OBJECT struct object *object = NULL;
	AUTO_SPACE struct space space = { 0 };
	raddr_t address = (uintptr_t)lpAddress, base = 0;
	int protection = PROT_NONE;
	int r = object_get(hProcess, OBJECT_PROCESS, PROCESS_VM_OPERATION, &object);

	if (r == 0)
		r = check_alloc(dwSize, flAllocationType, flProtect, &protection);
	if (r == 0)
		r = space_init(&space, object);
	if (r == 0 && (flAllocationType & MEM_RESERVE || address == 0))
		r = reserve(&space, address, dwSize, flAllocationType & MEM_COMMIT, protection,
			    &base);
	else if (r == 0)
		r = commit(&space, address, dwSize, protection, &base);
	return error_report(r, &space.error) ? (LPVOID)(uintptr_t)base : NULL;
}

static int release(struct space *space, raddr_t address, uint64_t size)
{
	struct region **link = &space->process->regions;
	struct region *region;
	uint64_t args[6] = { address };
	int r;

	if (size != 0)
		return -EINVAL;
	while (*link && (*link)->base != address)
		link = &(*link)->next;
	region = *link;
	if (!region)
		return -EADDRNOTAVAIL;
	args[1] = region->bytes;
	r = call_there(space, CALL_MUNMAP, args);
	if (r < 0)
		return r == -ECANCELED ? -ENOMEM : r; /* more mappings than it may have */
	*link = region->next;
	free(region);
	return 0;
}

/* Mapping anew forgets the contents and makes the pages reserved in one step. */
static int decommit(struct space *space, raddr_t address, uint64_t size)
{
	struct region *region = region_with(space->process, address, 1);
	raddr_t low;
	uint64_t bytes;
	int r;

	if (!region || (size == 0 && region->base != address))
		return -EADDRNOTAVAIL;
	r = pages_of(address, size != 0 ? size : region->bytes, &low, &bytes);
	if (r == 0 && !region_with(space->process, low, bytes))
		r = -EADDRNOTAVAIL;
	if (r == 0)
		r = map_fixed(space, low, bytes, PROT_NONE, MAP_NORESERVE | MAP_FIXED);
	return r == -ECANCELED ? -ENOMEM : r;
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
