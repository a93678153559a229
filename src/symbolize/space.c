/* SPDX-License-Identifier: BSD-2-Clause */
/* space.c - what is mapped where in one image of one process */
#include "symbolize/space.h"

#include <string.h>
#include <sys/sysmacros.h>

#include "proc/proc.h"

#define MAPPINGS_MAX 262144
#define OBJECTS_MAX  65536 /* kept though they may be gone: who maps file after file fills our memory */
#define DELETED	     " (deleted)"

int symbolizer_new(const struct symbolizer_options *options, struct symbolizer **ret_symbolizer)
{
	struct symbolizer *symbolizer = calloc(1, sizeof(*symbolizer));

	if (!symbolizer)
		return -ENOMEM;
	if (options)
		symbolizer->options = *options;
	*ret_symbolizer = symbolizer;
	return 0;
}

void symbolizer_free(struct symbolizer *symbolizer)
{
	if (!symbolizer)
		return;
	object_put(symbolizer->vdso);
	for (size_t i = 0; i < OBJECT_BUCKETS; i++)
		while (symbolizer->bucket[i])
			object_free(symbolizer->bucket[i]);
	free(symbolizer);
}

struct mapping *space_find(const struct space *space, raddr_t ip)
{
	size_t low = 0, high = space->n_maps;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct mapping *map = &space->map[middle];

		if (ip < map->low)
			high = middle;
		else if (ip >= map->high)
			low = middle + 1;
		else
			return map;
	}
	return NULL;
}

bool space_resolve(const struct mapping *mapping, raddr_t ip, uint64_t *ret_address)
{
	return mapping->object && object_open(mapping->object) &&
	       object_address(mapping->object, ip - mapping->low + mapping->offset, ret_address);
}

/* The space refers to it once, however often it is mapped.  Takes the reference over. */
static struct object *keep_object(struct space *space, struct object *object)
{
	struct object **more;

	for (size_t i = space->n_objects; i-- > 0;) {
		if (space->objects[i] == object) {
			object_put(object);
			return object;
		}
	}
	if (space->n_objects == OBJECTS_MAX) {
		object_put(object);
		return NULL;
	}
	if (space->n_objects == space->objects_room) {
		size_t room = space->objects_room ? space->objects_room * 2 : 16;

		more = reallocarray(space->objects, room, sizeof(struct object *));
		if (!more) {
			object_put(object);
			return NULL;
		}
		space->objects = more;
		space->objects_room = room;
	}
	space->objects[space->n_objects++] = object;
	return object;
}

static bool is_file(const char *path, uint64_t inode)
{
	return inode != 0 && path[0] == '/';
}

/* The object of a mapping; *ret_object is NULL for an anonymous one. */
static int find_object(struct space *space, const struct object_hint *hint,
		       struct object **ret_object)
{
	struct object *object = NULL;

	if (strcmp(hint->path, "[vdso]") == 0)
		object = object_vdso(space->symbolizer);
	else if (hint->path[0] == '/')
		object = object_get(space->symbolizer, hint);
	else {
		*ret_object = NULL;
		return 0;
	}
	if (object)
		object = keep_object(space, object);
	if (!object)
		return -ENOMEM;
	*ret_object = object;
	return 0;
}

/* The same as before?  Then its object needs no look. */
static bool find_known(const struct space *space, const struct proc_map *map, const char *path,
		       struct object **ret_object)
{
	const struct mapping *old = space_find(space, map->low);

	if (!old || old->low != map->low || old->high != map->high || old->offset != map->offset ||
	    old->inode != map->inode)
		return false;
	if (old->object && strcmp(old->object->path, path) != 0)
		return false;
	if (!old->object && path[0] == '/')
		return false;
	*ret_object = old->object;
	return true;
}

/* The name without the kernel's remark; inode and device tell which file it was. */
static void cut_remark(char *path)
{
	size_t n = strlen(path), cut = strlen(DELETED);

	if (n > cut && strcmp(path + n - cut, DELETED) == 0)
		path[n - cut] = '\0';
}

static int take_map(struct space *space, struct proc_map *map, struct mapping *ret_mapping)
{
	struct object_hint hint;
	struct object *object;
	int r;

	if (is_file(map->path, map->inode))
		cut_remark(map->path);
	hint = (struct object_hint){
		.pid = space->pid,
		.low = map->low,
		.high = map->high,
		.offset = map->offset,
		.device = map->device,
		.inode = map->inode,
		.path = map->path,
	};
	if (!find_known(space, map, map->path, &object)) {
		r = find_object(space, &hint, &object);
		if (r < 0)
			return r;
	}
	*ret_mapping = (struct mapping){
		.low = map->low,
		.high = map->high,
		.offset = map->offset,
		.inode = map->inode,
		.object = object,
	};
	return 0;
}

/* What was there and is over none of the new ones stays: libraries that are gone, whose code may
 * still be in stacks.  Both lists are in order; so is the result. */
static size_t merge(struct mapping *into, const struct mapping *now, size_t n_now,
		    const struct mapping *old, size_t n_old)
{
	size_t n = 0, i = 0, j = 0;

	while (i < n_now || j < n_old) {
		if (i < n_now && (j == n_old || now[i].low < old[j].high)) {
			if (j < n_old && old[j].low < now[i].high) {
				j++; /* another has taken its place */
				continue;
			}
			into[n++] = now[i++];
		} else {
			into[n] = old[j++];
			into[n++].gone = true;
		}
	}
	return n;
}

