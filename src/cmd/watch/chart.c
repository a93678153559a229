/* SPDX-License-Identifier: BSD-2-Clause */
/* chart.c - lines over time, with the bar of last, average, minimum and maximum */
#include "cmd/watch/watch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FIRST_LINES  5  /* of the report, until something else is chosen */
#define LEGEND_LINES 5
#define AXIS_WIDTH   9
#define SCALE_MAX    6
#define BRAILLE      0x2800

/* Which lines there are */

int chart_add(struct watch *watch, struct model_entry *entry, enum model_series series)
{
	struct chart *chart = &watch->chart;

	for (size_t i = 0; i < chart->n_lines; i++)
		if (chart->line[i].pid == entry->now.pid && chart->line[i].series == series &&
		    chart->line[i].start_ticks == entry->now.start_ticks)
			return -EEXIST;
	if (chart->n_lines == CHART_LINES)
		return -ENOSPC;
	entry->pins++;
	chart->selected = chart->n_lines;
	chart->line[chart->n_lines++] = (struct chart_line){ .pid = entry->now.pid,
							     .start_ticks = entry->now.start_ticks,
							     .series = series };
	return 0;
}

static void remove_line(struct watch *watch, size_t at)
{
	struct chart *chart = &watch->chart;
	struct chart_line *line = &chart->line[at];
	struct model_entry *entry = model_find(&watch->model, line->pid, line->start_ticks);

	if (entry)
		entry->pins--;
	memmove(line, line + 1, (chart->n_lines - at - 1) * sizeof(*line));
	chart->n_lines--;
	if (chart->selected >= chart->n_lines)
		chart->selected = chart->n_lines ? chart->n_lines - 1 : 0;
}

void chart_forget(struct watch *watch)
{
	while (watch->chart.n_lines)
		remove_line(watch, watch->chart.n_lines - 1);
}

void chart_find_again(struct watch *watch)
{
	struct chart *chart = &watch->chart;

	for (size_t i = chart->n_lines; i-- > 0;) {
		struct model_entry *entry = model_find(&watch->model, chart->line[i].pid,
						       chart->line[i].start_ticks);

		if (entry)
			entry->pins++;
		else
			remove_line(watch, i);
	}
	if (chart->n_lines == 0)
		chart->was_filled = false;
}

static void fill(struct watch *watch)
{
	const struct report *report = &watch->report;

	if (watch->chart.was_filled || report->n_rows == 0)
		return;
	for (size_t i = 0; i < report->n_rows && watch->chart.n_lines < FIRST_LINES; i++)
		if (monitor_is_known(&report->row[i]->now, MONITOR_HANDLES))
			(void)chart_add(watch, report->row[i], MODEL_HANDLES);
	watch->chart.selected = 0;
	watch->chart.was_filled = true;
}

/* Adding by a typed line */

static enum model_series series_of_counter(enum monitor_counter counter)
{
	static const enum model_series series[MONITOR_COUNTERS] = {
		[MONITOR_HANDLES] = MODEL_HANDLES,     [MONITOR_HANDLE_LIMIT] = MODEL_PERCENT,
		[MONITOR_THREADS] = MODEL_THREADS,     [MONITOR_MAPPINGS] = MODEL_MAPPINGS,
		[MONITOR_RESIDENT_BYTES] = MODEL_RESIDENT, [MONITOR_CPU_NS] = MODEL_CPU,
	};

	return series[counter];
}

static enum model_series series_named(const char *name)
{
	enum monitor_counter counter = monitor_counter_named(name);

	for (int i = 0; i < MODEL_SERIES; i++)
		if (!strcasecmp(name, model_series_names[i]))
			return (enum model_series)i;
	return counter == MONITOR_COUNTERS ? MODEL_SERIES : series_of_counter(counter);
}

