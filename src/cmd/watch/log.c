/* SPDX-License-Identifier: BSD-2-Clause */
/* log.c - record to a file, with bookmarks; look at a log in the other views */
#include "cmd/watch/watch.h"

#include <stdio.h>
#include <string.h>

#define WINDOW_FIRST_NS (3600 * NS_PER_S)
#define WINDOW_LEAST_NS (10 * NS_PER_S)
/* Processes that had ended by the end of the window are shown too, up to so many. */
#define ENDED_MAX 2000

/* Recording */

static void stop_recording(struct watch *watch)
{
	store_close(watch->log.store);
	watch->log.store = NULL;
}

void log_record(struct watch *watch, const char *path)
{
	struct store_options options = { .mode = STORE_APPEND };
	struct log_view *view = &watch->log;
	struct store_error error = { "" };

	if (store_open(path, &options, &view->store, &error) < 0) {
		view->store = NULL;
		watch_say(watch, "%s: %s", path, error.text);
		return;
	}
	(void)snprintf(view->path, sizeof(view->path), "%s", path);
	view->n_recorded = 0;
	watch_say(watch, "recording to %s", path);
}

/* A log that cannot go on ends, but watching does not. */
void log_take(struct watch *watch, const struct monitor_sample *sample)
{
	if (!watch->log.store)
		return;
	if (store_append(watch->log.store, sample) == 0) {
		watch->log.n_recorded++;
		return;
	}
	watch_say(watch, "recording ended: %s", store_problem(watch->log.store));
	stop_recording(watch);
}

void log_mark(struct watch *watch, const char *text)
{
	if (!watch->log.store)
		return;
	if (store_mark(watch->log.store, 0, text) == 0)
		watch_say(watch, "marked: %s", text);
	else
		watch_say(watch, "no bookmark: %s", store_problem(watch->log.store));
}

/* A log that is open */

/* The model and the chart that are shown change places with those that are not. */
static void swap_scenes(struct watch *watch)
{
	struct log_view *view = &watch->log;
	struct model model = watch->model;
	struct chart chart = watch->chart;

	watch->model = view->model;
	watch->chart = view->chart;
	view->model = model;
	view->chart = chart;
}

static void close_log(struct watch *watch)
{
	struct log_view *view = &watch->log;

	if (!view->opened)
		return;
	swap_scenes(watch);
	model_done(&view->model);
	view->model = (struct model){ 0 };
	view->chart = (struct chart){ 0 };
	store_close(view->opened);
	view->opened = NULL;
	free(view->mark);
	view->mark = NULL;
	view->n_marks = 0;
}

struct reader {
	struct model *model;
	uint64_t stride, n_read;
	int error;
};

static int take_reading(void *context, const struct store_reading *reading)
{
	static const struct monitor_sample nothing;
	struct reader *reader = context;
	struct monitor_sample sample = *reading->sample;

	sample.monotonic_ns = sample.time_ns;
	if (reading->after_gap && reader->n_read) {
		struct monitor_sample gap = nothing;

		gap.time_ns = gap.monotonic_ns = sample.time_ns;
		reader->error = model_take(reader->model, &gap);
	}
	/* So many share one point, which is the most of them: no peak is lost. */
	reader->model->stays = reader->n_read++ % reader->stride != 0;
	if (reader->error == 0)
		reader->error = model_take(reader->model, &sample);
	return reader->error < 0;
}

static int count_reading(void *context, const struct store_reading *reading)
{
	uint64_t *n = context;

	(*n)++;
	return 0;
}

/* The window into a model of its own, so that a log that is damaged changes nothing. */
static int read_window(struct log_view *view, struct model *ret_model)
{
	struct model model = { .max_ended = ENDED_MAX };
	struct reader reader = { .model = &model };
	uint64_t n = 0;
	int r = store_read(view->opened, view->from_ns, view->to_ns, count_reading, &n);

	reader.stride = n / MODEL_POINTS + 1;
	if (r == 0)
		r = store_read(view->opened, view->from_ns, view->to_ns, take_reading, &reader);
	if (r == 0)
		r = reader.error;
	if (r < 0)
		model_done(&model);
	else
		*ret_model = model;
	return r;
}

static void keep_in_range(struct log_view *view)
{
	int64_t width = view->to_ns - view->from_ns;
	int64_t all = view->range.last_ns - view->range.first_ns;

	if (width > all)
		width = all;
	if (view->to_ns > view->range.last_ns)
		view->to_ns = view->range.last_ns;
	if (view->to_ns < view->range.first_ns + width)
		view->to_ns = view->range.first_ns + width;
	view->from_ns = view->to_ns - width;
}

static void show_window(struct watch *watch, int64_t from_ns, int64_t to_ns)
{
	struct log_view *view = &watch->log;
	struct model model;

	view->from_ns = from_ns;
	view->to_ns = to_ns;
	keep_in_range(view);
	if (read_window(view, &model) < 0) {
		watch_say(watch, "the log cannot be read: %s", store_problem(view->opened));
		return;
	}
	chart_forget(watch);
	watch->chart.was_filled = false;
	model_done(&watch->model);
	watch->model = model;
}

void log_open(struct watch *watch, const char *path)
{
	struct store_options options = { .mode = STORE_READ };
	struct log_view *view = &watch->log;
	struct store_error error = { "" };
	struct store *store;

	if (store_open(path, &options, &store, &error) < 0) {
		watch_say(watch, "%s: %s", path, error.text);
		return;
	}
	close_log(watch);
	view->opened = store;
	(void)snprintf(view->opened_path, sizeof(view->opened_path), "%s", path);
	swap_scenes(watch);
	if (store_range(store, &view->range) < 0 ||
	    store_bookmarks(store, &view->mark, &view->n_marks) < 0) {
		watch_say(watch, "%s: %s", path, store_problem(store));
		close_log(watch);
		return;
	}
	view->selected = 0;
	show_window(watch, view->range.last_ns - WINDOW_FIRST_NS, view->range.last_ns);
}

