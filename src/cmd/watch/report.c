/* SPDX-License-Identifier: BSD-2-Clause */
/* report.c - the values as a table: sorted, filtered, scrolled */
#include "cmd/watch/watch.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "cmd/cmd.h"

#define TREND_CELLS 8
#define PERCENT_WARNING 80
#define PERCENT_ALARM   95

/* need: the columns with the highest are left out first where the terminal is too narrow. */
static const struct {
	const char *title;
	int width;
	bool is_text;
	int need;
} columns[REPORT_COLUMNS] = {
	[REPORT_PID] = { "PID", 7, false, 0 },
	[REPORT_NAME] = { "NAME", 12, true, 0 }, /* and what is left over */
	[REPORT_USER] = { "USER", 8, true, 5 },
	[REPORT_HANDLES] = { "HANDLES", 8, false, 0 },
	[REPORT_LIMIT] = { "LIMIT", 8, false, 6 },
	[REPORT_PERCENT] = { "%LIMIT", 7, false, 1 },
	[REPORT_CHANGE] = { "CHANGE", 7, false, 2 },
	[REPORT_TREND] = { "TREND", TREND_CELLS, true, 3 },
	[REPORT_THREADS] = { "THR", 5, false, 4 },
	[REPORT_MAPPINGS] = { "MAPS", 6, false, 8 },
	[REPORT_RESIDENT] = { "RES", 6, false, 7 },
	[REPORT_CPU] = { "CPU%", 5, false, 4 },
};
#define NEED_MAX 8
#define NAME_SPARE 14 /* of what is left over: longer names are rare */

const char *const report_column_names[REPORT_COLUMNS] = {
	"pid", "name", "user", "handles", "limit", "percent", "change", "trend", "threads", "mappings",
	"resident", "cpu",
};

/* Values */

static double counter_or_nan(const struct model_entry *entry, enum monitor_counter counter)
{
	return monitor_is_known(&entry->now, counter) ? (double)entry->now.value[counter] : NAN;
}

static bool leaks(const struct watch *watch, const struct model_entry *entry,
		  struct trend_verdict *ret_verdict)
{
	const struct trend_table *trends = log_is_open(watch) ? watch->model.trends : watch->trends;

	return trend_table_verdict(trends, entry->now.pid, entry->now.start_ticks, ret_verdict) == 0 &&
	       ret_verdict->is_leaking;
}

/* The rise over all that is remembered, which is what the little curve shows. */
static double recent_rise(const struct model *model, const struct model_entry *entry)
{
	for (size_t age = model_depth(model); age-- > 0;) {
		double value = model_value(model, entry, MODEL_HANDLES, age);

		if (!isnan(value))
			return model_value(model, entry, MODEL_HANDLES, 0) - value;
	}
	return NAN;
}

/* First those that leak, the faster the sooner; then those that only rose. */
static double trend_of(const struct watch *watch, const struct model_entry *entry)
{
	struct trend_verdict verdict;

	return leaks(watch, entry, &verdict) ? 1e15 + verdict.handles_per_hour :
					       recent_rise(&watch->model, entry);
}

static double number_of(const struct watch *watch, const struct model_entry *entry,
			enum report_column column)
{
	const struct model *model = &watch->model;
	int64_t change;

	switch (column) {
	case REPORT_PID:
		return entry->now.pid;
	case REPORT_HANDLES:
		return counter_or_nan(entry, MONITOR_HANDLES);
	case REPORT_LIMIT:
		return counter_or_nan(entry, MONITOR_HANDLE_LIMIT);
	case REPORT_PERCENT:
		return model_value(model, entry, MODEL_PERCENT, 0);
	case REPORT_CHANGE:
		return model_change(entry, &change) ? (double)change : NAN;
	case REPORT_TREND:
		return trend_of(watch, entry);
	case REPORT_THREADS:
		return counter_or_nan(entry, MONITOR_THREADS);
	case REPORT_MAPPINGS:
		return counter_or_nan(entry, MONITOR_MAPPINGS);
	case REPORT_RESIDENT:
		return counter_or_nan(entry, MONITOR_RESIDENT_BYTES);
	case REPORT_CPU:
		return model_value(model, entry, MODEL_CPU, 0);
	default:
		return NAN;
	}
}

/* Order */