static int replace_maps(struct space *space, const struct mapping *now, size_t n_now)
{
	size_t n_old = space->n_maps < MAPPINGS_MAX ? space->n_maps : 0;
	struct mapping *merged = reallocarray(NULL, n_now + n_old + 1, sizeof(*merged));

	if (!merged)
		return -ENOMEM;
	space->n_maps = merge(merged, now, n_now, space->map, n_old);
	free(space->map);
	space->map = merged;
	return 0;
}

static int take_maps(struct space *space, struct proc_maps *maps)
{
	AUTO_FREE struct mapping *now = reallocarray(NULL, maps->n_maps + 1, sizeof(*now));
	size_t n = 0;

	if (!now)
		return -ENOMEM;
	for (size_t i = 0; i < maps->n_maps && n < MAPPINGS_MAX; i++) {
		int r;

		if (!maps->map[i].execute)
			continue;
		r = take_map(space, &maps->map[i], &now[n]);
		if (r < 0)
			return r;
		n++;
	}
	return replace_maps(space, now, n);
}

int space_update(struct space *space)
{
	struct proc_maps maps;
	int r = proc_maps_read(space->pid, &maps);

	if (r < 0)
		return r;
	r = take_maps(space, &maps);
	proc_maps_done(&maps);
	return r;
}

static int new_space(struct symbolizer *symbolizer, pid_t pid, struct perf_map *parent,
		     struct space **ret_space)
{
	struct space *space = calloc(1, sizeof(*space));
	int r;

	if (!space)
		return -ENOMEM;
	*space = (struct space){.symbolizer = symbolizer, .pid = pid};
	r = perf_map_new(pid, parent, &space->perf_map);
	if (r < 0) {
		free(space);
		return r;
	}
	*ret_space = space;
	return 0;
}

int space_empty(struct symbolizer *symbolizer, pid_t pid, struct space **ret_space)
{
	return new_space(symbolizer, pid, NULL, ret_space);
}

int space_of_process(struct symbolizer *symbolizer, pid_t pid, struct space **ret_space)
{
	struct space *space;
	int r = space_empty(symbolizer, pid, &space);

	if (r < 0)
		return r;
	r = space_update(space);
	if (r < 0) {
		space_free(space);
		return r;
	}
	*ret_space = space;
	return 0;
}

/* One more mapping takes the place of what was there. */
static int add_mapping(struct space *space, const struct mapping *mapping)
{
	struct mapping *more;
	size_t at = 0, behind;

	while (at < space->n_maps && space->map[at].high <= mapping->low)
		at++;
	behind = at;
	while (behind < space->n_maps && space->map[behind].low < mapping->high)
		behind++;
	more = reallocarray(space->map, space->n_maps + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	space->map = more;
	memmove(&more[at + 1], &more[behind], (space->n_maps - behind) * sizeof(*more));
	more[at] = *mapping;
	space->n_maps = space->n_maps - (behind - at) + 1;
	return 0;
}

int space_map(struct space *space, const struct space_mapping *mapping)
{
	struct object_hint hint = {
		.pid = space->pid,
		.low = mapping->low,
		.high = mapping->high,
		.offset = mapping->offset,
		.device = mapping->device,
		.inode = mapping->inode,
		.path = mapping->path,
		.build_id = mapping->build_id,
		.build_id_bytes = mapping->build_id_bytes,
	};
	struct mapping added = {
		.low = mapping->low,
		.high = mapping->high,
		.offset = mapping->offset,
		.inode = mapping->inode,
	};
	int r;

	if (mapping->high <= mapping->low || !mapping->path ||
	    mapping->build_id_bytes > OBJECT_BUILD_ID_MAX)
		return -EINVAL;
	if (space->n_maps >= MAPPINGS_MAX)
		return -ENOSPC;
	r = find_object(space, &hint, &added.object);
	return r < 0 ? r : add_mapping(space, &added);
}

int space_copy(struct space *space, pid_t pid, struct space **ret_space)
{
	struct space *copy;
	int r = new_space(space->symbolizer, pid, space->perf_map, &copy);

	if (r < 0)
		return r;
	copy->map = reallocarray(NULL, space->n_maps + 1, sizeof(*copy->map));
	copy->objects = reallocarray(NULL, space->n_objects + 1, sizeof(struct object *));
	if (!copy->map || !copy->objects) {
		space_free(copy);
		return -ENOMEM;
	}
	memcpy(copy->map, space->map, space->n_maps * sizeof(*copy->map));
	copy->n_maps = space->n_maps;
	copy->objects_room = space->n_objects + 1;
	while (copy->n_objects < space->n_objects) {
		copy->objects[copy->n_objects] = object_reference(space->objects[copy->n_objects]);
		copy->n_objects++;
	}
	*ret_space = copy;
	return 0;
}

void space_free(struct space *space)
{
	if (!space)
		return;
	for (size_t i = 0; i < space->n_objects; i++)
		object_put(space->objects[i]);
	free(space->objects);
	free(space->map);
	perf_map_put(space->perf_map);
	free(space);
}
