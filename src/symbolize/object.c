/* SPDX-License-Identifier: BSD-2-Clause */
/* object.c - one mapped file, opened when it is needed and shared by all who map it */
#include "symbolize/object.h"

#include <fcntl.h>
#include <gelf.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/sysmacros.h>

/* Descriptors for files that are found nowhere once their process is gone. */
#define KEPT_FDS_MAX 256
#define CHUNK_BYTES  4096
#define FNV_BEGIN    0xcbf29ce484222325u
#define FNV_PRIME    0x100000001b3u

struct text_chunk {
	struct text_chunk *next;
	size_t used, room;
	char bytes[];
};

const char *object_text(struct object *object, const char *text, size_t bytes)
{
	struct text_chunk *chunk = object->text;
	char *copy;

	if (!chunk || chunk->room - chunk->used <= bytes) {
		size_t room = bytes >= CHUNK_BYTES ? bytes + 1 : CHUNK_BYTES;

		chunk = malloc(sizeof(*chunk) + room);
		if (!chunk)
			return NULL;
		*chunk = (struct text_chunk){.next = object->text, .room = room};
		object->text = chunk;
	}
	copy = chunk->bytes + chunk->used;
	memcpy(copy, text, bytes);
	copy[bytes] = '\0';
	chunk->used += bytes + 1;
	return copy;
}

static void free_text(struct text_chunk *chunk)
{
	while (chunk) {
		struct text_chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n)
{
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ byte[i]) * FNV_PRIME;
	return hash;
}

struct object *object_reference(struct object *object)
{
	if (object)
		object->references++;
	return object;
}

static struct object **bucket_of(struct symbolizer *symbolizer, const struct stat *stat)
{
	return &symbolizer->bucket[(stat->st_ino ^ stat->st_dev * 31) % OBJECT_BUCKETS];
}

static bool is_same(const struct object *object, const struct object_hint *hint,
		    const struct stat *stat)
{
	return object->stat.st_ino == stat->st_ino && object->stat.st_dev == stat->st_dev &&
	       object->stat.st_size == stat->st_size &&
	       object->stat.st_ctim.tv_sec == stat->st_ctim.tv_sec &&
	       object->stat.st_ctim.tv_nsec == stat->st_ctim.tv_nsec &&
	       object->build_id_bytes == hint->build_id_bytes &&
	       (hint->build_id_bytes == 0 ||
		memcmp(object->build_id, hint->build_id, hint->build_id_bytes) == 0) &&
	       strcmp(object->path, hint->path) == 0;
}

static void set_identity(struct object *object)
{
	const void *id = object->build_id;
	GElf_Addr where;
	int n = (int)object->build_id_bytes;

	if (n == 0 && object->module)
		n = dwfl_module_build_id(object->module, (const unsigned char **)&id, &where);
	object->identity = FNV_BEGIN;
	if (n > 0)
		object->identity = hash_bytes(object->identity, id, (size_t)n);
	else
		object->identity = hash_bytes(object->identity, object->path, strlen(object->path));
}

static struct object *new_object(struct symbolizer *symbolizer, const char *path)
{
	struct object *object = calloc(1, sizeof(*object));

	if (!object)
		return NULL;
	*object = (struct object){.symbolizer = symbolizer, .references = 1, .fd = -1};
	object->path = strdup(path);
	if (!object->path) {
		free(object);
		return NULL;
	}
	return object;
}

/* An object for what hint tells, with stat known; takes the descriptor over, which may be -1. */
static struct object *add_object(struct symbolizer *symbolizer, const struct object_hint *hint,
				 const struct stat *stat, int *fd)
{
	struct object *object = new_object(symbolizer, hint->path);
	struct object **bucket = bucket_of(symbolizer, stat);

	if (!object)
		return NULL;
	object->stat = *stat;
	object->pid = hint->pid;
	object->build_id_bytes = hint->build_id_bytes;
	if (hint->build_id_bytes > 0)
		memcpy(object->build_id, hint->build_id, hint->build_id_bytes);
	if (*fd >= 0) {
		symbolizer->n_kept_fds++;
		object->fd = take_fd(fd);
	}
	object->next = *bucket;
	*bucket = object;
	return object;
}

static struct object *find_object(struct symbolizer *symbolizer, const struct object_hint *hint,
				  const struct stat *stat)
{
	for (struct object *o = *bucket_of(symbolizer, stat); o; o = o->next)
		if (is_same(o, hint, stat))
			return object_reference(o);
	return NULL;
}

static struct object *get_unusable(struct symbolizer *symbolizer, const struct object_hint *hint)
{
	const struct stat nothing = {.st_ino = hint->inode, .st_dev = hint->device};
	int no_fd = -1;
	struct object *object = find_object(symbolizer, hint, &nothing);