void log_close(struct watch *watch)
{
	close_log(watch);
	stop_recording(watch);
}

struct model *log_live_model(struct watch *watch)
{
	return watch->log.opened ? &watch->log.model : &watch->model;
}

/* Drawing */

static void format_time(int64_t time_ns, char *out, size_t room)
{
	time_t seconds = time_ns / NS_PER_S;
	struct tm at;

	out[0] = '\0';
	if (localtime_r(&seconds, &at))
		(void)strftime(out, room, "%Y-%m-%d %H:%M:%S", &at);
}

static int draw_recording(const struct watch *watch, int top)
{
	const struct log_view *view = &watch->log;
	char text[WATCH_TEXT_BYTES + 64];

	if (view->store)
		(void)snprintf(text, sizeof(text), "recording %llu samples to %s",
			       (unsigned long long)view->n_recorded, view->path);
	else
		(void)snprintf(text, sizeof(text), "not recording: r begins");
	(void)screen_put(top, 0, 0, view->store ? LOOK_BOLD : LOOK_PLAIN, text);
	return top + 1;
}

static int draw_opened(const struct watch *watch, int top)
{
	const struct log_view *view = &watch->log;
	char from[32], to[32], text[WATCH_TEXT_BYTES + 64];

	if (!view->opened) {
		(void)screen_put(top, 0, 0, LOOK_PLAIN, "no log is open, the views are live: o opens one");
		return top + 1;
	}
	(void)snprintf(text, sizeof(text), "open: %s", view->opened_path);
	(void)screen_put(top, 0, 0, LOOK_BOLD, text);
	format_time(view->range.first_ns, from, sizeof(from));
	format_time(view->range.last_ns, to, sizeof(to));
	(void)snprintf(text, sizeof(text), "all:    %s ... %s, %llu samples", from, to,
		       (unsigned long long)view->range.n_samples);
	(void)screen_put(top + 1, 0, 0, LOOK_PLAIN, text);
	format_time(view->from_ns, from, sizeof(from));
	format_time(view->to_ns, to, sizeof(to));
	(void)snprintf(text, sizeof(text), "window: %s ... %s", from, to);
	(void)screen_put(top + 2, 0, 0, LOOK_PLAIN, text);
	return top + 3;
}

void log_draw(struct watch *watch, int top, int rows)
{
	const struct log_view *view = &watch->log;
	int row = draw_opened(watch, draw_recording(watch, top));
	size_t shown = top + rows > row + 1 ? (size_t)(top + rows - row - 1) : 0;
	size_t first = view->selected >= shown && shown ? view->selected + 1 - shown : 0;

	if (view->n_marks)
		(void)screen_put(row, 0, screen_columns(), LOOK_HEADING, "BOOKMARKS");
	for (size_t i = 0; i < shown && first + i < view->n_marks; i++) {
		int look = first + i == view->selected ? LOOK_BAR : LOOK_PLAIN;
		char time[32];

		format_time(view->mark[first + i].time_ns, time, sizeof(time));
		(void)screen_put(row + 1 + (int)i, 0, screen_columns(), look, time);
		(void)screen_put(row + 1 + (int)i, 21, screen_columns() - 21, look,
				 view->mark[first + i].text);
	}
}

/* Keys */

/* Around its middle: twice as long, or half. */
static void zoom(struct watch *watch, bool longer)
{
	struct log_view *view = &watch->log;
	int64_t width = view->to_ns - view->from_ns, middle = view->from_ns + width / 2;

	width = longer ? width * 2 : width / 2;
	if (width < WINDOW_LEAST_NS)
		width = WINDOW_LEAST_NS;
	show_window(watch, middle - width / 2, middle + width / 2);
}

static void shift(struct watch *watch, int64_t by_ns)
{
	show_window(watch, watch->log.from_ns + by_ns, watch->log.to_ns + by_ns);
}

static bool window_key(struct watch *watch, uint32_t key)
{
	struct log_view *view = &watch->log;
	int64_t width = view->to_ns - view->from_ns;

	if (!view->opened)
		return false;
	switch (key) {
	case '[':
	case ']':
		zoom(watch, key == ']');
		return true;
	case SCREEN_LEFT:
	case SCREEN_RIGHT:
		shift(watch, key == SCREEN_LEFT ? -width / 2 : width / 2);
		return true;
	case SCREEN_UP:
	case SCREEN_DOWN:
		view->selected += key == SCREEN_DOWN ? view->selected + 1 < view->n_marks :
						       view->selected ? SIZE_MAX : 0;
		return true;
	case SCREEN_ENTER:
		if (view->selected < view->n_marks)
			shift(watch, view->mark[view->selected].time_ns - view->from_ns - width / 2);
		return true;
	case 'c':
		close_log(watch);
		return true;
	default:
		return false;
	}
}

bool log_key(struct watch *watch, uint32_t key)
{
	switch (key) {
	case 'r':
		if (watch->log.store) {
			watch_say(watch, "stopped: %llu samples",
				  (unsigned long long)watch->log.n_recorded);
			stop_recording(watch);
		} else {
			watch_ask(watch, PROMPT_RECORD, "");
		}
		return true;
	case 'b':
		if (watch->log.store)
			watch_ask(watch, PROMPT_MARK, "");
		else
			watch_say(watch, "nothing is being recorded");
		return true;
	case 'o':
		watch_ask(watch, PROMPT_OPEN, "");
		return true;
	default:
		return window_key(watch, key);
	}
}
