/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/watch/model.h"

#include <math.h>
#include <string.h>

const char *const model_series_names[MODEL_SERIES] = { "handles", "threads", "mappings", "resident",
						       "cpu", "percent" };
const char *const model_series_titles[MODEL_SERIES] = {
	"Handle Count", "Thread Count", "Mapping Count", "Resident MB", "% Processor", "% of Limit",
};

/* Samples */

static struct model_entry *entry_new(struct model *model, const struct monitor_process *process)
{
	struct model_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	monitor_user_name(&model->users, process->uid, entry->user);
	for (size_t s = 0; s < MODEL_STORED; s++)
		for (size_t i = 0; i < MODEL_POINTS; i++)
			entry->point[s][i] = NAN;
	entry->now = *process;
	return entry;
}

static float known_or_nan(const struct monitor_process *process, enum monitor_counter counter)
{
	return monitor_is_known(process, counter) ? (float)process->value[counter] : NAN;
}

static float cpu_percent(const struct monitor_process *before, const struct monitor_process *now,
			 int64_t passed_ns)
{
	if (!monitor_is_known(before, MONITOR_CPU_NS) || !monitor_is_known(now, MONITOR_CPU_NS) ||
	    passed_ns <= 0 || now->value[MONITOR_CPU_NS] < before->value[MONITOR_CPU_NS])
		return NAN;
	return (float)(100.0 * (double)(now->value[MONITOR_CPU_NS] - before->value[MONITOR_CPU_NS]) /
		       (double)passed_ns);
}

/* Where in the rings a sample goes. */
struct slot {
	size_t at;
	bool is_shared;    /* with the samples before: the most of them counts */
	int64_t passed_ns; /* since the sample before */
};

/* is_new: there is nothing before it. */
static void entry_take(struct model_entry *entry, const struct monitor_process *process,
		       const struct slot *slot, bool is_new)
{
	float value[MODEL_STORED] = {
		[MODEL_HANDLES] = known_or_nan(process, MONITOR_HANDLES),
		[MODEL_THREADS] = known_or_nan(process, MONITOR_THREADS),
		[MODEL_MAPPINGS] = known_or_nan(process, MONITOR_MAPPINGS),
		[MODEL_RESIDENT] = known_or_nan(process, MONITOR_RESIDENT_BYTES) / (1024 * 1024),
		[MODEL_CPU] = cpu_percent(&entry->now, process, is_new ? 0 : slot->passed_ns),
	};

	for (size_t s = 0; s < MODEL_STORED; s++) {
		float *point = &entry->point[s][slot->at];

		*point = slot->is_shared ? fmaxf(*point, value[s]) : value[s];
	}
	entry->now = *process;
	entry->is_alive = true;
	if (!entry->has_first && monitor_is_known(process, MONITOR_HANDLES)) {
		entry->has_first = true;
		entry->first_handles = process->value[MONITOR_HANDLES];
	}
}

static void entry_end(struct model_entry *entry, const struct slot *slot)
{
	entry->is_alive = false;
	for (size_t s = 0; s < MODEL_STORED && !slot->is_shared; s++)
		entry->point[s][slot->at] = NAN;
}

static int compare_identity(const struct model_entry *entry, const struct monitor_process *process)
{
	if (entry->now.pid != process->pid)
		return entry->now.pid < process->pid ? -1 : 1;
	return (entry->now.start_ticks > process->start_ticks) -
	       (entry->now.start_ticks < process->start_ticks);
}

static void count(struct model *model, const struct monitor_process *process)
{
	model->n_alive++;
	if (monitor_is_known(process, MONITOR_HANDLES))
		model->handles += process->value[MONITOR_HANDLES];
	else
		model->n_unreadable++;
}

/* Both are in the same order, so that one walk along both does it.  What is put into merged belongs
 * to it: an entry that is left out was freed. */