	if (object)
		return object;
	object = add_object(symbolizer, hint, &nothing, &no_fd);
	if (object) {
		object->state = OBJECT_UNUSABLE;
		set_identity(object);
	}
	return object;
}

struct object *object_get(struct symbolizer *symbolizer, const struct object_hint *hint)
{
	AUTO_CLOSE int fd = -1;
	struct object *object;
	struct stat stat;

	if (!file_is_at_path(hint, &stat)) {
		fd = file_open_mapped(hint, &stat);
		if (fd < 0)
			return get_unusable(symbolizer, hint);
	}
	object = find_object(symbolizer, hint, &stat);
	if (object)
		return object;
	object = add_object(symbolizer, hint, &stat, &fd);
	/* Too many are open already: look into this one now, or never. */
	if (object && object->fd >= 0 && symbolizer->n_kept_fds > KEPT_FDS_MAX)
		(void)object_open(object);
	return object;
}

static void unlink_object(struct object *object)
{
	struct object **link = bucket_of(object->symbolizer, &object->stat);

	while (*link && *link != object)
		link = &(*link)->next;
	if (*link)
		*link = object->next;
}

static void close_kept_fd(struct object *object)
{
	if (object->fd < 0)
		return;
	(void)close(take_fd(&object->fd));
	object->symbolizer->n_kept_fds--;
}

void object_free(struct object *object)
{
	unlink_object(object);
	object_free_descriptions(object);
	cfi_cache_free(object->cfi);
	symbol_table_free(object->symbols);
	function_table_free(object->functions);
	unit_table_free(object->units);
	if (object->dwfl)
		dwfl_end(object->dwfl);
	if (object->elf && !object->elf_is_dwfls)
		(void)elf_end(object->elf);
	close_kept_fd(object);
	free_text(object->text);
	free(object->path);
	free(object);
}

void object_put(struct object *object)
{
	if (object && --object->references == 0)
		object_free(object);
}

/* Opening */

static int give_elf(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
		    char **ret_file_name, Elf **ret_elf)
{
	struct object *object = *userdata;

	(void)module, (void)name, (void)base;
	if (object->elf_is_dwfls)
		return -1;
	*ret_file_name = strdup(object->path);
	*ret_elf = object->elf;
	object->elf_is_dwfls = true;
	return -1;
}

static const Dwfl_Callbacks callbacks = {
	.find_elf = give_elf,
	.find_debuginfo = object_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

/* The segments that come from the file.  False: it is not for this processor, or has none. */
static bool read_segments(struct object *object)
{
	GElf_Ehdr header;
	size_t n = 0;

	if (elf_kind(object->elf) != ELF_K_ELF || !gelf_getehdr(object->elf, &header) ||
	    header.e_machine != machine_here.elf_machine ||
	    header.e_ident[EI_CLASS] != machine_here.elf_class ||
	    (header.e_type != ET_DYN && header.e_type != ET_EXEC) ||
	    elf_getphdrnum(object->elf, &n) < 0)
		return false;
	object->entry = header.e_entry;
	for (size_t i = 0; i < n && object->n_segments < OBJECT_SEGMENTS_MAX; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(object->elf, (int)i, &ph))
			return false;
		if (ph.p_type != PT_LOAD)
			continue;
		if (object->n_segments == 0) /* as libdwfl rounds */
			object->low = ph.p_vaddr & -ph.p_align;
		if (ph.p_offset + ph.p_filesz < ph.p_offset || ph.p_vaddr + ph.p_memsz < ph.p_vaddr)
			return false;
		object->segment[object->n_segments++] = (struct object_segment){
			.offset = ph.p_offset,
			.bytes = ph.p_filesz,
			.address = ph.p_vaddr,
			.execute = ph.p_flags & PF_X,
		};
	}
	return object->n_segments > 0;
}

