/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#define LABEL_BYTES (4 * PROC_NAME_BYTES + 1) /* every byte may become \xNN */
#define OTHER	    "other"
#define RULE_LABEL_BYTES 2100 /* 512, all escaped */

/* One process, or several of the same labels. */
struct group {
	pid_t pid; /* 0: a group */
	char name[LABEL_BYTES];
	char user[MONITOR_USER_BYTES];
	char container[MONITOR_CONTAINER_BYTES * 4 + 1];
	uint64_t processes, unreadable;
	uint64_t sum[MONITOR_COUNTERS];
	uint32_t known;   /* counters that were known of at least one of them */
	uint64_t limit;   /* the lowest of them */
	uint64_t judged, suspected; /* of how many the trend can say something, and who seem to leak */
	double handles_per_hour;    /* that those lose */
	double seconds_left;        /* until the first of those is at its limit */
	const char *labels; /* as they are written, in each of a dozen metrics: made once */
	size_t label_bytes;
	double used;      /* the highest part of its own limit that one of them uses; below 0: not known */
};

struct groups {
	struct group *group;
	size_t n_groups;
	char *labels; /* of all of them, one behind the other */
	size_t folded; /* of them went into "other" */
};

/* Content negotiation */

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* The value of ";q=" in one range of an Accept header, in thousandths; 1000 without one. */
static int quality(const char *range, size_t bytes)
{
	const char *end = range + bytes;

	for (const char *s = memchr(range, ';', bytes); s; s = memchr(s, ';', (size_t)(end - s))) {
		int value = 0, unit = 100;

		s = skip_blanks(s + 1);
		if (end - s < 3 || (*s | 0x20) != 'q' || s[1] != '=')
			continue;
		if (s[2] != '0')
			return 1000;
		for (s += 3; s < end && (*s == '.' || (*s >= '0' && *s <= '9')); s++)
			if (*s != '.') {
				value += (*s - '0') * unit;
				unit /= 10;
			}
		return value;
	}
	return 1000;
}

static bool is_type(const char *range, size_t bytes, const char *type)
{
	size_t n = strlen(type);

	return bytes >= n && !strncasecmp(range, type, n) && (bytes == n || strchr("; \t", range[n]));
}

enum metrics_format metrics_negotiate(const char *accept)
{
	int open = 0, plain = -1;

	for (const char *s = accept; s && *s; s += *s == ',') {
		size_t bytes;

		s = skip_blanks(s);
		bytes = strcspn(s, ",");
		if (is_type(s, bytes, "application/openmetrics-text")) {
			int q = quality(s, bytes);

			open = q > open ? q : open;
		} else if (is_type(s, bytes, "text/plain")) {
			int q = quality(s, bytes);

			plain = q > plain ? q : plain;
		}
		s += bytes;
	}
	return open > plain && open > 0 ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
}

const char *metrics_content_type(enum metrics_format format)
{
	return format == METRICS_OPENMETRICS ?
		       "application/openmetrics-text; version=1.0.0; charset=utf-8" :
		       "text/plain; version=0.0.4; charset=utf-8";
}

/* Groups */

static void begin_group(struct group *group, const struct monitor_process *process,
			struct monitor_users *users, bool per_pid)
{
	*group = (struct group){ .pid = per_pid ? process->pid : 0, .processes = 1, .used = -1,
				 .limit = UINT64_MAX, .seconds_left = INFINITY };
	escape_text(process->name, group->name, sizeof(group->name));
	monitor_user_name(users, process->uid, group->user);
	escape_text(process->container, group->container, sizeof(group->container));
	for (int i = 0; i < MONITOR_COUNTERS; i++)
		group->sum[i] = process->value[i];
	group->known = process->known;
	group->unreadable = !monitor_is_known(process, MONITOR_HANDLES);
	if (!monitor_is_known(process, MONITOR_HANDLE_LIMIT))
		return;
	group->limit = process->value[MONITOR_HANDLE_LIMIT];
	if (group->limit && !group->unreadable)
		group->used = (double)process->value[MONITOR_HANDLES] / (double)group->limit;
}

static void add_verdict(struct group *group, const struct trend_verdict *verdict)
{
	group->judged += verdict->is_known;
	if (!verdict->is_leaking)
		return;
	group->suspected++;
	group->handles_per_hour += verdict->handles_per_hour;
	group->seconds_left = fmin(group->seconds_left, verdict->seconds_left);
}

