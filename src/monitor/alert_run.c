/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/alert_run.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/output.h"

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
};

struct alert_run {
	struct alert_options options;
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

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	in = ends[0];
	out = ends[1];
	if (write(out, text, bytes) != (ssize_t)bytes)
		return -EIO;
	if (fcntl(in, F_SETFL, 0) < 0)
		return -errno;
	return take_fd(&in);
}

/* Starting */

static int set_up(posix_spawn_file_actions_t *files, posix_spawnattr_t *attributes, int in, int out)
{
	sigset_t all, none;
	int r;

	sigfillset(&all);
	sigemptyset(&none);
	r = in >= 0 ? posix_spawn_file_actions_adddup2(files, in, 0) :
		      posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
	for (int fd = 1; r == 0 && fd <= 2; fd++)
		r = out >= 0 ? posix_spawn_file_actions_adddup2(files, out, fd) :
			       posix_spawn_file_actions_addopen(files, fd, "/dev/null", O_WRONLY, 0);
	(void)posix_spawnattr_setsigdefault(attributes, &all);
	(void)posix_spawnattr_setsigmask(attributes, &none);
	/* A group of its own: what is typed at the terminal is not for it, and it can be ended whole. */
	(void)posix_spawnattr_setpgroup(attributes, 0);
	(void)posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
						   POSIX_SPAWN_SETPGROUP);
	return -r;
}

static int spawn(char *const *argv, char *const *environment, int in, int out, pid_t *ret_pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int r = -posix_spawn_file_actions_init(&files);

	if (r < 0)
		return r;
	r = -posix_spawnattr_init(&attributes);
	if (r == 0) {
		r = set_up(&files, &attributes, in, out);
		if (r == 0)
			r = -posix_spawnp(ret_pid, argv[0], &files, &attributes, argv, environment);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&files);
	return r;
}

/* -q comes first: no settings but ours.  Redirections are not followed. */
static char *const curl[] = { (char *)"curl", (char *)"-q", (char *)"--config", (char *)"-",
			      (char *)"--silent", (char *)"--fail", (char *)"--globoff",
			      (char *)"--proto", (char *)"=http,https", (char *)"--max-time",
			      (char *)"10", (char *)"--header",
			      (char *)"Content-Type: application/json", (char *)"--output",
			      (char *)"/dev/null", NULL };

static int start_url(const struct alert_run *run, const struct job *job, char *const *environment,
		     pid_t *ret_pid)
{
	AUTO_FREE char *configuration = make_configuration(job);
	AUTO_CLOSE int in = -1;

	if (!configuration)
		return -ENOMEM;
	in = filled_pipe(configuration);
	if (in < 0)
		return in;
	return spawn(curl, environment, in, run->options.output_fd, ret_pid);
}

static void start(struct alert_run *run, const struct job *job)
{
	struct told told = { .rule = NULL };
	pid_t pid = 0;
	int r = told_make(&told, job, run->options.environment);

	if (r == 0)
		r = job->is_url ? start_url(run, job, told.environment, &pid) :
				  spawn(job->action->command, told.environment, -1,
					run->options.output_fd, &pid);
	told_done(&told);
	if (r < 0)
		run->failed++;
	else
		run->running[run->n_running++] = (struct running){ pid, now_ns() };
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
		return;
	}
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

/* Return: it has ended. */
static bool collect(struct alert_run *run, const struct running *running)
{
	int status = 0;
	pid_t r = waitpid(running->pid, &status, WNOHANG);

	if (r == 0) {
		if (now_ns() - running->started_ns > run->options.timeout_s * NS_PER_S)
			(void)kill(-running->pid, SIGKILL);
		return false;
	}
	/* Somebody else who collects children took it: then nobody knows how it ended. */
	if (r < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
		run->done++;
	else
		run->failed++;
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

int alert_run_new(const struct alert_options *options, struct alert_run **ret_run)
{
	struct alert_run *run = calloc(1, sizeof(*run));

	if (!run)
		return -ENOMEM;
	run->options = *options;
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
