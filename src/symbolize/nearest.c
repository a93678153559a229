/* SPDX-License-Identifier: BSD-2-Clause */
/* nearest.c - the names that a user may have meant who asks for one that no function has */
#include <string.h>

#include "symbolize/functions.h"

#define NAME_MAX_BYTES 96 /* longer ones are not mistyped */
#define NEAREST_MAX    16

struct near_name {
	unsigned int mistakes;
	const char *name;   /* the object's */
	const char *module; /* its path */
};

struct nearest {
	const struct pattern *pattern;
	const char *library; /* NULL: in any */
	bool exported_only;
	unsigned int limit; /* so many mistakes at most */
	struct near_name name[NEAREST_MAX];
	size_t n, max;
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned int least(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int low = a < b ? a : b;

	return low < c ? low : c;
}

/* How many characters are too many, missing, wrong, or in the place of their neighbour; capitals
 * for small letters are not counted. */
static unsigned int count_mistakes(const char *a, const char *b)
{
	size_t n_a = strlen(a), n_b = strlen(b);
	unsigned int row[3][NAME_MAX_BYTES + 1];
	unsigned int *before = row[0], *last = row[1], *now = row[2];

	for (size_t j = 0; j <= n_b; j++)
		last[j] = (unsigned int)j;
	for (size_t i = 1; i <= n_a; i++) {
		unsigned int *oldest = before;

		now[0] = (unsigned int)i;
		for (size_t j = 1; j <= n_b; j++) {
			bool differs = lower(a[i - 1]) != lower(b[j - 1]);

			now[j] = least(last[j] + 1, now[j - 1] + 1, last[j - 1] + differs);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], before[j - 2] + 1, now[j]);
		}
		before = last;
		last = now;
		now = oldest;
	}
	return last[n_b];
}

/* Of a name in a namespace that the user has not written, what is behind it. */
static const char *comparable(const char *name, const char *wanted)
{
	const char *last = NULL;

	for (const char *colon = strstr(name, "::"); colon; colon = strstr(colon + 2, "::"))
		last = colon + 2;
	return last && !strstr(wanted, "::") ? last : name;
}

static bool is_before(const struct near_name *a, const struct near_name *b)
{
	if (a->mistakes != b->mistakes)
		return a->mistakes < b->mistakes;
	return compare_symbol_names(a->name, b->name) < 0;
}

static bool is_known(const struct nearest *nearest, const struct near_name *name)
{
	for (size_t i = 0; i < nearest->n; i++)
		if (strcmp(nearest->name[i].name, name->name) == 0)
			return true;
	return false;
}

static void insert(struct nearest *nearest, const struct near_name *name)
{
	size_t at = nearest->n;

	if (is_known(nearest, name))
		return;
	while (at > 0 && is_before(name, &nearest->name[at - 1]))
		at--;
	if (at == nearest->max)
		return;
	if (nearest->n < nearest->max)
		nearest->n++;
	memmove(&nearest->name[at + 1], &nearest->name[at],
		(nearest->n - at - 1) * sizeof(*nearest->name));
	nearest->name[at] = *name;
}

static void look_at(struct nearest *nearest, struct object *object, struct named_function *f)
{
	const char *wanted = nearest->pattern->symbol;
	struct near_name near = {.name = object_function_name(object, f), .module = object->path};
	const char *name = near.name ? comparable(near.name, wanted) : NULL;
	size_t n = name ? strlen(name) : 0, n_wanted = strlen(wanted);

	if (n == 0 || n > NAME_MAX_BYTES || n > n_wanted + nearest->limit ||
	    n + nearest->limit < n_wanted)
		return;
	near.mistakes = count_mistakes(wanted, name);
	if (near.mistakes <= nearest->limit)
		insert(nearest, &near);
}

static void look_through(struct nearest *nearest, struct space *space)
{
	for (size_t i = 0; i < space->n_maps; i++) {
		struct mapping *mapping = &space->map[i];
		const struct function_table *table;

		if (!mapping_is_searched(mapping, nearest->library))
			continue;
		table = object_functions(mapping->object);
		for (size_t j = 0; table && j < table->n; j++)
			if (table->function[j].exported || !nearest->exported_only)
				look_at(nearest, mapping->object, &table->function[j]);
	}
}

static bool has_library(struct space *space, const char *library)
{
	for (size_t i = 0; i < space->n_maps; i++)
		if (mapping_is_searched(&space->map[i], library))
			return true;
	return false;
}

/* With the library's name, when the user has written one. */
static char *as_pattern(const struct nearest *nearest, const struct near_name *name)
{
	const char *slash = strrchr(name->module, '/');
	char *text;

	if (!nearest->pattern->library)
		return strdup(name->name);
	if (asprintf(&text, "%s!%s", slash ? slash + 1 : name->module, name->name) < 0)
		return NULL;
	return text;
}

size_t space_functions_near(struct space *space, const char *text, bool exported_only,
			    char **ret_names, size_t max)
{
	struct nearest nearest = {
		.exported_only = exported_only,
		.max = max < NEAREST_MAX ? max : NEAREST_MAX,
	};
	struct pattern pattern;
	size_t n = 0;

	if (pattern_read(text, &pattern) < 0)
		return 0;
	nearest.pattern = &pattern;
	if (pattern.library && has_library(space, pattern.library))
		nearest.library = pattern.library;
	nearest.limit = 1 + (unsigned int)strlen(pattern.symbol) / 6;
	if (!pattern.is_glob && strlen(pattern.symbol) <= NAME_MAX_BYTES)
		look_through(&nearest, space);
	/* The very name in another file: that is it. */
	while (nearest.n > 1 && nearest.name[0].mistakes == 0 &&
	       nearest.name[nearest.n - 1].mistakes > 0)
		nearest.n--;
	while (n < nearest.n && (ret_names[n] = as_pattern(&nearest, &nearest.name[n])))
		n++;
	free(pattern.text);
	return n;
}