/* Split "threads nginx"; a first word that is no counter belongs to the selector. */
static const char *take_series(const char *text, enum model_series *ret_series)
{
	size_t bytes = strcspn(text, " ");
	enum model_series series = MODEL_SERIES;
	char word[32];

	*ret_series = MODEL_HANDLES;
	if (!text[bytes] || bytes >= sizeof(word))
		return text;
	(void)snprintf(word, sizeof(word), "%.*s", (int)bytes, text);
	series = series_named(word);
	if (series == MODEL_SERIES)
		return text;
	*ret_series = series;
	return text + bytes + strspn(text + bytes, " ");
}

static void add_matching(struct watch *watch, const struct proc_selector *selector,
			 enum model_series series, const char *text)
{
	size_t n_found = 0, n_added = 0;

	for (size_t i = 0; i < watch->model.n_entries; i++) {
		struct model_entry *entry = watch->model.entry[i];
		int r;

		if (!(entry->is_alive || watch->model.max_ended) ||
		    !watch_selects(watch, selector, &entry->now))
			continue;
		n_found++;
		r = chart_add(watch, entry, series);
		n_added += r == 0;
		if (r == -ENOSPC) {
			watch_say(watch, "the chart holds %d lines: take one out first (d)",
				  CHART_LINES);
			return;
		}
	}
	if (n_found == 0)
		watch_say(watch, "no process matches '%s'", text);
	else
		watch_say(watch, "%zu added to the chart", n_added);
}

void chart_add_typed(struct watch *watch, const char *text)
{
	struct proc_selector selector;
	enum model_series series;
	const char *rest = take_series(text, &series);
	int r = proc_selector_parse(rest, &selector);

	watch->chart.was_filled = true;
	if (r < 0) {
		watch_say(watch, r == -ENOENT ? "no such user: '%s'" :
				 r == -ERANGE ? "%s is no possible PID" :
				 "'%s' is no selector: PID, NAME, user:NAME, session:N, cgroup:PATH",
			  rest);
		return;
	}
	if (selector.counter)
		series = series_named(selector.counter);
	if (series == MODEL_SERIES)
		watch_say(watch, "no counter '%s'", selector.counter);
	else
		add_matching(watch, &selector, series, rest);
	proc_selector_done(&selector);
}

/* Values */

static const struct model_entry *line_entry(const struct watch *watch,
					    const struct chart_line *line)
{
	return model_find(&watch->model, line->pid, line->start_ticks);
}

static double newest(const struct watch *watch, const struct chart_line *line)
{
	const struct model_entry *entry = line_entry(watch, line);

	return entry ? model_value(&watch->model, entry, line->series, 0) : NAN;
}

struct extent {
	double last, average, least, most;
	size_t n;
};

static double part_of(const struct watch *watch, const struct model_entry *entry,
		      const struct chart_line *line, size_t age, enum model_part part)
{
	return model_part(&watch->model, entry, line->series, age, part);
}

static struct extent line_extent(const struct watch *watch, const struct chart_line *line,
				 size_t points)
{
	const struct model_entry *entry = line_entry(watch, line);
	struct extent extent = { NAN, 0, INFINITY, -INFINITY, 0 };

	for (size_t age = 0; entry && age < points && age < model_depth(&watch->model); age++) {
		double value = model_value(&watch->model, entry, line->series, age);

		if (isnan(value))
			continue;
		if (extent.n++ == 0)
			extent.last = value;
		extent.average += part_of(watch, entry, line, age, MODEL_AVERAGE);
		extent.least = fmin(extent.least, part_of(watch, entry, line, age, MODEL_LEAST));
		extent.most = fmax(extent.most, part_of(watch, entry, line, age, MODEL_MOST));
	}
	extent.average = extent.n ? extent.average / (double)extent.n : NAN;
	return extent;
}

/* A number with one or two digits before the zeroes, and not less than value. */
static double round_up(double value)
{
	static const double steps[] = { 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 };
	double unit = pow(10, floor(log10(value)));

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (value <= steps[i] * unit)
			return steps[i] * unit;
	return 10 * unit;
}

/* The plot */

struct plot {
	int top, left, rows, columns; /* on the screen */
	int across, up;               /* dots of a cell */
	size_t points;
	double low, high;             /* values at the bottom and at the top */
	uint8_t *dots;                /* of each cell; Braille's bits, or whether there is any */
	uint8_t *owner;               /* whose they are: its number and 1 */
};

