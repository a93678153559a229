/* SPDX-License-Identifier: BSD-2-Clause */
/* alert.c - the rules, for how many processes each holds now, and what fired */
#include "cmd/watch/watch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define RULE_LINES 5

/* Feeding */

int alert_open(struct watch *watch, uint64_t handle_limit)
{
	int r = trend_table_new(&watch->trends);

	/* What commands write would be written across the screen. */
	if (r == 0)
		r = cmd_alerts_open(&watch->alert.alerts, -1, handle_limit);
	watch->alert.set = watch->alert.alerts.set;
	return r;
}

void alert_close(struct watch *watch)
{
	cmd_alerts_close(&watch->alert.alerts);
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
	view->version = alert_set_version(view->set);
	return 0;
}

int alert_take(struct watch *watch, const struct monitor_sample *sample)
{
	int r = trend_table_feed(watch->trends, sample);

	if (r == 0)
		r = alert_set_feed(watch->alert.set, sample, watch->trends);
	if (r < 0)
		return r;
	watch->alert.n_unseen += (size_t)r;
	return watch->alert.version == alert_set_version(watch->alert.set) ? 0 :
									     read_events(&watch->alert);
}

void alert_reap(struct watch *watch)
{
	alert_set_reap(watch->alert.set);
	if (watch->alert.version != alert_set_version(watch->alert.set))
		(void)read_events(&watch->alert); /* without memory: with the next sample */
}

/* Rules that are typed */

static void add_rule(struct watch *watch, const struct alert_action *action)
{
	char why[ALERT_WHY_BYTES];
	int r = alert_set_add(watch->alert.set, watch->alert.typed_rule, action, why);

	if (r < 0)
		watch_say(watch, "%s", why);
	else
		watch->alert.rule = (unsigned)r;
}

void alert_rule_typed(struct watch *watch, const char *text)
{
	char why[ALERT_WHY_BYTES];

	if (alert_rule_check(text, why) < 0) {
		watch_say(watch, "%s", why);
		return;
	}
	(void)snprintf(watch->alert.typed_rule, sizeof(watch->alert.typed_rule), "%s", text);
	watch_ask(watch, PROMPT_ACTION, "");
}

void alert_action_typed(struct watch *watch, const char *text)
{
	if (!text[strspn(text, " \t")]) {
		add_rule(watch, NULL);
		return;
	}
	(void)snprintf(watch->alert.typed_action, sizeof(watch->alert.typed_action), "%s", text);
	watch_ask(watch, PROMPT_OFTEN, "");
}

static bool is_address(const char *text)
{
	return !strncmp(text, "http://", 7) || !strncmp(text, "https://", 8);
}

void alert_often_typed(struct watch *watch, const char *text)
{
	const char *what = watch->alert.typed_action;
	struct alert_action action = { .once = (*text & ~0x20) != 'Y' };

	if (is_address(what))
		action.url = what;
	else
		action.shell = what;
	add_rule(watch, &action);
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

static void draw_rule(const struct watch *watch, unsigned rule, int row)
{
	struct alert_rule_facts facts;
	int look, column;
	char text[64];

	if (!alert_set_rule_facts(watch->alert.set, rule, &facts))
		return;
	look = facts.n_active ? LOOK_ALARM : LOOK_PLAIN;
	(void)snprintf(text, sizeof(text), facts.n_active ? "%zu now" : "-", facts.n_active);
	(void)screen_put_right(row, 0, 8, look, text);
	column = screen_put(row, 9, 0, look, facts.text);
	if (!facts.runs && !facts.calls)
		return;
	(void)snprintf(text, sizeof(text), "  (%s%s%s, %s)", facts.runs ? "run" : "",
		       facts.runs && facts.calls ? " and " : "", facts.calls ? "call" : "",
		       facts.every_time ? "every time" : "once");
	(void)screen_put(row, column, 0, LOOK_FAINT, text);
}

static void draw_rules(struct watch *watch, int top, unsigned rows)
{
	unsigned n = alert_set_n_rules(watch->alert.set);
	unsigned first = watch->alert.rule >= rows ? watch->alert.rule + 1 - rows : 0;

	for (unsigned i = 0; i < rows && first + i < n; i++)
		draw_rule(watch, first + i, top + (int)i);
}

static void draw_event(const struct watch *watch, const struct alert_event *event, int row,
		       bool is_selected)
{
	int look = is_selected ? LOOK_BAR : event->is_clear ? LOOK_PLAIN : LOOK_WARNING;
	time_t seconds = event->time_ns / NS_PER_S;
	char clock[16] = "", line[ALERT_LINE_BYTES], outcome[ALERT_OUTCOME_BYTES];
	int edge = screen_columns();
	struct tm at;

	if (localtime_r(&seconds, &at))
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &at);
	alert_event_text(watch->alert.set, event, line);
	(void)screen_put(row, 0, screen_columns(), look, clock);
	(void)screen_put(row, 9, 6, look, event->has_ended ? "ended" : event->is_clear ? "clear" :
										 "FIRED");
	alert_outcome_text(event, outcome);
	(void)screen_put(row, 15, edge - 15, look, line);
	if (outcome[0] && edge - screen_width(outcome) > 30) {
		(void)screen_put(row, edge - screen_width(outcome) - 2, 2, look, "  ");
		(void)screen_put(row, edge - screen_width(outcome), 0, look, outcome);
	}
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
