/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * object.h - one mapped file: its segments, rules for unwinding, symbols and lines
 *
 * Addresses in here are those of the file's own program headers, so that all processes that map it
 * share what was read once, and what was found.  Nothing is opened before it is needed, unless it
 * could not be found later.
 */
#ifndef SYMBOLIZE_OBJECT_H
#define SYMBOLIZE_OBJECT_H

#include <elfutils/libdwfl.h>
#include <sys/stat.h>

#include "symbolize/machine.h"
#include "symbolize/symbolize.h"

#define OBJECT_SEGMENTS_MAX 32
#define OBJECT_BUILD_ID_MAX 64

struct object_segment {
	uint64_t offset, bytes, address;
	bool execute;
};

enum object_state { OBJECT_NOT_OPENED, OBJECT_OPENED, OBJECT_UNUSABLE };

struct cfi_cache;
struct symbol_table;
struct unit_table;
struct function_table;
struct description;

struct object {
	struct object *next; /* of the same bucket */
	unsigned int references;
	struct symbolizer *symbolizer;
	char *path;	  /* as mapped */
	struct stat stat; /* who it is: device, inode, size, time of change */
	unsigned char build_id[OBJECT_BUILD_ID_MAX]; /* to be checked, when the kernel told it */
	size_t build_id_bytes;
	pid_t pid; /* one that maps it */
	int fd;	   /* kept when it could not be found by its path; -1: not */
	enum object_state state;
	uint64_t identity; /* the same in each process and run */
	/* from here on only when opened */
	Elf *elf;
	bool elf_is_dwfls;
	Dwfl *dwfl;
	Dwfl_Module *module;
	struct object_segment segment[OBJECT_SEGMENTS_MAX];
	size_t n_segments;
	uint64_t low; /* of the first one */
	uint64_t entry;
	struct cfi_cache *cfi;
	struct symbol_table *symbols;
	struct function_table *functions;
	struct unit_table *units;
	struct description **descriptions; /* by address */
	size_t n_descriptions, description_buckets;
	/* strings handed out */
	struct text_chunk *text;
};

#define OBJECT_BUCKETS 1024

struct symbolizer {
	struct symbolizer_options options;
	struct object *bucket[OBJECT_BUCKETS];
	struct object *vdso;
	size_t n_kept_fds;
};

/* Where an executable mapping of a process says it comes from. */
struct object_hint {
	pid_t pid;	   /* 0: there is none to look at */
	raddr_t low, high; /* of the mapping, for /proc/PID/map_files */
	uint64_t offset;
	uint64_t device, inode; /* as the kernel shows them; inode 0: not known */
	const char *path;
	const unsigned char *build_id;
	size_t build_id_bytes;
};

/* One more reference to the object behind a mapping; NULL: out of memory. */
struct object *object_get(struct symbolizer *symbolizer, const struct object_hint *hint);
/* The kernel's own, which is the same for every process. */
struct object *object_vdso(struct symbolizer *symbolizer);
struct object *object_reference(struct object *object);
void object_put(struct object *object);
void object_free(struct object *object);

/* Open it unless that was tried.  False: there is nothing behind it that could be used. */
bool object_open(struct object *object);
/* From an offset in the file to an address.  False: no segment holds it. */
bool object_address(const struct object *object, uint64_t offset, uint64_t *ret_address);
/* Bytes of its code; returns how many. */
size_t object_code(const struct object *object, uint64_t address, unsigned char *code,
		   size_t bytes);
bool object_is_code(const struct object *object, uint64_t address);
/* A copy that lives as long as the object; NULL: out of memory. */
const char *object_text(struct object *object, const char *text, size_t bytes);

/* debug_file.c: libdwfl's callback that looks for separate debug information. */
int object_find_debuginfo(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
			  const char *file_name, const char *link, GElf_Word crc,
			  char **ret_file_name);

/* files.c */
/* May a file be mapped into memory, because nobody else could cut it short under us? */
bool file_is_ours_alone(const struct stat *stat);
/* A path in the file system as pid sees it, never outside of its root; pid 0: our own. */
int file_open_as_seen(pid_t pid, const char *path, int flags);
/* The file behind a mapping, checked to be the one that is mapped.  Return: descriptor or errno. */
int file_open_mapped(const struct object_hint *hint, struct stat *ret_stat);
/* Is it in our own file system, by its own name? */
bool file_is_at_path(const struct object_hint *hint, struct stat *ret_stat);

