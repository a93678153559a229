/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/sample.h"

#include <string.h>
#include <strings.h>

const struct monitor_counter_info monitor_counters[MONITOR_COUNTERS] = {
	[MONITOR_HANDLES] = { "handles", "Handle Count", "Handles", false },
	[MONITOR_HANDLE_LIMIT] = { "handle_limit", "Handle Limit", "Limit", false },
	[MONITOR_THREADS] = { "threads", "Thread Count", "Threads", false },
	[MONITOR_MAPPINGS] = { "mappings", "Mapping Count", "Mappings", false },
	[MONITOR_RESIDENT_BYTES] = { "resident_bytes", "Working Set", "Resident", false },
	[MONITOR_CPU_NS] = { "cpu_ns", "% Processor Time", "CPU", true },
};

enum monitor_counter monitor_counter_named(const char *name)
{
	for (int i = 0; i < MONITOR_COUNTERS; i++)
		if (!strcasecmp(name, monitor_counters[i].name) ||
		    !strcasecmp(name, monitor_counters[i].windows) ||
		    !strcasecmp(name, monitor_counters[i].title))
			return (enum monitor_counter)i;
	return MONITOR_COUNTERS;
}

const struct monitor_process *monitor_find(const struct monitor_sample *sample, pid_t pid,
					   uint64_t start_ticks)
{
	size_t low = 0, high = sample->n_processes;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sample->process[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == sample->n_processes || sample->process[low].pid != pid)
		return NULL;
	return start_ticks && sample->process[low].start_ticks != start_ticks ? NULL
									     : &sample->process[low];
}

struct monitor_sampler {
	struct monitor_options options;
	struct monitor_sample sample;
	size_t room;
};

const char *monitor_source_name(enum monitor_source source)
{
	static const char *const names[] = { "best", "bpf", "stat", "count" };

	return names[source];
}

int monitor_sampler_new(const struct monitor_options *options, struct monitor_sampler **ret_sampler)
{
	struct monitor_sampler *sampler = calloc(1, sizeof(*sampler));

	if (!sampler)
		return -ENOMEM;
	sampler->options = *options;
	*ret_sampler = sampler;
	return 0;
}

enum monitor_source monitor_sampler_source(const struct monitor_sampler *sampler)
{
	return proc_has_handle_count() ? MONITOR_SOURCE_STAT : MONITOR_SOURCE_COUNT;
}

static void note(struct monitor_process *process, enum monitor_counter counter, int r, uint64_t value)
{
	if (r < 0 || value == PROC_UNLIMITED)
		return;
	process->known |= 1u << counter;
	process->value[counter] = value;
}

static bool is_selected(const struct monitor_options *options, const struct proc_process *process)
{
	for (size_t i = 0; i < options->n_selectors; i++)
		if (proc_selector_match(&options->selectors[i], process))
			return true;
	return options->n_selectors == 0;
}

static int read_process(const struct monitor_sampler *sampler, pid_t pid,
			struct monitor_process *process)
{
	struct proc_process from;
	uint64_t value = 0;
	int r = proc_process_read(pid, &from);

	if (r < 0)
		return r;
	if (!is_selected(&sampler->options, &from))
		return -ESRCH;
	*process = (struct monitor_process){ .pid = pid, .start_ticks = from.start_ticks,
					     .uid = from.uid, .session = from.session };
	memcpy(process->name, from.comm, sizeof(process->name));
	note(process, MONITOR_THREADS, 0, from.n_threads);
	r = proc_count_handles(pid, &value);
	note(process, MONITOR_HANDLES, r, value);
	r = proc_handle_limit(pid, &value);
	note(process, MONITOR_HANDLE_LIMIT, r, value);
	r = proc_count_mappings(pid, &value);
	note(process, MONITOR_MAPPINGS, r, value);
	return 0;
}

static int make_room(struct monitor_sampler *sampler, size_t n)
{
	struct monitor_process *grown;

	if (n <= sampler->room)
		return 0;
	grown = reallocarray(sampler->sample.process, n, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	sampler->sample.process = grown;
	sampler->room = n;
	return 0;
}

int monitor_sample(struct monitor_sampler *sampler, const struct monitor_sample **ret_sample)
{
	struct monitor_sample *sample = &sampler->sample;
	AUTO_FREE pid_t *pids = NULL;
	struct timespec now;
	size_t n = 0;
	int r;

	clock_gettime(CLOCK_REALTIME, &now);
	sample->time_ns = now.tv_sec * NS_PER_S + now.tv_nsec;
	sample->monotonic_ns = now_ns();
	sample->n_processes = 0;
	r = proc_processes(&pids, &n);
	if (r == 0)
		r = make_room(sampler, n);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (read_process(sampler, pids[i], &sample->process[sample->n_processes]) == 0)
			sample->n_processes++;
	if (r == 0)
		*ret_sample = sample;
	return r;
}

void monitor_sampler_free(struct monitor_sampler *sampler)
{
	if (!sampler)
		return;
	free(sampler->sample.process);
	free(sampler);
}