/* Most first, and what is not known last; text and ids the other way. */
static int compare_by(const struct watch *watch, const struct model_entry *x,
		      const struct model_entry *y)
{
	enum report_column sort = watch->report.sort;
	double a, b;

	if (sort == REPORT_NAME)
		return strcmp(x->now.name, y->now.name);
	if (sort == REPORT_USER)
		return strcmp(x->user, y->user);
	a = number_of(watch, x, sort);
	b = number_of(watch, y, sort);
	if (isnan(a) || isnan(b))
		return isnan(a) - isnan(b);
	return sort == REPORT_PID ? (a > b) - (a < b) : (a < b) - (a > b);
}

static int compare_rows(const void *a, const void *b, void *context)
{
	const struct watch *watch = context;
	const struct model_entry *x = *(struct model_entry *const *)a;
	const struct model_entry *y = *(struct model_entry *const *)b;
	int result = compare_by(watch, x, y);

	if (result == 0)
		result = (x->now.pid > y->now.pid) - (x->now.pid < y->now.pid);
	return watch->report.reverse ? -result : result;
}

/* The sampler has chosen the live ones; in a log there may be others. */
static bool is_selected(const struct watch *watch, const struct model_entry *entry)
{
	for (size_t i = 0; i < watch->n_selectors; i++)
		if (watch_selects(watch, &watch->selectors[i], &entry->now))
			return true;
	return watch->n_selectors == 0 || !log_is_open(watch);
}

static bool passes(const struct report *report, const struct model_entry *entry)
{
	char pid[16];

	if (!report->filter[0])
		return true;
	(void)snprintf(pid, sizeof(pid), "%d", (int)entry->now.pid);
	return strcasestr(entry->now.name, report->filter) ||
	       strcasestr(entry->user, report->filter) || strstr(pid, report->filter) ||
	       (entry->now.container[0] && strstr(entry->now.container, report->filter));
}

/* Where the selected line is now: at its process while that is followed, else where it was. */
static void keep_selection(struct report *report)
{
	for (size_t i = 0; report->is_following && i < report->n_rows; i++)
		if (report->row[i]->now.pid == report->pid &&
		    report->row[i]->now.start_ticks == report->start_ticks) {
			report->selected = i;
			return;
		}
	if (report->selected >= report->n_rows)
		report->selected = report->n_rows ? report->n_rows - 1 : 0;
}

int report_arrange(struct watch *watch)
{
	struct report *report = &watch->report;
	const struct model *model = &watch->model;

	if (model->n_entries > report->room) {
		struct model_entry **grown = reallocarray(report->row, model->n_entries,
							  sizeof(struct model_entry *));

		if (!grown)
			return -ENOMEM;
		report->row = grown;
		report->room = model->n_entries;
	}
	report->n_rows = 0;
	for (size_t i = 0; i < model->n_entries; i++)
		if ((model->entry[i]->is_alive || model->max_ended) &&
		    passes(report, model->entry[i]) && is_selected(watch, model->entry[i]))
			report->row[report->n_rows++] = model->entry[i];
	if (report->n_rows > 1)
		qsort_r(report->row, report->n_rows, sizeof(*report->row), compare_rows, watch);
	keep_selection(report);
	return 0;
}

/* Cells */

static void format_bytes(double bytes, char *out, size_t room)
{
	static const char units[] = "KMGTP";
	size_t unit = 0;

	bytes /= 1024;
	while (bytes >= 9999.5 && unit + 2 < sizeof(units)) {
		bytes /= 1024;
		unit++;
	}
	(void)snprintf(out, room, "%.0f%c", bytes, units[unit]);
}

static void format_number(enum report_column column, double value, char *out, size_t room)
{
	if (isnan(value))
		(void)snprintf(out, room, "-");
	else if (column == REPORT_RESIDENT)
		format_bytes(value, out, room);
	else if (column == REPORT_CHANGE)
		(void)snprintf(out, room, value == 0 ? "0" : "%+.0f", value);
	else if (column == REPORT_PERCENT || column == REPORT_CPU)
		(void)snprintf(out, room, value >= 999.5 ? "%.0f" : "%.1f", value);
	else
		(void)snprintf(out, room, "%.0f", value);
}

/* The newest known one of several points: in a log not every point has a sample. */
static double value_within(const struct model *model, const struct model_entry *entry, size_t age,
			   size_t n)
{
	double value = NAN;

	for (size_t i = 0; i < n && isnan(value); i++)
		value = model_value(model, entry, MODEL_HANDLES, age + i);
	return value;
}