static int merge(struct model *model, const struct monitor_sample *sample,
		 const struct slot *slot, struct model_entry **merged, size_t *ret_n)
{
	size_t old = 0, n = 0, new = 0, n_ended = 0;
	int r = 0;

	while (old < model->n_entries || new < sample->n_processes) {
		struct model_entry *entry = old < model->n_entries ? model->entry[old] : NULL;
		const struct monitor_process *process =
			new < sample->n_processes ? &sample->process[new] : NULL;
		int order = !entry ? 1 : !process ? -1 : compare_identity(entry, process);

		if (order < 0) {
			old++;
			entry_end(entry, slot);
			if (entry->pins || n_ended++ < model->max_ended)
				merged[n++] = entry;
			else
				free(entry);
			continue;
		}
		new++;
		if (order > 0)
			entry = entry_new(model, process);
		else
			old++;
		if (!entry) {
			r = -ENOMEM; /* the others go on */
			continue;
		}
		entry_take(entry, process, slot, order > 0);
		count(model, process);
		merged[n++] = entry;
	}
	*ret_n = n;
	return r;
}

int model_take(struct model *model, const struct monitor_sample *sample)
{
	struct model_entry **merged =
		calloc(model->n_entries + sample->n_processes + 1, sizeof(struct model_entry *));
	struct slot slot = { .is_shared = model->stays && model->n_samples };
	size_t n = 0;
	int r;

	if (!merged)
		return -ENOMEM;
	model->n_alive = model->n_unreadable = 0;
	model->handles = 0;
	if (!slot.is_shared)
		model->n_samples++;
	slot.at = (model->n_samples - 1) % MODEL_POINTS;
	if (model->last_monotonic_ns)
		slot.passed_ns = sample->monotonic_ns - model->last_monotonic_ns;
	r = merge(model, sample, &slot, merged, &n);
	free(model->entry);
	model->entry = merged;
	model->n_entries = n;
	model->time_ns[slot.at] = sample->time_ns;
	model->last_monotonic_ns = sample->monotonic_ns;
	return r;
}

/* Questions */

struct model_entry *model_find(const struct model *model, pid_t pid, uint64_t start_ticks)
{
	struct monitor_process wanted = { .pid = pid, .start_ticks = start_ticks };
	size_t low = 0, high = model->n_entries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_identity(model->entry[middle], &wanted);

		if (order == 0)
			return model->entry[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

size_t model_depth(const struct model *model)
{
	return model->n_samples < MODEL_POINTS ? model->n_samples : MODEL_POINTS;
}

static size_t ring_index(const struct model *model, size_t age)
{
	return (model->n_samples - 1 - age) % MODEL_POINTS;
}

double model_value(const struct model *model, const struct model_entry *entry,
		   enum model_series series, size_t age)
{
	if (age >= model_depth(model))
		return NAN;
	if (series != MODEL_PERCENT)
		return entry->point[series][ring_index(model, age)];
	if (!monitor_is_known(&entry->now, MONITOR_HANDLE_LIMIT) ||
	    entry->now.value[MONITOR_HANDLE_LIMIT] == 0)
		return NAN;
	return 100.0 * entry->point[MODEL_HANDLES][ring_index(model, age)] /
	       (double)entry->now.value[MONITOR_HANDLE_LIMIT];
}

int64_t model_time_ns(const struct model *model, size_t age)
{
	return age < model_depth(model) ? model->time_ns[ring_index(model, age)] : 0;
}

bool model_change(const struct model_entry *entry, int64_t *ret_change)
{
	if (!entry->has_first || !monitor_is_known(&entry->now, MONITOR_HANDLES))
		return false;
	*ret_change = (int64_t)(entry->now.value[MONITOR_HANDLES] - entry->first_handles);
	return true;
}

void model_done(struct model *model)
{
	for (size_t i = 0; i < model->n_entries; i++)
		free(model->entry[i]);
	free(model->entry);
	monitor_users_done(&model->users);
}
