/* SPDX-License-Identifier: BSD-2-Clause */
/* tendril.c - find the command and run it */
#include <string.h>

#include "cmd/cmd.h"

static const struct command *const commands[] = {
	&cmd_run, &cmd_load, &cmd_unload, &cmd_handles, &cmd_ps, &cmd_doctor,
	&cmd_log, &cmd_relog,
	&cmd_serve,
	&cmd_watch,
#ifdef TENDRIL_LEAKS
	&cmd_leaks,
#endif
	&cmd_faults,
};

static int print_help(void)
{
	printf("usage: tendril COMMAND [OPTION...] [ARGUMENT...]\n\n"
	       "Remote threads in live processes, and handle counts.\n\n"
	       "COMMANDS\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-8s  %s\n", commands[i]->name, commands[i]->summary);
	printf("\nOPTIONS\n"
	       "      --version         show the version\n"
	       "  -h, --help            show this help; `tendril help COMMAND` that of a command\n"
	       "\nEXIT STATUS\n"
	       "  0 done, nothing found    1 done and found    2 bad usage\n"
	       "  3 could not, and the target is as it was\n"
	       "  4 could not, and the target could not be put back: a bug, please report it\n"
	       "\nEXAMPLES\n"
	       "  tendril run 1234 getpid\n"
	       "      call getpid() in process 1234, on a new thread\n"
	       "  tendril ps 'ngi*'\n"
	       "      how many handles the processes of that name have open\n"
	       "  tendril doctor\n"
	       "      what this machine permits, and what to do about it\n");
	return CMD_DONE;
}

static int print_version(bool json)
{
	struct json document = { .out = stdout };

	if (!json) {
		printf("tendril %s\n", tendril_version());
		return CMD_DONE;
	}
	json_object(&document, NULL);
	json_text(&document, "version", tendril_version());
	json_end_object(&document);
	return CMD_DONE;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static int unknown_command(const char *name)
{
	const char *names[ARRAY_SIZE(commands) + 1];
	const char *near;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		names[i] = commands[i]->name;
	names[ARRAY_SIZE(commands)] = "help";
	near = cmd_near_miss(name, names, ARRAY_SIZE(names));
	if (near)
		return cmd_usage(NULL, "no command '%s', did you mean '%s'?", name, near);
	return cmd_usage(NULL, "no command '%s'", name);
}

static int help(const char *name)
{
	const struct command *command = name ? find_command(name) : NULL;

	if (!name)
		return print_help();
	if (!command)
		return unknown_command(name);
	cmd_print_help(command);
	return CMD_DONE;
}

static int dispatch(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2)
		return cmd_usage(NULL, "which command?");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return print_help();
	if (!strcmp(argv[1], "--version"))
		return print_version(argc > 2 && !strcmp(argv[2], "--json"));
	if (!strcmp(argv[1], "help"))
		return help(argv[2]);
	if (argv[1][0] == '-')
		return cmd_usage(NULL, "unknown option %s", argv[1]);
	command = find_command(argv[1]);
	return command ? command->run(command, argc - 1, argv + 1) : unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
	int code = dispatch(argc, argv);

	if (fflush(stdout) == EOF || ferror(stdout)) {
		cmd_say("the output could not be written");
		return code == CMD_BROKEN ? CMD_BROKEN : CMD_FAILED;
	}
	return code;
}
