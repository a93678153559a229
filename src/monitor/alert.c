/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/alert.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "monitor/alert_run.h"

#define SPANS 12 /* of the time that a growth is measured over */
#define CLEAR_DEFAULT 0.05
#define RULE_TEXT_MAX 512

enum condition { OVER, UNDER, GROWS, LEAKS };
enum subject { OF_COUNTER, OF_OWN_LIMIT, OF_PROCESSES };

/* The lowest values of the last spans: what breathes does not grow. */
struct growth {
	int64_t span;
	double low[SPANS + 1];
};

/* A process that a rule is for. */
struct watched {
	pid_t pid;
	uint64_t start_ticks;
	char name[PROC_NAME_BYTES];
	bool is_selected; /* asked once: it may cost a look into /proc */
	bool is_active, has_fired;
	double value;
	struct growth *growth; /* NULL: the rule needs none */
};

struct rule {
	char *text;
	enum condition condition;
	enum subject subject;
	enum monitor_counter counter;
	double limit;
	int64_t period_ns;       /* of a growth */
	bool has_selector;
	struct proc_selector selector;
	struct alert_run_action *action; /* NULL: none */
	bool once, on_clear;
	struct watched *watched; /* in rising order of pid */
	size_t n_watched;
	struct watched all;      /* of a rule about how many there are */
};

struct alert_set {
	struct alert_options options;
	struct rule *rule;
	unsigned n_rules;
	struct alert_event *event; /* a ring: number n is at n % ALERT_EVENTS_MAX */
	uint64_t n_events, n_fired, version;
	struct alert_run *run;
};

/* Rules from text */

static int refuse(char why[ALERT_WHY_BYTES], int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(char why[ALERT_WHY_BYTES], int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(why, ALERT_WHY_BYTES, format, arguments);
	va_end(arguments);
	return code;
}

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* Digits, a point and digits: in no locale anything else, and neither "inf" nor "0x". */
static const char *scan_number(const char *s, double *ret_number)
{
	double number = 0, scale = 1;
	const char *begin = s;

	for (; *s >= '0' && *s <= '9'; s++)
		number = number * 10 + (*s - '0');
	if (s == begin || s - begin > 18)
		return NULL;
	if (*s == '.') {
		for (s++; *s >= '0' && *s <= '9'; s++) {
			scale /= 10;
			number += scale * (*s - '0');
		}
	}
	*ret_number = number;
	return s;
}

static const char *scan_unit(const char *s, double *number)
{
	static const char units[] = "KMG";
	const char *unit = *s ? strchr(units, toupper((unsigned char)*s)) : NULL;

	if (!unit)
		return s;
	*number *= (double)(UINT64_C(1024) << 10 * (unit - units));
	return s + 1;
}

static bool is_end(const char *s)
{
	return !*s || *s == ' ' || *s == '\t';
}

static const char *parse_period(const char *s, int64_t *ret_ns)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} periods[] = { { "/min", 60 }, { "/h", 3600 }, { "/d", 86400 } };

	for (size_t i = 0; i < ARRAY_SIZE(periods); i++) {
		size_t n = strlen(periods[i].name);

		if (strncmp(s, periods[i].name, n) || !is_end(s + n))
			continue;
		*ret_ns = periods[i].seconds * NS_PER_S;
		return s + n;
	}
	return NULL;
}

static int parse_growth(const char **s, struct rule *rule, char why[ALERT_WHY_BYTES])
{
	const char *end = parse_period(*s, &rule->period_ns);

	if (!end)
		return refuse(why, -EINVAL, "'%s': a growth ends in /min, /h or /d", rule->text);
	if (rule->condition != OVER || rule->subject != OF_COUNTER)
		return refuse(why, -EINVAL, "'%s': a growth is written like handles>+100/h",
			      rule->text);
	rule->condition = GROWS;
	*s = end;
	return 0;
}

