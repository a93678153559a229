/* SPDX-License-Identifier: BSD-2-Clause */
/* sites.c - who opens the handles of a process: armed by a key or by the trend, told in a line, and
 * its report on pages */
#include "cmd/watch/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 1024 /* of the report: what is longer is cut */
#define SIDE_STEP  16   /* characters */

/* Arming */

static int start(struct watch *watch)
{
	struct sites_view *view = &watch->sites;

	return view->arm ? 0 : arm_new(view->arms_by_itself, &view->arm);
}

static int arm_entry(struct watch *watch, const struct model_entry *entry)
{
	int r = start(watch);

	return r < 0 ? r : arm_add(watch->sites.arm, entry->now.pid, entry->now.start_ticks);
}

static bool is_leaking(const struct watch *watch, const struct model_entry *entry)
{
	struct trend_verdict verdict;

	return trend_table_verdict(watch->trends, entry->now.pid, entry->now.start_ticks,
				   &verdict) == 0 && verdict.is_leaking;
}

/* What does not fit is armed when another one has ended. */
static void arm_leaking(struct watch *watch)
{
	const struct model *model = log_live_model(watch);
	int r = 0;

	for (size_t i = 0; i < model->n_entries && (r == 0 || r == -EEXIST); i++) {
		const struct model_entry *entry = model->entry[i];

		if (entry->is_alive && !entry->is_left_alone && entry->now.pid != getpid() &&
		    is_leaking(watch, entry))
			r = arm_entry(watch, entry);
	}
	if (r == -EPERM)
		watch->sites.arms_by_itself = false; /* it was told why */
}

void sites_take(struct watch *watch)
{
	struct sites_view *view = &watch->sites;

	if (view->arms_by_itself && start(watch) < 0) {
		view->arms_by_itself = false;
		watch_say(watch, "--leaks: out of memory");
	}
	if (view->arms_by_itself)
		arm_leaking(watch);
	if (view->arm)
		arm_step(view->arm);
}

void sites_toggle(struct watch *watch, struct model_entry *entry)
{
	int pid = entry ? (int)entry->now.pid : 0, r;

	if (!entry || log_is_open(watch) || !entry->is_alive) {
		watch_say(watch, "only a process that lives can be armed");
		return;
	}
	if (watch->sites.arm && arm_remove(watch->sites.arm, pid, entry->now.start_ticks) == 0) {
		entry->is_left_alone = true;
		watch_say(watch, "PID %d is not armed any more", pid);
		return;
	}
	r = pid == getpid() ? -EINVAL : arm_entry(watch, entry);
	if (r == 0)
		entry->is_left_alone = false;
	if (r == 0)
		watch_say(watch, "PID %d is armed: who opens its handles?", pid);
	else if (r == -ENOSPC)
		watch_say(watch, "%d are armed: disarm one first (l)", ARM_MAX);
	else if (r == -EINVAL)
		watch_say(watch, "that is this program itself");
	else if (r == -EPERM)
		sites_look(watch);
	else
		watch_say(watch, "PID %d: %s", pid, strerror(-r));
}

void sites_close(struct watch *watch)
{
	arm_free(watch->sites.arm);
	free(watch->sites.text);
	watch->sites = (struct sites_view){ 0 };
}

/* What is new */

int sites_fd(const struct watch *watch)
{
	return watch->sites.arm ? arm_fd(watch->sites.arm) : -1;
}

static void take_report(struct sites_view *view)
{
	char *text = arm_take_report(view->arm);

	if (!text)
		return;
	free(view->text);
	view->text = text;
	view->n_lines = 0;
	for (const char *line = text; (line = strchr(line, '\n')); line++)
		view->n_lines++;
}

static void take_ended(struct watch *watch, const struct arm_process *process)
{
	struct model_entry *entry = model_find(log_live_model(watch), process->pid,
					       process->start_ticks);

	if (entry)
		entry->is_left_alone = true;
	if (process->state == ARM_ENDED)
		watch_say(watch, "PID %d has ended: it is not armed any more", (int)process->pid);
	else
		watch_say(watch, "PID %d: %s", (int)process->pid, process->text);
}

void sites_look(struct watch *watch)
{
	struct sites_view *view = &watch->sites;
	struct arm_process process;
	char why[ARM_TEXT_BYTES];

	arm_take_notice(view->arm);
	while (arm_take_ended(view->arm, &process))
		take_ended(watch, &process);
	if (arm_take_refusal(view->arm, why, sizeof(why)))
		watch_say(watch, "%s", why);
	take_report(view);
}

/* The line */

/* Entry's, else the one with the most handles. */
static const struct arm_process *choose(const struct arm_process *armed, size_t n,
					const struct model_entry *entry)
{
	const struct arm_process *most = armed;

	for (size_t i = 0; i < n; i++) {
		if (entry && armed[i].pid == entry->now.pid &&
		    armed[i].start_ticks == entry->now.start_ticks)
			return &armed[i];
		if (armed[i].n_handles > most->n_handles)
			most = &armed[i];
	}
	return most;
}

