/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd.h - what the subcommands share: one table of options each, one way to fail
 *
 * A subcommand is a struct command: its help, its completion and its parser come from the same
 * table.  Results go to stdout, talk to stderr, one line for each error.
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include "base/output.h"

enum cmd_exit {
	CMD_DONE = 0,   /* done, nothing found */
	CMD_FOUND = 1,  /* done, and found */
	CMD_USAGE = 2,  /* bad usage */
	CMD_FAILED = 3, /* could not, and the target is as it was */
	CMD_BROKEN = 4, /* could not, and the target could not be put back: a bug of ours */
};

struct cmd_option {
	const char *name;  /* without the dashes */
	char letter;       /* 0: none */
	const char *value; /* what its value is called; NULL: it takes none */
	const char *help;
	bool may_lack_value; /* it is then NULL; one that there is follows a '=' */
};

struct command {
	const char *name;
	const char *synopsis;       /* what follows the name */
	const char *summary;        /* one line */
	const char *text;           /* further lines of help; may be NULL */
	const struct cmd_option *options; /* --json and --help are everybody's, not listed */
	size_t n_options;
	const char *const *examples; /* a command and what it does, in turns; ends in NULL */
	int (*run)(const struct command *command, int argc, char **argv);
};

extern const struct command cmd_run, cmd_load, cmd_unload, cmd_handles, cmd_ps, cmd_doctor;
extern const struct command cmd_log, cmd_relog;
extern const struct command cmd_serve;
extern const struct command cmd_watch;
extern const struct command cmd_leaks;
extern const struct command cmd_faults;

/* What is given to cmd_take_fn instead of an index into the options. */
#define CMD_OPERAND (-1) /* a word that is no option; numbers below zero are none either */
#define CMD_REST    (-2) /* a word behind "--" */
#define CMD_JSON    (-3)

/* Take one option or operand, in the order of the command line.  Return: 0 or a cmd_exit. */
typedef int (*cmd_take_fn)(const struct command *command, void *state, int option,
			   const char *value);

/* Parse argv[1...].  Return: true when the command may go on; otherwise *ret_exit is to be
 * returned: the help was shown, or a line was said about what was wrong. */
bool cmd_parse(const struct command *command, int argc, char **argv, cmd_take_fn take,
	       void *state, int *ret_exit);

void cmd_print_help(const struct command *command);

/* One line on stderr, escaped; cmd_usage() names the help and returns CMD_USAGE. */
void cmd_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cmd_usage(const struct command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Say why, on stderr and with json on stdout too; return CMD_FAILED or CMD_BROKEN. */
int cmd_fail(bool json, const struct tendril_error *error);
/* The same for a plain negative errno and what was attempted. */
int cmd_fail_code(bool json, int code, const char *what);
/* The same for a file; why may be empty, then the code says it. */
int cmd_fail_file(bool json, const char *path, int code, const char *why);
/* For a process that could not be read: with the rule and the remedy. */
int cmd_fail_process(bool json, pid_t pid, int code);

/* The exit status after a table was printed with result r.  That the output could not be written is
 * not said here: main() does, once, for all commands. */
int cmd_printed(int r);

/* Return: 0, or CMD_USAGE after a line was said. */
int cmd_take_pid(const struct command *command, const char *text, pid_t *ret_pid);
/* Seconds, as 1.5; returned in milliseconds. */
int cmd_take_seconds(const struct command *command, const char *text, int64_t *ret_ms);
/* The same, between two bounds that are possible. */
int cmd_take_interval(const struct command *command, const char *text, int64_t min_ms,
		      int64_t max_ms, int64_t *ret_ms);

/* A number of bytes, with K, M or G behind it. */
bool cmd_scan_size(const char *text, uint64_t *ret_bytes);
/* Are there servers to ask?  Return: 0, or CMD_USAGE after a line was said. */
int cmd_check_debuginfod(const struct command *command);

/* Which of names it is; what: what they are called ("column"), to say that there is none such. */
int cmd_take_name(const struct command *command, const char *what, const char *word,
		  const char *const *names, size_t n, int *ret_index);

/* The nearest of names to a mistyped word, or NULL when none is near. */
const char *cmd_near_miss(const char *word, const char *const *names, size_t n);

const char *cmd_rule_name(enum tendril_rule rule);

/* The columns of the terminal that stdout is, 0 when it is none. */
size_t cmd_terminal_width(void);
/* Is stdout a terminal, and are colours wanted there? */
bool cmd_has_colours(void);
/* How wide a line of progress on stderr may be. */
size_t cmd_progress_width(void);

#endif /* CMD_CMD_H */
