/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signatures.c - what functions return and where their source is, from debug information
 *
 * A unit is gone through once for all the functions in it that are asked for.
 */
#include "symbolize/object.h"

#include <dwarf.h>

/* Bounds: types can be called each other, and siblings lead in circles. */
#define TYPES_MAX	64
#define DEPTH_MAX	64
#define RANGES_MAX	64	  /* of one function */
#define ENTRIES_MAX	2000000	  /* looked at in one unit */
#define ALL_MAX		100000000 /* and in all */
#define ENUMERATORS_MAX 65536

/* The functions of one unit that are looked for, in order of address. */
#define PARAMETERS_MAX 6

struct wanted {
	struct signature *signature;
	size_t n;
	Dwarf_Addr bias;
	unsigned int entries_left;
	bool in_functions;
};

static bool type_of(Dwarf_Die *die, Dwarf_Die *ret_type)
{
	Dwarf_Attribute attribute;

	return dwarf_attr_integrate(die, DW_AT_type, &attribute) &&
	       dwarf_formref_die(&attribute, ret_type);
}

/* Does another type say what it is?  An enumeration's may be the one that holds its values. */
static bool is_other_name(Dwarf_Die *type)
{
	int tag = dwarf_tag(type);

	if (tag == DW_TAG_enumeration_type)
		return dwarf_hasattr(type, DW_AT_type);
	return tag == DW_TAG_typedef || tag == DW_TAG_const_type || tag == DW_TAG_volatile_type ||
	       tag == DW_TAG_restrict_type || tag == DW_TAG_atomic_type ||
	       tag == DW_TAG_subrange_type;
}

static enum function_returns returns_by_encoding(Dwarf_Word encoding)
{
	switch (encoding) {
	case DW_ATE_boolean:
		return RETURNS_BOOL;
	case DW_ATE_signed:
	case DW_ATE_signed_char:
		return RETURNS_SIGNED;
	case DW_ATE_unsigned:
	case DW_ATE_unsigned_char:
	case DW_ATE_UTF:
		return RETURNS_UNSIGNED;
	case DW_ATE_address:
		return RETURNS_POINTER;
	default:
		return RETURNS_OTHER;
	}
}

static bool read_encoding(Dwarf_Die *type, enum function_returns *ret_returns)
{
	Dwarf_Attribute attribute;
	Dwarf_Word encoding;

	if (dwarf_formudata(dwarf_attr(type, DW_AT_encoding, &attribute), &encoding) != 0)
		return false;
	*ret_returns = returns_by_encoding(encoding);
	return true;
}

/* Where nothing says how it is kept, its values do. */
static bool has_negative_value(Dwarf_Die *enumeration)
{
	Dwarf_Attribute attribute;
	Dwarf_Sword value;
	Dwarf_Die die;

	if (dwarf_child(enumeration, &die) != 0)
		return false;
	for (unsigned int i = 0; i < ENUMERATORS_MAX; i++) {
		if (dwarf_formsdata(dwarf_attr(&die, DW_AT_const_value, &attribute), &value) == 0 &&
		    value < 0)
			return true;
		if (dwarf_siblingof(&die, &die) != 0)
			break;
	}
	return false;
}

static enum function_returns returns_by_tag(Dwarf_Die *type)
{
	enum function_returns returns;

	switch (dwarf_tag(type)) {
	case DW_TAG_base_type:
		return read_encoding(type, &returns) ? returns : RETURNS_NOT_KNOWN;
	case DW_TAG_enumeration_type:
		if (read_encoding(type, &returns))
			return returns;
		return has_negative_value(type) ? RETURNS_SIGNED : RETURNS_UNSIGNED;
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		return RETURNS_POINTER;
	case DW_TAG_invalid:
		return RETURNS_NOT_KNOWN;
	default:
		return RETURNS_OTHER;
	}
}

