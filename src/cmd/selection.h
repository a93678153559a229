/* SPDX-License-Identifier: BSD-2-Clause */
/* selection.h - which processes and which counters, as words of a command line */
#ifndef CMD_SELECTION_H
#define CMD_SELECTION_H

#include "cmd/cmd.h"
#include "monitor/sample.h"

struct cmd_selection {
	struct proc_selector *selectors;
	const char **words; /* as they were given */
	bool *matched;
	size_t n_selectors;
	uint32_t counters;  /* bits; 0: all */
};

/* Room for as many as there are words.  Return: 0, -ENOMEM. */
int cmd_selection_new(struct cmd_selection *selection, int argc);
void cmd_selection_done(struct cmd_selection *selection);
/* One word into a selector.  Return: 0, or a cmd_exit after a line was said. */
int cmd_parse_selector(const struct command *command, const char *word,
		       struct proc_selector *ret_selector);
/* The same, into the selection, with the counter that it may name. */
int cmd_take_selector(const struct command *command, struct cmd_selection *selection,
		      const char *word);
/* "handles,threads" */
int cmd_take_counters(const struct command *command, struct cmd_selection *selection,
		      const char *words);
/* Name those that nobody matched.  Return: CMD_DONE when there are none, else CMD_FAILED. */
int cmd_selection_unmatched(const struct cmd_selection *selection, const char *where);

#endif /* CMD_SELECTION_H */