/* A column of the newest values, each between the least and the most of them. */
static void draw_curve(const struct model *model, const struct model_entry *entry, int row,
		       int column, int look)
{
	static const char ascii[] = "_.-=^";
	size_t depth = model_depth(model), step = depth > TREND_CELLS ? depth / TREND_CELLS : 1;
	double value[TREND_CELLS], least = INFINITY, most = -INFINITY;

	for (size_t i = 0; i < TREND_CELLS; i++) {
		value[i] = value_within(model, entry, (TREND_CELLS - 1 - i) * step, step);
		least = fmin(least, value[i]);
		most = fmax(most, value[i]);
	}
	for (size_t i = 0; i < TREND_CELLS; i++) {
		double part = most > least ? (value[i] - least) / (most - least) : 0;

		if (isnan(value[i]))
			screen_put_cell(row, column + (int)i, look, L' ');
		else if (screen_is_utf8())
			screen_put_cell(row, column + (int)i, look,
					L'\u2581' + (wchar_t)lround(part * 7));
		else
			screen_put_cell(row, column + (int)i, look, ascii[lround(part * 4)]);
	}
}

static int look_of(const struct watch *watch, const struct model_entry *entry)
{
	double percent = model_value(&watch->model, entry, MODEL_PERCENT, 0);
	struct trend_verdict verdict;

	if (percent >= PERCENT_ALARM || alert_holds_for(watch, entry))
		return LOOK_ALARM;
	if (percent >= PERCENT_WARNING || leaks(watch, entry, &verdict))
		return LOOK_WARNING;
	return monitor_is_known(&entry->now, MONITOR_HANDLES) ? LOOK_PLAIN : LOOK_FAINT;
}

/* Of a leak its slope: "+60/h", else the curve. */
static void draw_trend(const struct watch *watch, const struct model_entry *entry, int row,
		       int column, int look)
{
	struct trend_verdict verdict;
	char text[32];

	if (!leaks(watch, entry, &verdict)) {
		draw_curve(&watch->model, entry, row, column, look);
		return;
	}
	(void)snprintf(text, sizeof(text), "%+.0f/h", verdict.handles_per_hour);
	(void)screen_put_right(row, column, TREND_CELLS, look, text);
}

static void draw_row(const struct watch *watch, const struct model_entry *entry, const int *width,
		     int row, int look)
{
	int at = 0;

	screen_put(row, 0, screen_columns(), look, "");
	for (int i = 0; i < REPORT_COLUMNS; i++) {
		char text[32];

		if (!width[i])
			continue;
		if (i == REPORT_NAME)
			(void)screen_put(row, at, width[i], look, entry->now.name);
		else if (i == REPORT_USER)
			(void)screen_put(row, at, width[i], look, entry->user);
		else if (i == REPORT_TREND)
			draw_trend(watch, entry, row, at, look);
		else {
			format_number((enum report_column)i,
				      number_of(watch, entry, (enum report_column)i), text,
				      sizeof(text));
			(void)screen_put_right(row, at, width[i], look, text);
		}
		at += width[i] + 1;
	}
}

/* Columns */

static int total_width(const int *width)
{
	int total = 0;

	for (int i = 0; i < REPORT_COLUMNS; i++)
		total += width[i] ? width[i] + 1 : 0;
	return total - 1;
}

/* What it is sorted by is always shown. */
static void choose_widths(const struct report *report, int *width)
{
	int left;

	for (int i = 0; i < REPORT_COLUMNS; i++)
		width[i] = columns[i].width;
	for (int need = NEED_MAX; need > 0 && total_width(width) > screen_columns(); need--)
		for (int i = REPORT_COLUMNS; i-- > 0 && total_width(width) > screen_columns();)
			if (columns[i].need == need && i != (int)report->sort)
				width[i] = 0;
	left = screen_columns() - total_width(width);
	width[REPORT_NAME] += left < 0 ? 0 : left < NAME_SPARE ? left : NAME_SPARE;
}

static void draw_heading(const struct report *report, const int *width, int row)
{
	int at = 0;

	(void)screen_put(row, 0, screen_columns(), LOOK_HEADING, "");
	for (int i = 0; i < REPORT_COLUMNS; i++) {
		int look = LOOK_HEADING;
		char title[24];

		if (!width[i])
			continue;
		(void)snprintf(title, sizeof(title), "%s%s", columns[i].title,
			       i != (int)report->sort ? "" : report->reverse ? "^" : "v");
		if (i == (int)report->sort)
			look = LOOK_BAR | SCREEN_HIGHLIGHT;
		if (columns[i].is_text)
			(void)screen_put(row, at, width[i], look, title);
		else
			(void)screen_put_right(row, at, width[i], look, title);
		at += width[i] + 1;
	}
}

