/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alerts.h - alerts as options: --alert RULE, and behind it what is done when it fires
 *
 *     --alert 'handles>80% nginx' --run 'logger near its limit' --every-time
 *     --alert leak --call https://example.org/hook
 */
#ifndef CMD_ALERTS_H
#define CMD_ALERTS_H

#include "cmd/cmd.h"
#include "monitor/alert.h"

enum cmd_alert_option { CMD_ALERT_RULE, CMD_ALERT_RUN, CMD_ALERT_CALL, CMD_ALERT_EVERY_TIME,
			CMD_ALERT_OPTIONS };

/* Four entries of a command's table of options; first is the index of the first. */
#define CMD_ALERT_TABLE(first)                                                                     \
	[(first) + CMD_ALERT_RULE] = { "alert", 'a', "RULE",                                       \
				       "handles>80%, leak, ...; may be given again" },             \
	[(first) + CMD_ALERT_RUN] = { "run", 0, "COMMAND", "when the alert before it fires" },     \
	[(first) + CMD_ALERT_CALL] = { "call", 0, "URL", "post to it when that alert fires" },     \
	[(first) + CMD_ALERT_EVERY_TIME] = { "every-time", 0, NULL,                                \
					     "not only the first time for each process" }

/* For the help of such a command. */
#define CMD_ALERT_TEXT                                                                             \
	"A RULE is CONDITION [SELECTOR]: handles>1000 nginx, handles>80%,\n"                       \
	"handles>+100/h, leak, processes<1 nginx.  COMMAND is a line for sh, told of the\n"        \
	"alert in TENDRIL_ALERT_NAME, _PID, _VALUE, _RULE and others."

struct cmd_alerts {
	struct alert_set *set;
	const char *rule; /* the last one, whose actions may still come; NULL: none */
	struct alert_action action;
};

/* output_fd is where commands write; handle_limit the soft limit that they get.  Return: 0, -ENOMEM. */
int cmd_alerts_open(struct cmd_alerts *alerts, int output_fd, uint64_t handle_limit);
/* Return: 0, or a cmd_exit after a line was said. */
int cmd_take_alert(const struct command *command, struct cmd_alerts *alerts, int option,
		   const char *value);
/* Behind the command line: the last rule counts too.  Return: as cmd_take_alert(). */
int cmd_alerts_taken(const struct command *command, struct cmd_alerts *alerts);
/* How long to wait for anything else, at most: -1, or less while commands run. */
int cmd_alerts_patience_ms(const struct cmd_alerts *alerts);
/* Wait for what runs; each command has its time.  Ends when the descriptor can be read; -1: none. */
void cmd_alerts_finish(const struct cmd_alerts *alerts, int interrupt_fd);
/* CMD_FOUND when one fired. */
int cmd_alerts_exit(const struct cmd_alerts *alerts);
void cmd_alerts_close(struct cmd_alerts *alerts);

#endif /* CMD_ALERTS_H */
