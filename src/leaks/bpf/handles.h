/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * handles.h - what the program in the kernel and its reader share
 *
 * A table (files_struct) is cut into pages of 64 slots, one slot a handle.  A slot refers to a chunk
 * that holds the registers and the stack of who opened it.  A closed handle only loses its bit in
 * `present`: the slot keeps its chunk for the next one of that number, so that a loop of open and
 * close allocates nothing.
 */
#ifndef LEAKS_BPF_HANDLES_H
#define LEAKS_BPF_HANDLES_H

#define PAGE_SLOTS 64
#define PAGES_MAX  8192 /* of all tables: half a million handles */

enum slot_origin {
	SLOT_OPENED,
	SLOT_BEFORE,
	SLOT_ASYNCHRONOUS,
	SLOT_FOUND,
};

enum slot_flag {
	SLOT_NO_STACK = 1,  /* there was no room for it */
	SLOT_IN_PARENT = 2, /* the handle came with fork(2) */
	SLOT_READER = 4,    /* fanotify, userfaultfd: read(2) of it may bring others */
	SLOT_GUESSED = 8,   /* met in a comparison: the call that opens it may not have ended yet */
};

struct slot {
	__u64 file;      /* the kernel's struct file: an identity, never followed by us */
	__u64 opened_ns; /* CLOCK_MONOTONIC, rising by thread: with tid, which opening it is */
	__u32 tid;       /* in our own pid namespace */
	__u32 pid;
	__u32 chunk;     /* class << 24 | index + 1; 0: none */
	__u32 image;     /* how many programs the process had executed before */
	__u16 nr;        /* of the system call; CALL_UNKNOWN */
	__u8 origin;
	__u8 flags;
	__u32 suspected; /* low half of opened_ns when it was: another opening begins anew */
};

struct page {
	__u64 present;
	__u64 suspected; /* differed from the table at the last look: another look decides */
	__u32 table, index; /* table 0: free */
	__u32 owner;     /* number of the process that has the table; 0: it has ended, and the next has it */
	__u32 unused;
	struct slot slot[PAGE_SLOTS];
};

struct page_key {
	__u32 table;
	__u32 index;
};

enum process_flag {
	PROCESS_FOLLOW = 1, /* its children too */
};

/* What the ring had no room to tell: the reader looks here when something was not. */
enum process_untold {
	UNTOLD_PROCESS = 1,
	UNTOLD_EXECUTED = 2,
	UNTOLD_ENDED = 4,
};

struct process {
	__u32 pid, parent; /* in our own namespace; parent 0: it was there before */
	__u32 flags;
	__u32 has_ended; /* told by the last of its threads, when all counts are told */
	__u32 threads;   /* that have not come to their end */
	__u32 status;    /* as of wait(2), once it has */
	__u32 image;     /* how many programs it has executed */
	__u32 untold;
	__u64 opened, closed, lost; /* as of the last look */
	char name[16];
};

#define CAPTURE_REGISTERS 17 /* in DWARF's order */

enum capture_class { CAPTURE_SMALL, CAPTURE_MEDIUM, CAPTURE_LARGE, CAPTURE_CLASSES };

#define CAPTURE_SMALL_BYTES  2048
#define CAPTURE_MEDIUM_BYTES 8192
#define CAPTURE_LARGE_BYTES  65536
#define CAPTURE_SMALL_N      8192
#define CAPTURE_MEDIUM_N     1024
#define CAPTURE_LARGE_N	     128

struct capture {
	__u64 opened_ns; /* whose stack it is; 0 while it is written */
	__u32 tid;
	__u32 refs;      /* slots that refer to it: fork(2) makes more */
	__u32 bytes;     /* of the stack */
	__u32 whole;
	__u64 registers[CAPTURE_REGISTERS];
	/* and behind it the stack */
};

#define CAPTURE_HEADER 160 /* sizeof(struct capture) */

enum event_type {
	EVENT_PROCESS = 1, /* watched from now on */
	EVENT_EXECUTED,    /* another program; image is the new one's number */
	EVENT_HANDLE,      /* what was open when a table ended: struct handle_event */
	EVENT_KIND,        /* the same in short, when there are very many: struct kind_event */
	EVENT_ENDED,       /* status as of wait(2) */
	EVENT_SHORT,       /* half of the chunks of some size are taken: unwind what there is */
};

struct event {
	__u32 type;
	__u32 pid;    /* in our own namespace */
	__u32 key;    /* number of the process, in `processes` */
	__u32 parent; /* EVENT_PROCESS: pid of the one that forked it, 0 otherwise */
	__u32 image;
	__u32 status;
	__u64 ns;
	char name[16];
};

#define NAMES_MAX  8
#define NAME_BYTES 64

struct handle_head {
	__u32 type;
	__u32 number;
	__u32 tid;
	__u32 mode;  /* of its inode */
	__u32 magic; /* of its file system */
	__u32 unused;
	__u64 opened_ns;
};

/* A handle whose process is gone before anybody could ask what it is. */
struct handle_event {
	struct handle_head head;
	char names[NAMES_MAX][NAME_BYTES]; /* from the file upwards; "" behind the last */
};

#define KIND_NAME_BYTES 24

struct kind_event {
	struct handle_head head;
	char name[KIND_NAME_BYTES]; /* the beginning of the file's own */
};

/* What the reader asks the kernel's side to give back. */
struct release {
	__u32 page;      /* its number in `pages` */
	__u32 number;    /* of the handle, RELEASE_CLOSED: only while it is closed; RELEASE_PAGE: the page
			  * itself */
	__u64 opened_ns; /* the stack of this opening, which has been unwound; of a page: its table */
};

#define RELEASE_PAGE   0xffffffffu
#define RELEASE_CLOSED 0x80000000u
#define RELEASES_MAX   1024

#define CALL_UNKNOWN 0xffff

/* What the programs at the kernel's functions saw of the reader, which calls them to see whether they
 * are run. */
struct tried {
	__u32 times;
	__u32 numbers; /* of handles, added up */
};

struct trial {
	__u32 tid; /* in the first pid namespace; 0: it is over */
	struct tried opened, closed, compared;
};

/* What look() is to do with each task. */
enum look_mode { LOOK_ADD, LOOK_RECONCILE, LOOK_REMOVE };

#endif /* LEAKS_BPF_HANDLES_H */
