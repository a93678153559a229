/* SPDX-License-Identifier: BSD-2-Clause */
/* near_miss.c - what somebody may have meant who asked for a symbol that is not there */
#include "elf/private.h"

#include <string.h>

/* Nobody waits long for an error message, whatever the target says it has. */
#define SYMBOLS_MAX	200000
#define BYTES_MAX	(64u << 20)
#define STRTAB_MAX	(16u << 20)
#define SYMBOL_CHUNK	512
#define WORD_CHUNK	1024
#define NEAR_MAX	32
#define NAME_LENGTH_MAX (ELF_NAME_BYTES - 1)

struct budget {
	size_t symbols, bytes;
};

struct near {
	unsigned int distance;
	size_t prefix;
	char name[ELF_NAME_BYTES];
};

struct search {
	const char *name;
	size_t length;
	unsigned int limit;
	struct near near[NEAR_MAX];
	size_t n, n_max;
	struct budget left;
};

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Read what the budget allows, as far as it is readable; how much, or an error. */
static ssize_t read_within(const struct elf_modules *modules, struct budget *left, raddr_t address,
			   void *buffer, size_t bytes)
{
	struct elf_piece piece = { address, buffer, min_size(bytes, left->bytes), 0 };
	int r = elf_read_pieces(modules, &piece, 1);

	if (r < 0)
		return r;
	left->bytes -= piece.got;
	return (ssize_t)piece.got;
}

/* A GNU hash table does not say how many symbols there are: the end of the last chain does. */
static uint64_t count_gnu(const struct elf_modules *modules, const struct elf_module *module,
			  struct budget *left)
{
	raddr_t buckets = module->gnu_hash + 16 + 8ULL * module->n_bloom;
	raddr_t chains = buckets + 4ULL * module->n_buckets;
	uint32_t word[WORD_CHUNK];
	uint64_t last = 0;

	for (uint64_t at = 0; at < module->n_buckets; at += WORD_CHUNK) {
		size_t n = min_size(WORD_CHUNK, module->n_buckets - at);
		ssize_t got = read_within(modules, left, buckets + 4 * at, word, 4 * n);

		if (got < (ssize_t)(4 * n))
			return 0;
		for (size_t i = 0; i < n; i++)
			if (word[i] > last)
				last = word[i];
	}
	if (last < module->first_symbol)
		return 0;
	for (size_t looked = 0; looked < SYMBOLS_MAX; looked += WORD_CHUNK) {
		ssize_t got = read_within(modules, left, chains + 4 * (last - module->first_symbol),
					  word, sizeof(word));

		for (ssize_t i = 0; i < got / 4; i++, last++)
			if (word[i] & 1)
				return last + 1;
		if (got < (ssize_t)sizeof(word))
			break;
	}
	return last;
}

/* Levenshtein's distance, or more than limit when it is more than that. */
static unsigned int distance(const char *a, size_t n_a, const char *b, size_t n_b,
			     unsigned int limit)
{
	unsigned int row[ELF_NAME_BYTES];

	for (size_t j = 0; j <= n_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= n_a; i++) {
		unsigned int diagonal = row[0], best = i;

		row[0] = i;
		for (size_t j = 1; j <= n_b; j++) {
			unsigned int change = diagonal + (a[i - 1] != b[j - 1]);
			unsigned int shift = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = change < shift ? change : shift;
			if (row[j] < best)
				best = row[j];
		}
		if (best > limit)
			return best;
	}
	return row[n_b];
}

static bool is_nearer(const struct near *a, const struct near *b)
{
	if (a->distance != b->distance)
		return a->distance < b->distance;
	if (a->prefix != b->prefix)
		return a->prefix > b->prefix;
	return strcmp(a->name, b->name) < 0;
}

