/* SPDX-License-Identifier: BSD-2-Clause */
/* describe.c - what is at an address, as its source has it; and which place it is in any process */
#include "symbolize/space.h"

#include <string.h>

#define BUCKETS_FIRST 64

/* What was found for one address is kept, as are its strings: stacks share their frames. */
struct description {
	struct description *next;
	uint64_t address, low;
	size_t n;
	struct frame frame[];
};

void object_free_descriptions(struct object *object)
{
	for (size_t i = 0; i < object->description_buckets; i++) {
		while (object->descriptions[i]) {
			struct description *first = object->descriptions[i];

			object->descriptions[i] = first->next;
			free(first);
		}
	}
	free(object->descriptions);
}

static size_t bucket(uint64_t address, size_t buckets)
{
	return (size_t)(address * 0x9e3779b97f4a7c15u >> 32) & (buckets - 1);
}

static bool make_room(struct object *object)
{
	size_t n = object->description_buckets ? object->description_buckets * 2 : BUCKETS_FIRST;
	struct description **table;

	if (object->n_descriptions < object->description_buckets)
		return true;
	table = calloc(n, sizeof(struct description *));
	if (!table)
		return false;
	for (size_t i = 0; i < object->description_buckets; i++) {
		while (object->descriptions[i]) {
			struct description *d = object->descriptions[i];

			object->descriptions[i] = d->next;
			d->next = table[bucket(d->address, n)];
			table[bucket(d->address, n)] = d;
		}
	}
	free(object->descriptions);
	object->descriptions = table;
	object->description_buckets = n;
	return true;
}

static struct description *find_description(const struct object *object, uint64_t address)
{
	if (object->description_buckets == 0)
		return NULL;
	for (struct description *d =
		     object->descriptions[bucket(address, object->description_buckets)];
	     d; d = d->next)
		if (d->address == address)
			return d;
	return NULL;
}

static const char *keep(struct object *object, const char *text)
{
	return text ? object_text(object, text, strlen(text)) : NULL;
}

/*
 * What debug information calls it, unless the symbol for the same place has the name that users
 * know: open(2) is __libc_open64 in the C library's source, and clock_nanosleep __GI___clock_...
 */
static const char *name_of(const struct source_frame *source, const struct symbol *symbol)
{
	const char *name = source->name;

	if (source->linkage_name && is_mangled(source->linkage_name))
		return source->linkage_name;
	if (source->inlined || !symbol)
		return name;
	if (!name)
		return symbol->name;
	if (symbol->low == source->low && strspn(symbol->name, "_") < strspn(name, "_"))
		return symbol->name;
	return name;
}

static void fill_frame(struct object *object, const struct source_frame *source,
		       const struct symbol *symbol, struct frame *frame)
{
	const char *name = name_of(source, symbol);

	*frame = (struct frame){
		.file = keep(object, source->file),
		.line = source->line,
		.inlined = source->inlined,
	};
	if (name)
		frame->function = object_demangle(object, name);
	if (source->inlined)
		frame->offset = source->low; /* for now */
}

static struct description *describe(struct object *object, uint64_t address)
{
	struct source_frame source[SOURCE_FRAMES_MAX] = {0};
	const struct symbol *symbol = object_symbol(object, address);
	size_t n = object_source_frames(object, address, source, SOURCE_FRAMES_MAX);
	struct description *description;

	if (n == 0)
		n = 1;
	description = calloc(1, sizeof(*description) + n * sizeof(struct frame));
	if (!description)
		return NULL;
	description->address = address;
	description->n = n;
	description->low = symbol ? symbol->low : source[n - 1].low;
	for (size_t i = 0; i < n; i++)
		fill_frame(object, &source[i], symbol, &description->frame[i]);
	return description;
}

static const struct description *description_of(struct object *object, uint64_t address)
{
	struct description *found = find_description(object, address);
	size_t at;

	if (found || !make_room(object))
		return found;
	found = describe(object, address);
	if (!found)
		return NULL;
	at = bucket(address, object->description_buckets);
	found->next = object->descriptions[at];
	object->descriptions[at] = found;
	object->n_descriptions++;
	return found;
}

static bool is_signal(struct object *object, uint64_t address, bool is_return)
{
	const struct cfi_rules *rules = is_return ? NULL : object_rules(object, address);

	return rules && rules->is_trampoline;
}

static uint64_t offset_in(uint64_t address, uint64_t low)
{
	return low != 0 && low <= address ? address - low : 0;
}

/* Of a file whose contents we have. */
static size_t describe_in_file(struct object *object, uint64_t ip, uint64_t address, bool is_return,
			       struct frame *ret_frames, size_t max)
{
	const struct description *found = description_of(object, address);
	uint64_t exact = address + is_return;
	size_t n = found ? found->n : 0;

	for (size_t i = 0; i < n && i < max; i++) {
		struct frame *frame = &ret_frames[i];

		*frame = found->frame[i];
		frame->ip = ip;
		frame->module = object->path;
		frame->module_offset = exact;
		frame->offset = offset_in(exact, i + 1 < n ? frame->offset : found->low);
		if (!frame->function)
			frame->offset = exact;
	}
	if (n > max)
		n = max;
	if (n == 1)
		ret_frames[0].is_signal = is_signal(object, address, is_return);
	return n;
}

static bool describe_jit(struct space *space, uint64_t ip, bool is_return, struct frame *ret_frame)
{
	struct jit_symbol symbol;

	if (!perf_map_find(space->perf_map, ip - is_return, &symbol))
		return false;
	*ret_frame = (struct frame){
		.ip = ip,
		.offset = ip - symbol.low,
		.module_offset = ip,
		.function = symbol.name,
		.module = "[jit]",
	};
	return true;
}

size_t space_describe(struct space *space, uint64_t ip, bool is_return, struct frame *ret_frames,
		      size_t max)
{
	const struct mapping *mapping = space_find(space, ip - is_return);
	uint64_t address;
	size_t n;

	if (max == 0)
		return 0;
	if (mapping && space_resolve(mapping, ip - is_return, &address)) {
		n = describe_in_file(mapping->object, ip, address, is_return, ret_frames, max);
		if (n > 0)
			return n;
	} else if (mapping && describe_jit(space, ip, is_return, ret_frames)) {
		return 1;
	}
	ret_frames[0] = (struct frame){.ip = ip, .offset = ip, .module_offset = ip};
	if (mapping && mapping->object) {
		ret_frames[0].module = mapping->object->path;
		ret_frames[0].module_offset = ip - mapping->low + mapping->offset;
		ret_frames[0].offset = ret_frames[0].module_offset;
	}
	return 1;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x = (a ^ b) * 0x9e3779b97f4a7c15u;

	x ^= x >> 29;
	x = (x + b) * 0xbf58476d1ce4e5b9u;
	return x ^ x >> 32;
}

static uint64_t hash_text(const char *text)
{
	uint64_t hash = 0;

	while (*text)
		hash = mix(hash, (unsigned char)*text++);
	return hash;
}

uint64_t space_place(struct space *space, uint64_t ip)
{
	const struct mapping *mapping = space_find(space, ip);
	struct jit_symbol symbol;
	uint64_t address;

	if (!mapping)
		return mix(0, ip);
	if (space_resolve(mapping, ip, &address))
		return mix(mapping->object->identity, address);
	if (perf_map_find(space->perf_map, ip, &symbol))
		return mix(hash_text(symbol.name), ip - symbol.low);
	if (mapping->object)
		return mix(mapping->object->identity, ip - mapping->low + mapping->offset);
	return mix(1, ip);
}
