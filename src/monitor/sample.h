/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample.h - the counters of every process at one moment
 *
 * A process is known by its id and the time of its start: ids are used again.  What could not be read is
 * unknown, never zero.  Names are raw, as the kernel gives them; who shows them escapes them.
 */
#ifndef MONITOR_SAMPLE_H
#define MONITOR_SAMPLE_H

#include "proc/proc.h"
#include "proc/select.h"

enum monitor_counter {
	MONITOR_HANDLES = 0,
	MONITOR_HANDLE_LIMIT,   /* soft RLIMIT_NOFILE; unknown when there is none */
	MONITOR_THREADS,
	MONITOR_MAPPINGS,
	MONITOR_RESIDENT_BYTES,
	MONITOR_CPU_NS,         /* user and system time since its start */
	MONITOR_COUNTERS,
};

/* Names in the three languages that the counters are spoken of in. */
struct monitor_counter_info {
	const char *name;    /* "handles": options, JSON, columns of a log */
	const char *windows; /* "Handle Count": counter paths */
	const char *title;   /* "Handles": what a view shows */
	bool is_total;       /* only ever rises: its rate is what matters */
};
extern const struct monitor_counter_info monitor_counters[MONITOR_COUNTERS];
/* By any of its names, in any case; MONITOR_COUNTERS when there is no such counter. */
enum monitor_counter monitor_counter_named(const char *name);

#define MONITOR_CONTAINER_BYTES 16 /* the first 12 digits of a container's id, or "" */

struct monitor_process {
	pid_t pid;
	uint64_t start_ticks; /* since boot */
	uid_t uid;
	pid_t session;
	char name[PROC_NAME_BYTES];
	char container[MONITOR_CONTAINER_BYTES];
	uint32_t known;       /* bit 1 << enum monitor_counter */
	uint64_t value[MONITOR_COUNTERS];
};

static inline bool monitor_is_known(const struct monitor_process *process,
				    enum monitor_counter counter)
{
	return process->known & 1u << counter;
}

struct monitor_sample {
	int64_t time_ns;      /* CLOCK_REALTIME, when it was begun */
	int64_t monotonic_ns; /* CLOCK_MONOTONIC, for intervals */
	struct monitor_process *process; /* in rising order of pid */
	size_t n_processes;
};

/* The process of that identity, or NULL; start_ticks 0: whoever has the id. */
const struct monitor_process *monitor_find(const struct monitor_sample *sample, pid_t pid,
					   uint64_t start_ticks);

struct monitor_sampler;

enum monitor_source {
	MONITOR_SOURCE_BEST = 0,
	MONITOR_SOURCE_BPF,   /* an iterator over all tasks: one read(2) a sample */
	MONITOR_SOURCE_STAT,  /* the size of /proc/PID/fd */
	MONITOR_SOURCE_COUNT, /* its entries, counted */
};
const char *monitor_source_name(enum monitor_source source);

struct monitor_options {
	const struct proc_selector *selectors; /* borrowed for the sampler's life; none: every process */
	size_t n_selectors;
	uint32_t wanted; /* counters, as bits; 0: all. Others may be left out, to save their cost */
	enum monitor_source source;
	/* No descriptors are held between two samples, which makes them dearer without BPF: for a library,
	 * in whose process they would be counted. */
	bool holds_nothing;
};

/* Return: 0, -ENOMEM, -ENOTSUP (that source is not to be had here; never for BEST), ... */
int monitor_sampler_new(const struct monitor_options *options, struct monitor_sampler **ret_sampler);
/* What it settled on. */
enum monitor_source monitor_sampler_source(const struct monitor_sampler *sampler);
/* *ret_sample is the sampler's, and good until the next one is taken. */
int monitor_sample(struct monitor_sampler *sampler, const struct monitor_sample **ret_sample);
void monitor_sampler_free(struct monitor_sampler *sampler);

#endif /* MONITOR_SAMPLE_H */
