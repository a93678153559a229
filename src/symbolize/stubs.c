/* SPDX-License-Identifier: BSD-2-Clause */
/* stubs.c - which function a call into the procedure linkage table leads to */
#include "symbolize/object.h"

#include "symbolize/machine.h"

/* The name of the symbol that a table of relocations puts into a slot. */
static const char *name_in(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, uint64_t slot)
{
	Elf_Data *relocations = elf_getdata(section, NULL), *symbols;
	Elf_Scn *symbol_section = elf_getscn(elf, header->sh_link);
	GElf_Shdr symbol_header;
	GElf_Rela relocation;
	GElf_Sym symbol;

	if (!relocations || !symbol_section || !gelf_getshdr(symbol_section, &symbol_header))
		return NULL;
	symbols = elf_getdata(symbol_section, NULL);
	for (int i = 0; gelf_getrela(relocations, i, &relocation); i++)
		if (relocation.r_offset == slot)
			return symbols && gelf_getsym(symbols, (int)GELF_R_SYM(relocation.r_info), &symbol) ?
				       elf_strptr(elf, symbol_header.sh_link, symbol.st_name) : NULL;
	return NULL;
}

const char *object_stub_name(struct object *object, uint64_t address)
{
	unsigned char code[MACHINE_CODE_BYTES];
	size_t n = object_code(object, address, code, sizeof(code));
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	uint64_t slot;

	if (!object->elf || !machine_here.is_stub(code, n, address, &slot))
		return NULL;
	while ((section = elf_nextscn(object->elf, section)) != NULL) {
		const char *name = NULL;

		if (gelf_getshdr(section, &header) && header.sh_type == SHT_RELA)
			name = name_in(object->elf, section, &header, slot);
		if (name)
			return name;
	}
	return NULL;
}
