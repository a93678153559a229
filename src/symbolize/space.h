/* SPDX-License-Identifier: BSD-2-Clause */
/* space.h - what the files of this room share about spaces */
#ifndef SYMBOLIZE_SPACE_H
#define SYMBOLIZE_SPACE_H

#include "symbolize/object.h"

struct mapping {
	raddr_t low, high;
	uint64_t offset, inode;
	struct object *object; /* NULL: anonymous */
	bool gone;	       /* it was mapped there */
};

struct perf_map;

/* Executable mappings only. */
struct space {
	struct symbolizer *symbolizer;
	pid_t pid;
	struct mapping *map; /* in rising order, none over another */
	size_t n_maps;
	/* every one that was ever mapped here: its strings may have been handed out */
	struct object **objects;
	size_t n_objects, objects_room;
	struct perf_map *perf_map;
};

struct mapping *space_find(const struct space *space, raddr_t ip);
/* The object mapped at ip, opened, and the address in it.  False: none that can be used. */
bool space_resolve(const struct mapping *mapping, raddr_t ip, uint64_t *ret_address);

/* perf_map.c: functions that a compiler at run time tells in /tmp/perf-PID.map */
struct jit_symbol {
	uint64_t low, high;
	const char *name; /* lives as long as the map */
};

int perf_map_new(pid_t pid, struct perf_map *parent, struct perf_map **ret_map);
void perf_map_put(struct perf_map *map);
/* False: none is known there, after another look at the file when it has changed. */
bool perf_map_find(struct perf_map *map, uint64_t ip, struct jit_symbol *ret_symbol);

#endif /* SYMBOLIZE_SPACE_H */
