/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbolize.h - from registers and a copied stack to functions, files and lines
 *
 * The one room that knows elfutils.  Works on what was captured, at any later time, also when the
 * process is gone: a space keeps what was mapped where in one image of one process, and the files
 * behind it.  Nothing here touches the process, but to read /proc and its mapped files.  All of it is
 * untrusted: mappings, ELF files, debug information, perf maps, stack contents.
 */
#ifndef SYMBOLIZE_SYMBOLIZE_H
#define SYMBOLIZE_SYMBOLIZE_H

#include "base/base.h"

#define STACK_REGISTERS 17  /* in DWARF's order; on x86-64: rax rdx rcx rbx rsi rdi rbp rsp r8..r15 rip */
#define STACK_SP	7
#define STACK_IP	16
#define UNWIND_MAX	256 /* frames */

/* A thread at one moment. */
struct captured_stack {
	uint64_t registers[STACK_REGISTERS];
	const unsigned char *bytes; /* from the stack pointer upwards */
	size_t n_bytes;
	bool whole;                 /* up to the stack's very beginning: nothing is above */
};

enum unwind_end {
	UNWIND_COMPLETE,  /* to the outermost frame */
	UNWIND_CUT,       /* the copy of the stack was too short for more */
	UNWIND_NO_RULES,  /* no unwind information, and no frame pointer that leads on */
	UNWIND_TOO_DEEP,  /* UNWIND_MAX frames */
	UNWIND_BROKEN,    /* contradictory: a stack that does not move on, an address that is mapped nowhere */
};

struct unwound {
	uint64_t ip[UNWIND_MAX];      /* innermost first */
	bool is_return[UNWIND_MAX];   /* ip is behind a call: the call itself is at ip - 1 */
	size_t n;
	enum unwind_end end;
};

/* One source-level frame; several for one ip when calls were inlined.  Strings are owned by the
 * space, raw (escape them when shown), NULL when not known. */
struct frame {
	uint64_t ip;
	uint64_t offset;         /* from the function's beginning; from the module's when function is NULL */
	uint64_t module_offset;  /* of ip in the module: the same in each process that maps it */
	const char *function;    /* demangled */
	const char *file;        /* of the source */
	unsigned int line;       /* 0: not known */
	const char *module;      /* path as mapped; "[vdso]"; "[jit]" for /tmp/perf-PID.map */
	bool inlined;            /* into the frame that follows */
	bool is_signal;          /* the kernel's signal trampoline */
};

/* Shared by all spaces: files opened and debug information read once. */
struct symbolizer;
struct space;

struct symbolizer_options {
	bool debuginfod; /* ask the servers of $DEBUGINFOD_URLS: the caller has asked for it */
};

int symbolizer_new(const struct symbolizer_options *options, struct symbolizer **ret_symbolizer);
void symbolizer_free(struct symbolizer *symbolizer);

/* The image of pid as it is now.  Return: 0, -ESRCH, -EACCES, -ENOMEM, ... */
int space_of_process(struct symbolizer *symbolizer, pid_t pid, struct space **ret_space);
/* Look again: libraries came or went.  What is known of the ones that went stays usable until
 * another takes their place.  Return: 0, or as above, when all that was known stays. */
int space_update(struct space *space);

/* One executable mapping of a file, as a PERF_RECORD_MMAP2 tells it: for images that are gone before
 * anybody could look. */
struct space_mapping {
	raddr_t low, high;
	uint64_t offset;
	uint64_t device, inode;
	const char *path;
	const unsigned char *build_id;
	size_t build_id_bytes;
};

/* An image without a process to look at; pid names its perf map only. */
int space_empty(struct symbolizer *symbolizer, pid_t pid, struct space **ret_space);
int space_map(struct space *space, const struct space_mapping *mapping);
/* A copy, as fork(2) makes one. */
int space_copy(struct space *space, pid_t pid, struct space **ret_space);
void space_free(struct space *space);

/* Return: 0 always with one frame at least; -ENOMEM. */
int space_unwind(struct space *space, const struct captured_stack *stack, struct unwound *ret_unwound);

/* What is at ip, innermost inlined call first.  Return: how many of max frames, at least 1. */
size_t space_describe(struct space *space, uint64_t ip, bool is_return, struct frame *ret_frames,
		      size_t max);

enum function_returns {
	RETURNS_NOT_KNOWN, /* no debug information, or none that makes sense */
	RETURNS_VOID,
	RETURNS_POINTER, /* C++'s references among them */
	RETURNS_SIGNED,
	RETURNS_UNSIGNED,
	RETURNS_BOOL,
	RETURNS_OTHER, /* a struct, a floating-point number, ... */
};

/* One function of a file that is mapped.  Strings are owned by the space, raw. */
struct function {
	raddr_t low, high;  /* in the process; high == low: its size is not known */
	const char *name;   /* demangled, without parameters and the compiler's suffixes */
	const char *symbol; /* as in the symbol table, without a version */
	const char *module; /* path as mapped */
	bool exported;	    /* other files may bind to it */
	enum function_returns returns;
	unsigned int return_bytes; /* 0: not known, or nothing */
	/* A bit for each parameter that comes in a general register and leads to memory that it may write;
	 * all bits: not known. */
	unsigned int writes;
	const char *file;	   /* of its source; NULL: not known */
	unsigned int line;
};

/*
 * The functions of the files that are mapped whose names match, in order of address; one for each
 * address, by the name that matches best.
 *
 * pattern: `symbol`, or `library!symbol`; both may be globs.  symbol is compared with the name
 * that the symbol table has, with and without what compilers append (.constprop.0), and with the
 * demangled one.  library is compared with the last component of the file's path, with and without
 * what begins at ".so", or with the whole path when it has a slash.
 *
 * Left out are functions that the loader chooses among several (IFUNC), cold parts, and the vdso.
 * Return: 0, also when there is none; -EINVAL: a pattern without a name; -ENOMEM.  The caller frees
 * *ret_functions.
 */
int space_functions(struct space *space, const char *pattern, bool exported_only,
		    struct function **ret_functions, size_t *ret_n);

/* The names that are nearest to one that no function has, best first, as patterns; for a message.
 * The caller frees each; returns how many of max. */
size_t space_functions_near(struct space *space, const char *pattern, bool exported_only,
			    char **ret_names, size_t max);

/* A number that is the same for two addresses at the same place of the same file, in any process. */
uint64_t space_place(struct space *space, uint64_t ip);

#endif /* SYMBOLIZE_SYMBOLIZE_H */
