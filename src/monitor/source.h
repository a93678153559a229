/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * source.h - where the figures come from
 *
 * A source tells all processes at one moment; which of them somebody wants is not its business,
 * unless they were named by their ids.  All sources tell the same of the same process.
 */
#ifndef MONITOR_SOURCE_H
#define MONITOR_SOURCE_H

#include "monitor/sample.h"

struct source_list {
	struct monitor_process *process; /* in rising order of pid, each once, when read() is done */
	/* For each process: another value than in the last sample says that it may have been moved to
	 * another control group. */
	uint64_t *group;
	size_t n, room;
};

/* A new, empty place at the end; NULL: out of memory. */
struct monitor_process *source_list_add(struct source_list *list);
void source_list_done(struct source_list *list);

static inline void source_note(struct monitor_process *process, enum monitor_counter counter,
			       uint64_t value)
{
	process->known |= 1u << counter;
	process->value[counter] = value;
}

struct source_request {
	uint32_t wanted;  /* counters, as bits */
	const pid_t *pids; /* in rising order, each once; NULL: every process */
	size_t n_pids;
	bool holds_nothing;
};

struct source {
	/* The request outlives the source.  Return: 0, -ENOTSUP, -ENOMEM, ... */
	int (*open)(const struct source_request *request, void **ret_state);
	/* Fill the list, which is empty.  Return: 0, -ENOMEM, -EIO, ... */
	int (*read)(void *state, struct source_list *list);
	void (*close)(void *state);
};

extern const struct source source_stat, source_count;
#ifdef TENDRIL_BPF
extern const struct source source_bpf;
/* For the benchmark: read what the iterator tells, and do nothing with it.  Return: bytes. */
int64_t source_bpf_read_bare(void *state);
#endif

/* One process, by its path.  Return: 0, -ESRCH, -ENOMEM, -EIO, ... */
int source_read_process(pid_t pid, uint32_t wanted, bool by_entries,
			struct monitor_process *ret_process);

#endif /* MONITOR_SOURCE_H */