/* What stands behind < or >. */
static int parse_limit(const char **s, struct rule *rule, char why[ALERT_WHY_BYTES])
{
	bool is_growth = **s == '+';
	const char *end = scan_number(*s + is_growth, &rule->limit);

	if (!end)
		return refuse(why, -EINVAL, "'%s': no number behind %c", rule->text,
			      rule->condition == OVER ? '>' : '<');
	if (*end == '%' && !is_growth) {
		end++;
		if (rule->subject != OF_COUNTER || rule->counter != MONITOR_HANDLES)
			return refuse(why, -EINVAL, "'%s': only handles have a limit of their own "
				      "that a %% can be of", rule->text);
		rule->subject = OF_OWN_LIMIT;
	} else {
		end = scan_unit(end, &rule->limit);
	}
	*s = end;
	if (is_growth)
		return parse_growth(s, rule, why);
	if (*end == '/')
		return refuse(why, -EINVAL, "'%s': a growth has a + before its number", rule->text);
	if (!is_end(end))
		return refuse(why, -EINVAL, "'%s': no number: '%s'", rule->text, end);
	return 0;
}

/* The counters that a rule can be about, for a person to choose from. */
#define COUNTERS_THERE_ARE "handles, handle_limit, threads, mappings, resident_bytes, processes, leak"

static int parse_counter(const char *name, size_t bytes, struct rule *rule, char why[ALERT_WHY_BYTES])
{
	char word[32];

	(void)snprintf(word, sizeof(word), "%.*s", (int)(bytes < 31 ? bytes : 31), name);
	if (!strcasecmp(word, "processes")) {
		rule->subject = OF_PROCESSES;
		return 0;
	}
	rule->counter = monitor_counter_named(word);
	if (rule->counter == MONITOR_COUNTERS)
		return refuse(why, -EINVAL, "no counter '%s': there are " COUNTERS_THERE_ARE, word);
	if (monitor_counters[rule->counter].is_total)
		return refuse(why, -EINVAL, "%s only ever rises: there is no limit to set", word);
	return 0;
}

static int parse_comparison(const char **s, struct rule *rule, char why[ALERT_WHY_BYTES])
{
	size_t bytes = strcspn(*s, "<> \t=");
	const char *name = *s;
	int r;

	*s = skip_blanks(*s + bytes);
	r = parse_counter(name, bytes, rule, why);
	if (r < 0)
		return r;
	if (**s != '<' && **s != '>')
		return refuse(why, -EINVAL, "'%s': neither < nor > behind %.*s", rule->text, (int)bytes,
			      name);
	rule->condition = *(*s)++ == '<' ? UNDER : OVER;
	if (**s == '=')
		return refuse(why, -EINVAL, "'%s': there is only < and >", rule->text);
	*s = skip_blanks(*s);
	return parse_limit(s, rule, why);
}

static int parse_selector(const char *s, struct rule *rule, char why[ALERT_WHY_BYTES])
{
	int r = *s ? proc_selector_parse(s, &rule->selector) : 0;

	rule->has_selector = r == 0 && *s;
	if (r == -ENOENT)
		return refuse(why, -EINVAL, "no such user: '%s'", s);
	if (r == -ENOMEM)
		return refuse(why, r, "out of memory");
	if (r < 0)
		return refuse(why, -EINVAL, "'%s' is no selector", s);
	if (rule->has_selector && rule->selector.counter)
		return refuse(why, -EINVAL, "'%s': the counter stands before the selector already", s);
	return 0;
}

static int parse_rule(struct rule *rule, char why[ALERT_WHY_BYTES])
{
	const char *s = rule->text;
	int r = 0;

	if (!*s)
		return refuse(why, -EINVAL, "an empty rule");
	if (!strncasecmp(s, "leak", 4) && is_end(s + 4)) {
		rule->condition = LEAKS;
		s += 4;
	} else {
		r = parse_comparison(&s, rule, why);
	}
	if (r == 0)
		r = parse_selector(skip_blanks(s), rule, why);
	if (r == 0 && rule->condition == UNDER && rule->limit <= 0)
		r = refuse(why, -EINVAL, "'%s': nothing is under 0", rule->text);
	return r;
}

static void rule_done(struct rule *rule)
{
	for (size_t i = 0; i < rule->n_watched; i++)
		free(rule->watched[i].growth);
	free(rule->watched);
	proc_selector_done(&rule->selector);
	alert_run_action_free(rule->action);
	free(rule->text);
}

/* A copy without blanks around it. */
static char *trimmed(const char *text)
{
	size_t bytes;

	text += strspn(text, " \t\n");
	bytes = strlen(text);
	while (bytes && strchr(" \t\n", text[bytes - 1]))
		bytes--;
	return strndup(text, bytes);
}

