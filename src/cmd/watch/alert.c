/* SPDX-License-Identifier: BSD-2-Clause */
/* alert.c - the rules, for how many processes each holds now, and what fired */
#include "cmd/watch/watch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define RULE_LINES 5

/* Feeding */

int alert_open(struct watch *watch)
{
	struct alert_options options = { .environment = environ, .output_fd = -1 };
	int r = trend_table_new(&watch->trends);

	return r < 0 ? r : alert_set_new(&options, &watch->alert.set);
}

void alert_close(struct watch *watch)
{
	alert_set_free(watch->alert.set);
	trend_table_free(watch->trends);
	free(watch->alert.event);
}

static int read_events(struct alert_view *view)
{
	struct alert_event *grown;
	size_t n;

	if (!view->event) {
		view->event = calloc(ALERT_EVENTS_MAX, sizeof(*view->event));
		if (!view->event)
			return -ENOMEM;
	}
	grown = view->event;
	n = alert_set_events(view->set, 0, grown, ALERT_EVENTS_MAX);
	/* A list that one looks at does not move away under one's eyes. */
	if (view->selected && n >= view->n_events)
		view->selected += n - view->n_events;
	view->n_events = n;
	return 0;
}

int alert_take(struct watch *watch, const struct monitor_sample *sample)
{
	int r = trend_table_feed(watch->trends, sample);

	if (r == 0)
		r = alert_set_feed(watch->alert.set, sample, watch->trends);
	if (r > 0) {
		watch->alert.n_unseen += (size_t)r;
		r = read_events(&watch->alert);
	}
	return r;
}

void alert_add_typed(struct watch *watch, const char *text)
{
	char why[ALERT_WHY_BYTES];
	int r = alert_set_add(watch->alert.set, text, NULL, why);

	if (r < 0)
		watch_say(watch, "%s", why);
	else
		watch->alert.rule = (unsigned)r;
}

bool alert_holds_for(const struct watch *watch, const struct model_entry *entry)
{
	unsigned n = alert_set_n_rules(watch->alert.set);

	for (unsigned i = 0; i < n; i++)
		if (alert_set_is_active(watch->alert.set, i, entry->now.pid, entry->now.start_ticks))
			return true;
	return false;
}

/* Drawing */

static size_t count_active(const struct watch *watch, unsigned rule)
{
	size_t n = 0;

	for (size_t i = 0; i < watch->model.n_entries; i++) {
		const struct monitor_process *now = &watch->model.entry[i]->now;

		if (watch->model.entry[i]->is_alive)
			n += alert_set_is_active(watch->alert.set, rule, now->pid, now->start_ticks);
	}
	return n + alert_set_is_active(watch->alert.set, rule, 0, 0);
}

static void draw_rules(struct watch *watch, int top, unsigned rows)
{
	unsigned n = alert_set_n_rules(watch->alert.set);
	unsigned first = watch->alert.rule >= rows ? watch->alert.rule + 1 - rows : 0;

	for (unsigned i = 0; i < rows && first + i < n; i++) {
		size_t active = count_active(watch, first + i);
		char text[32];

		(void)snprintf(text, sizeof(text), active ? "%zu now" : "-", active);
		(void)screen_put_right(top + (int)i, 0, 8, active ? LOOK_ALARM : LOOK_PLAIN, text);
		(void)screen_put(top + (int)i, 9, screen_columns() - 9,
				 active ? LOOK_ALARM : LOOK_PLAIN,
				 alert_set_rule_text(watch->alert.set, first + i));
	}
}

static void draw_event(const struct watch *watch, const struct alert_event *event, int row,
		       bool is_selected)
{
	int look = is_selected ? LOOK_BAR : event->is_clear ? LOOK_PLAIN : LOOK_WARNING;
	time_t seconds = event->time_ns / NS_PER_S;
	char clock[16] = "", line[ALERT_LINE_BYTES];
	struct tm at;

	if (localtime_r(&seconds, &at))
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &at);
	alert_event_text(watch->alert.set, event, line);
	(void)screen_put(row, 0, screen_columns(), look, clock);
	(void)screen_put(row, 9, 6, look, event->has_ended ? "ended" : event->is_clear ? "clear" :
										 "FIRED");
	(void)screen_put(row, 15, screen_columns() - 15, look, line);
}

