/* SPDX-License-Identifier: BSD-2-Clause */
/* view.c - all processes at one moment, under the names of instances, and their figures */
#include "pdh/pdh_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define STATM_BYTES	   4096
#define EPOCH_OF_WINDOWS_S 11644473600 /* from 1601 to 1970 */
#define NS_PER_TICK	   (NS_PER_S / TICKS_PER_S)

/* Names */

/* A process has no path in its name; ".exe" have those that Wine runs. */
static void name_of(const struct monitor_process *process, char ret_name[PROC_NAME_BYTES])
{
	size_t n;

	memcpy(ret_name, process->name, PROC_NAME_BYTES);
	ret_name[PROC_NAME_BYTES - 1] = '\0';
	n = strlen(ret_name);
	if (n > 4 && !strcasecmp(ret_name + n - 4, ".exe"))
		ret_name[n - 4] = '\0';
	text_tame(ret_name);
	if (!ret_name[0])
		strcpy(ret_name, "_");
}

/* The sum comes before a process that took its name; others are in the order of their ids. */
static int compare_instances(const void *a, const void *b)
{
	const struct instance *x = a, *y = b;
	int order = strcasecmp(x->name, y->name);
	size_t p = x->process + 1, q = y->process + 1; /* VIEW_TOTAL becomes 0 */

	return order ? order : (p > q) - (p < q);
}

static void number(struct view *view)
{
	qsort(view->instance, view->n_instances, sizeof(view->instance[0]), compare_instances);
	for (size_t i = 1; i < view->n_instances; i++)
		if (!strcasecmp(view->instance[i].name, view->instance[i - 1].name))
			view->instance[i].index = view->instance[i - 1].index + 1;
}

/* The sampler had descriptors open when it looked at its own process. */
static uint64_t count_own_handles(void)
{
	struct stat st;
	uint64_t n = 0;

	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		return (uint64_t)st.st_size;
	/* Before Linux 6.2: two are open to count them. */
	return proc_count_handles(getpid(), &n) == 0 && n >= 2 ? n - 2 : 0;
}

void view_done(struct view *view)
{
	free(view->instance);
	free(view->extra);
	*view = (struct view){ 0 };
}

void view_full_name(const struct instance *instance, char ret_name[INSTANCE_BYTES])
{
	if (instance->index)
		(void)snprintf(ret_name, INSTANCE_BYTES, "%s#%u", instance->name, instance->index);
	else
		(void)snprintf(ret_name, INSTANCE_BYTES, "%s", instance->name);
}

bool view_instance_matches(const struct instance *instance, const char *pattern)
{
	char name[INSTANCE_BYTES];

	view_full_name(instance, name);
	if (text_matches(pattern, name))
		return true;
	if (instance->index)
		return false;
	(void)snprintf(name, sizeof(name), "%s#0", instance->name);
	return strchr(pattern, '#') && text_matches(pattern, name);
}

static int compare_with_name(const struct instance *instance, const struct instance_name *name)
{
	int order = strcasecmp(instance->name, name->text);

	return order ? order : (instance->index > name->index) - (instance->index < name->index);
}