static int rule_make(struct rule *rule, const char *text, const struct alert_action *action,
		     char why[ALERT_WHY_BYTES])
{
	int r;

	if (strlen(text) > RULE_TEXT_MAX)
		return refuse(why, -EINVAL, "a rule of more than %d bytes", RULE_TEXT_MAX);
	rule->text = trimmed(text);
	if (!rule->text)
		return refuse(why, -ENOMEM, "out of memory");
	r = parse_rule(rule, why);
	if (r < 0 || !action)
		return r;
	rule->once = action->once;
	rule->on_clear = action->on_clear;
	r = alert_run_action_new(action, &rule->action);
	if (r == -EINVAL)
		return refuse(why, r, "'%s' is no http or https address",
			      action->url ? action->url : "");
	return r < 0 ? refuse(why, r, "out of memory") : 0;
}

int alert_rule_check(const char *text, char ret_why[ALERT_WHY_BYTES])
{
	struct rule rule = { 0 };
	int r = rule_make(&rule, text, NULL, ret_why);

	rule_done(&rule);
	return r;
}

int alert_set_add(struct alert_set *set, const char *text, const struct alert_action *action,
		  char ret_why[ALERT_WHY_BYTES])
{
	struct rule rule = { 0 }, *grown;
	int r;

	if (set->n_rules == ALERT_RULES_MAX)
		return refuse(ret_why, -ENOSPC, "more than %d rules", ALERT_RULES_MAX);
	r = rule_make(&rule, text, action, ret_why);
	grown = r == 0 ? reallocarray(set->rule, set->n_rules + 1, sizeof(*grown)) : NULL;
	if (r == 0 && !grown)
		r = refuse(ret_why, -ENOMEM, "out of memory");
	if (r < 0) {
		rule_done(&rule);
		return r;
	}
	set->rule = grown;
	set->rule[set->n_rules] = rule;
	return (int)set->n_rules++;
}

/* What happened */

static void note_event(struct alert_set *set, const struct monitor_sample *sample,
		       const struct rule *rule, const struct watched *watched, bool has_ended)
{
	uint64_t number = ++set->n_events;
	struct alert_event *event = &set->event[number % ALERT_EVENTS_MAX];

	*event = (struct alert_event){ .number = number, .time_ns = sample->time_ns,
				       .rule = (unsigned)(rule - set->rule), .pid = watched->pid,
				       .start_ticks = watched->start_ticks, .value = watched->value,
				       .is_clear = !watched->is_active, .has_ended = has_ended };
	memcpy(event->name, watched->name, sizeof(event->name));
	set->version++;
}

static void note_outcome(void *param, uint64_t number, bool is_url, struct alert_outcome outcome)
{
	struct alert_set *set = param;
	struct alert_event *event = &set->event[number % ALERT_EVENTS_MAX];

	if (event->number != number)
		return; /* forgotten since */
	*(is_url ? &event->call : &event->run) = outcome;
	set->version++;
}

static void change(struct alert_set *set, const struct monitor_sample *sample, struct rule *rule,
		   struct watched *watched, bool is_active, bool has_ended)
{
	bool is_wanted = (is_active || rule->on_clear) && !(rule->once && watched->has_fired);

	if (watched->is_active == is_active)
		return;
	watched->is_active = is_active;
	set->n_fired += is_active;
	note_event(set, sample, rule, watched, has_ended);
	if (rule->action && is_wanted)
		alert_run_add(set->run, rule->action, rule->text,
			      &set->event[set->n_events % ALERT_EVENTS_MAX]);
	/* When it clears, its first time is over. */
	watched->has_fired |= !is_active;
}

/* Is the value so far back behind the limit that the alert is over?  A count moves by whole ones: no
 * margin when that is less than one. */
static bool is_clear(const struct alert_set *set, const struct rule *rule, double value)
{
	double margin = rule->limit * set->options.clear_fraction;

	if (rule->subject != OF_OWN_LIMIT && rule->condition != GROWS)
		margin = floor(margin);
	return rule->condition == UNDER ? value >= rule->limit + margin :
					  value <= rule->limit - margin;
}

static void compare(struct alert_set *set, const struct monitor_sample *sample, struct rule *rule,
		    struct watched *watched, double value)
{
	bool holds = rule->condition == UNDER ? value < rule->limit : value > rule->limit;

	watched->value = value;
	if (holds || is_clear(set, rule, value))
		change(set, sample, rule, watched, holds, false);
}