/* modest.c: false when reading it would fill our memory; for files that anybody could have made */
bool file_is_modest(Elf *elf, const struct stat *stat);

/* rules.c */
enum register_how {
	REGISTER_SAME,
	REGISTER_UNDEFINED,
	REGISTER_AT_CFA,
	REGISTER_CFA_PLUS,
	REGISTER_EXPRESSION
};

struct register_rule {
	uint8_t how; /* enum register_how */
	int32_t offset;
};

#define CFA_BY_EXPRESSION 0xff

/* How to find the caller's registers from one place in the code. */
struct cfi_rules {
	uint64_t address;
	bool known; /* else there are none for this place */
	bool has_frame_pointer; /* then: the code before it looks so */
	bool is_signal;
	bool is_trampoline;     /* the C library's, for returns from signals, is here */
	bool before_trampoline; /* or begins behind this address */
	uint8_t cfa_register;
	uint8_t return_register;
	int64_t cfa_offset;
	struct register_rule rule[STACK_REGISTERS];
	Dwarf_Frame *frame; /* kept only for expressions */
};

/* NULL: out of memory.  Valid until the next call. */
const struct cfi_rules *object_rules(struct object *object, uint64_t address);
void cfi_cache_free(struct cfi_cache *cache);

/* symbols.c */
struct symbol {
	uint64_t low, high; /* high == low: its size is not known */
	const char *name;   /* mangled; the ELF file's */
};

/* Of several names for one place, the one that users know is less than the others: open, before
 * __open64. */
int compare_symbol_names(const char *a, const char *b);
/* The function around an address, or NULL. */
const struct symbol *object_symbol(struct object *object, uint64_t address);
/* Does that function go by this name, too? */
bool object_symbol_is_named(const struct object *object, const struct symbol *symbol,
			    const char *name);

/* stubs.c: the name of the function that a linkage table's stub leads to; NULL: it is none. */
const char *object_stub_name(struct object *object, uint64_t address);
void symbol_table_free(struct symbol_table *table);

/* lines.c */
#define SOURCE_FRAMES_MAX 64

struct source_frame {
	const char *linkage_name, *name; /* either may be NULL; the debug information's */
	const char *file;
	unsigned int line;
	uint64_t low; /* 0: not known */
	bool inlined;
};

/* From debug information, innermost first; 0: none. */
size_t object_source_frames(struct object *object, uint64_t address,
			    struct source_frame *ret_frames, size_t max);
/* Can an entry of debug information with this tag have functions below it, but be none? */
bool may_hold_functions(int tag);
/* The unit whose code is at an address, and what its addresses lack; NULL: there is none. */
Dwarf_Die *object_unit(struct object *object, uint64_t address, Dwarf_Addr *ret_bias);
void unit_table_free(struct unit_table *table);

/* signatures.c: what debug information says of functions */
struct signature {
	uint64_t address; /* where the function begins */
	size_t index;	  /* the caller's */
	Dwarf_Die *unit;  /* for use in there */
	enum function_returns returns;
	unsigned int return_bytes;
	bool knows_parameters;
	unsigned int writes;
	const char *file; /* the debug information's */
	unsigned int line;
};

/* Fills in all but address and index, which have to be set, and changes their order. */
void object_signatures(struct object *object, struct signature *signatures, size_t n);

/* functions.c */
void function_table_free(struct function_table *table);

/* demangle.c */
#define READABLE_MAX 4096
bool is_mangled(const char *name);
/* The readable form of a symbol's name, or the name itself, shortened when it is monstrous. */
const char *object_demangle(struct object *object, const char *name);
/* The same into a buffer, terminated.  False: it is not mangled, or monstrous. */
bool demangle_into(const char *name, char out[READABLE_MAX + 1]);

/* describe.c */
void object_free_descriptions(struct object *object);

#endif /* SYMBOLIZE_OBJECT_H */