static const struct instance *find(const struct view *view, const struct instance_name *name)
{
	size_t low = 0, high = view->n_instances;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_with_name(&view->instance[middle], name);

		if (order == 0)
			return &view->instance[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct instance *view_find(const struct view *view, const char *instance)
{
	AUTO_FREE char *text = strdup(instance);
	struct instance_name name;

	if (!text)
		return NULL;
	name = path_split_index(text);
	return find(view, &name);
}

/* Figures */

/* "size resident shared text lib data dt", in pages.  Private and writable is `data`. */
static bool read_private(int dir, uint64_t *ret_bytes)
{
	enum { DATA = 5 };
	AUTO_FREE char *text = NULL;
	uint64_t field = 0;
	const char *s;
	size_t bytes;

	if (proc_read_file(dir, "statm", STATM_BYTES, &text, &bytes) < 0)
		return false;
	s = text;
	for (int i = 0; s && i <= DATA; i++)
		s = proc_scan(s, 10, &field);
	*ret_bytes = field * (uint64_t)sysconf(_SC_PAGESIZE);
	return !!s;
}

/* Both files by one directory, which stands for one process. */
static void read_extra(const struct monitor_process *process, struct extra *extra)
{
	AUTO_CLOSE int dir = proc_open(process->pid);
	AUTO_FREE char *text = NULL;
	struct proc_process stat;
	size_t bytes;

	extra->was_read = true;
	if (dir < 0 || proc_read_file(dir, "stat", STATM_BYTES, &text, &bytes) < 0 ||
	    proc_parse_stat(text, bytes, &stat) < 0 || stat.start_ticks != process->start_ticks)
		return;
	extra->has_stat = true;
	extra->has_ended = proc_is_zombie(&stat);
	extra->parent = stat.ppid;
	extra->user_ticks = stat.user_ticks;
	extra->system_ticks = stat.system_ticks;
	extra->page_faults = stat.page_faults;
	extra->virtual_bytes = stat.vm_bytes;
	extra->has_sizes = read_private(dir, &extra->private_bytes);
}

static const struct extra *extra_of(struct view *view, size_t process)
{
	if (!view->extra[process].was_read)
		read_extra(&view->sample->process[process], &view->extra[process]);
	return &view->extra[process];
}

static uint64_t from_kernel_ticks(uint64_t ticks)
{
	return ticks * (uint64_t)(TICKS_PER_S / sysconf(_SC_CLK_TCK));
}

static bool read_sampled(const struct view *view, enum monitor_counter counter, size_t at,
			 uint64_t *ret_value)
{
	const struct monitor_process *process = &view->sample->process[at];
	uint64_t value = process->value[counter];

	if (!monitor_is_known(process, counter))
		return false;
	if (counter == MONITOR_HANDLES && process->pid == getpid() && view->own_handles)
		value = view->own_handles;
	*ret_value = counter == MONITOR_CPU_NS ? value / NS_PER_TICK : value;
	return true;
}

static bool read_extra_figure(struct view *view, enum figure figure, size_t at, uint64_t *ret_value)
{
	const struct extra *extra = extra_of(view, at);

	switch (figure) {
	case FIGURE_PARENT:
		*ret_value = (uint64_t)extra->parent;
		return extra->has_stat;
	case FIGURE_USER:
		*ret_value = from_kernel_ticks(extra->user_ticks);
		return extra->has_stat;
	case FIGURE_SYSTEM:
		*ret_value = from_kernel_ticks(extra->system_ticks);
		return extra->has_stat;
	case FIGURE_FAULTS:
		*ret_value = extra->page_faults;
		return extra->has_stat;
	case FIGURE_VIRTUAL:
		*ret_value = extra->virtual_bytes;
		return extra->has_stat;
	default:
		*ret_value = extra->private_bytes;
		return extra->has_sizes;
	}
}

static bool read_figure(struct view *view, const struct counter_info *info, size_t at,
			uint64_t *ret_value)
{
	switch (info->figure) {
	case FIGURE_SAMPLED:
		return read_sampled(view, info->sampled, at, ret_value);
	case FIGURE_PID:
		*ret_value = (uint64_t)view->sample->process[at].pid;
		return true;
	case FIGURE_START:
		*ret_value = from_kernel_ticks(view->sample->process[at].start_ticks);
		return true;
	default:
		return read_extra_figure(view, info->figure, at, ret_value);
	}
}

/* What is not known of one process is not in the sum. */
static bool read_total(struct view *view, const struct counter_info *info, uint64_t *ret_value)
{
	uint64_t sum = 0, value;

	if (!info->has_total)
		return false;
	for (size_t i = 0; i < view->n_instances; i++)
		if (view->instance[i].process != VIEW_TOTAL &&
		    read_figure(view, info, view->instance[i].process, &value))
			sum += value;
	*ret_value = sum;
	return true;
}

static bool read_system(struct view *view, const struct counter_info *info, uint64_t *ret_value)
{
	if (info->has_total)
		return read_total(view, info, ret_value);
	*ret_value = info->figure == FIGURE_PROCESSES ? view->n_instances - 1 : 0;
	return true;
}

LONGLONG view_time(const struct monitor_sample *sample)
{
	return sample->time_ns / NS_PER_TICK + EPOCH_OF_WINDOWS_S * TICKS_PER_S;
}

static FILETIME filetime_of(LONGLONG ticks)
{
	return (FILETIME){ (DWORD)ticks, (DWORD)((ULONGLONG)ticks >> 32) };
}

DWORD view_read(struct view *view, const struct counter_info *info,
		const struct instance *instance, PDH_RAW_COUNTER *ret_raw)
{
	PDH_RAW_COUNTER raw = { .CStatus = PDH_CSTATUS_INVALID_DATA,
				.TimeStamp = filetime_of(view_time(view->sample)) };
	uint64_t value = 0;
	bool is_known = !instance ? read_system(view, info, &value) :
			instance->process == VIEW_TOTAL ? read_total(view, info, &value) :
			read_figure(view, info, instance->process, &value);

	if (is_known) {
		raw.CStatus = PDH_CSTATUS_VALID_DATA;
		raw.FirstValue = (LONGLONG)value;
		raw.MultiCount = 1;
		/* Not the time of day, which may be set back. */
		if (info->type == PERF_ELAPSED_TIME)
			raw.SecondValue = view->boot_ns / NS_PER_TICK;
		else if (info->type == PERF_100NSEC_TIMER || info->type == PERF_COUNTER_COUNTER)
			raw.SecondValue = view->sample->monotonic_ns / NS_PER_TICK;
	}
	*ret_raw = raw;
	return raw.CStatus;
}

/* Making */

/* One that waits to be collected by its parent is no instance any more: it would push others of its
 * name back.  Memory has everyone else who is not the kernel's own and so without a session. */
static bool has_ended(struct view *view, size_t at)
{
	const struct monitor_process *process = &view->sample->process[at];

	return process->session != 0 && process->value[MONITOR_RESIDENT_BYTES] == 0 &&
	       extra_of(view, at)->has_ended;
}

static void add_instances(struct view *view)
{
	for (size_t i = 0; i < view->sample->n_processes; i++) {
		struct instance *instance = &view->instance[view->n_instances];

		if (has_ended(view, i))
			continue;
		instance->process = i;
		name_of(&view->sample->process[i], instance->name);
		view->n_instances++;
	}
	view->instance[view->n_instances].process = VIEW_TOTAL;
	strcpy(view->instance[view->n_instances++].name, TOTAL_NAME);
}

int view_make(const struct monitor_sample *sample, struct view *ret_view)
{
	struct view view = { .sample = sample, .own_handles = count_own_handles() };
	struct timespec boot;

	view.instance = calloc(sample->n_processes + 1, sizeof(view.instance[0]));
	view.extra = calloc(sample->n_processes + 1, sizeof(view.extra[0]));
	if (!view.instance || !view.extra) {
		view_done(&view);
		return -ENOMEM;
	}
	clock_gettime(CLOCK_BOOTTIME, &boot);
	view.boot_ns = boot.tv_sec * NS_PER_S + boot.tv_nsec;
	add_instances(&view);
	number(&view);
	*ret_view = view;
	return 0;
}

/* To load a program into the kernel is too dear for one look. */
int view_of_now(struct monitor_sampler **ret_sampler, struct view *ret_view)
{
	struct monitor_options options = { .wanted = VIEW_WANTED, .holds_nothing = true,
					   .source = MONITOR_SOURCE_COUNT };
	const struct monitor_sample *sample;
	struct monitor_sampler *sampler;
	int r = monitor_sampler_new(&options, &sampler);

	if (r < 0)
		return r;
	r = monitor_sample(sampler, &sample);
	if (r == 0)
		r = view_make(sample, ret_view);
	if (r < 0)
		monitor_sampler_free(sampler);
	else
		*ret_sampler = sampler;
	return r;
}
