/* SPDX-License-Identifier: BSD-2-Clause */
/* export.c - a log in the formats of others */
#include "monitor/export.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>

#include "base/output.h"

const char *const export_format_names[EXPORT_FORMATS] = { "pdh-csv", "csv", "json",
							   "openmetrics" };

struct exporter {
	const struct export_options *options;
	FILE *out;
	uint32_t counters;
	struct store_instance *instance; /* those that are wanted, by rising id */
	size_t n_instances;
	/* For PDH-CSV: what is in the line, a cell for each instance and counter. */
	struct cell {
		bool is_known, was_known;
		uint64_t value, before;
	} *cell;
	int64_t before_ns; /* time of the line before; 0: none that a rate can be made of */
};

/* Why it could not be written: errno is that of the last attempt. */
static int written(FILE *out)
{
	if (!ferror(out))
		return 0;
	return errno ? -errno : -EIO;
}

/* Names and times */

void export_time(int64_t time_ns, char ret_text[EXPORT_TIME_BYTES])
{
	time_t seconds = time_ns / NS_PER_S;
	struct tm tm;
	size_t n;

	if (!gmtime_r(&seconds, &tm))
		memset(&tm, 0, sizeof(tm));
	n = strftime(ret_text, EXPORT_TIME_BYTES - 8, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(ret_text + n, EXPORT_TIME_BYTES - n, ".%03dZ",
		       (int)(time_ns / NS_PER_MS % 1000));
}

/* A counter path is \\Computer\Object(Parent/Instance#Index)\Counter.  As Windows puts other
 * characters for those that it is made of. */
static char path_char(char c)
{
	switch (c) {
	case '(':
		return '[';
	case ')':
		return ']';
	case '"':
		return '\'';
	case '#':
	case '\\':
	case '/':
	case '*':
		return '_';
	default:
		return c;
	}
}

static void escape_path(const char *text, char *ret_text, size_t bytes)
{
	escape_text(text, ret_text, bytes);
	for (char *s = ret_text; *s; s++)
		*s = path_char(*s);
}

void export_instance_name(const struct store_instance *instance, char ret_name[EXPORT_NAME_BYTES])
{
	size_t n;

	escape_path(instance->process.name, ret_name, 4 * PROC_NAME_BYTES);
	n = strlen(ret_name);
	/* Before the index, which is a number and nothing else. */
	if (instance->reuse)
		n += (size_t)snprintf(ret_name + n, EXPORT_NAME_BYTES - n, "_%u",
				      instance->reuse + 1);
	(void)snprintf(ret_name + n, EXPORT_NAME_BYTES - n, "#%d", (int)instance->process.pid);
}

/* Which processes */

/* A container's id is kept in part. */
static bool is_container(const char *wanted, const char *known)
{
	size_t n = strlen(wanted) < strlen(known) ? strlen(wanted) : strlen(known);

	return n && !strncmp(wanted, known, n);
}

bool export_is_selected(const struct proc_selector *selector, const struct monitor_process *process)
{
	switch (selector->kind) {
	case PROC_SELECT_PID:
		return process->pid == selector->id;
	case PROC_SELECT_NAME:
		return !fnmatch(selector->text, process->name,
				selector->counter ? FNM_CASEFOLD : 0);
	case PROC_SELECT_USER:
		return process->uid == selector->uid;
	case PROC_SELECT_SESSION:
		return process->session == selector->id;
	case PROC_SELECT_CONTAINER:
		return is_container(selector->text, process->container);
	default:
		return false;
	}
}

static bool is_wanted(const struct export_options *options, const struct store_instance *instance)
{
	bool any = options->n_selectors == 0;

	for (size_t i = 0; i < options->n_selectors; i++)
		if (export_is_selected(&options->selectors[i], &instance->process)) {
			any = true;
			if (options->matched)
				options->matched[i] = true;
		}
	return any;
}

static const struct store_instance *find_instance(const struct exporter *exporter, uint64_t id)
{
	size_t low = 0, high = exporter->n_instances;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (exporter->instance[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < exporter->n_instances && exporter->instance[low].id == id ?
		       &exporter->instance[low] :
		       NULL;
}

static bool has_counter(const struct exporter *exporter, int counter)
{
	return exporter->counters & 1u << counter;
}

/* PDH-CSV.  Times are of UTC, so that no hour is there twice. */

static void write_pdh_header(const struct exporter *exporter)
{
	char host[4 * EXPORT_HOST_BYTES], name[EXPORT_NAME_BYTES];

	escape_path(exporter->options->host, host, sizeof(host));
	(void)fprintf(exporter->out, "\"(PDH-CSV 4.0) (Coordinated Universal Time)(0)\"");
	for (size_t i = 0; i < exporter->n_instances; i++) {
		export_instance_name(&exporter->instance[i], name);
		for (int k = 0; k < MONITOR_COUNTERS; k++)
			if (has_counter(exporter, k))
				(void)fprintf(exporter->out, ",\"\\\\%s\\Process(%s)\\%s\"",
					      host, name, monitor_counters[k].windows);
	}
	(void)fprintf(exporter->out, "\r\n");
}

static void write_pdh_time(FILE *out, int64_t time_ns)
{
	time_t seconds = time_ns / NS_PER_S;
	struct tm tm = { 0 };

	(void)gmtime_r(&seconds, &tm);
	(void)fprintf(out, "\"%02d/%02d/%04d %02d:%02d:%02d.%03d\"", tm.tm_mon + 1, tm.tm_mday,
		      tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec,
		      (int)(time_ns / NS_PER_MS % 1000));
}

/* With a point in every locale. */
static void write_percent(FILE *out, double part)
{
	uint64_t millionths = part < 1e9 ? (uint64_t)(part * 1e8 + 0.5) : 0;

	(void)fprintf(out, ",\"%" PRIu64 ".%06d\"", millionths / 1000000,
		      (int)(millionths % 1000000));
}

/* What Windows shows of a counter that only rises is how fast. */
static void write_pdh_value(const struct exporter *exporter, const struct cell *cell, bool is_total,
			    int64_t time_ns)
{
	int64_t passed_ns = exporter->before_ns ? time_ns - exporter->before_ns : 0;

	if (cell->is_known && !is_total)
		(void)fprintf(exporter->out, ",\"%" PRIu64 "\"", cell->value);
	else if (cell->is_known && cell->was_known && passed_ns > 0 && cell->value >= cell->before)
		write_percent(exporter->out, (double)(cell->value - cell->before) /
						     (double)passed_ns);
	else
		(void)fprintf(exporter->out, ",\" \"");
}

static void turn_cells(struct exporter *exporter)
{
	for (size_t i = 0; i < exporter->n_instances * MONITOR_COUNTERS; i++) {
		struct cell *cell = &exporter->cell[i];

		*cell = (struct cell){ .was_known = cell->is_known, .before = cell->value };
	}
}

static int write_pdh_line(void *context, const struct store_reading *reading)
{
	struct exporter *exporter = context;
	int64_t time_ns = reading->sample->time_ns;

	turn_cells(exporter);
	if (reading->after_gap)
		exporter->before_ns = 0;
	for (size_t i = 0; i < reading->sample->n_processes; i++) {
		const struct monitor_process *process = &reading->sample->process[i];
		const struct store_instance *instance =
			find_instance(exporter, reading->instance[i]);

		struct cell *cell = instance ? &exporter->cell[(size_t)(instance -
									exporter->instance) *
							       MONITOR_COUNTERS] :
					       NULL;

		for (int k = 0; cell && k < MONITOR_COUNTERS; k++) {
			cell[k].is_known = monitor_is_known(process, k);
			cell[k].value = process->value[k];
		}
	}
	write_pdh_time(exporter->out, time_ns);
	for (size_t i = 0; i < exporter->n_instances * MONITOR_COUNTERS; i++)
		if (has_counter(exporter, (int)(i % MONITOR_COUNTERS)))
			write_pdh_value(exporter, &exporter->cell[i],
					monitor_counters[i % MONITOR_COUNTERS].is_total, time_ns);
	exporter->before_ns = time_ns;
	(void)fprintf(exporter->out, "\r\n");
	return written(exporter->out);
}

static int export_pdh(struct store *store, struct exporter *exporter)
{
	exporter->cell = calloc(exporter->n_instances * MONITOR_COUNTERS + 1,
				sizeof(*exporter->cell));
	if (!exporter->cell)
		return -ENOMEM;
	write_pdh_header(exporter);
	return store_read(store, exporter->options->from_ns, exporter->options->to_ns,
			  write_pdh_line, exporter);
}

/* CSV */

static void write_csv_text(FILE *out, const char *text)
{
	char escaped[4 * PROC_NAME_BYTES];
	const char *s = escaped;

	escape_text(text, escaped, sizeof(escaped));
	(void)fputc('"', out);
	/* In spreadsheets a formula would begin, whatever the quotes. */
	if (*s && strchr("=+-@", *s))
		(void)fprintf(out, "\\x%02x", (unsigned)*s++);
	for (; *s; s++) {
		if (*s == '"')
			(void)fputc('"', out);
		(void)fputc(*s, out);
	}
	(void)fputc('"', out);
}

static void write_csv_header(const struct exporter *exporter)
{
	(void)fprintf(exporter->out, "time,samples,pid,start_ticks,name,uid,session,container");
	for (int k = 0; k < MONITOR_COUNTERS; k++)
		if (has_counter(exporter, k))
			(void)fprintf(exporter->out, ",%s,%s_min,%s_max", monitor_counters[k].name,
				      monitor_counters[k].name, monitor_counters[k].name);
	(void)fputc('\n', exporter->out);
}

static void write_csv_line(const struct exporter *exporter, const struct store_reading *reading,
			   size_t place, const struct store_instance *instance)
{
	const struct monitor_process *process = &reading->sample->process[place];
	const struct monitor_process *min = reading->min ? &reading->min->process[place] : process;
	const struct monitor_process *max = reading->max ? &reading->max->process[place] : process;
	char time[EXPORT_TIME_BYTES];
	FILE *out = exporter->out;

	export_time(reading->sample->time_ns, time);
	(void)fprintf(out, "%s,%" PRIu64 ",%d,%" PRIu64 ",", time, reading->n_samples,
		      (int)process->pid, process->start_ticks);
	write_csv_text(out, instance->process.name);
	(void)fprintf(out, ",%u,%d,", (unsigned)process->uid, (int)process->session);
	write_csv_text(out, instance->process.container);
	for (int k = 0; k < MONITOR_COUNTERS; k++) {
		if (!has_counter(exporter, k))
			continue;
		if (monitor_is_known(process, k))
			(void)fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, process->value[k],
				      min->value[k], max->value[k]);
		else
			(void)fprintf(out, ",,,");
	}
	(void)fputc('\n', out);
}

/* JSON */

static void write_json_counters(const struct exporter *exporter, struct json *json,
				const struct monitor_process *process, const char *suffix)
{
	char name[64];

	for (int k = 0; k < MONITOR_COUNTERS; k++) {
		if (!has_counter(exporter, k))
			continue;
		(void)snprintf(name, sizeof(name), "%s%s", monitor_counters[k].name, suffix);
		if (monitor_is_known(process, k))
			json_unsigned(json, name, process->value[k]);
		else
			json_null(json, name);
	}
}

static void write_json_line(const struct exporter *exporter, const struct store_reading *reading,
			    size_t place, const struct store_instance *instance)
{
	const struct monitor_process *process = &reading->sample->process[place];
	struct json json = { .out = exporter->out };
	char time[EXPORT_TIME_BYTES];

	export_time(reading->sample->time_ns, time);
	json_object(&json, NULL);
	json_text(&json, "time", time);
	json_unsigned(&json, "samples", reading->n_samples);
	json_signed(&json, "pid", process->pid);
	json_unsigned(&json, "start_ticks", process->start_ticks);
	json_text(&json, "name", instance->process.name);
	json_unsigned(&json, "uid", process->uid);
	json_signed(&json, "session", process->session);
	json_text(&json, "container",
		  instance->process.container[0] ? instance->process.container : NULL);
	write_json_counters(exporter, &json, process, "");
	if (reading->min) {
		write_json_counters(exporter, &json, &reading->min->process[place], "_min");
		write_json_counters(exporter, &json, &reading->max->process[place], "_max");
	}
	json_end_object(&json);
}

static int write_lines(void *context, const struct store_reading *reading)
{
	const struct exporter *exporter = context;

	for (size_t i = 0; i < reading->sample->n_processes; i++) {
		const struct store_instance *instance =
			find_instance(exporter, reading->instance[i]);

		if (!instance)
			continue;
		if (exporter->options->format == EXPORT_CSV)
			write_csv_line(exporter, reading, i, instance);
		else
			write_json_line(exporter, reading, i, instance);
	}
	return written(exporter->out);
}

/*
 * OpenMetrics wants one metric after the other, and the log has one sample after the other.  So it is
 * read several times, each time for so many metrics as fit in the memory that is meant for it.
 */

#define POINTS_AT_ONCE (4u << 20)

static const struct metric {
	const char *name, *type, *unit, *help, *suffix;
} metrics[MONITOR_COUNTERS] = {
	[MONITOR_HANDLES] = { "tendril_process_open_handles", "gauge", NULL,
			      "Handles that are open.", "" },
	[MONITOR_HANDLE_LIMIT] = { "tendril_process_max_handles", "gauge", NULL,
				   "Handles that may be open.", "" },
	[MONITOR_THREADS] = { "tendril_process_threads", "gauge", NULL, "Threads.", "" },
	[MONITOR_MAPPINGS] = { "tendril_process_mappings", "gauge", NULL,
			       "Mappings of memory.", "" },
	[MONITOR_RESIDENT_BYTES] = { "tendril_process_resident_bytes", "gauge", "bytes",
				     "Resident memory.", "" },
	[MONITOR_CPU_NS] = { "tendril_process_cpu_seconds", "counter", "seconds",
			     "Processor time used.", "_total" },
};

struct track {
	uint64_t id;
	struct track_point {
		int64_t time_ms;
		uint64_t value;
	} *point;
	size_t n_points, room;
};

struct tracks {
	struct track *track;
	size_t n_tracks;
	int counter;
};

static int add_track_point(struct track *track, int64_t time_ms, uint64_t value)
{
	if (track->n_points == track->room) {
		size_t room = 2 * track->room + 64;
		struct track_point *grown = reallocarray(track->point, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		track->point = grown;
		track->room = room;
	}
	track->point[track->n_points++] = (struct track_point){ time_ms, value };
	return 0;
}

static struct track *find_track(struct tracks *tracks, uint64_t id)
{
	size_t low = 0, high = tracks->n_tracks;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (tracks->track[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < tracks->n_tracks && tracks->track[low].id == id ? &tracks->track[low] : NULL;
}

static int collect(void *context, const struct store_reading *reading)
{
	struct tracks *tracks = context;
	int r = 0;

	for (size_t i = 0; r == 0 && i < reading->sample->n_processes; i++) {
		const struct monitor_process *process = &reading->sample->process[i];
		struct track *track = find_track(tracks, reading->instance[i]);

		if (track && monitor_is_known(process, tracks->counter))
			r = add_track_point(track, reading->sample->time_ns / NS_PER_MS,
					    process->value[tracks->counter]);
	}
	return r;
}

/* Valid UTF-8, with what a label's value has to escape. */
static void write_label(FILE *out, const char *name, const char *text)
{
	char escaped[4 * PROC_NAME_BYTES];

	escape_text(text, escaped, sizeof(escaped));
	(void)fprintf(out, "%s=\"", name);
	for (const char *s = escaped; *s; s++) {
		if (*s == '"' || *s == '\\')
			(void)fputc('\\', out);
		(void)fputc(*s, out);
	}
	(void)fputc('"', out);
}

static void write_track(const struct exporter *exporter, const struct track *track,
			const struct store_instance *instance, int counter)
{
	const struct metric *metric = &metrics[counter];
	FILE *out = exporter->out;

	for (size_t i = 0; i < track->n_points; i++) {
		const struct track_point *point = &track->point[i];

		(void)fprintf(out, "%s%s{pid=\"%d\",start=\"%" PRIu64 "\",", metric->name,
			      metric->suffix, (int)instance->process.pid,
			      instance->process.start_ticks);
		write_label(out, "name", instance->process.name);
		(void)fprintf(out, ",user=\"%u\"", (unsigned)instance->process.uid);
		if (instance->process.container[0])
			write_label(out, ",container", instance->process.container);
		if (counter == MONITOR_CPU_NS)
			(void)fprintf(out, "} %lld.%09lld",
				      (long long)point->value / NS_PER_S,
				      (long long)point->value % NS_PER_S);
		else
			(void)fprintf(out, "} %" PRIu64, point->value);
		(void)fprintf(out, " %" PRId64 ".%03d\n", point->time_ms / 1000,
			      (int)(point->time_ms % 1000));
	}
}

static int export_tracks(struct store *store, const struct exporter *exporter, int counter,
			 size_t first, size_t n)
{
	struct tracks tracks = { calloc(n, sizeof(struct track)), n, counter };
	int r = tracks.track ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++)
		tracks.track[i].id = exporter->instance[first + i].id;
	if (r == 0)
		r = store_read(store, exporter->options->from_ns, exporter->options->to_ns, collect,
			       &tracks);
	for (size_t i = 0; tracks.track && i < n; i++) {
		if (r == 0)
			write_track(exporter, &tracks.track[i], &exporter->instance[first + i],
				    counter);
		free(tracks.track[i].point);
	}
	free(tracks.track);
	return r < 0 ? r : written(exporter->out);
}

static int export_openmetrics(struct store *store, const struct exporter *exporter)
{
	struct store_range range;
	size_t at_once;
	int r = store_range(store, &range);

	at_once = r < 0 ? 1 : 1 + POINTS_AT_ONCE / (range.n_kept + 1);
	for (int k = 0; r == 0 && k < MONITOR_COUNTERS; k++) {
		if (!has_counter(exporter, k))
			continue;
		(void)fprintf(exporter->out, "# TYPE %s %s\n", metrics[k].name, metrics[k].type);
		if (metrics[k].unit)
			(void)fprintf(exporter->out, "# UNIT %s %s\n", metrics[k].name,
				      metrics[k].unit);
		(void)fprintf(exporter->out, "# HELP %s %s\n", metrics[k].name, metrics[k].help);
		for (size_t i = 0; r == 0 && i < exporter->n_instances; i += at_once) {
			size_t left = exporter->n_instances - i;

			r = export_tracks(store, exporter, k, i, left < at_once ? left : at_once);
		}
	}
	if (r == 0)
		(void)fprintf(exporter->out, "# EOF\n");
	return r;
}

/* All of them */

static int choose_instances(struct store *store, struct exporter *exporter)
{
	size_t n = 0, kept = 0;
	int r = store_instances(store, exporter->options->from_ns, exporter->options->to_ns,
				&exporter->instance, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (is_wanted(exporter->options, &exporter->instance[i]))
			exporter->instance[kept++] = exporter->instance[i];
	exporter->n_instances = kept;
	return r;
}

static int export_format(struct store *store, struct exporter *exporter)
{
	switch (exporter->options->format) {
	case EXPORT_PDH_CSV:
		return export_pdh(store, exporter);
	case EXPORT_OPENMETRICS:
		return export_openmetrics(store, exporter);
	case EXPORT_CSV:
		write_csv_header(exporter);
		break;
	default:
		break;
	}
	return store_read(store, exporter->options->from_ns, exporter->options->to_ns, write_lines,
			  exporter);
}

int export_log(struct store *store, const struct export_options *options, FILE *out)
{
	struct exporter exporter = { .options = options, .out = out,
				     .counters = options->counters ? options->counters : UINT32_MAX };
	int r = choose_instances(store, &exporter);

	if (r == 0)
		r = export_format(store, &exporter);
	free(exporter.instance);
	free(exporter.cell);
	if (r == 0 && fflush(out) != 0)
		r = -errno;
	return r == 0 ? written(out) : r;
}