static void scroll_to_selected(struct report *report, size_t rows)
{
	if (report->selected < report->top)
		report->top = report->selected;
	if (report->selected >= report->top + rows)
		report->top = report->selected + 1 - rows;
	if (report->top + rows > report->n_rows)
		report->top = report->n_rows > rows ? report->n_rows - rows : 0;
}

static void draw_summary(const struct watch *watch, int row)
{
	const struct report *report = &watch->report;
	char text[WATCH_TEXT_BYTES * 2];
	int used = 0;

	if (report->is_following)
		used += snprintf(text, sizeof(text), "following PID %d  ", (int)report->pid);
	if (report->filter[0])
		used += snprintf(text + used, sizeof(text) - (size_t)used, "filter: %s (%zu)  ",
				 report->filter, report->n_rows);
	(void)snprintf(text + used, sizeof(text) - (size_t)used,
		       "%zu processes, %" PRIu64 " handles, %zu unreadable", watch->model.n_alive,
		       watch->model.handles, watch->model.n_unreadable);
	(void)screen_put(row, 0, screen_columns(), LOOK_PLAIN, text);
}

static struct model_entry *selected_entry(const struct report *report)
{
	return report->n_rows ? report->row[report->selected] : NULL;
}

void report_draw(struct watch *watch, int top, int rows)
{
	struct report *report = &watch->report;
	int width[REPORT_COLUMNS];
	size_t shown;

	rows = sites_draw_line(watch, selected_entry(report), top, rows);
	shown = rows > 3 ? (size_t)rows - 2 : 1;
	draw_summary(watch, top);
	choose_widths(report, width);
	draw_heading(report, width, top + 1);
	scroll_to_selected(report, shown);
	for (size_t i = 0; i < shown && report->top + i < report->n_rows; i++) {
		const struct model_entry *entry = report->row[report->top + i];
		bool is_selected = report->top + i == report->selected;

		draw_row(watch, entry, width, top + 2 + (int)i,
			 is_selected ? LOOK_BAR : look_of(watch, entry));
	}
	if (report->n_rows == 0)
		(void)screen_put(top + 2, 0, 0, LOOK_PLAIN,
				 report->filter[0] ? "no process passes the filter" :
						     "no process matches");
}

/* Keys */

static void select_line(struct report *report, int64_t line)
{
	int64_t last = (int64_t)report->n_rows - 1;

	if (line > last)
		line = last;
	report->selected = line < 0 ? 0 : (size_t)line;
	report->is_following = false;
}

static void follow(struct watch *watch)
{
	struct report *report = &watch->report;
	const struct model_entry *entry;

	if (report->n_rows == 0)
		return;
	entry = report->row[report->selected];
	report->is_following = !report->is_following;
	report->pid = entry->now.pid;
	report->start_ticks = entry->now.start_ticks;
	watch_say(watch, report->is_following ? "following PID %d" : "not following PID %d any more",
		  (int)report->pid);
}

static enum model_series series_of(enum report_column column)
{
	switch (column) {
	case REPORT_PERCENT:
		return MODEL_PERCENT;
	case REPORT_THREADS:
		return MODEL_THREADS;
	case REPORT_MAPPINGS:
		return MODEL_MAPPINGS;
	case REPORT_RESIDENT:
		return MODEL_RESIDENT;
	case REPORT_CPU:
		return MODEL_CPU;
	default:
		return MODEL_HANDLES;
	}
}

static void add_to_chart(struct watch *watch)
{
	enum model_series series = series_of(watch->report.sort);
	struct model_entry *entry;

	if (watch->report.n_rows == 0)
		return;
	entry = watch->report.row[watch->report.selected];
	if (!watch->chart.was_filled) /* a choice replaces what we chose */
		chart_forget(watch);
	watch->chart.was_filled = true;
	switch (chart_add(watch, entry, series)) {
	case 0:
		watch_say(watch, "%s of PID %d is in the chart now", model_series_titles[series],
			  (int)entry->now.pid);
		return;
	case -EEXIST:
		watch_say(watch, "%s of PID %d was in the chart already",
			  model_series_titles[series], (int)entry->now.pid);
		return;
	default:
		watch_say(watch, "the chart holds %d lines: take one out first (d)", CHART_LINES);
	}
}

static void sort_by(struct report *report, int column)
{
	report->sort = (enum report_column)((column + REPORT_COLUMNS) % REPORT_COLUMNS);
}

/* How many lines a page has: both bars, the summary and the heading are not of it. */
static int64_t page(void)
{
	return screen_rows() > 5 ? screen_rows() - 4 : 1;
}

