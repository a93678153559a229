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
	if (model->shares_points) {
		entry->shared = calloc(1, sizeof(*entry->shared));
		if (!entry->shared) {
			free(entry);
			return NULL;
		}
	}
	monitor_user_name(&model->users, process->uid, entry->user);
	for (size_t s = 0; s < MODEL_STORED; s++)
		for (size_t i = 0; i < MODEL_POINTS; i++)
			entry->point[s][i] = NAN;
	entry->now = *process;
	return entry;
}

static void entry_free(struct model_entry *entry)
{
	free(entry->shared);
	free(entry);
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
	bool is_shared;    /* with the samples before */
	int64_t passed_ns; /* since the sample before */
	double weight;     /* samples that it stands for */
};

/* A process in a sample, and its extremes where that is an average. */
struct process_input {
	const struct monitor_process *process, *min, *max;
};

static void values_of(const struct monitor_process *process, float *value)
{
	value[MODEL_HANDLES] = known_or_nan(process, MONITOR_HANDLES);
	value[MODEL_THREADS] = known_or_nan(process, MONITOR_THREADS);
	value[MODEL_MAPPINGS] = known_or_nan(process, MONITOR_MAPPINGS);
	value[MODEL_RESIDENT] = known_or_nan(process, MONITOR_RESIDENT_BYTES) / (1024 * 1024);
}

/* One value joins those that share its point. */
static void share_point(struct model_entry *entry, size_t s, const struct slot *slot, float value,
			float least, float most)
{
	struct model_shared *shared = entry->shared;
	float *point = &entry->point[s][slot->at];
	bool is_first = !slot->is_shared || isnan(*point);

	if (isnan(value) && !is_first)
		return;
	shared->weight[s] = is_first ? slot->weight : shared->weight[s] + slot->weight;
	*point = is_first ? value :
			    (float)(*point + (value - *point) * slot->weight / shared->weight[s]);
	shared->least[s][slot->at] = is_first ? least : fminf(shared->least[s][slot->at], least);
	shared->most[s][slot->at] = is_first ? most : fmaxf(shared->most[s][slot->at], most);
	shared->last[s] = value;
}

/* is_new: there is nothing before it. */
static void entry_take(struct model_entry *entry, const struct process_input *input,
		       const struct slot *slot, bool is_new)
{
	const struct monitor_process *process = input->process;
	float value[MODEL_STORED], least[MODEL_STORED], most[MODEL_STORED];

	values_of(process, value);
	values_of(input->min, least);
	values_of(input->max, most);
	value[MODEL_CPU] = cpu_percent(&entry->now, process, is_new ? 0 : slot->passed_ns);
	least[MODEL_CPU] = most[MODEL_CPU] = value[MODEL_CPU];
	for (size_t s = 0; s < MODEL_STORED; s++)
		if (entry->shared)
			share_point(entry, s, slot, value[s], least[s], most[s]);
		else
			entry->point[s][slot->at] = value[s];
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

static struct process_input process_input(const struct model_input *input, size_t at)
{
	return (struct process_input){ &input->sample->process[at],
				       &(input->min ? input->min : input->sample)->process[at],
				       &(input->max ? input->max : input->sample)->process[at] };
}

/* Both are in the same order, so that one walk along both does it.  What is put into merged belongs
 * to it: an entry that is left out was freed. */
static int merge(struct model *model, const struct model_input *input, const struct slot *slot,
		 struct model_entry **merged, size_t *ret_n)
{
	const struct monitor_sample *sample = input->sample;
	size_t old = 0, n = 0, new = 0, n_ended = 0;
	struct process_input taken;
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
				entry_free(entry);
			continue;
		}
		taken = process_input(input, new++);
		if (order > 0)
			entry = entry_new(model, process);
		else
			old++;
		if (!entry) {
			r = -ENOMEM; /* the others go on */
			continue;
		}
		entry_take(entry, &taken, slot, order > 0);
		count(model, process);
		merged[n++] = entry;
	}
	*ret_n = n;
	return r;
}

