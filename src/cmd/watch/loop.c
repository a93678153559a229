/* SPDX-License-Identifier: BSD-2-Clause */
/* loop.c - wait for a key, a sample's time or a signal; draw what changed */
#include "cmd/watch/watch.h"
#include "monitor/export.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <wchar.h>

#define MIN_ROWS    5
#define MIN_COLUMNS 24
#define PROGRESS_MS 100 /* between two looks at how far a log has been read */

/* What is said at the bottom */

void watch_say(struct watch *watch, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	(void)vsnprintf(watch->message, sizeof(watch->message), format, values);
	va_end(values);
}

void watch_ask(struct watch *watch, enum watch_prompt prompt, const char *text)
{
	watch->prompt = prompt;
	(void)snprintf(watch->before, sizeof(watch->before), "%s", text);
	(void)snprintf(watch->typed, sizeof(watch->typed), "%s", text);
}

static const char *const questions[] = {
	[PROMPT_FILTER] = "Filter (name, user, PID, container): ",
	[PROMPT_INTERVAL] = "Seconds between samples: ",
	[PROMPT_RULE] = "Rule (handles>80%, leak, ...) [SELECTOR]: ",
	[PROMPT_ACTION] = "Run (command or http:// address; Enter: only tell): ",
	[PROMPT_OFTEN] = "Every time, not only the first for each process? (y/N): ",
	[PROMPT_RECORD] = "Record to file: ",
	[PROMPT_MARK] = "Bookmark: ",
	[PROMPT_OPEN] = "Open log: ",
	[PROMPT_ADD] = "Add ([COUNTER] PID, NAME, user:NAME): ",
};

/* "1.5", without the locale's idea of a point; -1: no such interval. */
static int64_t parse_interval(const char *text)
{
	uint64_t whole = 0, part = 0;
	const char *end = proc_scan(text, 10, &whole);
	int64_t unit = 100, ms = 0;

	if (*text == '.')
		end = text;
	if (!end || whole > WATCH_MAX_INTERVAL_MS / 1000)
		return -1;
	if (*end == '.')
		for (end++; *end >= '0' && *end <= '9'; end++, unit /= 10)
			part += (uint64_t)((*end - '0') * unit);
	ms = (int64_t)(whole * 1000 + part);
	return *end || ms < WATCH_MIN_INTERVAL_MS ? -1 : ms;
}

static void arrange(struct watch *watch)
{
	if (report_arrange(watch) < 0)
		watch_say(watch, "out of memory");
}

static void answer_interval(struct watch *watch)
{
	int64_t ms = parse_interval(watch->typed);

	if (ms < 0) {
		watch_say(watch, "'%s' is no interval: 0.05 to 86400 seconds", watch->typed);
		return;
	}
	watch->interval_ms = ms;
	watch->is_new_interval = true;
}

static void answer(struct watch *watch)
{
	static void (*const answers[])(struct watch *watch, const char *text) = {
		[PROMPT_ADD] = chart_add_typed,  [PROMPT_RULE] = alert_rule_typed,
		[PROMPT_ACTION] = alert_action_typed, [PROMPT_OFTEN] = alert_often_typed,
		[PROMPT_RECORD] = log_record,    [PROMPT_MARK] = log_mark,
		[PROMPT_OPEN] = log_open,
	};
	enum watch_prompt prompt = watch->prompt;
	bool may_be_empty = prompt == PROMPT_ACTION || prompt == PROMPT_OFTEN;

	watch->prompt = PROMPT_NONE;
	if (!watch->typed[0] && !may_be_empty)
		return;
	if (prompt == PROMPT_INTERVAL)
		answer_interval(watch);
	else if (prompt != PROMPT_FILTER)
		answers[prompt](watch, watch->typed);
}

static void erase_last(char *text)
{
	size_t n = strlen(text);

	while (n > 0 && ((unsigned char)text[n - 1] & 0xc0) == 0x80)
		n--;
	text[n ? n - 1 : 0] = '\0';
}

static void type(char *text, uint32_t key)
{
	char bytes[MB_LEN_MAX];
	mbstate_t state = { 0 };
	size_t used = strlen(text), n = wcrtomb(bytes, (wchar_t)key, &state);

	if (n == (size_t)-1 || used + n >= WATCH_TEXT_BYTES)
		return;
	memcpy(text + used, bytes, n);
	text[used + n] = '\0';
}

