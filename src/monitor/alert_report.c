/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/alert_report.h"

struct alert_report *alert_report_new(const struct alert_set *set)
{
	struct alert_report *report = calloc(1, sizeof(*report));
	unsigned n = alert_set_n_rules(set);
	uint64_t last = alert_set_n_events(set);
	uint64_t after = last > ALERT_REPORT_EVENTS ? last - ALERT_REPORT_EVENTS : 0;

	if (!report)
		return NULL;
	report->rule = calloc(n + 1, sizeof(*report->rule));
	if (!report->rule) {
		free(report);
		return NULL;
	}
	report->references = 1;
	report->version = alert_set_version(set);
	alert_set_counts(set, &report->counts);
	for (; report->n_rules < n; report->n_rules++)
		(void)alert_set_rule_facts(set, report->n_rules, &report->rule[report->n_rules]);
	report->n_events = alert_set_events(set, after, report->event, ALERT_REPORT_EVENTS);
	return report;
}

struct alert_report *alert_report_hold(struct alert_report *report)
{
	__atomic_add_fetch(&report->references, 1, __ATOMIC_RELAXED);
	return report;
}

void alert_report_release(struct alert_report *report)
{
	if (!report || __atomic_sub_fetch(&report->references, 1, __ATOMIC_ACQ_REL))
		return;
	free(report->rule);
	free(report);
}