static bool move_key(struct report *report, uint32_t key)
{
	int64_t at = (int64_t)report->selected;

	switch (key) {
	case SCREEN_UP:
	case 'k':
		select_line(report, at - 1);
		return true;
	case SCREEN_DOWN:
	case 'j':
		select_line(report, at + 1);
		return true;
	case SCREEN_PAGE_UP:
		select_line(report, at - page());
		return true;
	case SCREEN_PAGE_DOWN:
		select_line(report, at + page());
		return true;
	case SCREEN_HOME:
	case 'g':
		select_line(report, 0);
		return true;
	case SCREEN_END:
	case 'G':
		select_line(report, (int64_t)report->n_rows - 1);
		return true;
	default:
		return false;
	}
}

bool report_key(struct watch *watch, uint32_t key)
{
	struct report *report = &watch->report;

	switch (key) {
	case SCREEN_LEFT:
	case '<':
		sort_by(report, (int)report->sort - 1);
		return true;
	case SCREEN_RIGHT:
	case '>':
		sort_by(report, (int)report->sort + 1);
		return true;
	case 'r':
		report->reverse = !report->reverse;
		return true;
	case '/':
		watch_ask(watch, PROMPT_FILTER, report->filter);
		return true;
	case SCREEN_ESCAPE:
		report->filter[0] = '\0';
		return true;
	case 'f':
		follow(watch);
		return true;
	case 'a':
	case ' ':
	case SCREEN_ENTER:
		add_to_chart(watch);
		return true;
	case 'l':
		sites_toggle(watch, selected_entry(report));
		return true;
	case 'L':
		sites_show(watch, selected_entry(report));
		return true;
	default:
		return move_key(report, key);
	}
}

/* As a table */

static const struct output_column printed[] = {
	{ "PID", "pid", OUTPUT_RIGHT, OUTPUT_SIGNED },
	{ "NAME", "name", OUTPUT_LEFT, OUTPUT_TEXT },
	{ "USER", "user", OUTPUT_LEFT, OUTPUT_TEXT },
	{ "HANDLES", "handles", OUTPUT_RIGHT, OUTPUT_UNSIGNED },
	{ "LIMIT", "handle_limit", OUTPUT_RIGHT, OUTPUT_UNSIGNED },
	{ "%LIMIT", "limit_percent", OUTPUT_RIGHT, OUTPUT_REAL },
	{ "CHANGE", "change", OUTPUT_RIGHT, OUTPUT_SIGNED },
	{ "THREADS", "threads", OUTPUT_RIGHT, OUTPUT_UNSIGNED },
	{ "MAPPINGS", "mappings", OUTPUT_RIGHT, OUTPUT_UNSIGNED },
	{ "RESIDENT", "resident_bytes", OUTPUT_RIGHT, OUTPUT_UNSIGNED },
	{ "CPU%", "cpu_percent", OUTPUT_RIGHT, OUTPUT_REAL },
};

static struct output_value counter_cell(const struct model_entry *entry,
					enum monitor_counter counter)
{
	return (struct output_value){ .known = monitor_is_known(&entry->now, counter),
				      .number = entry->now.value[counter] };
}

static struct output_value real_cell(double value)
{
	return (struct output_value){ .known = !isnan(value), .real = isnan(value) ? 0 : value };
}

static int print_row(struct output_table *table, const struct watch *watch,
		     const struct model_entry *entry)
{
	const struct model *model = &watch->model;
	int64_t change = 0;
	bool has_change = model_change(entry, &change);
	struct output_value values[ARRAY_SIZE(printed)] = {
		{ .known = true, .signed_number = entry->now.pid },
		output_text(entry->now.name),
		output_text(entry->user),
		counter_cell(entry, MONITOR_HANDLES),
		counter_cell(entry, MONITOR_HANDLE_LIMIT),
		real_cell(model_value(model, entry, MODEL_PERCENT, 0)),
		{ .known = has_change, .signed_number = change },
		counter_cell(entry, MONITOR_THREADS),
		counter_cell(entry, MONITOR_MAPPINGS),
		counter_cell(entry, MONITOR_RESIDENT_BYTES),
		real_cell(model_value(model, entry, MODEL_CPU, 0)),
	};

	return output_table_add(table, values);
}

int report_print(const struct watch *watch, bool json)
{
	const struct report *report = &watch->report;
	struct output_table *table = output_table_new(printed, ARRAY_SIZE(printed));
	int r = table ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < report->n_rows; i++)
		r = print_row(table, watch, report->row[i]);
	if (r == 0)
		r = json ? output_table_print_json(table, stdout) :
			   output_table_print(table, stdout, 0);
	output_table_free(table);
	return r;
}