int model_take(struct model *model, const struct model_input *input)
{
	const struct monitor_sample *sample = input->sample;
	struct model_entry **merged =
		calloc(model->n_entries + sample->n_processes + 1, sizeof(struct model_entry *));
	struct slot slot = { .is_shared = input->stays && model->n_samples,
			     .weight = (double)input->n_samples };
	size_t n = 0;
	int r;

	if (!merged)
		return -ENOMEM;
	model->n_alive = model->n_unreadable = 0;
	model->handles = 0;
	if (!slot.is_shared)
		model->n_samples++;
	slot.at = (model->n_samples - 1) % MODEL_POINTS;
	model->is_left_out[slot.at] = false;
	model->after_gap[slot.at] = input->after_gap || (slot.is_shared && model->after_gap[slot.at]);
	if (model->last_monotonic_ns)
		slot.passed_ns = sample->monotonic_ns - model->last_monotonic_ns;
	r = merge(model, input, &slot, merged, &n);
	free(model->entry);
	model->entry = merged;
	model->n_entries = n;
	if (!slot.is_shared)
		model->time_ns[slot.at] = sample->time_ns;
	model->last_ns = sample->time_ns;
	model->last_monotonic_ns = sample->monotonic_ns;
	return r;
}

void model_leave_out(struct model *model, size_t points, int64_t time_ns)
{
	while (points-- > 0) {
		size_t at = model->n_samples++ % MODEL_POINTS;

		model->time_ns[at] = time_ns;
		model->is_left_out[at] = true;
		model->after_gap[at] = false;
		for (size_t i = 0; i < model->n_entries; i++)
			for (size_t s = 0; s < MODEL_STORED; s++)
				model->entry[i]->point[s][at] = NAN;
	}
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

/* A stored value as the series wants it. */
static double in_series(const struct model_entry *entry, enum model_series series, double value)
{
	if (series != MODEL_PERCENT)
		return value;
	if (!monitor_is_known(&entry->now, MONITOR_HANDLE_LIMIT) ||
	    entry->now.value[MONITOR_HANDLE_LIMIT] == 0)
		return NAN;
	return 100.0 * value / (double)entry->now.value[MONITOR_HANDLE_LIMIT];
}

double model_part(const struct model *model, const struct model_entry *entry,
		  enum model_series series, size_t age, enum model_part part)
{
	size_t stored = series == MODEL_PERCENT ? MODEL_HANDLES : series;
	size_t at = ring_index(model, age);
	double value = entry->point[stored][at];

	if (age >= model_depth(model))
		return NAN;
	if (entry->shared && part != MODEL_AVERAGE && !isnan(value))
		value = part == MODEL_LEAST ? entry->shared->least[stored][at] :
					      entry->shared->most[stored][at];
	return in_series(entry, series, value);
}

double model_value(const struct model *model, const struct model_entry *entry,
		   enum model_series series, size_t age)
{
	size_t stored = series == MODEL_PERCENT ? MODEL_HANDLES : series;
	double average = model_part(model, entry, series, age, MODEL_AVERAGE);

	if (age > 0 || !entry->shared || isnan(average))
		return average;
	return in_series(entry, series, entry->shared->last[stored]);
}

bool model_is_left_out(const struct model *model, size_t age)
{
	return age < model_depth(model) && model->is_left_out[ring_index(model, age)];
}

bool model_is_after_gap(const struct model *model, size_t age)
{
	return age < model_depth(model) && model->after_gap[ring_index(model, age)];
}

int64_t model_time_ns(const struct model *model, size_t age)
{
	if (age >= model_depth(model))
		return 0;
	return age ? model->time_ns[ring_index(model, age)] : model->last_ns;
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
		entry_free(model->entry[i]);
	free(model->entry);
	monitor_users_done(&model->users);
	trend_table_free(model->trends);
}