static void prompt_key(struct watch *watch, uint32_t key)
{
	if (key == SCREEN_ENTER) {
		answer(watch);
	} else if (key == SCREEN_ESCAPE) {
		(void)snprintf(watch->typed, sizeof(watch->typed), "%s", watch->before);
		if (watch->prompt == PROMPT_FILTER)
			memcpy(watch->report.filter, watch->before, sizeof(watch->before));
		watch->prompt = PROMPT_NONE;
	} else if (key == SCREEN_BACKSPACE) {
		erase_last(watch->typed);
	} else if (key == 0x15) { /* ^U */
		watch->typed[0] = '\0';
	} else if (key >= ' ' && key < SCREEN_UP) {
		type(watch->typed, key);
	}
	if (watch->prompt == PROMPT_FILTER)
		memcpy(watch->report.filter, watch->typed, sizeof(watch->typed));
}

/* Drawing */

static const char *const view_names[WATCH_VIEWS] = { "Report", "Chart", "Alert", "Log" };

static void draw_title(const struct watch *watch)
{
	char text[64], clock[16] = "";
	int64_t time_ns = model_time_ns(&watch->model, 0);
	time_t seconds = time_ns / NS_PER_S;
	const char *state;
	struct tm at;
	int column = 0;

	(void)screen_put(0, 0, screen_columns(), LOOK_BAR, "");
	for (int i = 0; i < WATCH_VIEWS; i++) {
		bool is_shown = i == (int)watch->view;

		(void)snprintf(text, sizeof(text), is_shown ? "[%d %s]" : " %d %s ", i + 1,
			       view_names[i]);
		column = screen_put(0, column, 0, LOOK_BAR | (is_shown ? SCREEN_HIGHLIGHT : 0), text);
		if (i != WATCH_ALERT || !watch->alert.n_unseen)
			continue;
		(void)snprintf(text, sizeof(text), "%zu! ", watch->alert.n_unseen);
		column = screen_put(0, column, 0, LOOK_BAR | SCREEN_HIGHLIGHT, text);
	}
	if (time_ns && localtime_r(&seconds, &at))
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &at);
	state = watch->is_paused ? "PAUSED" : log_is_open(watch) ? "PAST" :
		watch->log.store ? "REC" : "";
	(void)snprintf(text, sizeof(text), "%s  every %g s  %s", state,
		       (double)watch->interval_ms / 1000, clock);
	if (column + screen_width(text) >= screen_columns())
		(void)snprintf(text, sizeof(text), "%s", state);
	(void)screen_put_right(0, column, screen_columns() - column, LOOK_BAR, text);
}

static const char *keys_of(const struct watch *watch)
{
	bool wide = screen_columns() >= 70;

	if (watch->shows_help)
		return "any other key: back";
	if (watch->sites.is_shown)
		return "Esc:back q:quit Up Down Left Right PgUp PgDn Home End";
	switch (watch->view) {
	case WATCH_REPORT:
		return wide ? "?:help q:quit /:filter <>:sort r:reverse f:follow a:chart l:leaks i:interval" :
			      "?:help q:quit /:filter <>:sort";
	case WATCH_ALERT:
		return wide ? "?:help q:quit a:add a rule Enter:show the process" :
			      "?:help q:quit a:add a rule";
	case WATCH_LOG:
		return wide ? "?:help q:quit r:record b:bookmark o:open c:close <- -> []:window" :
			      "?:help q:quit r:record o:open";
	default:
		return wide ? "?:help q:quit a:add d:remove +-:scale s:scale all h:highlight z:fit l:leaks" :
			      "?:help q:quit a:add d:remove";
	}
}

static void draw_bottom(const struct watch *watch)
{
	int row = screen_rows() - 1, column;
	char progress[64];

	if (watch->prompt == PROMPT_NONE) {
		const char *said = log_progress(watch, progress, sizeof(progress)) ? progress :
											watch->message;

		(void)screen_put(row, 0, screen_columns(), *said ? LOOK_BOLD : LOOK_BAR,
				 *said ? said : keys_of(watch));
		screen_cursor(-1, 0);
		return;
	}
	(void)screen_put(row, 0, screen_columns(), LOOK_BOLD, "");
	column = 0;
	if (screen_columns() >= 60)
		column = screen_put(row, 0, 0, LOOK_BOLD, questions[watch->prompt]);
	else
		column = screen_put(row, 0, 0, LOOK_BOLD, "> ");
	column = screen_put(row, column, 0, LOOK_PLAIN, watch->typed);
	screen_cursor(row, column < screen_columns() ? column : screen_columns() - 1);
}

