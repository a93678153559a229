/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/web_api.h"

#include <limits.h>
#include <string.h>

#include "base/output.h"

static const char *const kept_names[MONITOR_KEPT] = { "handles", "threads", "mappings",
						      "resident_kib" };

static void write_value(struct json *json, const struct monitor_process *process,
			enum monitor_counter counter, const char *name)
{
	if (monitor_is_known(process, counter))
		json_unsigned(json, name, process->value[counter]);
	else
		json_null(json, name);
}

static void write_verdict(struct json *json, const struct trend_verdict *verdict)
{
	if (!verdict->is_known) {
		json_null(json, "leak");
		return;
	}
	json_object(json, "leak");
	json_bool(json, "suspected", verdict->is_leaking);
	json_real(json, "handles_per_hour", verdict->handles_per_hour);
	json_real(json, "low_per_hour", verdict->low_per_hour);
	json_real(json, "high_per_hour", verdict->high_per_hour);
	json_real(json, "confidence", verdict->confidence);
	json_real(json, "seconds_left", verdict->seconds_left);
	json_end_object(json);
}

static void write_process(struct json *json, const struct monitor_process *process,
			  const struct trend_verdict *verdict, struct monitor_users *users)
{
	char user[MONITOR_USER_BYTES];

	monitor_user_name(users, process->uid, user);
	json_object(json, NULL);
	json_signed(json, "pid", process->pid);
	json_unsigned(json, "start_ticks", process->start_ticks);
	json_text(json, "name", process->name);
	json_text(json, "user", user);
	json_signed(json, "session", process->session);
	json_text(json, "container", process->container[0] ? process->container : NULL);
	write_value(json, process, MONITOR_HANDLES, "handles");
	write_value(json, process, MONITOR_HANDLE_LIMIT, "handle_limit");
	write_value(json, process, MONITOR_THREADS, "threads");
	write_value(json, process, MONITOR_MAPPINGS, "mappings");
	write_value(json, process, MONITOR_RESIDENT_BYTES, "resident_bytes");
	if (monitor_is_known(process, MONITOR_CPU_NS))
		json_real(json, "cpu_s", (double)process->value[MONITOR_CPU_NS] / 1e9);
	else
		json_null(json, "cpu_s");
	write_verdict(json, verdict);
	json_end_object(json);
}

void web_api_processes(FILE *out, const struct monitor_snapshot *snapshot,
		       struct monitor_users *users, const struct web_api_facts *facts)
{
	struct json json = { .out = out };

	json_object(&json, NULL);
	json_unsigned(&json, "sequence", snapshot->sequence);
	json_signed(&json, "time_ms", snapshot->sample.time_ns / NS_PER_MS);
	json_signed(&json, "interval_ms", facts->interval_ms);
	json_signed(&json, "sample_us", snapshot->cost_ns / NS_PER_US);
	json_unsigned(&json, "samples_missed", snapshot->missed);
	json_text(&json, "source", facts->source);
	json_array(&json, "processes");
	for (size_t i = 0; i < snapshot->sample.n_processes; i++)
		write_process(&json, &snapshot->sample.process[i], &snapshot->verdict[i],
			      users);
	json_end_array(&json);
	json_end_object(&json);
}

/* Alerts */

static void write_rule(struct json *json, const struct alert_rule_facts *rule)
{
	json_object(json, NULL);
	json_text(json, "rule", rule->text);
	json_unsigned(json, "active", rule->n_active);
	json_bool(json, "runs", rule->runs);
	json_bool(json, "calls", rule->calls);
	json_bool(json, "every_time", rule->every_time);
	json_end_object(json);
}

static void write_outcome(struct json *json, const char *name, const struct alert_outcome *outcome)
{
	if (outcome->kind == ALERT_NO_ACTION) {
		json_null(json, name);
		return;
	}
	json_object(json, name);
	json_text(json, "state", alert_outcome_name(outcome->kind));
	json_signed(json, "code", outcome->code);
	json_end_object(json);
}