static unsigned int bytes_of(Dwarf_Die *type, enum function_returns returns)
{
	int bytes = dwarf_bytesize(type);

	if (bytes > 0)
		return (unsigned int)bytes;
	return returns == RETURNS_POINTER ? sizeof(raddr_t) : 0;
}

/* Behind other names.  Return: false: nobody knows; *ret_is_void: it is none (typedef void nothing). */
static bool resolve(Dwarf_Die *type, bool *ret_is_void, bool *ret_is_const)
{
	Dwarf_Die next;

	*ret_is_void = *ret_is_const = false;
	for (unsigned int i = 0; is_other_name(type); i++) {
		*ret_is_const = *ret_is_const || dwarf_tag(type) == DW_TAG_const_type;
		if (!dwarf_hasattr(type, DW_AT_type)) {
			*ret_is_void = true;
			return true;
		}
		if (i == TYPES_MAX || !type_of(type, &next))
			return false;
		*type = next;
	}
	return true;
}

/* Which of the parameters that come in general registers lead to memory that the function may write? */
static void read_parameters(Dwarf_Die *function, struct signature *signature)
{
	bool is_void, is_const;
	unsigned int n = 0;
	Dwarf_Die die, type;

	signature->knows_parameters = true;
	if (dwarf_child(function, &die) != 0)
		return;
	do {
		enum function_returns kind;

		if (dwarf_tag(&die) != DW_TAG_formal_parameter)
			continue;
		if (!type_of(&die, &type) || !resolve(&type, &is_void, &is_const)) {
			signature->knows_parameters = false;
			return;
		}
		kind = returns_by_tag(&type);
		if (kind == RETURNS_OTHER && dwarf_tag(&type) == DW_TAG_base_type)
			continue; /* a floating-point number has registers of its own */
		if (kind == RETURNS_OTHER || kind == RETURNS_NOT_KNOWN) {
			signature->knows_parameters = false; /* a structure: in none, one or two */
			return;
		}
		if (kind == RETURNS_POINTER &&
		    (!type_of(&type, &type) || !resolve(&type, &is_void, &is_const) || !is_const))
			signature->writes |= 1u << n;
		n++;
	} while (dwarf_siblingof(&die, &die) == 0 && n < PARAMETERS_MAX);
}

static void read_return(Dwarf_Die *function, struct signature *signature)
{
	bool has_type = dwarf_hasattr_integrate(function, DW_AT_type), is_void = true, is_const;
	Dwarf_Die type;

	if (has_type && (!type_of(function, &type) || !resolve(&type, &is_void, &is_const)))
		return;
	if (is_void) {
		signature->returns = RETURNS_VOID;
		return;
	}
	signature->returns = returns_by_tag(&type);
	signature->return_bytes = bytes_of(&type, signature->returns);
}

/* dwarf_decl_file() ends the program when a unit has no lines.  The number of the file is that of
 * the unit which tells it, and that may be another one. */
static const char *source_of(Dwarf_Die *function)
{
	Dwarf_Attribute attribute;
	Dwarf_Files *files;
	Dwarf_Word number;
	Dwarf_Die unit;
	size_t n;

	if (!dwarf_attr_integrate(function, DW_AT_decl_file, &attribute) ||
	    dwarf_formudata(&attribute, &number) != 0 ||
	    !dwarf_cu_die(attribute.cu, &unit, NULL, NULL, NULL, NULL, NULL, NULL) ||
	    dwarf_getsrcfiles(&unit, &files, &n) != 0 || number >= n)
		return NULL;
	return dwarf_filesrc(files, number, NULL, NULL);
}

static void read_signature(Dwarf_Die *function, struct signature *signature)
{
	int line;

	if (signature->returns != RETURNS_NOT_KNOWN)
		return;
	read_return(function, signature);
	read_parameters(function, signature);
	signature->file = source_of(function);
	if (dwarf_decl_line(function, &line) == 0 && line > 0)
		signature->line = (unsigned int)line;
}

