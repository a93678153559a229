/* SPDX-License-Identifier: BSD-2-Clause */
/* selection.c - which processes and which counters, as words of a command line */
#include "cmd/selection.h"

#include <string.h>

int cmd_selection_new(struct cmd_selection *selection, int argc)
{
	size_t n = (size_t)argc + 1;

	*selection = (struct cmd_selection){ .selectors = calloc(n, sizeof(*selection->selectors)),
					     .words = calloc(n, sizeof(*selection->words)),
					     .matched = calloc(n, sizeof(*selection->matched)) };
	return selection->selectors && selection->words && selection->matched ? 0 : -ENOMEM;
}

void cmd_selection_done(struct cmd_selection *selection)
{
	for (size_t i = 0; i < selection->n_selectors; i++)
		proc_selector_done(&selection->selectors[i]);
	free(selection->selectors);
	free(selection->words);
	free(selection->matched);
}

static int add_counter(const struct command *command, struct cmd_selection *selection,
		       const char *name)
{
	const char *names[MONITOR_COUNTERS], *near;
	enum monitor_counter counter = monitor_counter_named(name);

	if (counter != MONITOR_COUNTERS) {
		selection->counters |= 1u << counter;
		return 0;
	}
	for (int i = 0; i < MONITOR_COUNTERS; i++)
		names[i] = monitor_counters[i].name;
	near = cmd_near_miss(name, names, MONITOR_COUNTERS);
	return cmd_usage(command, "no counter '%s'%s%s%s", name, near ? ", did you mean '" : "",
			 near ? near : "", near ? "'?" : "");
}

int cmd_take_counters(const struct command *command, struct cmd_selection *selection,
		      const char *words)
{
	AUTO_FREE char *copy = strdup(words);
	char *rest = copy, *name;
	int r = 0;

	if (!copy)
		return cmd_fail_code(false, -ENOMEM, "counters");
	while (r == 0 && (name = strsep(&rest, ",")))
		r = add_counter(command, selection, name);
	return r;
}

int cmd_parse_selector(const struct command *command, const char *word,
		       struct proc_selector *ret_selector)
{
	int r = proc_selector_parse(word, ret_selector);

	if (r == 0)
		return 0;
	if (r == -ENOENT)
		return cmd_usage(command, "no such user: '%s'", word);
	if (r == -ERANGE)
		return cmd_usage(command, "%s is no possible PID", word);
	if (r == -ENOMEM)
		return cmd_fail_code(false, r, word);
	return cmd_usage(command, "'%s' is no selector: PID, NAME, user:NAME, session:N, "
			 "cgroup:PATH, container:ID or \\Process(NAME)\\Handle Count", word);
}

int cmd_take_selector(const struct command *command, struct cmd_selection *selection,
		      const char *word)
{
	struct proc_selector *selector = &selection->selectors[selection->n_selectors];
	int r = cmd_parse_selector(command, word, selector);

	if (r)
		return r;
	selection->words[selection->n_selectors++] = word;
	if (!selector->counter || !strcmp(selector->counter, "*"))
		return 0;
	return add_counter(command, selection, selector->counter);
}

int cmd_selection_unmatched(const struct cmd_selection *selection, const char *where)
{
	int code = CMD_DONE;

	for (size_t i = 0; i < selection->n_selectors; i++) {
		if (selection->matched[i])
			continue;
		cmd_say("no process %smatches '%s'", where, selection->words[i]);
		code = CMD_FAILED;
	}
	return code;
}