/* Return: by how much the floor rose within the period, or NAN: not known yet. */
static double growth_add(struct growth *growth, int64_t span, double value)
{
	double recent = value;

	if (span > growth->span + SPANS + 1)
		growth->span = span - SPANS - 1;
	while (growth->span < span)
		growth->low[++growth->span % (SPANS + 1)] = NAN;
	growth->low[span % (SPANS + 1)] = fmin(growth->low[span % (SPANS + 1)], value);
	recent = fmin(growth->low[span % (SPANS + 1)], growth->low[(span + SPANS) % (SPANS + 1)]);
	for (int64_t past = span - SPANS; past < span; past++) {
		double low = growth->low[(past + SPANS + 1) % (SPANS + 1)];

		if (!isnan(low))
			return recent - low;
	}
	return NAN;
}

static double growth_of(const struct rule *rule, struct watched *watched, int64_t monotonic_ns,
			double value)
{
	int64_t span = monotonic_ns / (rule->period_ns / SPANS);

	if (!watched->growth) {
		watched->growth = malloc(sizeof(*watched->growth));
		if (!watched->growth)
			return NAN; /* then with the next sample */
		watched->growth->span = span;
		for (size_t i = 0; i <= SPANS; i++)
			watched->growth->low[i] = NAN;
	}
	return growth_add(watched->growth, span, value);
}

/* Return: the value in the rule's unit, or NAN: not known. */
static double value_of(const struct rule *rule, const struct monitor_process *process,
		       struct watched *watched, int64_t monotonic_ns)
{
	double value = (double)process->value[rule->counter];

	if (!monitor_is_known(process, rule->counter))
		return NAN;
	if (rule->condition == GROWS)
		return growth_of(rule, watched, monotonic_ns, value);
	if (rule->subject != OF_OWN_LIMIT)
		return value;
	if (!monitor_is_known(process, MONITOR_HANDLE_LIMIT) || !process->value[MONITOR_HANDLE_LIMIT])
		return NAN;
	return 100 * value / (double)process->value[MONITOR_HANDLE_LIMIT];
}

static void judge_leak(struct alert_set *set, const struct monitor_sample *sample, struct rule *rule,
		       struct watched *watched, const struct trend_table *trends)
{
	struct trend_verdict verdict;

	if (!trends || trend_table_verdict(trends, watched->pid, watched->start_ticks, &verdict) < 0)
		return;
	watched->value = verdict.handles_per_hour;
	change(set, sample, rule, watched, verdict.is_leaking, false);
}

static void judge(struct alert_set *set, const struct monitor_sample *sample, struct rule *rule,
		  struct watched *watched, const struct monitor_process *process,
		  const struct trend_table *trends)
{
	double value;

	if (rule->condition == LEAKS) {
		judge_leak(set, sample, rule, watched, trends);
		return;
	}
	value = value_of(rule, process, watched, sample->monotonic_ns);
	if (!isnan(value))
		compare(set, sample, rule, watched, value);
}

/* Who is watched */

static bool is_costly(const struct rule *rule)
{
	return rule->has_selector && (rule->selector.kind == PROC_SELECT_CGROUP ||
				      rule->selector.kind == PROC_SELECT_CONTAINER);
}

static bool is_selected(const struct rule *rule, const struct monitor_process *process,
			const struct watched *known)
{
	struct proc_process seen = { .pid = process->pid, .tgid = process->pid, .uid = process->uid,
				     .session = process->session };

	if (!rule->has_selector)
		return true;
	/* It was put there before it was given its name by execve(2). */
	if (known && is_costly(rule) && !strcmp(known->name, process->name))
		return known->is_selected;
	memcpy(seen.comm, process->name, sizeof(seen.comm));
	return proc_selector_match(&rule->selector, &seen);
}

static bool is_same(const struct watched *watched, const struct monitor_process *process)
{
	return watched->pid == process->pid && watched->start_ticks == process->start_ticks;
}

static void end_watch(struct alert_set *set, const struct monitor_sample *sample, struct rule *rule,
		      struct watched *watched, bool has_ended)
{
	change(set, sample, rule, watched, false, has_ended);
	free(watched->growth);
}

/* Take over what is known of the processes of the sample, into watched, which has room for all. */
static size_t follow(struct alert_set *set, const struct monitor_sample *sample, struct rule *rule,
		     struct watched *watched)
{
	struct watched *old = rule->watched, *end = old ? old + rule->n_watched : NULL;
	size_t n = 0;