static void choose_range(const struct watch *watch, struct plot *plot)
{
	double least = INFINITY, most = -INFINITY, margin;

	for (size_t i = 0; i < watch->chart.n_lines; i++) {
		const struct chart_line *line = &watch->chart.line[i];
		struct extent extent = line_extent(watch, line, plot->points);

		if (extent.n == 0)
			continue;
		least = fmin(least, extent.least * pow(10, line->scale));
		most = fmax(most, extent.most * pow(10, line->scale));
	}
	plot->low = 0;
	plot->high = most > 0 ? round_up(most) : 1;
	if (!watch->chart.is_fitted || most < least)
		return;
	margin = most > least ? (most - least) * 0.05 : fmax(1, most * 0.05);
	plot->low = fmax(0, least - margin);
	plot->high = most + margin;
}

static void set_dot(struct plot *plot, int x, int y, uint8_t owner)
{
	/* Bits of Unicode's patterns: the lowest row of dots was added last. */
	static const uint8_t bits[4][2] = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 },
					    { 0x40, 0x80 } };
	int column = x / plot->across, row = y / plot->up;
	size_t cell;

	if (column < 0 || column >= plot->columns || row < 0 || row >= plot->rows)
		return;
	cell = (size_t)row * (size_t)plot->columns + (size_t)column;
	plot->dots[cell] |= bits[y % plot->up][x % plot->across];
	plot->owner[cell] = owner;
}

static void draw_stroke(struct plot *plot, int x0, int y0, int x1, int y1, uint8_t owner)
{
	int steps = abs(x1 - x0) > abs(y1 - y0) ? abs(x1 - x0) : abs(y1 - y0);

	for (int i = 0; i <= steps; i++)
		set_dot(plot, steps ? x0 + (x1 - x0) * i / steps : x0,
			steps ? y0 + (y1 - y0) * i / steps : y0, owner);
}

static int dot_x(const struct plot *plot, size_t age)
{
	int last = plot->columns * plot->across - 1;

	return last - (int)lround((double)age * last / (double)(plot->points - 1));
}

static int dot_y(const struct plot *plot, double value)
{
	int last = plot->rows * plot->up - 1;
	double part = (value - plot->low) / (plot->high - plot->low);

	return last - (int)lround(fmin(fmax(part, 0), 1) * last);
}

/* What is not known leaves a gap; what several samples share is as high as they were. */
static void trace(const struct watch *watch, struct plot *plot, size_t at)
{
	const struct chart_line *line = &watch->chart.line[at];
	const struct model_entry *entry = line_entry(watch, line);
	double factor = pow(10, line->scale);
	bool has_before = false;
	int x_before = 0, y_before = 0;

	for (size_t age = entry ? plot->points : 0; age-- > 0;) {
		double value = part_of(watch, entry, line, age, MODEL_AVERAGE) * factor;
		double least = part_of(watch, entry, line, age, MODEL_LEAST) * factor;
		double most = part_of(watch, entry, line, age, MODEL_MOST) * factor;
		int x = dot_x(plot, age), y = dot_y(plot, value);

		if (isnan(value)) {
			has_before = has_before && model_is_left_out(&watch->model, age);
			continue;
		}
		if (has_before && !model_is_after_gap(&watch->model, age))
			draw_stroke(plot, x_before, y_before, x, y, (uint8_t)(at + 1));
		draw_stroke(plot, x, dot_y(plot, least), x, dot_y(plot, most), (uint8_t)(at + 1));
		has_before = true;
		x_before = x;
		y_before = y;
	}
}

static int look_of_line(const struct chart *chart, size_t at)
{
	int look = LOOK_LINE + (int)(at % SCREEN_LINE_COLOURS);

	if (!chart->highlights)
		return look;
	return at == chart->selected ? look | SCREEN_HIGHLIGHT : LOOK_FAINT;
}

static wchar_t mark_of_line(size_t at)
{
	return L'A' + (wchar_t)at;
}

