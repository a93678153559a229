/* SPDX-License-Identifier: BSD-2-Clause */
/* options.c - the command line, parsed and explained from one table */
#include "cmd/cmd.h"

#include <limits.h>
#include <string.h>

#include "proc/proc.h"

#define NAMES_MAX 64
#define COLUMN 24 /* where the explanations in --help begin */

static const struct cmd_option common[] = {
	{ "json", 0, NULL, "print the result as JSON" },
	{ "help", 'h', NULL, "show this help" },
};

#define AT_COMMON 1000 /* index of the first of them */

static const struct cmd_option *option_at(const struct command *command, size_t i)
{
	return i < AT_COMMON ? &command->options[i] : &common[i - AT_COMMON];
}

static int find_name(const struct command *command, const char *name, size_t bytes)
{
	for (size_t i = 0; i < command->n_options; i++)
		if (!strncmp(command->options[i].name, name, bytes) &&
		    !command->options[i].name[bytes])
			return (int)i;
	for (size_t i = 0; i < ARRAY_SIZE(common); i++)
		if (!strncmp(common[i].name, name, bytes) && !common[i].name[bytes])
			return AT_COMMON + (int)i;
	return -1;
}

static int find_letter(const struct command *command, char letter)
{
	for (size_t i = 0; i < command->n_options; i++)
		if (command->options[i].letter == letter)
			return (int)i;
	for (size_t i = 0; i < ARRAY_SIZE(common); i++)
		if (common[i].letter == letter)
			return AT_COMMON + (int)i;
	return -1;
}

static int unknown_option(const struct command *command, const char *word, size_t bytes)
{
	const char *names[NAMES_MAX], *near;
	char name[64];
	size_t n = 0;

	for (size_t i = 0; i < command->n_options && n < NAMES_MAX - ARRAY_SIZE(common); i++)
		names[n++] = command->options[i].name;
	for (size_t i = 0; i < ARRAY_SIZE(common); i++)
		names[n++] = common[i].name;
	(void)snprintf(name, sizeof(name), "%.*s", (int)(bytes < 60 ? bytes : 60), word);
	near = cmd_near_miss(name, names, n);
	if (near)
		return cmd_usage(command, "unknown option --%s, did you mean --%s?", name, near);
	return cmd_usage(command, "unknown option --%s", name);
}

struct parser {
	const struct command *command;
	cmd_take_fn take;
	void *state;
	char **argv;
	int argc, at;  /* argv[at] is looked at */
	int exit_code; /* valid when stop */
	bool stop;
};

static void stop_with(struct parser *parser, int code)
{
	parser->stop = true;
	parser->exit_code = code;
}

/* value is NULL when none came with the option itself; the next word may be it. */
static void take_option(struct parser *parser, int option, const char *value)
{
	const struct cmd_option *entry = option_at(parser->command, (size_t)option);
	int r;

	if (entry->value && !value && !entry->may_lack_value) {
		if (parser->at + 1 >= parser->argc) {
			stop_with(parser, cmd_usage(parser->command, "--%s needs a value (%s)",
						    entry->name, entry->value));
			return;
		}
		value = parser->argv[++parser->at];
	}
	if (option == AT_COMMON + 1) {
		cmd_print_help(parser->command);
		stop_with(parser, CMD_DONE);
		return;
	}
	r = parser->take(parser->command, parser->state, option == AT_COMMON ? CMD_JSON : option,
			 value);
	if (r)
		stop_with(parser, r);
}

static void take_long(struct parser *parser, const char *word)
{
	size_t bytes = strcspn(word, "=");
	int option = find_name(parser->command, word, bytes);

	if (option < 0)
		stop_with(parser, unknown_option(parser->command, word, bytes));
	else if (word[bytes] && !option_at(parser->command, (size_t)option)->value)
		stop_with(parser, cmd_usage(parser->command, "--%.*s takes no value", (int)bytes,
					    word));
	else
		take_option(parser, option, word[bytes] ? word + bytes + 1 : NULL);
}

/* "-a", "-ab", "-nVALUE", "-n VALUE" */
static void take_letters(struct parser *parser, const char *letters)
{
	while (*letters && !parser->stop) {
		int option = find_letter(parser->command, *letters);

		if (option < 0) {
			stop_with(parser, cmd_usage(parser->command, "unknown option -%c",
						    *letters));
			return;
		}
		letters++;
		if (option_at(parser->command, (size_t)option)->value) {
			take_option(parser, option, *letters ? letters : NULL);
			return;
		}
		take_option(parser, option, NULL);
	}
}

static void take_word(struct parser *parser, const char *word, int kind)
{
	int r = parser->take(parser->command, parser->state, kind, word);

	if (r)
		stop_with(parser, r);
}

bool cmd_parse(const struct command *command, int argc, char **argv, cmd_take_fn take,
	       void *state, int *ret_exit)
{
	struct parser parser = { .command = command, .take = take, .state = state,
				 .argc = argc, .argv = argv };
	bool rest = false;

	for (parser.at = 1; parser.at < argc && !parser.stop; parser.at++) {
		const char *word = argv[parser.at];

		if (rest)
			take_word(&parser, word, CMD_REST);
		else if (!strcmp(word, "--"))
			rest = true;
		else if (word[0] != '-' || !word[1] || (word[1] >= '0' && word[1] <= '9'))
			take_word(&parser, word, CMD_OPERAND);
		else if (word[1] == '-')
			take_long(&parser, word + 2);
		else
			take_letters(&parser, word + 1);
	}
	*ret_exit = parser.exit_code;
	return !parser.stop;
}