static void insert(struct search *search, const struct near *near)
{
	size_t at = search->n;

	for (size_t i = 0; i < search->n; i++)
		if (!strcmp(search->near[i].name, near->name))
			return;
	while (at > 0 && is_nearer(near, &search->near[at - 1]))
		at--;
	if (at >= search->n_max)
		return;
	if (search->n < search->n_max)
		search->n++;
	memmove(&search->near[at + 1], &search->near[at],
		(search->n - 1 - at) * sizeof(search->near[0]));
	search->near[at] = *near;
}

static void consider(struct search *search, const char *name, size_t length)
{
	struct near near = { .distance = search->limit };

	if (length > NAME_LENGTH_MAX || length == 0)
		return;
	while (near.prefix < min_size(length, search->length) &&
	       name[near.prefix] == search->name[near.prefix])
		near.prefix++;
	/* a name that was not typed to its end is near, however much of it is missing */
	if (near.prefix < search->length || search->length < 3) {
		if (length > search->length + search->limit ||
		    search->length > length + search->limit)
			return;
		near.distance = distance(search->name, search->length, name, length, search->limit);
	}
	if (near.distance > search->limit)
		return;
	memcpy(near.name, name, length);
	insert(search, &near);
}

/* The names of a module, as much of them as the budget allows. */
static size_t read_names(const struct elf_modules *modules, const struct elf_module *module,
			 struct budget *left, char **ret_names)
{
	size_t bytes = min_size(min_size(module->strtab_bytes, STRTAB_MAX), left->bytes);
	AUTO_FREE char *names = malloc(bytes + 1);
	ssize_t got;

	if (!names)
		return 0;
	got = read_within(modules, left, module->strtab, names, bytes);
	if (got <= 0)
		return 0;
	*ret_names = names;
	names = NULL;
	return (size_t)got;
}

static void search_module(const struct elf_modules *modules, const struct elf_module *module,
			  struct search *search)
{
	AUTO_FREE char *names = NULL;
	Elf64_Sym symbol[SYMBOL_CHUNK];
	uint64_t n_symbols, at = module->gnu_hash ? module->first_symbol : 1;
	size_t bytes;

	if (!module->n_buckets || !module->symtab || !module->strtab)
		return;
	n_symbols = module->gnu_hash ? count_gnu(modules, module, &search->left) : module->n_chain;
	if (at >= n_symbols)
		return;
	bytes = read_names(modules, module, &search->left, &names);
	while (at < n_symbols && search->left.symbols > 0 && bytes > 0) {
		size_t n = min_size(min_size(SYMBOL_CHUNK, n_symbols - at), search->left.symbols);
		ssize_t got =
			read_within(modules, &search->left, module->symtab + at * sizeof(symbol[0]),
				    symbol, n * sizeof(symbol[0]));

		if (got < (ssize_t)sizeof(symbol[0]))
			return;
		n = got / sizeof(symbol[0]);
		for (size_t i = 0; i < n; i++) {
			const char *name = names + symbol[i].st_name;

			if (symbol[i].st_name < bytes && elf_symbol_is_definition(&symbol[i]))
				consider(search, name,
					 strnlen(name, min_size(bytes - symbol[i].st_name,
								ELF_NAME_BYTES)));
		}
		at += n;
		search->left.symbols -= n;
	}
}

size_t elf_near_misses(const struct elf_modules *modules, struct elf_module *module,
		       const char *name, char (*ret_names)[ELF_NAME_BYTES], size_t n)
{
	AUTO_FREE struct search *search = calloc(1, sizeof(*search));
	size_t n_modules = module ? 1 : modules->n_modules;

	if (!search || !*name || strlen(name) > NAME_LENGTH_MAX)
		return 0;
	search->name = name;
	search->length = strlen(name);
	search->limit = search->length / 3 > 2 ? search->length / 3 : 2;
	search->n_max = min_size(n, NEAR_MAX);
	search->left = (struct budget){ SYMBOLS_MAX, BYTES_MAX };
	for (size_t i = 0; i < n_modules; i++)
		search_module(modules, module ? module : &modules->module[i], search);
	for (size_t i = 0; i < search->n; i++)
		escape_text(search->near[i].name, ret_names[i], ELF_NAME_BYTES);
	return search->n;
}
