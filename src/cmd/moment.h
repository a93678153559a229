/* SPDX-License-Identifier: BSD-2-Clause */
/* moment.h - a time in a log, as words of a command line */
#ifndef CMD_MOMENT_H
#define CMD_MOMENT_H

#include "cmd/cmd.h"

/* Zeroes: not given. */
struct cmd_moment {
	bool is_given, from_end;
	int64_t ns; /* since 1970, or before the end of the log */
};

/* "2026-11-23T08:00:00" (UTC), or "-2h".  Return: 0, or CMD_USAGE after a line was said. */
int cmd_take_moment(const struct command *command, const char *text, struct cmd_moment *moment);
/* otherwise: what it is when it was not given. */
int64_t cmd_moment_ns(const struct cmd_moment *moment, int64_t last_ns, int64_t otherwise);

#endif /* CMD_MOMENT_H */
