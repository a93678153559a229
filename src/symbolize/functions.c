/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * functions.c - functions by name: from a pattern to addresses in a process
 *
 * What a file's tables name is read once.  .dynsym is read apart: it alone tells what other files
 * may bind to.
 */
#include <fnmatch.h>
#include <gelf.h>
#include <string.h>

#include "symbolize/functions.h"

#define FUNCTIONS_MAX (1u << 22) /* of one file */
#define SYMBOL_MAX    8192	 /* bytes of a name that is looked at */

void function_table_free(struct function_table *table)
{
	if (!table)
		return;
	free(table->function);
	free(table);
}

/* The table of a file */

/* What compilers append when they make another function, or a piece, of one; or a mere number. */
static const char *const suffixes[] = {".constprop", ".isra",  ".part",	     ".cold",
				       ".lto_priv",  ".llvm.", ".localalias"};

static bool is_number(const char *dot)
{
	size_t n = strspn(dot + 1, "0123456789");

	return n > 0 && (dot[1 + n] == '.' || dot[1 + n] == '\0');
}

static bool is_suffix(const char *dot, const char *suffix)
{
	size_t n = strlen(suffix);

	return strncmp(dot, suffix, n) == 0 &&
	       (suffix[n - 1] == '.' || dot[n] == '.' || dot[n] == '\0');
}

/* How long the name is that the source gave it; *ret_cold: it is a piece that no call leads to. */
static size_t stem_of(const char *symbol, bool *ret_cold)
{
	const char *end = NULL;

	*ret_cold = false;
	for (const char *dot = strchr(symbol + 1, '.'); dot; dot = strchr(dot + 1, '.')) {
		bool is_end = is_number(dot);

		for (size_t i = 0; i < ARRAY_SIZE(suffixes) && !is_end; i++)
			is_end = is_suffix(dot, suffixes[i]);
		*ret_cold |= is_suffix(dot, ".cold");
		if (is_end && !end)
			end = dot;
	}
	return end ? (size_t)(end - symbol) : strlen(symbol);
}

static bool is_function(const struct object *object, const GElf_Sym *sym, const char *name)
{
	return name && *name && sym->st_shndx != SHN_UNDEF &&
	       GELF_ST_TYPE(sym->st_info) == STT_FUNC && object_is_code(object, sym->st_value) &&
	       sym->st_value + sym->st_size >= sym->st_value;
}