void watch_draw(struct watch *watch)
{
	int rows = screen_rows() - 2;

	screen_clear();
	if (screen_rows() < MIN_ROWS || screen_columns() < MIN_COLUMNS) {
		(void)screen_put(0, 0, 0, LOOK_PLAIN, "too small: 24x5 is needed");
		screen_cursor(-1, 0);
		screen_show();
		return;
	}
	draw_title(watch);
	if (watch->shows_help)
		help_draw(watch, 1, rows);
	else if (watch->sites.is_shown)
		sites_draw(watch, 1, rows);
	else if (watch->view == WATCH_REPORT)
		report_draw(watch, 1, rows);
	else if (watch->view == WATCH_CHART)
		chart_draw(watch, 1, rows);
	else if (watch->view == WATCH_ALERT)
		alert_draw(watch, 1, rows);
	else
		log_draw(watch, 1, rows);
	draw_bottom(watch);
	screen_show();
}

/* Keys */

static void help_key(struct watch *watch, uint32_t key)
{
	int step = key == SCREEN_DOWN || key == 'j' ? 1 : key == SCREEN_UP || key == 'k' ? -1 :
		   key == SCREEN_PAGE_DOWN || key == ' ' ? screen_rows() - 3 :
		   key == SCREEN_PAGE_UP ? 3 - screen_rows() : 0;
	int last = help_rows() - (screen_rows() - 2);

	if (key == SCREEN_END)
		step = last;
	if (key == SCREEN_HOME)
		step = -last;
	if (step == 0)
		watch->shows_help = false;
	watch->help_top += step;
	if (watch->help_top > last)
		watch->help_top = last;
	if (watch->help_top < 0)
		watch->help_top = 0;
}

static void show_view(struct watch *watch, int view)
{
	watch->view = (enum watch_view)((view + WATCH_VIEWS) % WATCH_VIEWS);
}

static bool common_key(struct watch *watch, uint32_t key)
{
	if (key >= '1' && key < '1' + WATCH_VIEWS)
		show_view(watch, (int)(key - '1'));
	else if (key >= SCREEN_F1 && key < SCREEN_F1 + WATCH_VIEWS)
		show_view(watch, (int)(key - SCREEN_F1));
	else if (key == '\t')
		show_view(watch, (int)watch->view + 1);
	else if (key == SCREEN_BACKTAB)
		show_view(watch, (int)watch->view - 1);
	else if (key == 'q')
		watch->wants_end = true;
	else if (key == '?')
		watch->shows_help = true;
	else if (key == 'p')
		watch->is_paused = !watch->is_paused;
	else if (key == 'i')
		watch_ask(watch, PROMPT_INTERVAL, "");
	else
		return false;
	watch->help_top = 0;
	return true;
}

static void stop_reading(struct watch *watch)
{
	log_stop_reading(watch);
	watch_say(watch, log_is_open(watch) ? "stopped: the window is as it was" :
					      "stopped: the log was not opened");
}

static bool (*const view_keys[WATCH_VIEWS])(struct watch *watch, uint32_t key) = {
	[WATCH_REPORT] = report_key,
	[WATCH_CHART] = chart_key,
	[WATCH_ALERT] = alert_key,
	[WATCH_LOG] = log_key,
};

void watch_key(struct watch *watch, uint32_t key)
{
	watch->message[0] = '\0';
	if (key == SCREEN_REDRAW)
		return;
	if (watch->prompt != PROMPT_NONE)
		prompt_key(watch, key);
	else if (key == SCREEN_ESCAPE && watch->log.reader)
		stop_reading(watch);
	else if (watch->shows_help && key != 'q')
		help_key(watch, key);
	else if (watch->sites.is_shown && key != 'q' && key != '?')
		sites_key(watch, key);
	else if (!common_key(watch, key))
		(void)view_keys[watch->view](watch, key);
	arrange(watch);
}

/* Events */

static int set_timer(int timer, int64_t interval_ms)
{
	struct timespec time = { interval_ms / 1000, interval_ms % 1000 * NS_PER_MS };
	struct itimerspec every = { .it_interval = time, .it_value = time };

	return timerfd_settime(timer, 0, &every, NULL) < 0 ? -errno : 0;
}

bool watch_selects(const struct watch *watch, const struct proc_selector *selector,
		   const struct monitor_process *process)
{
	struct proc_process known = { .pid = process->pid, .tgid = process->pid,
				      .uid = process->uid, .session = process->session };

	if (log_is_open(watch))
		return selector->kind == PROC_SELECT_CGROUP || export_is_selected(selector, process);
	memcpy(known.comm, process->name, sizeof(known.comm));
	return proc_selector_match(selector, &known);
}