static void show_cells(const struct chart *chart, const struct plot *plot)
{
	for (int row = 0; row < plot->rows; row++)
		for (int column = 0; column < plot->columns; column++) {
			size_t cell = (size_t)row * (size_t)plot->columns + (size_t)column;
			uint8_t owner = plot->owner[cell];

			if (!owner)
				continue;
			screen_put_cell(plot->top + row, plot->left + column,
					look_of_line(chart, owner - 1u),
					plot->across > 1 ? BRAILLE + plot->dots[cell] :
							   mark_of_line(owner - 1u));
		}
}

/* The letters behind the lines tell them apart where there are no colours. */
static void show_marks(const struct watch *watch, const struct plot *plot)
{
	const struct chart *chart = &watch->chart;

	for (size_t i = chart->n_lines; i-- > 0;) {
		double value = newest(watch, &chart->line[i]) * pow(10, chart->line[i].scale);

		if (!isnan(value))
			screen_put_cell(plot->top + dot_y(plot, value) / plot->up,
					plot->left + plot->columns, look_of_line(chart, i),
					mark_of_line(i));
	}
}

static void show_axis(const struct plot *plot)
{
	int step = plot->rows > 12 ? 4 : plot->rows > 5 ? 2 : plot->rows - 1;

	for (int row = 0; row < plot->rows; row++) {
		bool is_labelled = row == plot->rows - 1 || row == 0 ||
				   (step && row % step == 0 && row + step <= plot->rows);
		double value = plot->high - (plot->high - plot->low) * row /
						    (plot->rows > 1 ? plot->rows - 1 : 1);
		char text[24] = "";

		if (is_labelled)
			(void)snprintf(text, sizeof(text), "%.*f", plot->high - plot->low < 2 ? 2 :
				       plot->high - plot->low < 20 ? 1 : 0, value);
		(void)screen_put_right(plot->top + row, 0, AXIS_WIDTH - 1, LOOK_PLAIN, text);
		screen_put_cell(plot->top + row, AXIS_WIDTH - 1, LOOK_FAINT,
				!screen_is_utf8() ? L'|' : is_labelled ? L'\u2524' : L'\u2502');
	}
}

/* With the day where the window has several. */
static void format_clock(int64_t time_ns, int64_t span_ns, char *out, size_t room)
{
	time_t seconds = time_ns / NS_PER_S;
	struct tm at;

	out[0] = '\0';
	if (localtime_r(&seconds, &at))
		(void)strftime(out, room, span_ns < 12 * 3600 * NS_PER_S ? "%H:%M:%S" : "%m-%d %H:%M",
			       &at);
}

static void show_times(const struct watch *watch, const struct plot *plot)
{
	size_t depth = model_depth(&watch->model), oldest = depth - 1;
	int64_t span_ns;
	char text[40], newest[40];
	int column, end;

	if (depth == 0)
		return;
	if (oldest > plot->points - 1)
		oldest = plot->points - 1;
	span_ns = model_time_ns(&watch->model, 0) - model_time_ns(&watch->model, oldest);
	if (log_is_open(watch))
		format_clock(model_time_ns(&watch->model, oldest), span_ns, text, sizeof(text));
	else
		(void)snprintf(text, sizeof(text), "-%.0f s", (double)span_ns / NS_PER_S);
	column = plot->left + dot_x(plot, oldest) / plot->across;
	(void)snprintf(newest, sizeof(newest), "now");
	if (log_is_open(watch))
		format_clock(model_time_ns(&watch->model, 0), span_ns, newest, sizeof(newest));
	end = plot->left + plot->columns + 1 - screen_width(newest);
	if (column + screen_width(text) < end)
		(void)screen_put(plot->top + plot->rows, column, 0, LOOK_PLAIN, text);
	(void)screen_put(plot->top + plot->rows, end, 0, LOOK_PLAIN, newest);
}