	for (size_t i = 0; i < sample->n_processes; i++) {
		const struct monitor_process *process = &sample->process[i];
		bool is_known, selected;

		while (old < end && old->pid <= process->pid && !is_same(old, process))
			end_watch(set, sample, rule, old++, true);
		is_known = old < end && is_same(old, process);
		selected = is_selected(rule, process, is_known ? old : NULL);
		if (is_known && !selected && !is_costly(rule))
			end_watch(set, sample, rule, old, false);
		if (selected || is_costly(rule)) {
			watched[n] = is_known ? *old : (struct watched){ .pid = process->pid };
			watched[n].start_ticks = process->start_ticks;
			watched[n].is_selected = selected;
			memcpy(watched[n++].name, process->name, sizeof(process->name));
		}
		if (is_known)
			old++;
	}
	while (old < end)
		end_watch(set, sample, rule, old++, true);
	return n;
}

static int judge_rule(struct alert_set *set, const struct monitor_sample *sample, struct rule *rule,
		      const struct trend_table *trends)
{
	struct watched *watched = calloc(sample->n_processes + 1, sizeof(*watched));
	size_t n_selected = 0;

	if (!watched)
		return -ENOMEM;
	rule->n_watched = follow(set, sample, rule, watched);
	free(rule->watched);
	rule->watched = watched;
	for (size_t i = 0; i < rule->n_watched; i++) {
		n_selected += watched[i].is_selected;
		if (!watched[i].is_selected)
			change(set, sample, rule, &watched[i], false, false);
		else if (rule->subject != OF_PROCESSES)
			judge(set, sample, rule, &watched[i],
			      monitor_find(sample, watched[i].pid, watched[i].start_ticks), trends);
	}
	if (rule->subject == OF_PROCESSES)
		compare(set, sample, rule, &rule->all, (double)n_selected);
	return 0;
}

int alert_set_feed(struct alert_set *set, const struct monitor_sample *sample,
		   const struct trend_table *trends)
{
	uint64_t before = set->n_events;
	int r = 0;

	for (unsigned i = 0; i < set->n_rules; i++)
		if (judge_rule(set, sample, &set->rule[i], trends) < 0)
			r = -ENOMEM;
	alert_run_reap(set->run);
	return r < 0 ? r : (int)(set->n_events - before);
}

/* The set */

int alert_set_new(const struct alert_options *options, struct alert_set **ret_set)
{
	struct alert_set *set = calloc(1, sizeof(*set));
	const struct alert_run_listener listener = { note_outcome, set };
	int r = -ENOMEM;

	if (!set)
		return r;
	set->options = *options;
	if (!(set->options.clear_fraction > 0))
		set->options.clear_fraction = CLEAR_DEFAULT;
	set->event = calloc(ALERT_EVENTS_MAX, sizeof(*set->event));
	if (set->event)
		r = alert_run_new(options, &listener, &set->run);
	if (r < 0) {
		alert_set_free(set);
		return r;
	}
	*ret_set = set;
	return 0;
}

void alert_set_free(struct alert_set *set)
{
	if (!set)
		return;
	alert_run_free(set->run); /* before the rules, whose actions it may be waiting to run */
	for (unsigned i = 0; i < set->n_rules; i++)
		rule_done(&set->rule[i]);
	free(set->rule);
	free(set->event);
	free(set);
}

void alert_set_reap(struct alert_set *set)
{
	alert_run_reap(set->run);
}

unsigned alert_set_n_rules(const struct alert_set *set)
{
	return set->n_rules;
}

const char *alert_set_rule_text(const struct alert_set *set, unsigned rule)
{
	return rule < set->n_rules ? set->rule[rule].text : NULL;
}

static size_t count_active(const struct rule *rule)
{
	size_t n = rule->all.is_active;

	for (size_t i = 0; i < rule->n_watched; i++)
		n += rule->watched[i].is_active;
	return n;
}

bool alert_set_rule_facts(const struct alert_set *set, unsigned number, struct alert_rule_facts *ret_facts)
{
	const struct rule *rule;

	if (number >= set->n_rules)
		return false;
	rule = &set->rule[number];
	*ret_facts = (struct alert_rule_facts){ .text = rule->text, .n_active = count_active(rule),
						.runs = alert_run_action_runs(rule->action),
						.calls = alert_run_action_calls(rule->action),
						.every_time = rule->action && !rule->once };
	return true;
}

