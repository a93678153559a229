/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/sample.h"

#include <string.h>
#include <strings.h>

#include "monitor/container.h"
#include "monitor/source.h"

#define CGROUP_BYTES_MAX (1u << 20)

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

/* What is looked up once for a process, and again when it may have moved. */
struct known {
	/* First: there it is copied in one piece, and can be read again at once. */
	char container[MONITOR_CONTAINER_BYTES];
	uint64_t start_ticks, group;
	pid_t pid;
	bool is_selected; /* by its control group */
};

struct monitor_sampler {
	struct monitor_options options;
	struct source_request request;
	pid_t *pids; /* all that is selected, if that is known; else NULL */
	enum monitor_source kind;
	const struct source *source;
	void *state;
	struct source_list list;
	struct known *known; /* of the last sample, in rising order of pid */
	size_t n_known;
	struct monitor_sample sample;
};

/* The list that a source fills */

struct monitor_process *source_list_add(struct source_list *list)
{
	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 256;
		struct monitor_process *process =
			reallocarray(list->process, room, sizeof(*process));
		uint64_t *group;

		if (!process)
			return NULL;
		list->process = process;
		group = reallocarray(list->group, room, sizeof(*group));
		if (!group)
			return NULL;
		list->group = group;
		list->room = room;
	}
	list->group[list->n] = 0;
	memset(&list->process[list->n], 0, sizeof(list->process[0]));
	return &list->process[list->n++];
}

void source_list_done(struct source_list *list)
{
	free(list->process);
	free(list->group);
	*list = (struct source_list){ 0 };
}

/* Which source */

static const struct source *const sources[] = {
#ifdef TENDRIL_BPF
	[MONITOR_SOURCE_BPF] = &source_bpf,
#endif
	[MONITOR_SOURCE_STAT] = &source_stat,
	[MONITOR_SOURCE_COUNT] = &source_count,
};

const char *monitor_source_name(enum monitor_source source)
{
	static const char *const names[] = { "best", "bpf", "stat", "count" };

	return names[source];
}

static int open_source(struct monitor_sampler *sampler, enum monitor_source kind)
{
	int r = sources[kind] ? sources[kind]->open(&sampler->request, &sampler->state) : -ENOTSUP;

	if (r < 0)
		return r;
	sampler->kind = kind;
	sampler->source = sources[kind];
	return 0;
}