/* Newest first. */
static void draw_events(struct watch *watch, int top, size_t rows)
{
	struct alert_view *view = &watch->alert;

	if (view->selected >= view->n_events)
		view->selected = view->n_events ? view->n_events - 1 : 0;
	if (view->selected < view->top)
		view->top = view->selected;
	if (view->selected >= view->top + rows)
		view->top = view->selected + 1 - rows;
	for (size_t i = 0; i < rows && view->top + i < view->n_events; i++)
		draw_event(watch, &view->event[view->n_events - 1 - view->top - i], top + (int)i,
			   view->top + i == view->selected);
}

void alert_draw(struct watch *watch, int top, int rows)
{
	unsigned n = alert_set_n_rules(watch->alert.set);
	int rules = n < RULE_LINES ? (int)n : RULE_LINES;
	struct alert_counts counts;
	char text[96];

	watch->alert.n_unseen = 0;
	if (n == 0) {
		(void)screen_put(top, 0, 0, LOOK_PLAIN, "no rules: press a to add one, such as");
		(void)screen_put(top + 1, 2, 0, LOOK_BOLD, "handles>80%   leak   handles>+100/h nginx");
		return;
	}
	if (rules > rows / 3)
		rules = rows / 3;
	alert_set_counts(watch->alert.set, &counts);
	(void)screen_put(top, 0, screen_columns(), LOOK_HEADING, "  ACTIVE RULE");
	draw_rules(watch, top + 1, (unsigned)rules);
	(void)snprintf(text, sizeof(text), "TIME     WHAT  %u active, %llu fired", counts.active,
		       (unsigned long long)counts.fired);
	(void)screen_put(top + 1 + rules, 0, screen_columns(), LOOK_HEADING, text);
	if (rows - 2 - rules > 0)
		draw_events(watch, top + 2 + rules, (size_t)(rows - 2 - rules));
}

/* Keys */

static void select_event(struct alert_view *view, int64_t at)
{
	int64_t last = (int64_t)view->n_events - 1;

	at = at > last ? last : at;
	view->selected = at < 0 ? 0 : (size_t)at;
}

/* Go to the process of the selected event, in the report. */
static void go_to_process(struct watch *watch)
{
	const struct alert_view *view = &watch->alert;
	const struct alert_event *event;

	if (view->selected >= view->n_events)
		return;
	event = &view->event[view->n_events - 1 - view->selected];
	if (!model_find(&watch->model, event->pid, event->start_ticks)) {
		watch_say(watch, "PID %d has ended", (int)event->pid);
		return;
	}
	watch->view = WATCH_REPORT;
	watch->report.filter[0] = '\0';
	watch->report.is_following = true;
	watch->report.pid = event->pid;
	watch->report.start_ticks = event->start_ticks;
}

bool alert_key(struct watch *watch, uint32_t key)
{
	struct alert_view *view = &watch->alert;
	int64_t at = (int64_t)view->selected;

	switch (key) {
	case 'a':
		watch_ask(watch, PROMPT_RULE, "");
		return true;
	case SCREEN_UP:
	case 'k':
		select_event(view, at - 1);
		return true;
	case SCREEN_DOWN:
	case 'j':
		select_event(view, at + 1);
		return true;
	case SCREEN_PAGE_UP:
		select_event(view, at - screen_rows() / 2);
		return true;
	case SCREEN_PAGE_DOWN:
		select_event(view, at + screen_rows() / 2);
		return true;
	case SCREEN_HOME:
		select_event(view, 0);
		return true;
	case SCREEN_END:
		select_event(view, (int64_t)view->n_events - 1);
		return true;
	case SCREEN_ENTER:
		go_to_process(watch);
		return true;
	default:
		return false;
	}
}
