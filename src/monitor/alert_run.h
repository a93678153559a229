/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alert_run.h - the commands that alerts run: a bounded number at once, never waited for
 *
 * Addresses are called by curl(1), which gets the address and the body on its standard input: what a
 * command line says everybody can read, and an address may hold a secret.
 */
#ifndef MONITOR_ALERT_RUN_H
#define MONITOR_ALERT_RUN_H

#include "monitor/alert.h"

struct alert_run_action;
/* Return: 0, -EINVAL (no http or https address), -ENOMEM.  *ret_action may be NULL: nothing to do. */
int alert_run_action_new(const struct alert_action *from, struct alert_run_action **ret_action);
void alert_run_action_free(struct alert_run_action *action);
/* action may be NULL. */
bool alert_run_action_runs(const struct alert_run_action *action);
bool alert_run_action_calls(const struct alert_run_action *action);

struct alert_run;
/* Hears what becomes of the command (or the call) of the event of that number. */
struct alert_run_listener {
	void (*tell)(void *param, uint64_t number, bool is_url, struct alert_outcome outcome);
	void *param;
};

int alert_run_new(const struct alert_options *options, const struct alert_run_listener *listener,
		  struct alert_run **ret_run);
void alert_run_free(struct alert_run *run);
/* Start it, or let it wait its turn.  action and rule are borrowed until then. */
void alert_run_add(struct alert_run *run, const struct alert_run_action *action, const char *rule,
		   const struct alert_event *event);
void alert_run_reap(struct alert_run *run);
/* Fill in what it knows. */
void alert_run_counts(const struct alert_run *run, struct alert_counts *counts);

#endif /* MONITOR_ALERT_RUN_H */