static void draw_plot(struct watch *watch, int top, int rows)
{
	bool fine = screen_is_utf8();
	struct plot plot = { .top = top, .left = AXIS_WIDTH, .rows = rows - 1,
			     .columns = screen_columns() - AXIS_WIDTH - 1,
			     .across = fine ? 2 : 1, .up = fine ? 4 : 1 };
	AUTO_FREE uint8_t *dots = calloc((size_t)plot.rows, (size_t)plot.columns);
	AUTO_FREE uint8_t *owner = calloc((size_t)plot.rows, (size_t)plot.columns);

	if (!dots || !owner)
		return;
	plot.dots = dots;
	plot.owner = owner;
	/* Of a log all of its window. */
	plot.points = log_is_open(watch) ? MODEL_POINTS : (size_t)(plot.columns * plot.across);
	if (watch->chart.points)
		plot.points = watch->chart.points;
	if (plot.points > MODEL_POINTS)
		plot.points = MODEL_POINTS;
	choose_range(watch, &plot);
	show_axis(&plot);
	for (size_t i = watch->chart.n_lines; i-- > 0;)
		trace(watch, &plot, i);
	trace(watch, &plot, watch->chart.selected); /* above the others */
	show_cells(&watch->chart, &plot);
	show_marks(watch, &plot);
	show_times(watch, &plot);
}

/* The bar and the legend */

static void format_value(enum model_series series, double value, char *out, size_t room)
{
	if (isnan(value))
		(void)snprintf(out, room, "-");
	else
		(void)snprintf(out, room, series >= MODEL_RESIDENT ? "%.1f" : "%.0f", value);
}

static void draw_bar(struct watch *watch, int row)
{
	const struct chart_line *line = &watch->chart.line[watch->chart.selected];
	struct extent extent = line_extent(watch, line, MODEL_POINTS);
	char last[32], least[32], most[32], text[WATCH_TEXT_BYTES];

	format_value(line->series, extent.last, last, sizeof(last));
	format_value(line->series, extent.n ? extent.least : NAN, least, sizeof(least));
	format_value(line->series, extent.n ? extent.most : NAN, most, sizeof(most));
	(void)snprintf(text, sizeof(text),
		       screen_columns() < 60 ? "%c last %s avg %.1f min %s max %s" :
		       "%c  Last %s   Average %.1f   Minimum %s   Maximum %s",
		       (int)mark_of_line(watch->chart.selected), last, extent.average, least, most);
	(void)screen_put(row, 0, screen_columns(), LOOK_BOLD, text);
}

static void draw_legend_line(struct watch *watch, size_t at, int row)
{
	const struct chart_line *line = &watch->chart.line[at];
	const struct model_entry *entry = line_entry(watch, line);
	int look = at == watch->chart.selected ? LOOK_BAR : LOOK_PLAIN;
	char value[32], text[WATCH_TEXT_BYTES];

	format_value(line->series, newest(watch, line), value, sizeof(value));
	(void)snprintf(text, sizeof(text), "%c", (int)mark_of_line(at));
	(void)screen_put(row, 0, screen_columns(), look, "");
	(void)screen_put(row, 0, 2, look == LOOK_BAR ? look : look_of_line(&watch->chart, at), text);
	(void)snprintf(text, sizeof(text), "x%g", pow(10, line->scale));
	(void)screen_put(row, 2, 8, look, text);
	(void)screen_put(row, 10, 14, look, model_series_titles[line->series]);
	(void)screen_put_right(row, 24, 9, look, value);
	(void)snprintf(text, sizeof(text), "%s (%d)%s", entry ? entry->now.name : "?",
		       (int)line->pid, entry && entry->is_alive ? "" : ", ended");
	(void)screen_put(row, 35, 0, look, text);
}

static void draw_legend(struct watch *watch, int top, int rows)
{
	const struct chart *chart = &watch->chart;
	size_t first = chart->selected >= (size_t)rows ? chart->selected + 1 - (size_t)rows : 0;

	for (int i = 0; i < rows && first + (size_t)i < chart->n_lines; i++)
		draw_legend_line(watch, first + (size_t)i, top + i);
}

static struct model_entry *selected_entry(const struct watch *watch)
{
	const struct chart_line *line = &watch->chart.line[watch->chart.selected];