static void add_group(struct group *to, const struct group *from)
{
	to->processes += from->processes;
	to->unreadable += from->unreadable;
	for (int i = 0; i < MONITOR_COUNTERS; i++)
		if (from->known & 1u << i)
			to->sum[i] += from->sum[i];
	to->known |= from->known;
	to->judged += from->judged;
	to->suspected += from->suspected;
	to->handles_per_hour += from->handles_per_hour;
	to->seconds_left = fmin(to->seconds_left, from->seconds_left);
	to->limit = from->limit < to->limit ? from->limit : to->limit;
	to->used = from->used > to->used ? from->used : to->used;
}

static int compare_labels(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	order = order ? order : strcmp(x->user, y->user);
	order = order ? order : strcmp(x->container, y->container);
	return order ? order : (x->pid > y->pid) - (x->pid < y->pid);
}

static uint64_t handles_of(const struct group *group)
{
	return group->known & 1u << MONITOR_HANDLES ? group->sum[MONITOR_HANDLES] : 0;
}

/* Most handles first; of equals always the same ones, so that the choice does not flicker. */
static int compare_handles(const void *a, const void *b)
{
	uint64_t x = handles_of(a), y = handles_of(b);

	return x == y ? compare_labels(a, b) : (x < y) - (x > y);
}

/* Those that have the same labels after they were escaped: text with a series twice is refused. */
static void merge_equals(struct groups *groups)
{
	size_t used = 0;

	for (size_t i = 0; i < groups->n_groups; i++) {
		if (used && compare_labels(&groups->group[used - 1], &groups->group[i]) == 0)
			add_group(&groups->group[used - 1], &groups->group[i]);
		else
			groups->group[used++] = groups->group[i];
	}
	groups->n_groups = used;
}

/* No process has an empty user, so "other" is nobody's real labels. */
static void fold(struct groups *groups, size_t max_series)
{
	struct group other = { .name = OTHER, .used = -1, .limit = UINT64_MAX,
			       .seconds_left = INFINITY };

	if (groups->n_groups <= max_series)
		return;
	qsort(groups->group, groups->n_groups, sizeof(*groups->group), compare_handles);
	groups->folded = groups->n_groups - (max_series - 1);
	for (size_t i = max_series - 1; i < groups->n_groups; i++)
		add_group(&other, &groups->group[i]);
	groups->group[max_series - 1] = other;
	groups->n_groups = max_series;
	qsort(groups->group, groups->n_groups, sizeof(*groups->group), compare_labels);
}

/* Kernel threads and zombies: no handles, no memory, nothing to lose; but names that change all the
 * time, each of which would be a series. */
static bool is_hollow(const struct monitor_process *process)
{
	return monitor_is_known(process, MONITOR_HANDLES) && !process->value[MONITOR_HANDLES] &&
	       monitor_is_known(process, MONITOR_MAPPINGS) && !process->value[MONITOR_MAPPINGS];
}

static int collect(const struct monitor_snapshot *snapshot, struct monitor_users *users,
		   const struct metrics_options *options, struct groups *groups)
{
	const struct monitor_sample *sample = &snapshot->sample;

	groups->group = calloc(sample->n_processes + 1, sizeof(*groups->group));
	if (!groups->group)
		return -ENOMEM;
	for (size_t i = 0; i < sample->n_processes; i++) {
		struct group *group = &groups->group[groups->n_groups];

		if (is_hollow(&sample->process[i]))
			continue;
		begin_group(group, &sample->process[i], users, options->per_pid);
		add_verdict(group, &snapshot->verdict[i]);
		groups->n_groups++;
	}
	qsort(groups->group, groups->n_groups, sizeof(*groups->group), compare_labels);
	merge_equals(groups);
	fold(groups, options->max_series);
	return 0;
}

/* Text */

static void write_label(FILE *out, const char *name, const char *value)
{
	(void)fputs(name, out);
	(void)fputs("=\"", out);
	while (*value) {
		size_t plain = strcspn(value, "\\\"\n");

		(void)fwrite(value, 1, plain, out);
		value += plain;
		if (!*value)
			break;
		(void)fputc('\\', out);
		(void)fputc(*value == '\n' ? 'n' : *value, out);
		value++;
	}
	(void)fputc('"', out);
}

static void make_labels_of(FILE *out, const struct group *group)
{
	(void)fputc('{', out);
	if (group->pid)
		(void)fprintf(out, "pid=\"%d\",", (int)group->pid);
	write_label(out, "name", group->name);
	(void)fputc(',', out);
	write_label(out, "user", group->user);
	(void)fputc(',', out);
	write_label(out, "container", group->container);
	(void)fputs("} ", out);
}

static int make_labels(struct groups *groups)
{
	size_t bytes = 0, before = 0;
	FILE *out = open_memstream(&groups->labels, &bytes);

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < groups->n_groups; i++) {
		make_labels_of(out, &groups->group[i]);
		(void)fflush(out); /* tells bytes */
		groups->group[i].label_bytes = bytes - before;
		before = bytes;
	}
	if (fclose(out) != 0)
		return -ENOMEM;
	for (size_t i = 0, at = 0; i < groups->n_groups; i++) {
		groups->group[i].labels = groups->labels + at;
		at += groups->group[i].label_bytes;
	}
	return 0;
}