bool alert_set_is_active(const struct alert_set *set, unsigned number, pid_t pid, uint64_t start_ticks)
{
	const struct rule *rule;

	if (number >= set->n_rules)
		return false;
	rule = &set->rule[number];
	if (pid == 0)
		return rule->all.is_active;
	for (size_t i = 0; i < rule->n_watched; i++)
		if (rule->watched[i].pid == pid && rule->watched[i].start_ticks == start_ticks)
			return rule->watched[i].is_active;
	return false;
}

size_t alert_set_events(const struct alert_set *set, uint64_t after, struct alert_event *events,
			size_t max)
{
	uint64_t oldest = set->n_events > ALERT_EVENTS_MAX ? set->n_events - ALERT_EVENTS_MAX : 0;
	size_t n = 0;

	for (uint64_t number = after > oldest ? after : oldest; number < set->n_events && n < max;)
		events[n++] = set->event[++number % ALERT_EVENTS_MAX];
	return n;
}

uint64_t alert_set_n_events(const struct alert_set *set)
{
	return set->n_events;
}

uint64_t alert_set_version(const struct alert_set *set)
{
	return set->version + 1;
}

void alert_set_counts(const struct alert_set *set, struct alert_counts *ret_counts)
{
	struct alert_counts counts = { .fired = set->n_fired };

	for (unsigned i = 0; i < set->n_rules; i++)
		counts.active += (unsigned)count_active(&set->rule[i]);
	alert_run_counts(set->run, &counts);
	*ret_counts = counts;
}

void alert_event_text(const struct alert_set *set, const struct alert_event *event,
		      char ret_line[ALERT_LINE_BYTES])
{
	const char *rule = alert_set_rule_text(set, event->rule);
	char raw[ALERT_LINE_BYTES], who[PROC_NAME_BYTES + 16] = "all";

	if (event->pid)
		(void)snprintf(who, sizeof(who), "%s (%d)", event->name, (int)event->pid);
	if (event->has_ended)
		(void)snprintf(raw, sizeof(raw), "%s: %s: ended", who, rule ? rule : "?");
	else
		(void)snprintf(raw, sizeof(raw), "%s: %s: %.*f%s", who, rule ? rule : "?",
			       event->value == floor(event->value) ? 0 : 1, event->value,
			       event->is_clear ? ", over" : "");
	escape_text(raw, ret_line, ALERT_LINE_BYTES);
}

/* Outcomes */

const char *alert_outcome_name(enum alert_outcome_kind kind)
{
	static const char *const names[] = { "none", "waiting", "running", "exited", "answered",
					     "unanswered", "killed", "timed_out", "not_started",
					     "dropped" };

	return names[kind];
}

static void describe(const struct alert_outcome *outcome, char *out, size_t room)
{
	static const struct {
		const char *words;
		bool has_code;
	} said[] = {
		[ALERT_WAITING] = { "waiting", false },
		[ALERT_RUNNING] = { "running", false },
		[ALERT_EXITED] = { "exit", true },
		[ALERT_ANSWERED] = { "HTTP", true },
		[ALERT_UNANSWERED] = { "no answer, curl exit", true },
		[ALERT_KILLED] = { "signal", true },
		[ALERT_TIMED_OUT] = { "took too long", false },
		[ALERT_NOT_STARTED] = { "not started", false },
		[ALERT_DROPPED] = { "not run, too many waited", false },
	};

	if (outcome->kind == ALERT_NOT_STARTED)
		(void)snprintf(out, room, "not started: %s", strerror(outcome->code));
	else if (outcome->kind == ALERT_EXITED && outcome->code < 0)
		(void)snprintf(out, room, "ended");
	else if (said[outcome->kind].has_code)
		(void)snprintf(out, room, "%s %d", said[outcome->kind].words, outcome->code);
	else
		(void)snprintf(out, room, "%s", said[outcome->kind].words);
}

void alert_outcome_text(const struct alert_event *event, char ret_text[ALERT_OUTCOME_BYTES])
{
	size_t used = 0;

	ret_text[0] = '\0';
	if (event->run.kind != ALERT_NO_ACTION)
		describe(&event->run, ret_text, ALERT_OUTCOME_BYTES);
	if (event->call.kind == ALERT_NO_ACTION)
		return;
	used = strlen(ret_text);
	if (used && used + 3 < ALERT_OUTCOME_BYTES)
		memcpy(ret_text + used, "; ", 3);
	used = strlen(ret_text);
	describe(&event->call, ret_text + used, ALERT_OUTCOME_BYTES - used);
}