/* Help */

static void print_option(const struct cmd_option *option)
{
	int used = option->letter ? printf("  -%c, --%s", option->letter, option->name) :
				    printf("      --%s", option->name);

	if (option->value)
		used += printf(option->may_lack_value ? "[=%s]" : " %s", option->value);
	if (used >= COLUMN - 1) {
		putchar('\n');
		used = 0;
	}
	printf("%*s%s\n", COLUMN - used, "", option->help);
}

void cmd_print_help(const struct command *command)
{
	printf("usage: tendril %s %s\n\n%s\n", command->name, command->synopsis,
	       command->summary);
	if (command->text)
		printf("\n%s\n", command->text);
	printf("\nOPTIONS\n");
	for (size_t i = 0; i < command->n_options; i++)
		print_option(&command->options[i]);
	for (size_t i = 0; i < ARRAY_SIZE(common); i++)
		print_option(&common[i]);
	if (!command->examples)
		return;
	printf("\nEXAMPLES\n");
	for (const char *const *e = command->examples; e[0]; e += 2)
		printf("  %s\n      %s\n", e[0], e[1]);
}

/* Values */

int cmd_take_pid(const struct command *command, const char *text, pid_t *ret_pid)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long value;

	if (digits == 0 || text[digits])
		return cmd_usage(command, "'%s' is no PID: a number above 0 is wanted", text);
	errno = 0;
	value = strtoul(text, NULL, 10);
	if (errno || value == 0 || value > INT_MAX)
		return cmd_usage(command, "%s is no possible PID", text);
	*ret_pid = (pid_t)value;
	return 0;
}

/* By hand: strtod() takes "nan", hexadecimal, and the point of the user's locale. */
int cmd_take_seconds(const struct command *command, const char *text, int64_t *ret_ms)
{
	size_t whole = strspn(text, "0123456789");
	const char *s = text + whole;
	int64_t ms = 0;

	if (whole > 9)
		return cmd_usage(command, "%s seconds are too many", text);
	for (size_t i = 0; i < whole; i++)
		ms = ms * 10 + (text[i] - '0');
	ms *= 1000;
	if (*s == '.') {
		size_t digits = strspn(++s, "0123456789");

		for (size_t i = 0, unit = 100; i < digits && i < 3; i++, unit /= 10)
			ms += (s[i] - '0') * (int64_t)unit;
		whole += digits;
		s += digits;
	}
	if (whole == 0 || *s)
		return cmd_usage(command, "'%s' is no number of seconds", text);
	*ret_ms = ms;
	return 0;
}

int cmd_take_interval(const struct command *command, const char *text, int64_t min_ms,
		      int64_t max_ms, int64_t *ret_ms)
{
	int64_t ms = 0;
	int r = cmd_take_seconds(command, text, &ms);

	if (r)
		return r;
	if (ms < min_ms || ms > max_ms)
		return cmd_usage(command, "an interval of %s seconds: %g to %g are possible", text,
				 (double)min_ms / 1000, (double)max_ms / 1000);
	*ret_ms = ms;
	return 0;
}

bool cmd_scan_size(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMG";
	const char *unit;
	uint64_t number = 0;
	const char *end = *text >= '0' && *text <= '9' ? proc_scan(text, 10, &number) : NULL;
	unsigned shift = 0;

	if (end && *end && (unit = strchr(units, *end & ~0x20))) {
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
	}
	if (!end || *end || number > (uint64_t)INT64_MAX >> shift)
		return false;
	*ret_bytes = number << shift;
	return true;
}

int cmd_check_debuginfod(const struct command *command)
{
	const char *urls = getenv("DEBUGINFOD_URLS");

	if (!urls || !*urls)
		return cmd_usage(command, "--debuginfod needs the servers' addresses in "
				 "$DEBUGINFOD_URLS");
	return 0;
}

/* Mistakes */

#define WORD_MAX 32

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edit distance, two letters changed about being one mistake; long words are near to nothing. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1], n_a = strlen(a), n_b = strlen(b);

	if (n_a > WORD_MAX || n_b > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= n_b; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= n_a; i++) {
		size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= n_b; j++) {
			row[j] = least(least(row[j - 1], above[j]) + 1,
				       above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return rows[n_a % 3][n_b];
}

const char *cmd_near_miss(const char *word, const char *const *names, size_t n)
{
	size_t bytes = strlen(word), best = bytes > 4 ? 3 : 2;
	const char *near = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(word, names[i]);

		if (bytes > 1 && !strncmp(word, names[i], bytes))
			d = 1; /* the start of it */
		if (d < best) {
			best = d;
			near = names[i];
		}
	}
	return near;
}

int cmd_take_name(const struct command *command, const char *what, const char *word,
		  const char *const *names, size_t n, int *ret_index)
{
	const char *near = cmd_near_miss(word, names, n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(word, names[i])) {
			*ret_index = (int)i;
			return 0;
		}
	return cmd_usage(command, "no %s '%s'%s%s%s", what, word, near ? ", did you mean '" : "",
			 near ? near : "", near ? "'?" : "");
}
