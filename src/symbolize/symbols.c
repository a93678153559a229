/* SPDX-License-Identifier: BSD-2-Clause */
/* symbols.c - the functions that a file's symbol tables name, in order of address */
#include "symbolize/object.h"

#include <string.h>

/* Functions lie in functions (cold parts, local labels) only so deep. */
#define LOOK_BACK_MAX 64

struct symbol_table {
	struct symbol *symbol;
	size_t n;
	bool is_full; /* local functions too, not only what other files may use */
};

static bool is_function(const struct object *object, const GElf_Sym *sym, const char *name)
{
	unsigned int type = GELF_ST_TYPE(sym->st_info);

	return name && *name && sym->st_shndx != SHN_UNDEF &&
	       (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE) &&
	       object_is_code(object, sym->st_value);
}

static size_t underscores(const char *name)
{
	return strspn(name, "_");
}

int compare_symbol_names(const char *a, const char *b)
{
	size_t x = underscores(a), y = underscores(b);

	if (x == y) {
		x = strlen(a);
		y = strlen(b);
	}
	if (x != y)
		return x < y ? -1 : 1;
	return strcmp(a, b);
}

static int compare_symbols(const void *left, const void *right)
{
	const struct symbol *a = left, *b = right;
	bool a_sized = a->high > a->low, b_sized = b->high > b->low;

	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	if (a_sized != b_sized)
		return a_sized ? -1 : 1;
	return compare_symbol_names(a->name, b->name);
}

static void read_table(struct object *object, struct symbol_table *table)
{
	int n = dwfl_module_getsymtab(object->module);

	if (n <= 0)
		return;
	table->symbol = calloc((size_t)n, sizeof(*table->symbol));
	if (!table->symbol)
		return;
	for (int i = 1; i < n; i++) {
		GElf_Addr address;
		GElf_Sym sym;
		const char *name = dwfl_module_getsym_info(object->module, i, &sym, &address, NULL,
							   NULL, NULL);

		if (!name)
			continue;
		sym.st_value = address;
		if (!is_function(object, &sym, name) || address + sym.st_size < address)
			continue;
		table->is_full |= GELF_ST_BIND(sym.st_info) == STB_LOCAL;
		table->symbol[table->n++] = (struct symbol){
			.low = address,
			.high = address + sym.st_size,
			.name = name,
		};
	}
	qsort(table->symbol, table->n, sizeof(*table->symbol), compare_symbols);
}

/* How many symbols begin at or before the address. */
static size_t count_before(const struct symbol_table *table, uint64_t address)
{
	size_t low = 0, high = table->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->symbol[middle].low <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first, by order of names, of those that begin at the same place and hold the address. */
static const struct symbol *best_of(const struct symbol_table *table, size_t at, uint64_t address)
{
	uint64_t low = table->symbol[at].low;
	const struct symbol *best = &table->symbol[at];

	while (at > 0 && table->symbol[at - 1].low == low) {
		const struct symbol *other = &table->symbol[--at];

		if (address < other->high || other->high == other->low)
			best = other;
	}
	return best;
}

const struct symbol *object_symbol(struct object *object, uint64_t address)
{
	const struct symbol_table *table;
	size_t n;

	if (!object->symbols) {
		object->symbols = calloc(1, sizeof(*object->symbols));
		if (!object->symbols)
			return NULL;
		read_table(object, object->symbols);
	}
	table = object->symbols;
	n = count_before(table, address);
	for (size_t i = n; i > 0 && n - i < LOOK_BACK_MAX; i--)
		if (address < table->symbol[i - 1].high)
			return best_of(table, i - 1, address);
	/* Without a size it reaches to the next one, unless there are some that we do not know. */
	if (table->is_full && n > 0 && table->symbol[n - 1].high == table->symbol[n - 1].low)
		return best_of(table, n - 1, address);
	return NULL;
}

bool object_symbol_is_named(const struct object *object, const struct symbol *symbol,
			    const char *name)
{
	const struct symbol_table *table = object->symbols;

	for (size_t i = count_before(table, symbol->low);
	     i > 0 && table->symbol[i - 1].low == symbol->low; i--)
		if (strcmp(table->symbol[i - 1].name, name) == 0)
			return true;
	return false;
}

void symbol_table_free(struct symbol_table *table)
{
	if (!table)
		return;
	free(table->symbol);
	free(table);
}
