/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/alerts.h"

#include <poll.h>
#include <string.h>

#define REAP_MS 100

int cmd_alerts_open(struct cmd_alerts *alerts, int output_fd, uint64_t handle_limit)
{
	const struct alert_options options = { .environment = environ, .output_fd = output_fd,
					       .handle_limit = handle_limit };

	return alert_set_new(&options, &alerts->set);
}

void cmd_alerts_close(struct cmd_alerts *alerts)
{
	alert_set_free(alerts->set);
	alerts->set = NULL;
}

/* The rule that was waiting for its actions. */
int cmd_alerts_taken(const struct command *command, struct cmd_alerts *alerts)
{
	const struct alert_action *action = &alerts->action;
	bool acts = action->shell || action->url;
	char why[ALERT_WHY_BYTES];
	int r = 0;

	if (!alerts->rule)
		return 0;
	if (!acts && !action->once)
		return cmd_usage(command, "--every-time: '%s' has neither --run nor --call",
				 alerts->rule);
	r = alert_set_add(alerts->set, alerts->rule, acts ? action : NULL, why);
	alerts->rule = NULL;
	return r < 0 ? cmd_usage(command, "%s", why) : 0;
}

static int take_rule(const struct command *command, struct cmd_alerts *alerts, const char *rule)
{
	char why[ALERT_WHY_BYTES];
	int r = cmd_alerts_taken(command, alerts);

	if (r)
		return r;
	if (alert_rule_check(rule, why) < 0)
		return cmd_usage(command, "%s", why);
	alerts->rule = rule;
	alerts->action = (struct alert_action){ .once = true };
	return 0;
}

static int take_action(const struct command *command, const char *option, const char *value,
		       const char **action)
{
	if (*action)
		return cmd_usage(command, "one --%s for each --alert: '%s' is another", option, value);
	if (!value[strspn(value, " \t\n")])
		return cmd_usage(command, "--%s: there is nothing to %s", option, option);
	*action = value;
	return 0;
}

int cmd_take_alert(const struct command *command, struct cmd_alerts *alerts, int option,
		   const char *value)
{
	static const char *const names[] = { "alert", "run", "call", "every-time" };

	if (option == CMD_ALERT_RULE)
		return take_rule(command, alerts, value);
	if (!alerts->rule)
		return cmd_usage(command, "--%s belongs behind an --alert", names[option]);
	if (option == CMD_ALERT_RUN)
		return take_action(command, "run", value, &alerts->action.shell);
	if (option == CMD_ALERT_CALL)
		return take_action(command, "call", value, &alerts->action.url);
	alerts->action.once = false;
	return 0;
}

static bool is_busy(const struct cmd_alerts *alerts)
{
	struct alert_counts counts;

	alert_set_counts(alerts->set, &counts);
	return counts.running || counts.waiting;
}

int cmd_alerts_patience_ms(const struct cmd_alerts *alerts)
{
	return is_busy(alerts) ? REAP_MS : -1;
}

void cmd_alerts_finish(const struct cmd_alerts *alerts, int interrupt_fd)
{
	struct pollfd interrupt = { .fd = interrupt_fd, .events = POLLIN };

	for (alert_set_reap(alerts->set); is_busy(alerts); alert_set_reap(alerts->set))
		if (poll(&interrupt, 1, REAP_MS) > 0)
			return;
}

int cmd_alerts_exit(const struct cmd_alerts *alerts)
{
	struct alert_counts counts;

	alert_set_counts(alerts->set, &counts);
	return counts.fired ? CMD_FOUND : CMD_DONE;
}
