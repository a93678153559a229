/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lines.c - file, line and inlined calls, from debug information
 *
 * Which unit holds an address is found in a table of our own, because not all compilers write
 * .debug_aranges; in the unit, by going down from each part that holds the address.
 */
#include "symbolize/object.h"

#include <dwarf.h>
#include <elfutils/libdwelf.h>
#include <string.h>

#define MEMORY_LEAST	  (4u << 20)
#define UNITS_A_LOOK	  16 /* that fit in there */
#define RANGES_A_UNIT_MAX 65536
#define DEPTH_MAX	  128
#define ENTRIES_MAX	  2000000 /* looked at for one address: links to siblings can lead in circles */

struct unit_range {
	uint64_t low, high;
	size_t unit;
};

struct unit_table {
	Dwarf_Addr bias;
	Dwarf_Die *unit;
	size_t n_units, units_room;
	struct unit_range *range;
	size_t n_ranges, ranges_room;
};

void unit_table_free(struct unit_table *table)
{
	if (!table)
		return;
	free(table->unit);
	free(table->range);
	free(table);
}

static bool add_range(struct unit_table *table, uint64_t low, uint64_t high)
{
	struct unit_range *more;

	if (table->n_ranges == table->ranges_room) {
		size_t room = table->ranges_room ? table->ranges_room * 2 : 64;

		more = reallocarray(table->range, room, sizeof(*more));
		if (!more)
			return false;
		table->range = more;
		table->ranges_room = room;
	}
	table->range[table->n_ranges++] = (struct unit_range){low, high, table->n_units};
	return true;
}

/* libdw does not look whether it got the memory for a unit, or for its lines (0.188): it is ended by
 * SIGSEGV then. So it is asked for beforehand whether there is some. */
static bool has_memory(void)
{
	void *volatile probe = malloc(MEMORY_LEAST);
	bool there = probe != NULL;

	free(probe);
	return there;
}

static bool add_unit(struct unit_table *table, Dwarf_Die *ranges_of, Dwarf_Die *unit)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;
	Dwarf_Die *more;

	for (size_t i = 0; i < RANGES_A_UNIT_MAX; i++) {
		at = dwarf_ranges(ranges_of, at, &base, &low, &high);
		if (at <= 0)
			break;
		if (low < high && !add_range(table, low, high))
			return false;
	}
	if (table->n_units == table->units_room) {
		size_t room = table->units_room ? table->units_room * 2 : 64;

		more = reallocarray(table->unit, room, sizeof(*more));
		if (!more)
			return false;
		table->unit = more;
		table->units_room = room;
	}
	table->unit[table->n_units++] = *unit;
	return true;
}

static int compare_ranges(const void *left, const void *right)
{
	const struct unit_range *a = left, *b = right;

	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	return a->unit < b->unit ? -1 : a->unit > b->unit;
}

/* may_open: also what was split off into files whose names are in this one. */
static void read_units(Dwarf *dwarf, struct unit_table *table, bool may_open)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die, split = {0};
	size_t n_seen = 0;
	uint8_t type;

	while (dwarf_get_units(dwarf, cu, &cu, NULL, &type, &die, may_open ? &split : NULL) == 0) {
		/* what was split off has the contents, what stayed has the addresses */
		bool is_split = may_open && type == DW_UT_skeleton && split.addr;

		if (n_seen++ % UNITS_A_LOOK == 0 && !has_memory())
			break;
		if (type != DW_UT_compile && type != DW_UT_skeleton)
			continue;
		if (!add_unit(table, &die, is_split ? &split : &die))
			break;
	}
	if (table->n_ranges > 0)
		qsort(table->range, table->n_ranges, sizeof(*table->range), compare_ranges);
}

/* Does it lean on a second file, which libdw would open by the name that is given here? */
static bool names_another_file(Dwarf *dwarf)
{
	const char *name;
	const void *id;

	return dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &id) != 0;
}

static struct unit_table *units_of(struct object *object)
{
	/* libdw waits for ever on a pipe of that name: not with files that anybody may have made */
	bool may_open = file_is_ours_alone(&object->stat);
	Dwarf *dwarf;

	if (object->units)
		return object->units;
	object->units = calloc(1, sizeof(*object->units));
	if (!object->units)
		return NULL;
	dwarf = dwfl_module_getdwarf(object->module, &object->units->bias);
	if (dwarf && (may_open || !names_another_file(dwarf)))
		read_units(dwarf, object->units, may_open);
	return object->units;
}

static Dwarf_Die *find_unit(struct unit_table *table, uint64_t address)
{
	size_t low = 0, high = table->n_ranges;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->range[middle].low <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* Ranges do not overlap in files that make sense. */
	if (low == 0 || address >= table->range[low - 1].high)
		return NULL;
	return &table->unit[table->range[low - 1].unit];
}

/* One way down the tree, to the innermost function at an address. */
struct descent {
	Dwarf_Addr address;
	Dwarf_Die found[SOURCE_FRAMES_MAX]; /* functions and inlined calls, outermost first */
	size_t n;
	unsigned int entries_left;
};