static struct signature *find_wanted(const struct wanted *wanted, Dwarf_Addr at)
{
	uint64_t address = at + wanted->bias;
	size_t low = 0, high = wanted->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (wanted->signature[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == wanted->n || wanted->signature[low].address != address)
		return NULL;
	return &wanted->signature[low];
}

static void take_function(struct wanted *wanted, Dwarf_Die *die)
{
	struct signature *found;
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;

	if (dwarf_hasattr(die, DW_AT_low_pc)) {
		if (dwarf_lowpc(die, &low) == 0 && (found = find_wanted(wanted, low)))
			read_signature(die, found);
		return;
	}
	if (!dwarf_hasattr(die, DW_AT_ranges))
		return;
	/* In several pieces: one of them is where it begins. */
	for (unsigned int i = 0; i < RANGES_MAX; i++) {
		at = dwarf_ranges(die, at, &base, &low, &high);
		if (at <= 0)
			break;
		found = find_wanted(wanted, low);
		if (found)
			read_signature(die, found);
	}
}

/* Where functions of the source's outermost level are, and those of classes; or, when all are asked
 * for, those in other functions too, whose code is apart. */
static bool is_gone_into(const struct wanted *wanted, int tag)
{
	return may_hold_functions(tag) ||
	       (wanted->in_functions && (tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block));
}

static void take_functions(struct wanted *wanted, Dwarf_Die *parent, unsigned int depth)
{
	Dwarf_Die die;

	if (depth == DEPTH_MAX || dwarf_child(parent, &die) != 0)
		return;
	do {
		int tag = dwarf_tag(&die);

		if (wanted->entries_left == 0)
			return;
		wanted->entries_left--;
		if (tag == DW_TAG_subprogram)
			take_function(wanted, &die);
		if (is_gone_into(wanted, tag))
			take_functions(wanted, &die, depth + 1);
	} while (dwarf_siblingof(&die, &die) == 0);
}

static bool lacks_one(const struct wanted *wanted)
{
	for (size_t i = 0; i < wanted->n; i++)
		if (wanted->signature[i].returns == RETURNS_NOT_KNOWN)
			return true;
	return false;
}

/* Those of one unit. */
static void read_unit(Dwarf_Die *unit, struct wanted *wanted, unsigned int *entries_left)
{
	/* Assemblers write functions without a type, whatever they return. */
	if (dwarf_srclang(unit) == DW_LANG_Mips_Assembler)
		return;
	wanted->entries_left = *entries_left < ENTRIES_MAX ? *entries_left : ENTRIES_MAX;
	*entries_left -= wanted->entries_left;
	take_functions(wanted, unit, 0);
	if (lacks_one(wanted)) {
		wanted->in_functions = true;
		take_functions(wanted, unit, 0);
	}
	*entries_left += wanted->entries_left;
}

static int compare_units(const void *left, const void *right)
{
	const struct signature *a = left, *b = right;

	if (a->unit != b->unit)
		return (uintptr_t)a->unit < (uintptr_t)b->unit ? -1 : 1;
	return a->address < b->address ? -1 : a->address > b->address;
}

void object_signatures(struct object *object, struct signature *signatures, size_t n)
{
	unsigned int entries_left = ALL_MAX;
	Dwarf_Addr bias = 0;

	for (size_t i = 0; i < n; i++)
		signatures[i] = (struct signature){
			.address = signatures[i].address,
			.index = signatures[i].index,
			.unit = object_unit(object, signatures[i].address, &bias),
		};
	if (n > 0)
		qsort(signatures, n, sizeof(*signatures), compare_units);
	for (size_t i = 0, next; i < n; i = next) {
		struct wanted wanted = {.signature = &signatures[i], .bias = bias};

		for (next = i + 1; next < n && signatures[next].unit == signatures[i].unit; next++)
			;
		wanted.n = next - i;
		if (signatures[i].unit)
			read_unit(signatures[i].unit, &wanted, &entries_left);
	}
}
