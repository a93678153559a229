/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.h - tendril watch: one model, views of it, one loop
 *
 * A view draws itself between the two bars and takes the keys that are its own.  Terminal and
 * ncurses: screen.h.  What is shown: model.h.
 */
#ifndef CMD_WATCH_WATCH_H
#define CMD_WATCH_WATCH_H

#include "cmd/alerts.h"
#include "cmd/moment.h"
#include "cmd/watch/arm.h"
#include "cmd/watch/model.h"
#include "cmd/watch/screen.h"
#include "cmd/watch/window.h"
#include "monitor/store.h"

#define WATCH_TEXT_BYTES 256

struct watch;

/* The report */

enum report_column {
	REPORT_PID, REPORT_NAME, REPORT_USER, REPORT_HANDLES, REPORT_LIMIT, REPORT_PERCENT,
	REPORT_CHANGE, REPORT_TREND, REPORT_THREADS, REPORT_MAPPINGS, REPORT_RESIDENT, REPORT_CPU,
	REPORT_COLUMNS,
};

struct report {
	struct model_entry **row; /* filtered and sorted; good until the next sample */
	size_t n_rows, room;
	size_t top, selected;
	enum report_column sort;
	bool reverse, is_following;
	pid_t pid;                /* of the selected line; with start_ticks what is followed */
	uint64_t start_ticks;
	char filter[WATCH_TEXT_BYTES];
};

/* As --sort has them. */
extern const char *const report_column_names[REPORT_COLUMNS];
/* Fill row.  Return: 0, -ENOMEM. */
int report_arrange(struct watch *watch);
void report_draw(struct watch *watch, int top, int rows);
bool report_key(struct watch *watch, uint32_t key);
/* The same as a table on stdout. */
int report_print(const struct watch *watch, bool json);

/* The chart */

#define CHART_LINES 12

struct chart_line {
	pid_t pid;
	uint64_t start_ticks;
	enum model_series series;
	int scale; /* power of ten that the values are drawn with */
};

struct chart {
	struct chart_line line[CHART_LINES];
	size_t n_lines, selected;
	bool was_filled;  /* by the user, or once by us */
	bool is_fitted;   /* the vertical axis begins at the least value, not at zero */
	bool highlights;  /* the selected line above the others, which are faint */
	size_t points;    /* samples across the width, 0: as many as there is room for */
};

/* Return: 0, -EEXIST, -ENOSPC (CHART_LINES are there). */
int chart_add(struct watch *watch, struct model_entry *entry, enum model_series series);
/* What was typed: [COUNTER] SELECTOR or a counter path.  Says what was wrong with it. */
void chart_add_typed(struct watch *watch, const char *text);
void chart_forget(struct watch *watch);
/* The model is another one of the same log: the lines stay whose processes are in it. */
void chart_find_again(struct watch *watch);
void chart_draw(struct watch *watch, int top, int rows);
bool chart_key(struct watch *watch, uint32_t key);

/* Alerts */

struct alert_view {
	struct cmd_alerts alerts;
	struct alert_set *set;     /* of these */
	uint64_t version;          /* of what is shown */
	char typed_rule[WATCH_TEXT_BYTES]; /* waits for its action, */
	char typed_action[WATCH_TEXT_BYTES]; /* and for how often */
	struct alert_event *event; /* all that are remembered, oldest first */
	size_t n_events, n_unseen;
	size_t top, selected;      /* counted from the newest */
	unsigned rule;             /* the one that has to be in sight */
};

/* Return: 0, -ENOMEM. */
int alert_open(struct watch *watch, uint64_t handle_limit);
void alert_close(struct watch *watch);
/* Judge a sample.  Return: 0, -ENOMEM. */
int alert_take(struct watch *watch, const struct monitor_sample *sample);
/* Collect commands that have ended. */
void alert_reap(struct watch *watch);
/* One after the other: the rule, what is done then ("": it is only told), "y": every time. */
void alert_rule_typed(struct watch *watch, const char *text);
void alert_action_typed(struct watch *watch, const char *text);
void alert_often_typed(struct watch *watch, const char *text);
/* Does any rule hold for that process now? */
bool alert_holds_for(const struct watch *watch, const struct model_entry *entry);
void alert_draw(struct watch *watch, int top, int rows);
bool alert_key(struct watch *watch, uint32_t key);

/* Sites: who opens the handles of the processes that are armed */

struct sites_view {
	struct arm *arm;          /* NULL: nothing was armed yet */
	bool arms_by_itself;      /* --leaks */
	bool is_shown;            /* the report of one, in place of the view */
	pid_t pid;                /* of that one */
	uint64_t start_ticks;
	char *text;               /* NULL: it is not there yet */
	int n_lines, top, left;   /* left: so many characters of each line are not shown */
};

