/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/alert_run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/output.h"
#include "monitor/spawn.h"

#define RUNNING_DEFAULT 8
#define TIMEOUT_DEFAULT 60
#define WAITING_MAX     64
#define URL_BYTES_MAX   2048

struct alert_run_action {
	char **command; /* NULL: none */
	char *url;      /* NULL: none */
};

struct job {
	const struct alert_run_action *action;
	bool is_url; /* which of both */
	const char *rule;
	struct alert_event event;
};

struct running {
	pid_t pid; /* not reaped yet, so nobody else's */
	int64_t started_ns;
	uint64_t number;
	int answer; /* where curl writes the status of HTTP; -1: it is a command */
	bool is_late;
};

struct alert_run {
	struct alert_options options;
	struct alert_run_listener listener;
	struct running *running;
	unsigned n_running;
	struct job waiting[WAITING_MAX]; /* a ring */
	unsigned first_waiting, n_waiting;
	uint64_t done, failed, dropped;
};

/* Actions */

static void free_strings(char **strings)
{
	for (size_t i = 0; strings && strings[i]; i++)
		free(strings[i]);
	free(strings);
}

static char **copy_strings(const char *const *from)
{
	char **copy;
	size_t n = 0;

	while (from[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = strdup(from[i]);
		if (!copy[i]) {
			free_strings(copy);
			return NULL;
		}
	}
	return copy;
}

/* Nothing in it that curl's configuration or a terminal would read as anything else. */
static bool is_url(const char *url)
{
	const char *host = !strncmp(url, "http://", 7)	? url + 7 :
			   !strncmp(url, "https://", 8) ? url + 8 :
							  NULL;

	if (!host || !*host || *host == '/' || strlen(url) > URL_BYTES_MAX)
		return false;
	for (const char *s = host; *s; s++)
		if (*s <= ' ' || *s > '~' || strchr("\"\\'<>`{}", *s))
			return false;
	return true;
}

int alert_run_action_new(const struct alert_action *from, struct alert_run_action **ret_action)
{
	const char *shell[] = { "/bin/sh", "-c", from->shell, NULL };
	const char *const *command = from->shell ? shell : from->command;
	struct alert_run_action *action;

	if (from->url && !is_url(from->url))
		return -EINVAL;
	if (!from->url && (!command || !command[0])) {
		*ret_action = NULL;
		return 0;
	}
	action = calloc(1, sizeof(*action));
	if (!action)
		return -ENOMEM;
	action->command = command && command[0] ? copy_strings(command) : NULL;
	action->url = from->url ? strdup(from->url) : NULL;
	if ((command && command[0] && !action->command) || (from->url && !action->url)) {
		alert_run_action_free(action);
		return -ENOMEM;
	}
	*ret_action = action;
	return 0;
}

void alert_run_action_free(struct alert_run_action *action)
{
	if (!action)
		return;
	free_strings(action->command);
	free(action->url);
	free(action);
}

bool alert_run_action_runs(const struct alert_run_action *action)
{
	return action && action->command;
}

bool alert_run_action_calls(const struct alert_run_action *action)
{
	return action && action->url;
}

/* What a command is told */

#define VALUES 8

struct told {
	char text[VALUES][PROC_NAME_BYTES * 4 + 64];
	char *rule;
	char **environment; /* the caller's, and these */
};

static void told_done(struct told *told)
{
	free(told->rule);
	free(told->environment);
}

#define TELL(at, ...) (void)snprintf(told->text[at], sizeof(told->text[at]), __VA_ARGS__)

/* The name escaped: scripts put it where they like. */
static int told_make(struct told *told, const struct job *job, char *const *environment)
{
	const struct alert_event *event = &job->event;
	char name[PROC_NAME_BYTES * 4];
	size_t n = 0, used = 0;

	escape_text(event->name, name, sizeof(name));
	TELL(0, "TENDRIL_ALERT_EVENT=%s", event->is_clear ? "cleared" : "fired");
	TELL(1, "TENDRIL_ALERT_PID=%d", (int)event->pid);
	TELL(2, "TENDRIL_ALERT_NAME=%s", name);
	TELL(3, "TENDRIL_ALERT_VALUE=%.10g", event->value);
	TELL(4, "TENDRIL_ALERT_TIME=%lld", (long long)(event->time_ns / NS_PER_S));
	TELL(5, "TENDRIL_ALERT_NUMBER=%llu", (unsigned long long)event->number);
	TELL(6, "TENDRIL_ALERT_ENDED=%d", event->has_ended);
	if (asprintf(&told->rule, "TENDRIL_ALERT_RULE=%s", job->rule) < 0) {
		told->rule = NULL;
		return -ENOMEM;
	}
	while (environment && environment[n])
		n++;
	told->environment = calloc(n + VALUES + 1, sizeof(*told->environment));
	if (!told->environment)
		return -ENOMEM;
	/* Ours first: of two of the same name getenv(3) takes that one. */
	told->environment[used++] = told->rule;
	for (size_t i = 0; i + 1 < VALUES; i++)
		told->environment[used++] = told->text[i];
	for (size_t i = 0; i < n; i++)
		told->environment[used++] = environment[i];
	return 0;
}

static void write_body(FILE *out, const struct job *job)
{
	const struct alert_event *event = &job->event;
	struct json json = { .out = out };

	json_object(&json, NULL);
	json_text(&json, "event", event->is_clear ? "cleared" : "fired");
	json_text(&json, "rule", job->rule);
	json_signed(&json, "pid", event->pid);
	json_text(&json, "name", event->name);
	json_real(&json, "value", event->value);
	json_signed(&json, "time_s", event->time_ns / NS_PER_S);
	json_unsigned(&json, "number", event->number);
	json_bool(&json, "ended", event->has_ended);
	json_end_object(&json);
}

/* The configuration that curl reads.  NULL: out of memory. */
static char *make_configuration(const struct job *job)
{
	AUTO_FREE char *body = NULL;
	char *text = NULL;
	size_t body_bytes = 0, bytes = 0;
	FILE *out = open_memstream(&body, &body_bytes);

	if (!out)
		return NULL;
	write_body(out, job);
	if (fclose(out) != 0)
		return NULL;
	out = open_memstream(&text, &bytes);
	if (!out)
		return NULL;
	(void)fprintf(out, "url = \"%s\"\ndata-raw = \"", job->action->url);
	for (const char *s = body; *s && *s != '\n'; s++) { /* JSON has no other control characters */
		if (*s == '"' || *s == '\\')
			(void)fputc('\\', out);
		(void)fputc(*s, out);
	}
	(void)fputs("\"\n", out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* A pipe with all of text in it.  Return: its reading end, or a negative errno: it never waits for
 * a reader. */
static int filled_pipe(const char *text)
{
	AUTO_CLOSE int in = -1;
	AUTO_CLOSE int out = -1;
	size_t bytes = strlen(text);
	int ends[2];
	int r = spawn_pipe(ends, O_NONBLOCK);

	if (r < 0)
		return r;
	in = ends[0];
	out = ends[1];
	if (write(out, text, bytes) != (ssize_t)bytes)
		return -EIO;
	if (fcntl(in, F_SETFL, 0) < 0)
		return -errno;
	return take_fd(&in);
}

/* Starting */

static void tell(const struct alert_run *run, uint64_t number, bool is_url,
		 enum alert_outcome_kind kind, int code)
{
	run->listener.tell(run->listener.param, number, is_url,
			   (struct alert_outcome){ kind, code });
}

/* -q comes first: no settings but ours.  Redirections are not followed. */
static char *const curl[] = { (char *)"curl", (char *)"-q", (char *)"--config", (char *)"-",
			      (char *)"--silent", (char *)"--fail", (char *)"--globoff",
			      (char *)"--proto", (char *)"=http,https", (char *)"--max-time",
			      (char *)"10", (char *)"--header",
			      (char *)"Content-Type: application/json", (char *)"--output",
			      (char *)"/dev/null", (char *)"--write-out",
			      (char *)"%{http_code}", NULL };

static int start_url(const struct alert_run *run, const struct job *job, char *const *environment,
		     struct running *running)
{
	AUTO_FREE char *configuration = make_configuration(job);
	AUTO_CLOSE int in = -1;
	AUTO_CLOSE int answer_in = -1;
	AUTO_CLOSE int answer_out = -1;
	struct spawn_options options = { .argv = curl, .environment = environment,
					 .error = run->options.output_fd,
					 .handle_limit = run->options.handle_limit };
	int ends[2];
	int r;

	if (!configuration)
		return -ENOMEM;
	in = filled_pipe(configuration);
	if (in < 0)
		return in;
	r = spawn_pipe(ends, O_NONBLOCK);
	if (r < 0)
		return r;
	options.in = in;
	answer_in = ends[0];
	options.out = answer_out = ends[1];
	r = spawn(&options, &running->pid);
	if (r == 0)
		running->answer = take_fd(&answer_in);
	return r;
}

static int start_command(const struct alert_run *run, const struct job *job,
			 char *const *environment, struct running *running)
{
	const struct spawn_options options = { .argv = job->action->command,
					       .environment = environment, .in = -1,
					       .out = run->options.output_fd,
					       .error = run->options.output_fd,
					       .handle_limit = run->options.handle_limit };

	return spawn(&options, &running->pid);
}

static void start(struct alert_run *run, const struct job *job)
{
	struct running running = { .started_ns = now_ns(), .number = job->event.number,
				   .answer = -1 };
	struct told told = { .rule = NULL };
	int r = told_make(&told, job, run->options.environment);

	if (r == 0)
		r = job->is_url ? start_url(run, job, told.environment, &running) :
				  start_command(run, job, told.environment, &running);
	told_done(&told);
	if (r < 0) {
		run->failed++;
		tell(run, job->event.number, job->is_url, ALERT_NOT_STARTED, -r);
		return;
	}
	run->running[run->n_running++] = running;
	tell(run, job->event.number, job->is_url, ALERT_RUNNING, 0);
}

static void start_waiting(struct alert_run *run)
{
	while (run->n_waiting && run->n_running < run->options.max_running) {
		start(run, &run->waiting[run->first_waiting]);
		run->first_waiting = (run->first_waiting + 1) % WAITING_MAX;
		run->n_waiting--;
	}
}

static void add(struct alert_run *run, const struct job *job)
{
	if (run->n_waiting == WAITING_MAX) {
		run->dropped++;
		tell(run, job->event.number, job->is_url, ALERT_DROPPED, 0);
		return;
	}
	tell(run, job->event.number, job->is_url, ALERT_WAITING, 0);
	run->waiting[(run->first_waiting + run->n_waiting++) % WAITING_MAX] = *job;
	start_waiting(run);
}

void alert_run_add(struct alert_run *run, const struct alert_run_action *action, const char *rule,
		   const struct alert_event *event)
{
	struct job job = { .action = action, .rule = rule, .event = *event };

	if (action->command)
		add(run, &job);
	job.is_url = true;
	if (action->url)
		add(run, &job);
}

/* Collecting */

/* Three digits, "000" when there was no answer. */
static int read_answer(int fd)
{
	char text[16] = "";
	ssize_t n = read(fd, text, sizeof(text) - 1);
	uint64_t status;

	return n > 0 && proc_scan(text, 10, &status) && status < 1000 ? (int)status : 0;
}

static struct alert_outcome outcome_of(const struct running *running, int status)
{
	int answer = running->answer >= 0 ? read_answer(running->answer) : 0;

	if (answer > 0)
		return (struct alert_outcome){ ALERT_ANSWERED, answer };
	if (running->is_late)
		return (struct alert_outcome){ ALERT_TIMED_OUT, 0 };
	if (WIFSIGNALED(status))
		return (struct alert_outcome){ ALERT_KILLED, WTERMSIG(status) };
	return (struct alert_outcome){ running->answer >= 0 ? ALERT_UNANSWERED : ALERT_EXITED,
				       WEXITSTATUS(status) };
}

/* Return: it has ended. */
static bool collect(struct alert_run *run, struct running *running)
{
	struct alert_outcome outcome = { ALERT_EXITED, -1 };
	int status = 0;
	pid_t r = waitpid(running->pid, &status, WNOHANG);

	if (r == 0) {
		running->is_late = now_ns() - running->started_ns >
				   run->options.timeout_s * NS_PER_S;
		if (running->is_late)
			(void)kill(-running->pid, SIGKILL);
		return false;
	}
	/* Somebody else who collects children took it: then nobody knows how it ended. */
	if (r < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
		run->done++;
	else
		run->failed++;
	if (r >= 0)
		outcome = outcome_of(running, status);
	tell(run, running->number, running->answer >= 0, outcome.kind, outcome.code);
	close_keeping_errno(running->answer);
	return true;
}

void alert_run_reap(struct alert_run *run)
{
	for (unsigned i = 0; i < run->n_running;) {
		if (collect(run, &run->running[i]))
			run->running[i] = run->running[--run->n_running];
		else
			i++;
	}
	start_waiting(run);
}

int alert_run_new(const struct alert_options *options, const struct alert_run_listener *listener,
		  struct alert_run **ret_run)
{
	struct alert_run *run = calloc(1, sizeof(*run));

	if (!run)
		return -ENOMEM;
	run->options = *options;
	run->listener = *listener;
	if (!run->options.max_running)
		run->options.max_running = RUNNING_DEFAULT;
	if (!run->options.timeout_s)
		run->options.timeout_s = TIMEOUT_DEFAULT;
	run->running = calloc(run->options.max_running, sizeof(*run->running));
	if (!run->running) {
		free(run);
		return -ENOMEM;
	}
	*ret_run = run;
	return 0;
}

void alert_run_free(struct alert_run *run)
{
	if (!run)
		return;
	for (unsigned i = 0; i < run->n_running; i++) {
		(void)kill(-run->running[i].pid, SIGKILL);
		(void)waitpid(run->running[i].pid, NULL, 0);
		close_keeping_errno(run->running[i].answer);
	}
	free(run->running);
	free(run);
}

void alert_run_counts(const struct alert_run *run, struct alert_counts *counts)
{
	counts->running = run->n_running;
	counts->waiting = run->n_waiting;
	counts->done = run->done;
	counts->failed = run->failed;
	counts->dropped = run->dropped;
}