static void write_labels(FILE *out, const struct group *group)
{
	(void)fwrite(group->labels, 1, group->label_bytes, out);
}

static void write_head(FILE *out, const char *name, const char *type, const char *unit,
		       const char *help)
{
	(void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
	if (unit)
		(void)fprintf(out, "# UNIT %s %s\n", name, unit);
}

static void write_counter(FILE *out, const struct groups *groups, const char *name,
			  enum monitor_counter counter, const char *help)
{
	write_head(out, name, "gauge", NULL, help);
	for (size_t i = 0; i < groups->n_groups; i++) {
		const struct group *group = &groups->group[i];

		if (!(group->known & 1u << counter))
			continue;
		(void)fputs(name, out);
		write_labels(out, group);
		(void)fprintf(out, "%" PRIu64 "\n", group->sum[counter]);
	}
}

static void write_limits(FILE *out, const struct groups *groups)
{
	write_head(out, "tendril_process_max_handles", "gauge", NULL,
		   "Handles that a process may have open (soft RLIMIT_NOFILE); the lowest of the group.");
	for (size_t i = 0; i < groups->n_groups; i++) {
		if (groups->group[i].limit == UINT64_MAX)
			continue;
		(void)fputs("tendril_process_max_handles", out);
		write_labels(out, &groups->group[i]);
		(void)fprintf(out, "%" PRIu64 "\n", groups->group[i].limit);
	}
}

/* value times 10 to the power of digits.  Not by "%f": the point of the locale is none here. */
static void write_fixed(FILE *out, int64_t value, int digits)
{
	int64_t unit = 1;

	for (int i = 0; i < digits; i++)
		unit *= 10;
	value = value < 0 ? 0 : value; /* a clock that was set back */
	(void)fprintf(out, "%" PRId64 ".%0*" PRId64 "\n", value / unit, digits, value % unit);
}

static void write_used(FILE *out, const struct groups *groups, bool is_openmetrics)
{
	const char *name = "tendril_process_handles_used_ratio";

	write_head(out, name, "gauge", is_openmetrics ? "ratio" : NULL,
		   "Open handles by the own limit; of a group that of its fullest process.");
	for (size_t i = 0; i < groups->n_groups; i++) {
		if (groups->group[i].used < 0)
			continue;
		(void)fputs(name, out);
		write_labels(out, &groups->group[i]);
		write_fixed(out, (int64_t)(groups->group[i].used * 1e6), 6);
	}
}

static void write_members(FILE *out, const struct groups *groups, const char *name,
			  const char *help, bool unreadable)
{
	write_head(out, name, "gauge", NULL, help);
	for (size_t i = 0; i < groups->n_groups; i++) {
		const struct group *group = &groups->group[i];

		(void)fputs(name, out);
		write_labels(out, group);
		(void)fprintf(out, "%" PRIu64 "\n", unreadable ? group->unreadable : group->processes);
	}
}

static void write_suspects(FILE *out, const struct groups *groups)
{
	write_head(out, "tendril_leak_suspected", "gauge", NULL,
		   "Processes of the group that seem to leak handles; not there until enough was seen.");
	for (size_t i = 0; i < groups->n_groups; i++) {
		if (!groups->group[i].judged)
			continue;
		(void)fputs("tendril_leak_suspected", out);
		write_labels(out, &groups->group[i]);
		(void)fprintf(out, "%" PRIu64 "\n", groups->group[i].suspected);
	}
	write_head(out, "tendril_leak_handles_per_hour", "gauge", NULL,
		   "How fast the suspected ones lose handles.");
	for (size_t i = 0; i < groups->n_groups; i++) {
		if (!groups->group[i].suspected)
			continue;
		(void)fputs("tendril_leak_handles_per_hour", out);
		write_labels(out, &groups->group[i]);
		write_fixed(out, (int64_t)(groups->group[i].handles_per_hour * 1e3), 3);
	}
}

static void write_time_left(FILE *out, const struct groups *groups, bool is_openmetrics)
{
	const char *name = "tendril_leak_time_left_seconds";

	write_head(out, name, "gauge", is_openmetrics ? "seconds" : NULL,
		   "Until the first of the suspected ones is at its limit, at the present rate.");
	for (size_t i = 0; i < groups->n_groups; i++) {
		/* Millions of years are as good as never. */
		if (!groups->group[i].suspected || !(groups->group[i].seconds_left < 1e14))
			continue;
		(void)fputs(name, out);
		write_labels(out, &groups->group[i]);
		write_fixed(out, (int64_t)(groups->group[i].seconds_left * 1e3), 3);
	}
}

static void write_total(FILE *out, bool is_openmetrics, const char *name, uint64_t value,
			const char *help)
{
	(void)fprintf(out, "# HELP %s%s %s\n# TYPE %s%s counter\n%s_total %" PRIu64 "\n", name,
		      is_openmetrics ? "" : "_total", help, name, is_openmetrics ? "" : "_total",
		      name, value);
}

static void write_own(FILE *out, const struct monitor_snapshot *snapshot,
		      const struct groups *groups, bool is_openmetrics)
{
	write_head(out, "tendril_processes", "gauge", NULL, "Processes in the sample.");
	(void)fprintf(out, "tendril_processes %zu\n", snapshot->sample.n_processes);
	write_head(out, "tendril_series_folded", "gauge", NULL,
		   "Groups without labels of their own, because there are too many: see --max-series.");
	(void)fprintf(out, "tendril_series_folded %zu\n", groups->folded);
	write_head(out, "tendril_scrape_duration_seconds", "gauge",
		   is_openmetrics ? "seconds" : NULL, "How long it took to take the sample.");
	(void)fputs("tendril_scrape_duration_seconds ", out);
	write_fixed(out, snapshot->cost_ns, 9);
	write_head(out, "tendril_sample_timestamp_seconds", "gauge",
		   is_openmetrics ? "seconds" : NULL, "When the sample was taken.");
	(void)fputs("tendril_sample_timestamp_seconds ", out);
	write_fixed(out, snapshot->sample.time_ns / NS_PER_MS, 3);
	write_total(out, is_openmetrics, "tendril_samples", snapshot->sequence, "Samples taken.");
	write_total(out, is_openmetrics, "tendril_samples_missed", snapshot->missed,
		    "Samples that were due and could not be taken in time.");
}

/* Two rules may have the same text, so each has its number too. */
static void write_alerts(FILE *out, const struct alert_report *report, bool is_openmetrics)
{
	const struct alert_counts *counts = &report->counts;

	write_head(out, "tendril_alert_active", "gauge", NULL,
		   "For how many processes the rule of an alert holds now.");
	for (unsigned i = 0; i < report->n_rules; i++) {
		char text[RULE_LABEL_BYTES];

		escape_text(report->rule[i].text, text, sizeof(text));
		(void)fprintf(out, "tendril_alert_active{number=\"%u\",", i + 1);
		write_label(out, "rule", text);
		(void)fprintf(out, "} %zu\n", report->rule[i].n_active);
	}
	write_total(out, is_openmetrics, "tendril_alerts_fired", counts->fired, "Alerts that fired.");
	write_total(out, is_openmetrics, "tendril_alert_actions_done", counts->done,
		    "Commands and calls of alerts that went well.");
	write_total(out, is_openmetrics, "tendril_alert_actions_failed", counts->failed,
		    "Commands and calls of alerts that failed, or took too long.");
	write_total(out, is_openmetrics, "tendril_alert_actions_dropped", counts->dropped,
		    "Commands and calls of alerts that were not tried: too many were waiting.");
}

static void groups_done(struct groups *groups)
{
	free(groups->group);
	free(groups->labels);
}

int metrics_write(FILE *out, const struct monitor_snapshot *snapshot, struct monitor_users *users,
		  const struct metrics_options *options)
{
	bool is_openmetrics = options->format == METRICS_OPENMETRICS;
	struct groups groups = { 0 };
	int r = collect(snapshot, users, options, &groups);

	if (r == 0)
		r = make_labels(&groups);
	if (r < 0) {
		groups_done(&groups);
		return r;
	}
	write_counter(out, &groups, "tendril_process_open_handles", MONITOR_HANDLES,
		      "Handles (file descriptors) that are open.");
	write_limits(out, &groups);
	write_used(out, &groups, is_openmetrics);
	write_counter(out, &groups, "tendril_process_threads", MONITOR_THREADS, "Threads.");
	write_counter(out, &groups, "tendril_process_mappings", MONITOR_MAPPINGS,
		      "Mappings of memory.");
	write_members(out, &groups, "tendril_process_instances", "Processes of the group.", false);
	write_members(out, &groups, "tendril_process_unreadable",
		      "Processes of the group whose handles could not be seen.", true);
	write_suspects(out, &groups);
	write_time_left(out, &groups, is_openmetrics);
	write_own(out, snapshot, &groups, is_openmetrics);
	if (options->alerts)
		write_alerts(out, options->alerts, is_openmetrics);
	if (is_openmetrics)
		(void)fputs("# EOF\n", out);
	groups_done(&groups);
	return 0;
}
