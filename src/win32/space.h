/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * space.h - the address space of a process, and the reservations in it
 *
 * What is reserved is written down where it counts: in one page of the process itself, right below
 * the reservation.  So whoever may work on the process knows of all of them, whoever made them, and
 * so does a child of fork(2); an execve(2) ends both.  Such a page is writable and not readable in
 * /proc/PID/maps, "-w-p", which nobody else has, and its first words say what it is.
 *
 * Where there is no room for the page (something is mapped right below a wanted address), only the
 * process that made the reservation knows of it.
 */
#ifndef WIN32_SPACE_H
#define WIN32_SPACE_H

#include "proc/proc.h"
#include "remote/borrow.h"
#include "win32/win32_internal.h"

#define USER_END 0x7ffffffff000ul

#define CLOSED_MAX 250

/* The page.  Everything in it is the other process's, and may be anything. */
struct region_record {
	uint64_t mark[2];
	uint64_t base, bytes;
	uint32_t protect;  /* PAGE_..., as it was allocated */
	uint32_t n_closed;
	/* What is committed with PAGE_NOACCESS; other pages without access are only reserved. */
	struct {
		uint64_t low, high;
	} closed[CLOSED_MAX];
};
_Static_assert(sizeof(struct region_record) <= PAGE_BYTES, "one page");

/* A reservation without a page. */
struct region {
	struct region *next;
	struct region_record record;
};

/* One call's view.  The process's lock is held from space_init() to space_done(). */
struct space {
	struct process *process;
	const struct object *object;
	struct borrowed *borrowed;     /* in the work of space_run() */
	int mem;                       /* /proc/PID/mem; -1: not needed so far */
	struct tendril_error error;
};

int space_init(struct space *space, const struct object *object);
void space_done(struct space *space);
#define AUTO_SPACE __attribute__((cleanup(space_done)))

/* Do work that makes system calls in the process: here, or on a thread that is borrowed there. */
int space_run(struct space *space, int (*work)(struct space *space, void *data), void *data);
/* One of them.  Return: 0, or why it could not be made; *ret_result is the kernel's. */
int space_call(struct space *space, long number, const uint64_t arguments[6], int64_t *ret_result);
/* /proc/PID/mem, which stays the space's; negative errno. */
int space_memory(struct space *space);
int space_read_maps(const struct space *space, struct proc_maps *ret_maps);

/* region.c */
void region_init(struct region_record *record, raddr_t base, uint64_t bytes, DWORD protect);
static inline raddr_t region_page(raddr_t base)
{
	return base - PAGE_BYTES;
}
/* The one that begins at base, or that address is in.  Return: 0, -ENOENT, ... */
int region_at(struct space *space, raddr_t base, struct region_record *ret_record);
int region_around(struct space *space, const struct proc_maps *maps, raddr_t address,
		  struct region_record *ret_record);
/* Write it where it was read, or to its new page. */
int region_write(struct space *space, const struct region_record *record);
bool region_is_page(const struct proc_map *map);

/* Reservations without a page. */
int region_remember(struct space *space, const struct region_record *record);
void region_forget(struct process *process, raddr_t base);
void region_forget_all(struct process *process);

/* memory.c: what PAGE_... the mapping comes to */
DWORD memory_protect_of(const struct proc_map *map);

/* Pages with PAGE_NOACCESS.  -ENOMEM: too many pieces of them. */
int region_close(struct region_record *record, raddr_t low, raddr_t high);
/* Return: was there anything? */
bool region_open(struct region_record *record, raddr_t low, raddr_t high);
/* Is address closed, and where does that change next, at the latest at high? */
bool region_is_closed(const struct region_record *record, raddr_t address, raddr_t high,
		      raddr_t *ret_end);

#endif /* WIN32_SPACE_H */