bool may_hold_functions(int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_structure_type ||
	       tag == DW_TAG_class_type || tag == DW_TAG_union_type || tag == DW_TAG_module ||
	       tag == DW_TAG_enumeration_type;
}

static bool descend(struct descent *descent, Dwarf_Die *parent, unsigned int depth);

/* True: the address is in it, and all that can be found is. */
static bool descend_into(struct descent *descent, Dwarf_Die *die, unsigned int depth)
{
	int tag = dwarf_tag(die);

	if (may_hold_functions(tag))
		return descend(descent, die, depth);
	if (tag != DW_TAG_subprogram && tag != DW_TAG_inlined_subroutine &&
	    tag != DW_TAG_lexical_block)
		return false;
	if (dwarf_haspc(die, descent->address) <= 0) {
		/* a block that says nothing of its place */
		return tag == DW_TAG_lexical_block && !dwarf_hasattr(die, DW_AT_low_pc) &&
		       !dwarf_hasattr(die, DW_AT_ranges) && descend(descent, die, depth);
	}
	if (tag != DW_TAG_lexical_block && descent->n < SOURCE_FRAMES_MAX)
		descent->found[descent->n++] = *die;
	(void)descend(descent, die, depth);
	return true;
}

static bool descend(struct descent *descent, Dwarf_Die *parent, unsigned int depth)
{
	Dwarf_Die die;

	if (depth == DEPTH_MAX || dwarf_child(parent, &die) != 0)
		return false;
	do {
		if (descent->entries_left == 0)
			return true;
		descent->entries_left--;
		if (descend_into(descent, &die, depth + 1))
			return true;
	} while (dwarf_siblingof(&die, &die) == 0);
	return false;
}

Dwarf_Die *object_unit(struct object *object, uint64_t address, Dwarf_Addr *ret_bias)
{
	struct unit_table *table = units_of(object);

	if (!table)
		return NULL;
	*ret_bias = table->bias;
	return find_unit(table, address - table->bias);
}

static const char *linkage_name(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;

	if (!dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) &&
	    !dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
		return NULL;
	return dwarf_formstring(&attribute);
}

/* Where the call stands that was inlined. */
static void read_call(Dwarf_Die *unit, Dwarf_Die *call, const char **ret_file,
		      unsigned int *ret_line)
{
	Dwarf_Attribute attribute;
	Dwarf_Files *files;
	Dwarf_Word value;
	size_t n;

	*ret_file = NULL;
	*ret_line = 0;
	if (dwarf_formudata(dwarf_attr(call, DW_AT_call_line, &attribute), &value) == 0 &&
	    value <= UINT32_MAX)
		*ret_line = (unsigned int)value;
	if (dwarf_formudata(dwarf_attr(call, DW_AT_call_file, &attribute), &value) == 0 &&
	    dwarf_getsrcfiles(unit, &files, &n) == 0 && value < n)
		*ret_file = dwarf_filesrc(files, value, NULL, NULL);
}

static void read_line(Dwarf_Die *unit, Dwarf_Addr address, struct source_frame *frame)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, address);
	int number;

	if (!line)
		return;
	frame->file = dwarf_linesrc(line, NULL, NULL);
	if (dwarf_lineno(line, &number) == 0 && number > 0)
		frame->line = (unsigned int)number;
}

static void read_function(struct unit_table *table, Dwarf_Die *die, struct source_frame *frame)
{
	Dwarf_Addr low;

	frame->linkage_name = linkage_name(die);
	frame->name = dwarf_diename(die);
	frame->inlined = dwarf_tag(die) == DW_TAG_inlined_subroutine;
	/* of one in several pieces, libdw says where its unit begins */
	if (dwarf_hasattr(die, DW_AT_entry_pc) || dwarf_hasattr(die, DW_AT_low_pc)) {
		if (dwarf_entrypc(die, &low) == 0)
			frame->low = low + table->bias;
	}
}

size_t object_source_frames(struct object *object, uint64_t address,
			    struct source_frame *ret_frames, size_t max)
{
	struct unit_table *table = has_memory() ? units_of(object) : NULL;
	struct descent descent = {.entries_left = ENTRIES_MAX};
	Dwarf_Die *unit;
	size_t n = 0;

	if (!table || max == 0 || !has_memory())
		return 0;
	descent.address = address - table->bias;
	unit = find_unit(table, descent.address);
	if (!unit)
		return 0;
	(void)descend(&descent, unit, 0);
	ret_frames[0] = (struct source_frame){0};
	read_line(unit, descent.address, &ret_frames[0]);
	while (descent.n > 0 && n < max) {
		Dwarf_Die *die = &descent.found[--descent.n];

		read_function(table, die, &ret_frames[n]);
		if (++n == max || !ret_frames[n - 1].inlined)
			break;
		ret_frames[n] = (struct source_frame){0};
		read_call(unit, die, &ret_frames[n].file, &ret_frames[n].line);
	}
	if (n == 0) /* a line, but no function */
		return ret_frames[0].file ? 1 : 0;
	return n;
}
