/* SPDX-License-Identifier: BSD-2-Clause */
/* log.c - record to a file, with bookmarks; look at a log in the other views */
#include "cmd/watch/watch.h"

#include <stdio.h>
#include <string.h>

#define WINDOW_FIRST_NS (3600 * NS_PER_S)
#define WINDOW_LEAST_NS (10 * NS_PER_S)

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

bool log_is_open(const struct watch *watch)
{
	return watch->log.opened.store;
}

static void file_done(struct log_file *file)
{
	store_close(file->store);
	free(file->mark);
	*file = (struct log_file){ 0 };
}

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

static void close_opened(struct watch *watch)
{
	struct log_view *view = &watch->log;

	if (!log_is_open(watch))
		return;
	swap_scenes(watch);
	model_done(&view->model);
	view->model = (struct model){ 0 };
	view->chart = (struct chart){ 0 };
	file_done(&view->opened);
}

/* Reading a window */

static struct log_file *file_of_reader(struct log_view *view)
{
	return view->coming.store ? &view->coming : &view->opened;
}

void log_stop_reading(struct watch *watch)
{
	struct log_view *view = &watch->log;
	struct window window;

	if (view->reader) {
		window_cancel(view->reader);
		if (window_end(view->reader, &window) == 0)
			model_done(&window.model);
	}
	view->reader = NULL;
	file_done(&view->coming);
}

static int read_window(struct watch *watch, int64_t from_ns, int64_t to_ns)
{
	struct log_view *view = &watch->log;
	struct log_file *file = file_of_reader(view);

	/* What the next key moves. */
	if (file->has_range)
		window_keep_in_range(&file->range, &from_ns, &to_ns);
	view->from_ns = from_ns;
	view->to_ns = to_ns;
	return window_begin(file->store, file->has_range ? &file->range : NULL, from_ns, to_ns,
			    &view->reader);
}

/* What was still being read is given up for it. */
static void show_window(struct watch *watch, int64_t from_ns, int64_t to_ns)
{
	int r;

	log_stop_reading(watch);
	r = read_window(watch, from_ns, to_ns);
	if (r < 0)
		watch_say(watch, "the log cannot be read: %s", strerror(-r));
}

int log_reading_fd(const struct watch *watch)
{
	return watch->log.reader ? window_fd(watch->log.reader) : -1;
}

bool log_progress(const struct watch *watch, char *text, size_t room)
{
	const struct log_view *view = &watch->log;

	if (!view->reader)
		return false;
	(void)snprintf(text, room, "reading the log: %u %%   Esc: stop",
		       window_percent(view->reader));
	return true;
}

static void install(struct watch *watch, const struct window *window)
{
	struct log_view *view = &watch->log;

	if (view->coming.store) {
		close_opened(watch);
		view->opened = view->coming;
		view->coming = (struct log_file){ 0 };
		swap_scenes(watch);
	}
	model_done(&watch->model);
	watch->model = window->model;
	chart_find_again(watch);
	view->opened.range = window->range;
	view->opened.has_range = true;
	view->opened.from_ns = window->from_ns;
	view->opened.to_ns = window->to_ns;
}

void log_show_read(struct watch *watch)
{
	struct log_view *view = &watch->log;
	struct log_file *file = file_of_reader(view);
	struct window window;
	int r = window_end(view->reader, &window);

	view->reader = NULL;
	if (r == 0) {
		install(watch, &window);
		return;
	}
	watch_say(watch, "%s: the log cannot be read: %s", file->path,
		  r == -ENOMEM ? "out of memory" : store_problem(file->store));
	file_done(&view->coming);
}

/* Opening */

static int load(const char *path, struct log_file *ret_file, struct store_error *error)
{
	static const struct store_options options = { .mode = STORE_READ };
	struct log_file file = { 0 };
	int r = store_open(path, &options, &file.store, error);

	if (r < 0)
		return r;
	(void)snprintf(file.path, sizeof(file.path), "%s", path);
	r = store_bookmarks(file.store, &file.mark, &file.n_marks);
	if (r == 0) {
		*ret_file = file;
		return 0;
	}
	(void)snprintf(error->text, sizeof(error->text), "%s", store_problem(file.store));
	file_done(&file);
	return r;
}

void log_open(struct watch *watch, const char *path)
{
	struct store_error error = { "" };
	struct log_file file;
	int r = load(path, &file, &error);

	if (r < 0) {
		watch_say(watch, "%s: %s", path, error.text);
		return;
	}
	log_stop_reading(watch);
	watch->log.coming = file;
	r = read_window(watch, -WINDOW_FIRST_NS, 0); /* from its end */
	if (r < 0) {
		watch_say(watch, "%s: %s", path, strerror(-r));
		log_stop_reading(watch);
	}
}

int log_open_window(struct watch *watch, const char *path, const struct cmd_moment *from,
		    const struct cmd_moment *to, struct store_error *error)
{
	struct log_file *file = &watch->log.coming;
	const struct store_range *range = &file->range;
	int64_t from_ns, to_ns;
	int r = load(path, file, error);

	if (r == 0 && (r = store_range(file->store, &file->range)) < 0)
		(void)snprintf(error->text, sizeof(error->text), "%s", store_problem(file->store));
	if (r < 0)
		return r;
	file->has_range = true;
	to_ns = cmd_moment_ns(to, range->last_ns, range->last_ns);
	from_ns = cmd_moment_ns(from, range->last_ns, to_ns - WINDOW_FIRST_NS);
	to_ns = to_ns < range->last_ns ? to_ns : range->last_ns;
	from_ns = from_ns > range->first_ns ? from_ns : range->first_ns;
	r = from_ns <= to_ns ? read_window(watch, from_ns, to_ns) : -ENODATA;
	if (r == -ENODATA)
		(void)snprintf(error->text, sizeof(error->text),
			       "nothing was logged between these times");
	return r;
}

