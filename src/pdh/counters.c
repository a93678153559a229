/* SPDX-License-Identifier: BSD-2-Clause */
/* counters.c - which objects and counters there are */
#include "pdh/pdh_internal.h"

const struct object_info pdh_objects[PDH_OBJECTS] = {
	[OBJECT_PROCESS] = { "Process", true },
	[OBJECT_SYSTEM] = { "System", false },
};

#define RAW   PERF_COUNTER_RAWCOUNT
#define LARGE PERF_COUNTER_LARGE_RAWCOUNT
#define RATE  PERF_COUNTER_COUNTER
#define SHARE PERF_100NSEC_TIMER

const struct counter_info pdh_counters[] = {
	{ OBJECT_PROCESS, "Handle Count", RAW, FIGURE_SAMPLED, MONITOR_HANDLES, true,
	  "How many descriptors the process has open." },
	{ OBJECT_PROCESS, "Handle Limit", RAW, FIGURE_SAMPLED, MONITOR_HANDLE_LIMIT, false,
	  "How many descriptors it may have: its soft RLIMIT_NOFILE." },
	{ OBJECT_PROCESS, "Thread Count", RAW, FIGURE_SAMPLED, MONITOR_THREADS, true,
	  "How many threads it has." },
	{ OBJECT_PROCESS, "Mapping Count", RAW, FIGURE_SAMPLED, MONITOR_MAPPINGS, true,
	  "How many mappings its address space has." },
	{ OBJECT_PROCESS, "ID Process", RAW, FIGURE_PID, MONITOR_COUNTERS, false,
	  "The id of the process." },
	{ OBJECT_PROCESS, "Creating Process ID", RAW, FIGURE_PARENT, MONITOR_COUNTERS, false,
	  "The id of its parent." },
	{ OBJECT_PROCESS, "Elapsed Time", PERF_ELAPSED_TIME, FIGURE_START, MONITOR_COUNTERS, false,
	  "Seconds since it was started." },
	{ OBJECT_PROCESS, "% Processor Time", SHARE, FIGURE_SAMPLED, MONITOR_CPU_NS, true,
	  "How much of the time its threads ran, in per cent of one processor." },
	{ OBJECT_PROCESS, "% User Time", SHARE, FIGURE_USER, MONITOR_COUNTERS, true,
	  "How much of the time its threads ran code of their own." },
	{ OBJECT_PROCESS, "% Privileged Time", SHARE, FIGURE_SYSTEM, MONITOR_COUNTERS, true,
	  "How much of the time the kernel ran for its threads." },
	{ OBJECT_PROCESS, "Working Set", LARGE, FIGURE_SAMPLED, MONITOR_RESIDENT_BYTES, true,
	  "Bytes of its memory that are in the machine's." },
	{ OBJECT_PROCESS, "Private Bytes", LARGE, FIGURE_PRIVATE, MONITOR_COUNTERS, true,
	  "Bytes that are mapped private and writable, stacks too." },
	{ OBJECT_PROCESS, "Virtual Bytes", LARGE, FIGURE_VIRTUAL, MONITOR_COUNTERS, true,
	  "Bytes of address space that are mapped." },
	{ OBJECT_PROCESS, "Page Faults/sec", RATE, FIGURE_FAULTS, MONITOR_COUNTERS, true,
	  "How many faults a second, with and without reading a disk." },
	{ OBJECT_SYSTEM, "Processes", RAW, FIGURE_PROCESSES, MONITOR_COUNTERS, false,
	  "How many processes there are." },
	{ OBJECT_SYSTEM, "Threads", RAW, FIGURE_SAMPLED, MONITOR_THREADS, true,
	  "How many threads all processes have." },
	{ OBJECT_SYSTEM, "System Up Time", PERF_ELAPSED_TIME, FIGURE_UPTIME, MONITOR_COUNTERS, false,
	  "Seconds since the machine was started, its sleep included." },
};
const size_t pdh_n_counters = ARRAY_SIZE(pdh_counters);

enum pdh_object object_named(const char *name)
{
	for (int i = 0; i < PDH_OBJECTS; i++)
		if (!strcasecmp(name, pdh_objects[i].name))
			return (enum pdh_object)i;
	return PDH_OBJECTS;
}

const struct counter_info *counter_named(enum pdh_object object, const char *name)
{
	for (size_t i = 0; i < pdh_n_counters; i++)
		if (pdh_counters[i].object == object && !strcasecmp(name, pdh_counters[i].name))
			return &pdh_counters[i];
	return NULL;
}

PDH_STATUS counter_of_path(const struct path *path, const struct counter_info **ret_info)
{
	enum pdh_object object = object_named(path->object);
	const struct counter_info *info;

	if (path->machine && !text_is_this_machine(path->machine))
		return PDH_CSTATUS_NO_MACHINE;
	if (object == PDH_OBJECTS)
		return PDH_CSTATUS_NO_OBJECT;
	info = counter_named(object, path->counter);
	if (!info)
		return PDH_CSTATUS_NO_COUNTER;
	if (pdh_objects[object].has_instances != !!path->instance)
		return PDH_CSTATUS_NO_INSTANCE;
	*ret_info = info;
	return ERROR_SUCCESS;
}

uint32_t counter_wanted(const struct counter_info *info)
{
	return VIEW_WANTED | (info->figure == FIGURE_SAMPLED ? 1u << info->sampled : 0);
}
