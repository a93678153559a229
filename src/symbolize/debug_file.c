/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * debug_file.c - separate debug information: by build id, by .gnu_debuglink, and from servers only
 * when the user wants that
 *
 * libdwfl's own search asks $DEBUGINFOD_URLS at its end, whoever calls it.  So it is called only
 * when that is wanted.
 */
#include "symbolize/object.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define DEBUG_ROOT  "/usr/lib/debug"
#define PATH_BYTES  4096
#define BLOCK_BYTES 65536
/* What is not ours alone is copied before libelf maps it: not too much of that. */
#define COPY_MAX (512u << 20)

static uint32_t crc_of(uint32_t crc, const unsigned char *bytes, size_t n)
{
	crc = ~crc;
	for (size_t i = 0; i < n; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static bool has_crc(int fd, uint32_t expected)
{
	AUTO_FREE unsigned char *block = malloc(BLOCK_BYTES);
	uint32_t crc = 0;
	off_t at = 0;

	while (block) {
		ssize_t n = pread(fd, block, BLOCK_BYTES, at);

		if (n <= 0)
			return n == 0 && crc == expected;
		crc = crc_of(crc, block, (size_t)n);
		at += n;
	}
	return false;
}

/* A copy that nobody can cut short. */
static int copy_of(int fd, off_t bytes)
{
	AUTO_CLOSE int copy = memfd_create("tendril-debug", MFD_CLOEXEC);
	off_t done = 0;

	if (copy < 0 || bytes > (off_t)COPY_MAX)
		return -1;
	while (done < bytes) {
		AUTO_FREE unsigned char *block = malloc(BLOCK_BYTES);
		ssize_t n = block ? pread(fd, block, BLOCK_BYTES, done) : -1;

		if (n <= 0 || write(copy, block, (size_t)n) != n)
			return -1;
		done += n;
	}
	return take_fd(&copy);
}

static int modest_copy_of(int fd, const struct stat *stat)
{
	AUTO_CLOSE int copy = copy_of(fd, stat->st_size);
	Elf *elf = copy < 0 ? NULL : elf_begin(copy, ELF_C_READ, NULL);
	bool modest = elf && file_is_modest(elf, stat);

	if (elf)
		(void)elf_end(elf);
	return modest ? take_fd(&copy) : -1;
}

/* From the process's own file system, or from ours. */
static int open_debug(pid_t pid, const char *path)
{
	AUTO_CLOSE int fd = file_open_as_seen(pid, path, 0);
	struct stat stat;

	if (fd < 0 || fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode))
		return -1;
	return file_is_ours_alone(&stat) ? take_fd(&fd) : modest_copy_of(fd, &stat);
}

static int open_either(const struct object *object, const char *path)
{
	int fd = open_debug(0, path);

	return fd < 0 && object->pid != 0 ? open_debug(object->pid, path) : fd;
}

static int take_found(int fd, const char *path, char **ret_file_name)
{
	*ret_file_name = strdup(path);
	if (*ret_file_name)
		return fd;
	(void)close(fd);
	return -1;
}

/* The path promises it; the file has to keep that. */
static bool has_build_id(int fd, const unsigned char *id, size_t bytes)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	const void *own = NULL;
	ssize_t n = elf ? dwelf_elf_gnu_build_id(elf, &own) : -1;
	bool same = n > 0 && (size_t)n == bytes && memcmp(own, id, bytes) == 0;

	if (elf)
		(void)elf_end(elf);
	return same;
}

static int find_by_build_id(const struct object *object, char **ret_file_name)
{
	const unsigned char *id;
	char path[PATH_BYTES];
	GElf_Addr where;
	int n = dwfl_module_build_id(object->module, &id, &where), at, fd;

	if (n < 2 || n > OBJECT_BUILD_ID_MAX)
		return -1;
	at = snprintf(path, sizeof(path), "%s/.build-id/%02x/", DEBUG_ROOT, id[0]);
	for (int i = 1; i < n; i++)
		at += snprintf(path + at, sizeof(path) - (size_t)at, "%02x", id[i]);
	(void)snprintf(path + at, sizeof(path) - (size_t)at, ".debug");
	fd = open_either(object, path);
	if (fd >= 0 && !has_build_id(fd, id, (size_t)n)) {
		(void)close(fd);
		return -1;
	}
	return fd < 0 ? -1 : take_found(fd, path, ret_file_name);
}

/* directory is that of the file that has the link. */
static int try_link(const struct object *object, const char *before, const char *directory,
		    int directory_bytes, const char *between, const char *link, uint32_t crc,
		    char **ret_file_name)
{
	char path[PATH_BYTES];
	int n = snprintf(path, sizeof(path), "%s%.*s/%s%s", before, directory_bytes, directory,
			 between, link),
	    fd;

	if (n < 0 || (size_t)n >= sizeof(path) || strcmp(path, object->path) == 0)
		return -1;
	fd = open_either(object, path);
	if (fd < 0)
		return -1;
	if (!has_crc(fd, crc)) {
		(void)close(fd);
		return -1;
	}
	return take_found(fd, path, ret_file_name);
}

static int find_by_link(const struct object *object, const char *link, uint32_t crc,
			char **ret_file_name)
{
	const char *slash = strrchr(object->path, '/');
	int bytes = slash ? (int)(slash - object->path) : 0, fd;

	if (!slash || strchr(link, '/'))
		return -1;
	fd = try_link(object, "", object->path, bytes, "", link, crc, ret_file_name);
	if (fd < 0)
		fd = try_link(object, "", object->path, bytes, ".debug/", link, crc, ret_file_name);
	if (fd < 0)
		fd = try_link(object, DEBUG_ROOT, object->path, bytes, "", link, crc,
			      ret_file_name);
	return fd;
}

/* What several debug files share (dwz): named in the debug file, by a path from there. */
static int find_shared(const struct object *object, const char *file_name, const char *link,
		       char **ret_file_name)
{
	const char *slash = file_name ? strrchr(file_name, '/') : NULL;
	char path[PATH_BYTES];
	int n, fd;

	if (link[0] == '/')
		n = snprintf(path, sizeof(path), "%s", link);
	else if (slash)
		n = snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - file_name), file_name,
			     link);
	else
		return -1;
	if (n < 0 || (size_t)n >= sizeof(path))
		return -1;
	fd = open_either(object, path);
	return fd < 0 ? -1 : take_found(fd, path, ret_file_name);
}

int object_find_debuginfo(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
			  const char *file_name, const char *link, GElf_Word crc,
			  char **ret_file_name)
{
	const struct object *object = *userdata;
	int fd;

	if (link && crc == 0 && strchr(link, '/'))
		return find_shared(object, file_name, link, ret_file_name);
	fd = find_by_build_id(object, ret_file_name);
	if (fd < 0 && link)
		fd = find_by_link(object, link, crc, ret_file_name);
	if (fd < 0 && object->symbolizer->options.debuginfod)
		fd = dwfl_standard_find_debuginfo(module, userdata, name, base, file_name, link,
						  crc, ret_file_name);
	return fd;
}