static bool is_exported(const GElf_Sym *sym)
{
	unsigned int visibility = GELF_ST_VISIBILITY(sym->st_other);

	return GELF_ST_BIND(sym->st_info) != STB_LOCAL &&
	       (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

static bool make_room(struct function_table *table)
{
	size_t room = table->room ? table->room * 2 : 256;
	struct named_function *more;

	if (table->n < table->room)
		return true;
	if (room > FUNCTIONS_MAX)
		return false;
	more = reallocarray(table->function, room, sizeof(*more));
	if (!more)
		return false;
	table->function = more;
	table->room = room;
	return true;
}

/* False: there is no room for more. */
static bool add_function(struct object *object, const GElf_Sym *sym, const char *symbol,
			 bool exported)
{
	struct function_table *table = object->functions;
	size_t n = strnlen(symbol, SYMBOL_MAX + 1);
	const char *version = memchr(symbol + 1, '@', n - 1);
	bool is_cold;

	if (n > SYMBOL_MAX)
		return true;
	if (version)
		symbol = object_text(object, symbol, (size_t)(version - symbol));
	if (!symbol || !make_room(table))
		return false;
	table->function[table->n] = (struct named_function){
		.low = sym->st_value,
		.high = sym->st_value + sym->st_size,
		.symbol = symbol,
		.stem = stem_of(symbol, &is_cold),
		.exported = exported,
	};
	table->n += !is_cold;
	return true;
}

static void read_dynamic(struct object *object, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Sym sym;

	for (int i = 1; data && gelf_getsym(data, i, &sym); i++) {
		const char *name = elf_strptr(object->elf, header->sh_link, sym.st_name);

		if (is_function(object, &sym, name) && is_exported(&sym) &&
		    !add_function(object, &sym, name, true))
			break;
	}
}

static void read_exported(struct object *object)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(object->elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == SHT_DYNSYM)
			read_dynamic(object, section, &header);
}

/* The fullest table that there is, be it in a file of its own. */
static void read_all(struct object *object)
{
	int n = dwfl_module_getsymtab(object->module);

	for (int i = 1; i < n; i++) {
		GElf_Addr address;
		GElf_Sym sym;
		const char *name = dwfl_module_getsym_info(object->module, i, &sym, &address, NULL,
							   NULL, NULL);

		if (!name)
			continue;
		sym.st_value = address;
		if (is_function(object, &sym, name) && !add_function(object, &sym, name, false))
			break;
	}
}

static int compare_functions(const void *left, const void *right)
{
	const struct named_function *a = left, *b = right;
	int order;

	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	order = compare_symbol_names(a->symbol, b->symbol);
	return order ? order : (int)b->exported - (int)a->exported;
}

const struct function_table *object_functions(struct object *object)
{
	struct function_table *table;

	if (object->functions)
		return object->functions;
	object->functions = table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
	read_exported(object);
	read_all(object);
	if (table->n > 0)
		qsort(table->function, table->n, sizeof(*table->function), compare_functions);
	return table;
}

const char *object_function_name(struct object *object, struct named_function *f)
{
	AUTO_FREE char *stem = NULL;

	if (f->name)
		return f->name;
	if (f->symbol[f->stem] == '\0' && !is_mangled(f->symbol)) {
		f->name = f->symbol;
		return f->name;
	}
	stem = strndup(f->symbol, f->stem);
	if (stem)
		f->name = object_demangle(object, stem);
	return f->name;
}

static size_t first_from(const struct function_table *table, uint64_t address)
{
	size_t low = 0, high = table->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->function[middle].low < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Patterns */

/* `operator!` has one of its own. */
static char *find_bang(char *text)
{
	static const char operator[] = "operator";
	const size_t n = sizeof(operator) - 1;

	for (char *bang = strchr(text, '!'); bang; bang = strchr(bang + 1, '!'))
		if ((size_t)(bang - text) < n || memcmp(bang - n, operator, n) != 0)
			return bang;
	return NULL;
}

static bool is_identifier(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '_';
}

/* The last identifier is in the mangled name as it is, unless it has an abbreviation. */
static void set_identifier(struct pattern *pattern)
{
	const char *end = pattern->symbol + strlen(pattern->symbol), *begin = end;

	while (begin > pattern->symbol && is_identifier(begin[-1]))
		begin--;
	if (pattern->is_glob || strncmp(pattern->symbol, "std::", 5) == 0 ||
	    strstr(pattern->symbol, "operator") || end - begin >= IDENTIFIER_MAX)
		return;
	memcpy(pattern->identifier, begin, (size_t)(end - begin) + 1);
}

int pattern_read(const char *text, struct pattern *ret_pattern)
{
	struct pattern pattern = {.text = strdup(text)};
	char *bang;

	if (!pattern.text)
		return -ENOMEM;
	pattern.symbol = pattern.text;
	bang = find_bang(pattern.text);
	if (bang) {
		*bang = '\0';
		pattern.library = pattern.text;
		pattern.symbol = bang + 1;
	}
	if (*pattern.symbol == '\0' || (pattern.library && *pattern.library == '\0')) {
		free(pattern.text);
		return -EINVAL;
	}
	pattern.is_glob = strpbrk(pattern.symbol, "*?[") != NULL;
	set_identifier(&pattern);
	*ret_pattern = pattern;
	return 0;
}

static bool text_matches(const char *pattern, const char *text)
{
	return strcmp(pattern, text) == 0 || fnmatch(pattern, text, 0) == 0;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* libc.so.6: so, as libc.so, and as libc. */
static bool library_matches(const char *library, const char *path)
{
	AUTO_FREE char *base = strdup(base_of(path));
	char *end;

	if (!library)
		return true;
	if (!base || strchr(library, '/'))
		return text_matches(library, path);
	if (text_matches(library, base))
		return true;
	end = strstr(base, ".so");
	while (end && end[3] != '\0' && end[3] != '.')
		end = strstr(end + 1, ".so");
	if (!end)
		return false;
	end[3] = '\0';
	if (text_matches(library, base))
		return true;
	*end = '\0';
	return text_matches(library, base);
}

enum match {
	MATCH_NONE,
	MATCH_GLOB,
	MATCH_READABLE, /* what the user calls it */
	MATCH_STEM,
	MATCH_SYMBOL
};

static enum match match_text(const struct pattern *pattern, const char *text, enum match exact)
{
	if (strcmp(pattern->symbol, text) == 0)
		return exact;
	return pattern->is_glob && fnmatch(pattern->symbol, text, 0) == 0 ? MATCH_GLOB : MATCH_NONE;
}

/* Without the tag that the C++ library gives to what has to do with its newer strings. */
static void cut_tags(char *name)
{
	size_t n = strlen(name);
	char *tag = strstr(name, "[abi:");

	while (tag && !(strchr(tag, ']') && strchr(tag, ']') + 1 == name + n))
		tag = strstr(tag + 1, "[abi:");
	if (tag)
		*tag = '\0';
}

static enum match match_readable(const struct pattern *pattern, const char *stem)
{
	char name[READABLE_MAX + 1];
	enum match match;

	if (!is_mangled(stem) || (*pattern->identifier && !strstr(stem, pattern->identifier)) ||
	    !demangle_into(stem, name))
		return MATCH_NONE;
	match = match_text(pattern, name, MATCH_READABLE);
	if (match == MATCH_NONE) {
		cut_tags(name);
		match = match_text(pattern, name, MATCH_READABLE);
	}
	return match;
}

static enum match match_function(const struct pattern *pattern, const struct named_function *f)
{
	enum match match = match_text(pattern, f->symbol, MATCH_SYMBOL);
	char stem[SYMBOL_MAX + 1];

	if (match != MATCH_NONE)
		return match;
	if (f->symbol[f->stem] == '\0')
		return match_readable(pattern, f->symbol);
	memcpy(stem, f->symbol, f->stem);
	stem[f->stem] = '\0';
	match = match_text(pattern, stem, MATCH_STEM);
	return match != MATCH_NONE ? match : match_readable(pattern, stem);
}

/* Looking */

struct found {
	struct function *function;
	size_t n, room;
};

/* Returns NULL when there is no memory. */
static struct function *next_found(struct found *found)
{
	size_t room = found->room ? found->room * 2 : 16;
	struct function *more;

	if (found->n < found->room)
		return &found->function[found->n++];
	more = reallocarray(found->function, room, sizeof(*more));
	if (!more)
		return NULL;
	found->function = more;
	found->room = room;
	return &found->function[found->n++];
}

struct search {
	struct pattern pattern;
	bool exported_only;
	struct found found;
};

/* A stretch of a file's addresses, and what is added to them where it is mapped. */
struct stretch {
	struct object *object;
	uint64_t low, high, shift;
};

/* The best of the names for one address, which are those from first to before last; NULL: none. */
static struct named_function *best_of(const struct search *search, struct named_function *first,
				      const struct named_function *last)
{
	enum match best = MATCH_NONE;
	struct named_function *at = NULL;

	for (struct named_function *f = first; f < last; f++) {
		enum match match;

		if (search->exported_only && !f->exported)
			continue;
		match = match_function(&search->pattern, f);
		if (match > best || (match == best && at && f->exported && !at->exported)) {
			best = match;
			at = f;
		}
	}
	return at;
}

static int add_found(struct search *search, const struct stretch *stretch, struct named_function *f,
		     const struct named_function *first, const struct named_function *last)
{
	struct function *function = next_found(&search->found);
	uint64_t high = f->high;
	bool exported = false;

	if (!function)
		return -ENOMEM;
	for (const struct named_function *other = first; other < last; other++) {
		exported |= other->exported;
		if (other->high > high)
			high = other->high;
	}
	*function = (struct function){
		.low = f->low + stretch->shift,
		.high = high + stretch->shift,
		.name = object_function_name(stretch->object, f),
		.symbol = f->symbol,
		.module = stretch->object->path,
		.exported = exported,
	};
	return function->name ? 0 : -ENOMEM;
}

/* What debug information says of those that were found from first on. */
static int add_signatures(const struct stretch *stretch, struct found *found, size_t first)
{
	size_t n = found->n - first;
	AUTO_FREE struct signature *signatures = calloc(n + 1, sizeof(*signatures));

	if (!signatures)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		signatures[i].address = found->function[first + i].low - stretch->shift;
		signatures[i].index = first + i;
	}
	object_signatures(stretch->object, signatures, n);
	for (size_t i = 0; i < n; i++) {
		struct function *function = &found->function[signatures[i].index];

		function->returns = signatures[i].returns;
		function->return_bytes = signatures[i].return_bytes;
		function->writes = signatures[i].knows_parameters ? signatures[i].writes : UINT32_MAX;
		function->file = signatures[i].file;
		function->line = signatures[i].line;
	}
	return 0;
}

static int search_stretch(struct search *search, const struct stretch *stretch)
{
	const struct function_table *table = object_functions(stretch->object);
	size_t next, before = search->found.n;

	if (!table)
		return -ENOMEM;
	for (size_t i = first_from(table, stretch->low);
	     i < table->n && table->function[i].low < stretch->high; i = next) {
		struct named_function *first = &table->function[i], *best;

		for (next = i + 1; next < table->n && table->function[next].low == first->low;
		     next++)
			;
		best = best_of(search, first, &table->function[next]);
		if (best && add_found(search, stretch, best, first, &table->function[next]) < 0)
			return -ENOMEM;
	}
	return search->found.n > before ? add_signatures(stretch, &search->found, before) : 0;
}

/* The next stretch of code of a mapping's file that is in the mapping, from segment *at on. */
static bool next_stretch(const struct mapping *mapping, size_t *at, struct stretch *ret_stretch)
{
	const struct object *object = mapping->object;
	uint64_t first = mapping->offset, last = first + (mapping->high - mapping->low);

	while (*at < object->n_segments) {
		const struct object_segment *s = &object->segment[(*at)++];
		uint64_t low = s->offset > first ? s->offset : first;
		uint64_t high = s->offset + s->bytes < last ? s->offset + s->bytes : last;

		if (!s->execute || low >= high)
			continue;
		*ret_stretch = (struct stretch){
			.object = mapping->object,
			.low = s->address + (low - s->offset),
			.high = s->address + (high - s->offset),
		};
		ret_stretch->shift = mapping->low + (low - first) - ret_stretch->low;
		return true;
	}
	return false;
}

bool mapping_is_searched(const struct mapping *mapping, const char *library)
{
	return mapping->object && !mapping->gone && mapping->object->path[0] == '/' &&
	       library_matches(library, mapping->object->path) && object_open(mapping->object);
}

static int search_space(struct space *space, struct search *search)
{
	for (size_t i = 0; i < space->n_maps; i++) {
		const struct mapping *mapping = &space->map[i];
		struct stretch stretch;
		size_t at = 0;

		if (!mapping_is_searched(mapping, search->pattern.library))
			continue;
		while (next_stretch(mapping, &at, &stretch)) {
			int r = search_stretch(search, &stretch);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int compare_found(const void *left, const void *right)
{
	const struct function *a = left, *b = right;

	return a->low < b->low ? -1 : a->low > b->low;
}

/* Segments of a spoiled file can lie over each other. */
static void put_in_order(struct found *found)
{
	size_t n = 0;

	if (found->n > 0)
		qsort(found->function, found->n, sizeof(*found->function), compare_found);
	for (size_t i = 0; i < found->n; i++)
		if (n == 0 || found->function[n - 1].low != found->function[i].low)
			found->function[n++] = found->function[i];
	found->n = n;
}

int space_functions(struct space *space, const char *pattern, bool exported_only,
		    struct function **ret_functions, size_t *ret_n)
{
	struct search search = {.exported_only = exported_only};
	int r = pattern_read(pattern, &search.pattern);

	if (r < 0)
		return r;
	r = search_space(space, &search);
	free(search.pattern.text);
	if (r < 0) {
		free(search.found.function);
		return r;
	}
	put_in_order(&search.found);
	*ret_functions = search.found.function;
	*ret_n = search.found.n;
	return 0;
}
