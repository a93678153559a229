/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modest.c - files that would fill our memory when they are unpacked
 *
 * A few kilobytes can claim to hold gigabytes, and libdw unpacks all that it finds.  Files that
 * only root or we could have made are trusted; for the others there are bounds.
 */
#include <gelf.h>
#include <string.h>

#include "symbolize/object.h"

#define FILE_MAX     ((off_t)1 << 30) /* sections are read(2) into memory */
#define UNPACKED_MAX ((uint64_t)512 << 20)
#define MINI_MAX     ((uint64_t)128 << 10) /* xz: at most some 7,000 times as large when unpacked */
#define OLD_PREFIX   ".zdebug" /* before there was a flag: "ZLIB", and the size, 8 bytes, big end first */

static uint64_t old_size(Elf_Scn *section)
{
	const Elf_Data *data = elf_rawdata(section, NULL);
	const unsigned char *byte = data ? data->d_buf : NULL;
	uint64_t size = 0;

	if (!byte || data->d_size < 12)
		return 0;
	for (size_t i = 4; i < 12; i++)
		size = size << 8 | byte[i];
	return size;
}

/* False: it is large, or the sum of all is by now. */
static bool is_modest_section(Elf *elf, Elf_Scn *section, size_t names, uint64_t *total)
{
	const char *name;
	GElf_Shdr header;
	GElf_Chdr packed;
	uint64_t size = 0;

	if (!gelf_getshdr(section, &header))
		return false;
	name = elf_strptr(elf, names, header.sh_name);
	if (name && strcmp(name, ".gnu_debugdata") == 0)
		return header.sh_size <= MINI_MAX;
	if (name && strncmp(name, OLD_PREFIX, strlen(OLD_PREFIX)) == 0)
		size = old_size(section);
	else if (!(header.sh_flags & SHF_COMPRESSED))
		return true;
	else if (gelf_getchdr(section, &packed))
		size = packed.ch_size;
	if (size > UNPACKED_MAX)
		return false;
	*total += size;
	return *total <= UNPACKED_MAX;
}

bool file_is_modest(Elf *elf, const struct stat *stat)
{
	Elf_Scn *section = NULL;
	uint64_t total = 0;
	size_t names;

	if (stat->st_size > FILE_MAX)
		return false;
	if (elf_getshdrstrndx(elf, &names) < 0)
		return true; /* no sections at all */
	while ((section = elf_nextscn(elf, section)))
		if (!is_modest_section(elf, section, names, &total))
			return false;
	return true;
}