static void describe(const struct arm_process *process, size_t n, char *text, size_t room)
{
	int used = n > 1 ? snprintf(text, room, "%zu armed  ", n) : 0;

	text += used;
	room -= (size_t)used;
	if (process->state == ARM_ASKED)
		(void)snprintf(text, room, "PID %d: attaching", (int)process->pid);
	else if (!process->n_handles)
		(void)snprintf(text, room, "PID %d armed: nothing that it opened since stays open",
			       (int)process->pid);
	else
		(void)snprintf(text, room, "PID %d: %" PRIu64 " open since armed, %+.0f/h, %s",
			       (int)process->pid, process->n_handles, process->rate_per_hour,
			       process->text);
}

int sites_draw_line(struct watch *watch, const struct model_entry *entry, int top, int rows)
{
	struct arm_process armed[ARM_MAX];
	char text[2 * ARM_TEXT_BYTES];
	size_t n = watch->sites.arm ? arm_list(watch->sites.arm, armed) : 0;

	if (n == 0 || rows < 5)
		return rows;
	describe(choose(armed, n, entry), n, text, sizeof(text));
	(void)screen_put(top + rows - 1, 0, screen_columns(), LOOK_BOLD, text);
	return rows - 1;
}

/* The report */

static bool is_armed(struct arm *arm, pid_t pid, uint64_t start_ticks)
{
	struct arm_process armed[ARM_MAX];
	size_t n = arm ? arm_list(arm, armed) : 0;

	for (size_t i = 0; i < n; i++)
		if (armed[i].pid == pid && armed[i].start_ticks == start_ticks)
			return true;
	return false;
}

void sites_show(struct watch *watch, const struct model_entry *entry)
{
	struct sites_view *view = &watch->sites;

	if (!entry || !is_armed(view->arm, entry->now.pid, entry->now.start_ticks)) {
		watch_say(watch, "it is not armed: l does that");
		return;
	}
	free(view->text);
	view->text = NULL;
	view->n_lines = view->top = view->left = 0;
	view->is_shown = true;
	view->pid = entry->now.pid;
	view->start_ticks = entry->now.start_ticks;
	arm_show(view->arm, view->pid, view->start_ticks);
}

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : line + strlen(line);
}

static const char *skip_characters(const char *text, int n)
{
	while (n-- > 0 && *text)
		for (text++; ((unsigned char)*text & 0xc0) == 0x80; text++)
			;
	return text;
}

static void draw_text(const struct sites_view *view, int top, int rows)
{
	const char *line = view->text;

	for (int i = 0; i < view->top; i++)
		line = next_line(line);
	for (int i = 0; i < rows && *line; i++) {
		const char *next = next_line(line);
		char text[LINE_BYTES];

		(void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, "\n"), line);
		(void)screen_put(top + i, 0, 0, strncmp(text, "LEAK", 4) ? LOOK_PLAIN : LOOK_ALARM,
				 skip_characters(text, view->left));
		line = next;
	}
}

static void scroll(struct sites_view *view, int rows, int64_t to)
{
	int last = view->n_lines > rows ? view->n_lines - rows : 0;

	view->top = to < 0 ? 0 : to > last ? last : (int)to;
}

void sites_draw(struct watch *watch, int top, int rows)
{
	struct sites_view *view = &watch->sites;

	if (!view->text) {
		(void)screen_put(top, 0, 0, LOOK_PLAIN,
				 is_armed(view->arm, view->pid, view->start_ticks) ?
				 "looking ..." : "it is not armed any more");
		return;
	}
	scroll(view, rows, view->top);
	draw_text(view, top, rows);
}

void sites_key(struct watch *watch, uint32_t key)
{
	struct sites_view *view = &watch->sites;
	int rows = screen_rows() - 2;

	switch (key) {
	case SCREEN_ESCAPE:
	case 'L':
		view->is_shown = false;
		arm_show(view->arm, 0, 0);
		return;
	case SCREEN_LEFT:
		view->left -= view->left ? SIDE_STEP : 0;
		return;
	case SCREEN_RIGHT:
		view->left += view->left < LINE_BYTES ? SIDE_STEP : 0;
		return;
	case SCREEN_UP:
	case 'k':
		scroll(view, rows, (int64_t)view->top - 1);
		return;
	case SCREEN_DOWN:
	case 'j':
		scroll(view, rows, (int64_t)view->top + 1);
		return;
	case SCREEN_PAGE_UP:
		scroll(view, rows, (int64_t)view->top - rows + 1);
		return;
	case SCREEN_PAGE_DOWN:
	case ' ':
		scroll(view, rows, (int64_t)view->top + rows - 1);
		return;
	case SCREEN_HOME:
	case 'g':
		scroll(view, rows, 0);
		return;
	case SCREEN_END:
	case 'G':
		scroll(view, rows, view->n_lines);
		return;
	default:
		return;
	}
}
