/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alert_report.h - what an alert_set says at one moment, for readers on other threads
 *
 * It does not change and is counted by references, as the feed's snapshots are.  Commands and
 * addresses are not in it: they may hold secrets.
 */
#ifndef MONITOR_ALERT_REPORT_H
#define MONITOR_ALERT_REPORT_H

#include "monitor/alert.h"

#define ALERT_REPORT_EVENTS 200 /* the newest */

struct alert_report {
	unsigned references;  /* use alert_report_release() */
	uint64_t version;     /* of the set; 0: there are no alerts */
	struct alert_counts counts;
	unsigned n_rules;
	struct alert_rule_facts *rule; /* their texts are the set's */
	size_t n_events;
	struct alert_event event[ALERT_REPORT_EVENTS]; /* oldest first */
};

/* Return: one reference, or NULL: out of memory. */
struct alert_report *alert_report_new(const struct alert_set *set);
struct alert_report *alert_report_hold(struct alert_report *report);
/* NULL is nothing. */
void alert_report_release(struct alert_report *report);

#endif /* MONITOR_ALERT_REPORT_H */