static int open_best(struct monitor_sampler *sampler)
{
	int r = -ENOTSUP;

	for (int kind = MONITOR_SOURCE_BPF; r < 0 && kind <= MONITOR_SOURCE_COUNT; kind++)
		r = open_source(sampler, (enum monitor_source)kind);
	return r;
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* When all selectors are ids, nobody else needs to be looked at. */
static int note_pids(struct monitor_sampler *sampler)
{
	const struct monitor_options *options = &sampler->options;
	size_t n = 0;

	for (size_t i = 0; i < options->n_selectors; i++)
		if (options->selectors[i].kind != PROC_SELECT_PID)
			return 0;
	if (options->n_selectors == 0)
		return 0;
	sampler->pids = calloc(options->n_selectors, sizeof(pid_t));
	if (!sampler->pids)
		return -ENOMEM;
	for (size_t i = 0; i < options->n_selectors; i++)
		sampler->pids[i] = options->selectors[i].id;
	qsort(sampler->pids, options->n_selectors, sizeof(pid_t), compare_pids);
	for (size_t i = 0; i < options->n_selectors; i++)
		if (i == 0 || sampler->pids[i] != sampler->pids[n - 1])
			sampler->pids[n++] = sampler->pids[i];
	sampler->request.pids = sampler->pids;
	sampler->request.n_pids = n;
	return 0;
}

int monitor_sampler_new(const struct monitor_options *options, struct monitor_sampler **ret_sampler)
{
	struct monitor_sampler *sampler = calloc(1, sizeof(*sampler));
	int r;

	if (!sampler)
		return -ENOMEM;
	sampler->options = *options;
	sampler->request.wanted = options->wanted ? options->wanted : (1u << MONITOR_COUNTERS) - 1;
	sampler->request.holds_nothing = options->holds_nothing;
	r = note_pids(sampler);
	if (r == 0)
		r = options->source == MONITOR_SOURCE_BEST ? open_best(sampler) :
							     open_source(sampler, options->source);
	if (r < 0) {
		monitor_sampler_free(sampler);
		return r;
	}
	*ret_sampler = sampler;
	return 0;
}

enum monitor_source monitor_sampler_source(const struct monitor_sampler *sampler)
{
	return sampler->kind;
}

/* Who is selected */

static bool is_of_group(const struct proc_selector *selector)
{
	return selector->kind == PROC_SELECT_CGROUP || selector->kind == PROC_SELECT_CONTAINER;
}

static bool group_matches(const struct proc_selector *selector, const char *cgroups)
{
	return selector->kind == PROC_SELECT_CGROUP ?
	       proc_cgroup_is_below(cgroups, selector->text) :
	       proc_cgroup_has_container(cgroups, selector->text);
}

static void look_up(const struct monitor_options *options, struct known *known)
{
	AUTO_CLOSE int dir = proc_open(known->pid);
	AUTO_FREE char *cgroups = NULL;
	size_t bytes;

	if (dir < 0 || proc_read_file(dir, "cgroup", CGROUP_BYTES_MAX, &cgroups, &bytes) < 0)
		return;
	container_of_cgroups(cgroups, known->container);
	for (size_t i = 0; i < options->n_selectors && !known->is_selected; i++)
		known->is_selected = is_of_group(&options->selectors[i]) &&
				     group_matches(&options->selectors[i], cgroups);
}

static bool is_selected(const struct monitor_options *options,
			const struct monitor_process *process, const struct known *known)
{
	struct proc_process facts = { .pid = process->pid, .uid = process->uid,
				      .session = process->session };

	if (options->n_selectors == 0 || known->is_selected)
		return true;
	memcpy(facts.comm, process->name, sizeof(facts.comm));
	for (size_t i = 0; i < options->n_selectors; i++)
		if (!is_of_group(&options->selectors[i]) &&
		    proc_selector_match(&options->selectors[i], &facts))
			return true;
	return false;
}

/* What was known at the last sample, if it was that process and it is where it was. */
static void recall(const struct monitor_sampler *sampler, size_t *at, struct known *known)
{
	const struct known *old;

	while (*at < sampler->n_known && sampler->known[*at].pid < known->pid)
		(*at)++;
	old = *at < sampler->n_known ? &sampler->known[*at] : NULL;
	if (old && old->pid == known->pid && old->start_ticks == known->start_ticks &&
	    old->group == known->group)
		*known = *old;
	else
		look_up(&sampler->options, known);
}

/* Give every process its container, and leave only the selected ones in the list. */
static int select_processes(struct monitor_sampler *sampler)
{
	struct source_list *list = &sampler->list;
	struct known *known = calloc(list->n + 1, sizeof(*known));
	size_t at = 0, n = 0;

	if (!known)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		struct monitor_process *process = &list->process[i];

		known[i] = (struct known){ .pid = process->pid,
					   .start_ticks = process->start_ticks,
					   .group = list->group[i] };
		recall(sampler, &at, &known[i]);
		memcpy(process->container, known[i].container, sizeof(process->container));
		if (!is_selected(&sampler->options, process, &known[i]))
			continue;
		if (n != i)
			list->process[n] = *process;
		n++;
	}
	free(sampler->known);
	sampler->known = known;
	sampler->n_known = list->n;
	list->n = n;
	return 0;
}

int monitor_sample(struct monitor_sampler *sampler, const struct monitor_sample **ret_sample)
{
	struct monitor_sample *sample = &sampler->sample;
	struct timespec now;
	int r;

	clock_gettime(CLOCK_REALTIME, &now);
	sample->time_ns = now.tv_sec * NS_PER_S + now.tv_nsec;
	sample->monotonic_ns = now_ns();
	sampler->list.n = 0;
	r = sampler->source->read(sampler->state, &sampler->list);
	if (r == 0)
		r = select_processes(sampler);
	if (r < 0)
		return r;
	sample->process = sampler->list.process;
	sample->n_processes = sampler->list.n;
	*ret_sample = sample;
	return 0;
}

void monitor_sampler_free(struct monitor_sampler *sampler)
{
	if (!sampler)
		return;
	if (sampler->source)
		sampler->source->close(sampler->state);
	source_list_done(&sampler->list);
	free(sampler->known);
	free(sampler->pids);
	free(sampler);
}