void log_close(struct watch *watch)
{
	log_stop_reading(watch);
	close_opened(watch);
	stop_recording(watch);
}

struct model *log_live_model(struct watch *watch)
{
	return log_is_open(watch) ? &watch->log.model : &watch->model;
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
	const struct log_file *file = &watch->log.opened;
	char from[32], to[32], text[WATCH_TEXT_BYTES + 64];

	if (!log_is_open(watch)) {
		(void)screen_put(top, 0, 0, LOOK_PLAIN, "no log is open, the views are live: o opens one");
		return top + 1;
	}
	(void)snprintf(text, sizeof(text), "open: %s", file->path);
	(void)screen_put(top, 0, 0, LOOK_BOLD, text);
	format_time(file->range.first_ns, from, sizeof(from));
	format_time(file->range.last_ns, to, sizeof(to));
	(void)snprintf(text, sizeof(text), "all:    %s ... %s, %llu samples", from, to,
		       (unsigned long long)file->range.n_samples);
	(void)screen_put(top + 1, 0, 0, LOOK_PLAIN, text);
	format_time(file->from_ns, from, sizeof(from));
	format_time(file->to_ns, to, sizeof(to));
	(void)snprintf(text, sizeof(text), "window: %s ... %s", from, to);
	(void)screen_put(top + 2, 0, 0, LOOK_PLAIN, text);
	return top + 3;
}

void log_draw(struct watch *watch, int top, int rows)
{
	const struct log_file *file = &watch->log.opened;
	int row = draw_opened(watch, draw_recording(watch, top));
	size_t shown = top + rows > row + 1 ? (size_t)(top + rows - row - 1) : 0;
	size_t first = file->selected >= shown && shown ? file->selected + 1 - shown : 0;

	if (file->n_marks)
		(void)screen_put(row, 0, screen_columns(), LOOK_HEADING, "BOOKMARKS");
	for (size_t i = 0; i < shown && first + i < file->n_marks; i++) {
		int look = first + i == file->selected ? LOOK_BAR : LOOK_PLAIN;
		char time[32];

		format_time(file->mark[first + i].time_ns, time, sizeof(time));
		(void)screen_put(row + 1 + (int)i, 0, screen_columns(), look, time);
		(void)screen_put(row + 1 + (int)i, 21, screen_columns() - 21, look,
				 file->mark[first + i].text);
	}
}

/* Keys */

/* The window that is wanted: several keys can come while one is being read. */
static void wanted_window(const struct log_view *view, int64_t *ret_from_ns, int64_t *ret_to_ns)
{
	bool is_read = view->reader && !view->coming.store;

	*ret_from_ns = is_read ? view->from_ns : view->opened.from_ns;
	*ret_to_ns = is_read ? view->to_ns : view->opened.to_ns;
}

/* Around its middle: twice as long, or half. */
static void zoom(struct watch *watch, bool longer)
{
	int64_t from_ns, to_ns, width, middle;

	wanted_window(&watch->log, &from_ns, &to_ns);
	width = to_ns - from_ns;
	middle = from_ns + width / 2;
	width = longer ? width * 2 : width / 2;
	if (width < WINDOW_LEAST_NS)
		width = WINDOW_LEAST_NS;
	show_window(watch, middle - width / 2, middle + width / 2);
}

static void shift(struct watch *watch, int halves)
{
	int64_t from_ns, to_ns, by_ns;

	wanted_window(&watch->log, &from_ns, &to_ns);
	by_ns = halves * ((to_ns - from_ns) / 2);
	show_window(watch, from_ns + by_ns, to_ns + by_ns);
}

static void go_to_mark(struct watch *watch)
{
	const struct log_file *file = &watch->log.opened;
	int64_t from_ns, to_ns, half;

	if (file->selected >= file->n_marks)
		return;
	wanted_window(&watch->log, &from_ns, &to_ns);
	half = (to_ns - from_ns) / 2;
	show_window(watch, file->mark[file->selected].time_ns - half,
		    file->mark[file->selected].time_ns + half);
}

static bool window_key(struct watch *watch, uint32_t key)
{
	struct log_file *file = &watch->log.opened;

	if (!log_is_open(watch))
		return false;
	switch (key) {
	case '[':
	case ']':
		zoom(watch, key == ']');
		return true;
	case SCREEN_LEFT:
	case SCREEN_RIGHT:
		shift(watch, key == SCREEN_LEFT ? -1 : 1);
		return true;
	case SCREEN_UP:
		file->selected -= file->selected > 0;
		return true;
	case SCREEN_DOWN:
		file->selected += file->selected + 1 < file->n_marks;
		return true;
	case SCREEN_ENTER:
		go_to_mark(watch);
		return true;
	case 'c':
		log_stop_reading(watch);
		close_opened(watch);
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
