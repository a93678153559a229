/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alert.h - rules over samples, what fired, and what is done about it
 *
 * A rule in text is CONDITION [SELECTOR], for example
 *
 *     handles>1000 nginx           over a limit; < is under it
 *     handles>80%                  of the process's own limit of handles
 *     handles>+100/h user:postgres rose by more than that within an hour (also /min, /d)
 *     leak                         trend.h suspects a leak
 *     processes<1 nginx            fewer processes of that selector than that
 *
 * with any counter of monitor_counters that is no total, and K, M or G (1024 each) behind a number.
 * An alert fires when its condition begins to hold, and clears when the value is back behind the limit
 * by a margin, or when the process ends.  A value that is not known changes nothing.
 */
#ifndef MONITOR_ALERT_H
#define MONITOR_ALERT_H

#include "monitor/trend.h"

#define ALERT_WHY_BYTES  160
#define ALERT_RULES_MAX  256
#define ALERT_EVENTS_MAX 1000 /* the oldest are forgotten first */

struct alert_options {
	/* What commands get besides TENDRIL_ALERT_...: the caller's environ.  Borrowed; NULL: nothing. */
	char *const *environment;
	int output_fd;         /* where commands write to; -1: /dev/null.  Borrowed */
	unsigned max_running;  /* commands at once; 0: 8.  More wait, up to 64; the rest are counted */
	unsigned timeout_s;    /* after that a command's process group is killed; 0: 60 */
	double clear_fraction; /* of the limit, the margin; 0: 0.05 */
	uint64_t handle_limit; /* the soft RLIMIT_NOFILE that commands get; 0: ours */
};

/*
 * What is done when a rule fires.  All borrowed during the call only.  Commands are told in their
 * environment: TENDRIL_ALERT_RULE, _EVENT (fired, cleared), _PID, _NAME (escaped), _VALUE, _TIME (seconds
 * since 1970), _NUMBER, _ENDED (0, 1).
 */
struct alert_action {
	const char *const *command; /* argv, ends in NULL; found by PATH; no shell.  NULL: none */
	const char *shell;          /* a line for /bin/sh -c.  NULL: none */
	const char *url;            /* http or https: posted to, with the event as JSON, by curl.  NULL: none */
	bool once;     /* only the first time for each process; otherwise every time */
	bool on_clear; /* also when it clears */
};

/* What became of a command, or of the call of an address. */
enum alert_outcome_kind {
	ALERT_NO_ACTION = 0,
	ALERT_WAITING,     /* for its turn */
	ALERT_RUNNING,
	ALERT_EXITED,      /* code: the exit status; -1: nobody knows */
	ALERT_ANSWERED,    /* code: the status of HTTP */
	ALERT_UNANSWERED,  /* code: what curl(1) exited with */
	ALERT_KILLED,      /* code: the signal */
	ALERT_TIMED_OUT,
	ALERT_NOT_STARTED, /* code: errno */
	ALERT_DROPPED,     /* too many were waiting */
};

struct alert_outcome {
	enum alert_outcome_kind kind;
	int code;
};

struct alert_event {
	uint64_t number;      /* counts from 1, without gaps */
	int64_t time_ns;      /* CLOCK_REALTIME, of the sample */
	unsigned rule;        /* index, in the order they were added */
	pid_t pid;            /* 0: of a rule about the number of processes */
	uint64_t start_ticks;
	char name[PROC_NAME_BYTES]; /* raw */
	double value;         /* in the rule's unit: a count, percent, a rise; of leak: handles an hour */
	bool is_clear;        /* false: it fired; true: it cleared */
	bool has_ended;       /* it cleared because the process ended */
	struct alert_outcome run, call; /* of the command and of the address; they change later */
};

struct alert_counts {
	unsigned active;      /* fired and not cleared */
	uint64_t fired;
	unsigned running, waiting;  /* commands */
	uint64_t done, failed;      /* commands; failed: could not start, exit status not 0, killed */
	uint64_t dropped;           /* commands that were not run: too many were waiting */
};

struct alert_set;

int alert_set_new(const struct alert_options *options, struct alert_set **ret_set);
/* Ends what still runs (SIGKILL to its process group). */
void alert_set_free(struct alert_set *set);

/*
 * Add a rule; action may be NULL.
 * Return: its index, or -EINVAL, -ENOSPC (ALERT_RULES_MAX), -ENOMEM with why written: one line that
 * names what is wrong, raw.
 */
int alert_set_add(struct alert_set *set, const char *text, const struct alert_action *action,
		  char ret_why[ALERT_WHY_BYTES]);
unsigned alert_set_n_rules(const struct alert_set *set);
/* As it was given, without blanks around it; NULL: no such rule. */
const char *alert_set_rule_text(const struct alert_set *set, unsigned rule);

/*
 * Judge a sample: events are listed and commands started.  Never waits for anything.
 * trends NULL: `leak` never fires.  Return: how many events came, or -ENOMEM.
 */
int alert_set_feed(struct alert_set *set, const struct monitor_sample *sample,
		   const struct trend_table *trends);
/* Collect commands that have ended, start those that wait; feed does so too.  Call it now and then when
 * samples are rare.  Never waits. */
void alert_set_reap(struct alert_set *set);

/* Is that a rule?  Return: as alert_set_add(), 0 when it is one. */
int alert_rule_check(const char *text, char ret_why[ALERT_WHY_BYTES]);

struct alert_rule_facts {
	const char *text;  /* the set's */
	size_t n_active;   /* for so many processes it holds now */
	bool runs, calls;  /* a command, an address */
	bool every_time;
};
bool alert_set_rule_facts(const struct alert_set *set, unsigned rule, struct alert_rule_facts *ret_facts);

/* Does the rule hold for that process now? */
bool alert_set_is_active(const struct alert_set *set, unsigned rule, pid_t pid, uint64_t start_ticks);

/* What fired and cleared: the events with numbers above after, oldest first, up to max.  Return: n. */
size_t alert_set_events(const struct alert_set *set, uint64_t after, struct alert_event *events,
			size_t max);
/* The number of the newest. */
uint64_t alert_set_n_events(const struct alert_set *set);
/* Another number, never 0, whenever there is an event more or an outcome changes. */
uint64_t alert_set_version(const struct alert_set *set);
void alert_set_counts(const struct alert_set *set, struct alert_counts *ret_counts);

/* "nginx (12): handles>1000: 1043", escaped, one line; what it says is cut to fit. */
#define ALERT_LINE_BYTES 320
void alert_event_text(const struct alert_set *set, const struct alert_event *event,
		      char ret_line[ALERT_LINE_BYTES]);

/* "exited", for programs. */
const char *alert_outcome_name(enum alert_outcome_kind kind);
/* "exit 0", "HTTP 204", "signal 9"; "" when there was nothing to do.  Command and call in one text. */
#define ALERT_OUTCOME_BYTES 64
void alert_outcome_text(const struct alert_event *event, char ret_text[ALERT_OUTCOME_BYTES]);

#endif /* MONITOR_ALERT_H */
