/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pdh_internal.h - from a path to a value
 *
 * text.c converts, path.c takes paths apart, counters.c knows what can be asked, view.c is all
 * processes at one moment under the names of instances, query.c keeps who asked for what, value.c
 * tells it, enumerate.c tells what could be asked.
 *
 * Below the functions of the header all text is UTF-8, and a name is a tame one (text_tame()).
 */
#ifndef PDH_PDH_INTERNAL_H
#define PDH_PDH_INTERNAL_H

#include <pthread.h>
#include <string.h>
#include <strings.h>

#include <tendril/pdh.h>

#include "monitor/sample.h"

#define TICKS_PER_S	10000000 /* of a counter's times: 100 ns */
#define INSTANCE_BYTES	(PROC_NAME_BYTES + 16) /* a name, and #index */
#define MACHINE_BYTES	65
#define TOTAL_NAME	"_Total"

/* Text */

/* What cannot be part of a path written otherwise; never longer than before. */
void text_tame(char *text);
/* A * is any characters; case does not matter. */
bool text_matches(const char *pattern, const char *text);
/* Return: ERROR_SUCCESS, PDH_INVALID_ARGUMENT (NULL, too long, broken UTF-16), ... */
PDH_STATUS text_of_wide(const WCHAR *wide, char **ret_text);
/* The same, but NULL stays NULL. */
PDH_STATUS text_of_optional(const WCHAR *wide, char **ret_text);
/* This computer's, without \\. */
void text_machine(char ret_name[MACHINE_BYTES]);
/* Is it this one, with \\ before it or without? */
bool text_is_this_machine(const char *machine);

/* A caller's buffer, that is filled as far as it goes. */
struct packer {
	char *base;
	size_t room, used; /* bytes; used also counts what had no room */
	bool is_wide;
};
/* Return: where it is, or NULL: no room. */
void *packer_reserve(struct packer *packer, size_t bytes);
/* text NULL: nothing, and NULL. */
void *packer_text(struct packer *packer, const char *text);
/* Room and need of a buffer in bytes, or, of lists and texts, in characters. */
PDH_STATUS packer_begin(struct packer *packer, void *buffer, const DWORD *size, DWORD unit);
PDH_STATUS packer_end(const struct packer *packer, DWORD *size, DWORD unit);

/* Paths */

struct path {
	char *text;           /* owns the others */
	const char *machine;  /* without \\, or NULL */
	const char *object;
	const char *instance; /* all that is between the parentheses, or NULL */
	const char *counter;
};

/* Return: ERROR_SUCCESS, PDH_INVALID_ARGUMENT, PDH_CSTATUS_NO_COUNTERNAME, ..._BAD_COUNTERNAME. */
PDH_STATUS path_parse(const char *text, struct path *ret_path);
void path_done(struct path *path);
#define AUTO_PATH __attribute__((cleanup(path_done)))

struct instance_name {
	char *text;   /* of the parent and itself, without #index */
	DWORD index;
};
/* "name#2" into its parts; text is cut in place. */
struct instance_name path_split_index(char *text);
/* An instance as a path has it, tamed as those of processes are, but for its * and its #index.
 * Return: 0, -ENOMEM. */
int instance_tame(const char *text, char **ret_text);

/* Counters */

enum pdh_object { OBJECT_PROCESS, OBJECT_SYSTEM, PDH_OBJECTS };

struct object_info {
	const char *name;
	bool has_instances;
};
extern const struct object_info pdh_objects[PDH_OBJECTS];

/* Where a figure comes from; up to FIGURE_CPU, a counter of the sampler. */
enum figure {
	FIGURE_SAMPLED, /* counter_info.sampled says which */
	FIGURE_PID,
	FIGURE_PARENT,
	FIGURE_START,
	FIGURE_USER,
	FIGURE_SYSTEM,
	FIGURE_FAULTS,
	FIGURE_VIRTUAL,
	FIGURE_PRIVATE,
	FIGURE_PROCESSES, /* of the system */
	FIGURE_UPTIME,
};

struct counter_info {
	enum pdh_object object;
	const char *name;
	DWORD type;
	enum figure figure;
	enum monitor_counter sampled;
	bool has_total;       /* a sum over all processes says something */
	const char *explain;
};
extern const struct counter_info pdh_counters[];
extern const size_t pdh_n_counters;