static void write_event(struct json *json, const struct alert_report *report,
			const struct alert_event *event)
{
	char outcome[ALERT_OUTCOME_BYTES];

	alert_outcome_text(event, outcome);
	json_object(json, NULL);
	json_unsigned(json, "number", event->number);
	json_signed(json, "time_ms", event->time_ns / NS_PER_MS);
	json_text(json, "event", event->is_clear ? "cleared" : "fired");
	json_text(json, "rule", report->rule[event->rule].text);
	json_signed(json, "pid", event->pid);
	json_unsigned(json, "start_ticks", event->start_ticks);
	json_text(json, "name", event->name);
	json_real(json, "value", event->value);
	json_bool(json, "ended", event->has_ended);
	write_outcome(json, "run", &event->run);
	write_outcome(json, "call", &event->call);
	json_text(json, "outcome", outcome);
	json_end_object(json);
}

static void write_alert_counts(struct json *json, const struct alert_counts *counts)
{
	json_unsigned(json, "active", counts->active);
	json_unsigned(json, "fired", counts->fired);
	json_object(json, "actions");
	json_unsigned(json, "running", counts->running);
	json_unsigned(json, "waiting", counts->waiting);
	json_unsigned(json, "done", counts->done);
	json_unsigned(json, "failed", counts->failed);
	json_unsigned(json, "dropped", counts->dropped);
	json_end_object(json);
}

void web_api_alerts(FILE *out, const struct alert_report *report)
{
	static const struct alert_report none;
	struct json json = { .out = out };

	report = report ? report : &none;
	json_object(&json, NULL);
	write_alert_counts(&json, &report->counts);
	json_array(&json, "rules");
	for (unsigned i = 0; i < report->n_rules; i++)
		write_rule(&json, &report->rule[i]);
	json_end_array(&json);
	json_array(&json, "events");
	for (size_t i = 0; i < report->n_events; i++)
		write_event(&json, report, &report->event[i]);
	json_end_array(&json);
	json_end_object(&json);
}

/* History */

int web_api_parse_series(const char *text, struct web_api_history *request)
{
	for (;;) {
		struct web_api_series *series = &request->series[request->n_series];
		uint64_t pid, start = 0;

		if (request->n_series == WEB_API_SERIES_MAX)
			return -E2BIG;
		if (*text < '0' || *text > '9') /* proc_scan() would skip blanks */
			return -EINVAL;
		text = proc_scan(text, 10, &pid);
		if (!text || pid == 0 || pid > INT_MAX)
			return -EINVAL;
		if (*text == ':') {
			if (text[1] < '0' || text[1] > '9')
				return -EINVAL;
			text = proc_scan(text + 1, 10, &start);
			if (!text)
				return -EINVAL;
		}
		*series = (struct web_api_series){ (pid_t)pid, start };
		request->n_series++;
		if (!*text)
			return 0;
		if (*text++ != ',')
			return -EINVAL;
	}
}

int web_api_parse_counter(const char *text, struct web_api_history *request)
{
	for (int i = 0; i < MONITOR_KEPT; i++)
		if (!strcmp(text, kept_names[i])) {
			request->counter = (enum monitor_kept)i;
			return 0;
		}
	return -EINVAL;
}

static void write_series(struct json *json, struct monitor_moment **moments, size_t n_moments,
			 const struct web_api_series *series, enum monitor_kept counter)
{
	json_object(json, NULL);
	json_signed(json, "pid", series->pid);
	json_unsigned(json, "start_ticks", series->start_ticks);
	json_array(json, "values");
	for (size_t i = 0; i < n_moments; i++) {
		const struct monitor_point *point =
			monitor_moment_find(moments[i], series->pid, series->start_ticks);

		if (point && point->value[counter] != MONITOR_KEPT_UNKNOWN)
			json_unsigned(json, NULL, point->value[counter]);
		else
			json_null(json, NULL);
	}
	json_end_array(json);
	json_end_object(json);
}

void web_api_history(FILE *out, struct monitor_moment **moments, size_t n_moments,
		     const struct web_api_history *request)
{
	struct json json = { .out = out };

	while (n_moments && moments[0]->time_ns / NS_PER_MS < request->since_ms) {
		moments++;
		n_moments--;
	}
	json_object(&json, NULL);
	json_text(&json, "counter", kept_names[request->counter]);
	json_array(&json, "time_ms");
	for (size_t i = 0; i < n_moments; i++)
		json_signed(&json, NULL, moments[i]->time_ns / NS_PER_MS);
	json_end_array(&json);
	json_array(&json, "series");
	for (size_t i = 0; i < request->n_series; i++)
		write_series(&json, moments, n_moments, &request->series[i], request->counter);
	json_end_array(&json);
	json_end_object(&json);
}