	if (watch->chart.n_lines == 0)
		return NULL;
	return model_find(&watch->model, line->pid, line->start_ticks);
}

void chart_draw(struct watch *watch, int top, int rows)
{
	int legend;

	fill(watch);
	if (watch->chart.n_lines == 0) {
		(void)screen_put(top, 0, 0, LOOK_PLAIN, "no lines: press a to add some");
		return;
	}
	rows = sites_draw_line(watch, selected_entry(watch), top, rows);
	legend = (int)watch->chart.n_lines < LEGEND_LINES ? (int)watch->chart.n_lines : LEGEND_LINES;
	if (legend > rows / 4)
		legend = rows / 4;
	if (rows - legend - 1 >= 3)
		draw_plot(watch, top, rows - legend - 1);
	draw_bar(watch, top + rows - legend - 1);
	draw_legend(watch, top + rows - legend, legend);
}

/* Keys */

/* So that each line uses the height: its largest value is drawn between 10 and 100. */
static void scale_all(struct watch *watch)
{
	struct chart *chart = &watch->chart;
	bool was_scaled = false;

	for (size_t i = 0; i < chart->n_lines; i++)
		was_scaled = was_scaled || chart->line[i].scale;
	for (size_t i = 0; i < chart->n_lines; i++) {
		double most = line_extent(watch, &chart->line[i], MODEL_POINTS).most;

		chart->line[i].scale = was_scaled || !(most > 0) ? 0 : 2 - (int)ceil(log10(most));
	}
	watch_say(watch, was_scaled ? "every line at its own values" : "every line scaled below 100");
}

static void scale_selected(struct chart *chart, int by)
{
	int scale = chart->line[chart->selected].scale + by;

	if (scale >= -SCALE_MAX && scale <= SCALE_MAX)
		chart->line[chart->selected].scale = scale;
}

static void zoom(struct watch *watch, bool longer)
{
	static const size_t points[] = { 15, 30, 60, 120, 240 };
	struct chart *chart = &watch->chart;
	size_t at = 0, usual = log_is_open(watch) ? MODEL_POINTS : 120;

	while (at + 1 < ARRAY_SIZE(points) && points[at] < (chart->points ? chart->points : usual))
		at++;
	if (longer && at + 1 < ARRAY_SIZE(points))
		at++;
	if (!longer && at > 0)
		at--;
	chart->points = points[at];
	watch_say(watch, log_is_open(watch) ? "%zu of the window's 240 points across" :
					      "%zu samples across", chart->points);
}

static bool line_key(struct watch *watch, uint32_t key)
{
	struct chart *chart = &watch->chart;

	if (chart->n_lines == 0)
		return false;
	switch (key) {
	case SCREEN_UP:
	case 'k':
		chart->selected = (chart->selected + chart->n_lines - 1) % chart->n_lines;
		return true;
	case SCREEN_DOWN:
	case 'j':
		chart->selected = (chart->selected + 1) % chart->n_lines;
		return true;
	case '+':
	case '-':
		scale_selected(chart, key == '+' ? 1 : -1);
		return true;
	case 's':
		scale_all(watch);
		return true;
	case 'd':
	case SCREEN_DELETE:
		remove_line(watch, chart->selected);
		return true;
	case 'l':
		sites_toggle(watch, selected_entry(watch));
		return true;
	case 'L':
		sites_show(watch, selected_entry(watch));
		return true;
	default:
		return false;
	}
}

bool chart_key(struct watch *watch, uint32_t key)
{
	struct chart *chart = &watch->chart;

	switch (key) {
	case 'a':
		watch_ask(watch, PROMPT_ADD, "");
		return true;
	case 'c':
		chart_forget(watch);
		return true;
	case 'h':
		chart->highlights = !chart->highlights;
		return true;
	case 'z':
		chart->is_fitted = !chart->is_fitted;
		return true;
	case '[':
	case ']':
		zoom(watch, key == ']');
		return true;
	default:
		return line_key(watch, key);
	}
}