/* A sample was taken.  Arms what leaks, where that is wanted. */
void sites_take(struct watch *watch);
/* -1, or what can be read from when there is something new; then sites_look() takes it. */
int sites_fd(const struct watch *watch);
void sites_look(struct watch *watch);
/* Arm it, or disarm it. */
void sites_toggle(struct watch *watch, struct model_entry *entry);
/* Show its report. */
void sites_show(struct watch *watch, const struct model_entry *entry);
/* The last of the rows tells of what is armed, of entry rather than of another: entry may be NULL.
 * Return: how many rows are left. */
int sites_draw_line(struct watch *watch, const struct model_entry *entry, int top, int rows);
void sites_draw(struct watch *watch, int top, int rows);
void sites_key(struct watch *watch, uint32_t key);
void sites_close(struct watch *watch);

/* Logs */

/* A log that is looked at. */
struct log_file {
	struct store *store; /* NULL: none */
	char path[WATCH_TEXT_BYTES];
	bool has_range;
	struct store_range range;
	int64_t from_ns, to_ns; /* the window that is shown */
	struct store_bookmark *mark;
	size_t n_marks, selected;
};

struct log_view {
	struct store *store;    /* is recorded to, or NULL */
	char path[WATCH_TEXT_BYTES];
	uint64_t n_recorded;
	struct log_file opened; /* is looked at; then the live ones are here: */
	struct model model;
	struct chart chart;
	struct log_file coming; /* becomes opened when its first window has been read */
	struct window_reader *reader; /* of coming or, without that, of opened; NULL: nothing is read */
	int64_t from_ns, to_ns; /* what it reads */
};

void log_record(struct watch *watch, const char *path);
void log_mark(struct watch *watch, const char *text);
/* At its last hour. */
void log_open(struct watch *watch, const char *path);
/*
 * The same from the command line, at a window: from and to are moments of which either may not be
 * given.  Return: 0, or a negative errno; *error then says why.
 */
int log_open_window(struct watch *watch, const char *path, const struct cmd_moment *from,
		    const struct cmd_moment *to, struct store_error *error);
bool log_is_open(const struct watch *watch);
/* -1, or what can be read from when a window has been read; then log_show_read() shows it. */
int log_reading_fd(const struct watch *watch);
void log_show_read(struct watch *watch);
/* How far it is; false: nothing is read. */
bool log_progress(const struct watch *watch, char *text, size_t room);
void log_stop_reading(struct watch *watch);
void log_take(struct watch *watch, const struct monitor_sample *sample);
/* What goes on being sampled while a log is looked at. */
struct model *log_live_model(struct watch *watch);
void log_close(struct watch *watch);
void log_draw(struct watch *watch, int top, int rows);
bool log_key(struct watch *watch, uint32_t key);

/* All of it */

enum watch_view { WATCH_REPORT = 0, WATCH_CHART, WATCH_ALERT, WATCH_LOG, WATCH_VIEWS };

enum watch_prompt { PROMPT_NONE = 0, PROMPT_FILTER, PROMPT_INTERVAL, PROMPT_ADD, PROMPT_RULE,
		    PROMPT_ACTION, PROMPT_OFTEN, PROMPT_RECORD, PROMPT_MARK, PROMPT_OPEN };

struct watch {
	struct model model;
	struct report report;
	struct chart chart;
	struct alert_view alert;
	struct sites_view sites;
	struct log_view log;
	struct trend_table *trends;
	struct monitor_sampler *sampler;
	const struct proc_selector *selectors; /* of the command line; none: every process */
	size_t n_selectors;
	enum watch_view view;
	int64_t interval_ms;
	bool is_paused, shows_help, wants_end, is_new_interval;
	int help_top;
	enum watch_prompt prompt;
	char typed[WATCH_TEXT_BYTES];
	char before[WATCH_TEXT_BYTES];  /* what ESC brings back */
	char message[WATCH_TEXT_BYTES]; /* until the next key */
};

#define WATCH_MIN_INTERVAL_MS 50
#define WATCH_MAX_INTERVAL_MS (24 * 3600 * 1000LL)

void watch_say(struct watch *watch, const char *format, ...) __attribute__((format(printf, 2, 3)));
void watch_ask(struct watch *watch, enum watch_prompt prompt, const char *text);
/* Does the selector mean it?  A log knows no control groups. */
bool watch_selects(const struct watch *watch, const struct proc_selector *selector,
		   const struct monitor_process *process);
/* Take one, and judge and arrange it.  Return: 0 or a negative errno. */
int watch_sample(struct watch *watch);
void watch_draw(struct watch *watch);
void watch_key(struct watch *watch, uint32_t key);
/* Lines of help: where lines begin to be shown is at most help_rows() - 1. */
void help_draw(struct watch *watch, int top, int rows);
int help_rows(void);
/* Run until the user or a signal ends it.  Return: 0 or a negative errno; *ret_signal is the signal
 * to die of, or 0. */
int watch_loop(struct watch *watch, int *ret_signal);

#endif /* CMD_WATCH_WATCH_H */