int watch_sample(struct watch *watch)
{
	const struct monitor_sample *sample;
	int r = monitor_sample(watch->sampler, &sample);

	if (r == 0) {
		const struct model_input input = { .sample = sample, .n_samples = 1 };

		r = model_take(log_live_model(watch), &input);
	}
	if (r == 0)
		r = alert_take(watch, sample);
	if (r == 0) {
		log_take(watch, sample);
		sites_take(watch);
	}
	return r == 0 ? report_arrange(watch) : r;
}

/* The terminal is the shell's while we are stopped. */
static void stop_here(void)
{
	sigset_t stop;

	screen_suspend();
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	(void)raise(SIGTSTP); /* blocked until here */
	(void)sigprocmask(SIG_UNBLOCK, &stop, NULL);
	(void)sigprocmask(SIG_BLOCK, &stop, NULL);
	screen_resume();
}

/* Return: the signal to die of, or 0. */
static int take_signal(int signals)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGWINCH:
			screen_measure();
			break;
		case SIGTSTP:
			stop_here();
			break;
		case SIGCONT: /* after a SIGSTOP: who knows what is on the screen now */
			screen_resume();
			break;
		default:
			return (int)info.ssi_signo;
		}
	}
	return 0;
}

static void take_keys(struct watch *watch)
{
	uint32_t key;

	while (!watch->wants_end && (key = screen_key()) != SCREEN_NO_KEY)
		watch_key(watch, key);
}

static int take_timer(struct watch *watch, int timer)
{
	uint64_t passed;

	/* Several passed at once, behind a slow terminal: one sample is enough. */
	if (read(timer, &passed, sizeof(passed)) != sizeof(passed) || watch->is_paused)
		return 0;
	return watch_sample(watch);
}

/* Until the next step of a log being read, or of an action of an alert; -1: there is none. */
static int patience_ms(struct watch *watch)
{
	int alerts = cmd_alerts_patience_ms(&watch->alert.alerts);
	int reading = watch->log.reader ? PROGRESS_MS : -1;

	if (alerts < 0 || reading < 0)
		return alerts < 0 ? reading : alerts;
	return alerts < reading ? alerts : reading;
}

static int wait_and_act(struct watch *watch, int timer, int signals, int *ret_signal)
{
	struct pollfd fds[] = { { STDIN_FILENO, POLLIN, 0 }, { timer, POLLIN, 0 },
				{ signals, POLLIN, 0 }, { log_reading_fd(watch), POLLIN, 0 },
				{ sites_fd(watch), POLLIN, 0 } };
	int r = 0;

	if (poll(fds, ARRAY_SIZE(fds), patience_ms(watch)) < 0)
		return errno == EINTR ? 0 : -errno;
	alert_reap(watch);
	if (fds[2].revents)
		*ret_signal = take_signal(signals);
	/* Before the keys: they can begin to read another window. */
	if (fds[3].revents) {
		log_show_read(watch);
		arrange(watch);
	}
	if (fds[4].revents)
		sites_look(watch);
	if (fds[0].revents & POLLIN)
		take_keys(watch);
	else if (fds[0].revents) /* the terminal is gone */
		*ret_signal = SIGHUP;
	if (fds[1].revents && !*ret_signal)
		r = take_timer(watch, timer);
	if (r == 0 && watch->is_new_interval) {
		watch->is_new_interval = false;
		r = set_timer(timer, watch->interval_ms);
	}
	return r;
}

static int block_signals(sigset_t *ret_before)
{
	static const int caught[] = { SIGWINCH, SIGTSTP, SIGCONT, SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		sigaddset(&signals, caught[i]);
	if (sigprocmask(SIG_BLOCK, &signals, ret_before) < 0)
		return -errno;
	(void)signal(SIGTSTP, SIG_DFL); /* not ncurses' handler: stop_here() does its work */
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int watch_loop(struct watch *watch, int *ret_signal)
{
	sigset_t before;
	AUTO_CLOSE int signals = block_signals(&before);
	AUTO_CLOSE int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int end_signal = 0, r;

	if (signals < 0)
		return signals;
	if (timer < 0)
		return -errno;
	r = set_timer(timer, watch->interval_ms);
	if (r == 0)
		r = watch_sample(watch);
	while (r == 0 && !watch->wants_end && !end_signal) {
		watch_draw(watch);
		r = wait_and_act(watch, timer, signals, &end_signal);
	}
	*ret_signal = end_signal;
	return r;
}