/* At the addresses that its own headers tell: nothing is added to any. */
static bool report_module(struct object *object)
{
	const struct object_segment *last = &object->segment[object->n_segments - 1];
	uint64_t high = last->address + last->bytes;
	void **userdata;
	GElf_Addr bias;

	if (high <= object->low)
		return false;
	object->dwfl = dwfl_begin(&callbacks);
	if (!object->dwfl)
		return false;
	dwfl_report_begin(object->dwfl);
	object->module = dwfl_report_module(object->dwfl, object->path, object->low, high);
	if (!object->module)
		return false;
	dwfl_module_info(object->module, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
	*userdata = object;
	if (dwfl_report_end(object->dwfl, NULL, NULL) != 0)
		return false;
	return dwfl_module_getelf(object->module, &bias) && bias == 0;
}

static bool has_expected_build_id(const struct object *object)
{
	const unsigned char *id;
	GElf_Addr where;
	int n;

	if (object->build_id_bytes == 0)
		return true;
	n = dwfl_module_build_id(object->module, &id, &where);
	return n > 0 && (size_t)n <= object->build_id_bytes &&
	       memcmp(id, object->build_id, (size_t)n) == 0;
}

/* The file, again, when it was left alone until now. */
static int open_file(struct object *object)
{
	const struct object_hint hint = {
		.pid = object->pid,
		.device = object->stat.st_dev,
		.inode = object->stat.st_ino,
		.path = object->path,
	};
	AUTO_CLOSE int fd = -1;
	struct stat stat;

	if (object->fd >= 0)
		return 0;
	fd = file_open_mapped(&hint, &stat);
	if (fd < 0)
		return fd;
	if (stat.st_size != object->stat.st_size)
		return -ENOENT;
	object->symbolizer->n_kept_fds++;
	object->fd = take_fd(&fd);
	return 0;
}

/* libelf maps files into memory, and who cuts one short then kills us by SIGBUS: with files of
 * others it has to read(2). */
static bool open_elf(struct object *object)
{
	bool may_map = file_is_ours_alone(&object->stat);

	(void)elf_version(EV_CURRENT);
	object->elf = elf_begin(object->fd, may_map ? ELF_C_READ_MMAP_PRIVATE : ELF_C_READ, NULL);
	if (!object->elf)
		return false;
	if (!may_map && !file_is_modest(object->elf, &object->stat))
		return false;
	/* ELF_C_FDREAD: it is all in memory then */
	if ((may_map || object->symbolizer->n_kept_fds > KEPT_FDS_MAX) &&
	    elf_cntl(object->elf, ELF_C_FDREAD) == 0)
		close_kept_fd(object);
	return true;
}

bool object_open(struct object *object)
{
	if (object->state != OBJECT_NOT_OPENED)
		return object->state == OBJECT_OPENED;
	object->state = OBJECT_UNUSABLE;
	if ((object->elf || (open_file(object) == 0 && open_elf(object))) &&
	    read_segments(object) && report_module(object) && has_expected_build_id(object))
		object->state = OBJECT_OPENED;
	else
		close_kept_fd(object);
	set_identity(object);
	return object->state == OBJECT_OPENED;
}

/* Like all processes, we have the kernel's own object mapped. */
struct object *object_vdso(struct symbolizer *symbolizer)
{
	uintptr_t at = getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *header = (const void *)at; /* the kernel's own: to be trusted */
	struct object *object = symbolizer->vdso;
	size_t bytes;

	if (object)
		return object_reference(object);
	object = new_object(symbolizer, "[vdso]");
	if (!object)
		return NULL;
	if (header) {
		bytes = header->e_shoff + (size_t)header->e_shnum * header->e_shentsize;
		(void)elf_version(EV_CURRENT);
		object->elf = elf_memory((void *)at, bytes);
	}
	if (!object->elf)
		object->state = OBJECT_UNUSABLE;
	symbolizer->vdso = object;
	return object_reference(object);
}

/* Looking */

bool object_address(const struct object *object, uint64_t offset, uint64_t *ret_address)
{
	for (size_t i = 0; i < object->n_segments; i++) {
		const struct object_segment *s = &object->segment[i];

		if (s->execute && offset >= s->offset && offset - s->offset < s->bytes) {
			*ret_address = s->address + (offset - s->offset);
			return true;
		}
	}
	return false;
}

bool object_is_code(const struct object *object, uint64_t address)
{
	for (size_t i = 0; i < object->n_segments; i++) {
		const struct object_segment *s = &object->segment[i];

		if (s->execute && address >= s->address && address - s->address < s->bytes)
			return true;
	}
	return false;
}

static size_t read_code(const struct object *object, uint64_t offset, unsigned char *code,
			size_t bytes)
{
	size_t whole;
	const char *raw;
	ssize_t n;

	if (object->fd >= 0) {
		n = pread(object->fd, code, bytes, (off_t)offset);
		return n > 0 ? (size_t)n : 0;
	}
	raw = elf_rawfile(object->elf, &whole);
	if (!raw || offset >= whole)
		return 0;
	if (bytes > whole - offset)
		bytes = whole - offset;
	memcpy(code, raw + offset, bytes);
	return bytes;
}

size_t object_code(const struct object *object, uint64_t address, unsigned char *code, size_t bytes)
{
	for (size_t i = 0; i < object->n_segments; i++) {
		const struct object_segment *s = &object->segment[i];
		uint64_t in = address - s->address;

		if (!s->execute || address < s->address || in >= s->bytes)
			continue;
		if (bytes > s->bytes - in)
			bytes = s->bytes - in;
		return read_code(object, s->offset + in, code, bytes);
	}
	return 0;
}