/* PDH_OBJECTS, NULL: there is none of that name. */
enum pdh_object object_named(const char *name);
const struct counter_info *counter_named(enum pdh_object object, const char *name);
/* What a path asks for.  Return: ERROR_SUCCESS, PDH_CSTATUS_NO_MACHINE, ..._NO_OBJECT,
 * ..._NO_COUNTER, ..._NO_INSTANCE (one too many or too few). */
PDH_STATUS counter_of_path(const struct path *path, const struct counter_info **ret_info);
/* As bits of enum monitor_counter */
uint32_t counter_wanted(const struct counter_info *info);

/* All processes at one moment */

/* What the sampler does not tell, read only where it is asked for. */
struct extra {
	bool was_read, has_stat, has_sizes, has_ended;
	pid_t parent;
	uint64_t user_ticks, system_ticks, page_faults, virtual_bytes, private_bytes;
};

struct instance {
	char name[PROC_NAME_BYTES];
	DWORD index;    /* among those of that name */
	size_t process; /* of the sample; VIEW_TOTAL: the sum of all */
};
#define VIEW_TOTAL SIZE_MAX
/* By this view_make() sees who may have ended. */
#define VIEW_WANTED (1u << MONITOR_RESIDENT_BYTES)

struct view {
	const struct monitor_sample *sample;
	struct instance *instance; /* sorted by name and index; of all that have not ended */
	size_t n_instances;
	struct extra *extra;       /* of each process */
	int64_t boot_ns;           /* CLOCK_BOOTTIME */
	uint64_t own_handles;      /* of this process, when the sampler has none open; 0: unknown */
};

/* The sample stays the sampler's.  Return: 0, -ENOMEM. */
int view_make(const struct monitor_sample *sample, struct view *ret_view);
void view_done(struct view *view);
/* "name" or "name#2"; NULL: there is none. */
const struct instance *view_find(const struct view *view, const char *instance);
bool view_instance_matches(const struct instance *instance, const char *pattern);
void view_full_name(const struct instance *instance, char ret_name[INSTANCE_BYTES]);
/* instance NULL: the system.  Return: PDH_CSTATUS_VALID_DATA, PDH_CSTATUS_INVALID_DATA. */
DWORD view_read(struct view *view, const struct counter_info *info,
		const struct instance *instance, PDH_RAW_COUNTER *ret_raw);
/* When it was taken, as a FILETIME in one piece. */
LONGLONG view_time(const struct monitor_sample *sample);
/* All names now, for those who ask once.  Return: 0, -ENOMEM, ... */
int view_of_now(struct monitor_sampler **ret_sampler, struct view *ret_view);

/* Queries */

/* One value of one instance at one collection. */
struct item {
	char name[INSTANCE_BYTES];
	pid_t pid; /* 0: the sum */
	uint64_t start_ticks;
	PDH_RAW_COUNTER raw;
};

struct items {
	struct item *item; /* in rising order of pid */
	size_t n;
};

struct counter {
	uint64_t id;
	const struct counter_info *info;
	struct path path;
	char *instance;      /* of the path, tame; NULL: none */
	bool has_wildcard;
	bool was_collected;
	DWORD_PTR user_data;
	LONG scale;
	struct items now, before;
};

struct query {
	pthread_mutex_t lock; /* guards all below it, but for references and is_closed */
	struct counter **counter;
	size_t n_counters;
	DWORD_PTR user_data;
	struct monitor_sampler *sampler;
	uint32_t wanted; /* by the sampler */
	size_t n_references;
	bool is_closed;
};

/* A counter that is in use: its query is locked. */
struct counter_use {
	struct query *query;
	struct counter *counter;
};
/* Return: ERROR_SUCCESS, PDH_INVALID_HANDLE. */
PDH_STATUS counter_use(PDH_HCOUNTER handle, struct counter_use *ret_use);
void counter_use_end(struct counter_use *use);
#define AUTO_USE __attribute__((cleanup(counter_use_end)))

PDH_STATUS status_of(int code); /* of a negative errno, or ERROR_SUCCESS */
/* The whole path, with this computer. */
int path_full(const struct counter_info *info, const char *instance, char **ret_text);

#endif /* PDH_PDH_INTERNAL_H */
