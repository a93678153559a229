/* SPDX-License-Identifier: BSD-2-Clause */
/* ps.c - tendril ps: handle, thread and mapping counts of processes, now */
#include "monitor/sample.h"

#include <string.h>
#include <strings.h>

#include "cmd/handle_limit.h"
#include "cmd/selection.h"
#include "monitor/users.h"

enum { OPTION_SORT, OPTION_REVERSE, OPTION_LIMIT, OPTION_ABOVE };

static const struct cmd_option options[] = {
	[OPTION_SORT] = { "sort", 's', "COLUMN", "handles (default), limit, threads, mappings: "
						 "most first" },
	[OPTION_REVERSE] = { "reverse", 'r', NULL, "the other way round" },
	[OPTION_LIMIT] = { "limit", 'n', "N", "only the first N" },
	[OPTION_ABOVE] = { "above", 'a', "N", "only those with more than N handles" },
};

static const char *const examples[] = {
	"tendril ps", "every process, most handles first",
	"tendril ps 'ngi*' user:postgres", "those of that name, and those of that user",
	"tendril ps cgroup:/system.slice/ssh.service", "those of a service",
	"tendril ps '\\Process(nginx)\\Handle Count'", "as in Performance Monitor",
	"tendril ps --above 1000", "those with more than 1,000 handles",
	"tendril ps --sort threads --limit 10", "the ten with the most threads",
	NULL,
};

/* As many of a counter path's counters as have a column here. */
static const char *const counters[] = { "Handle Count", "Thread Count", "Mapping Count",
					"ID Process", "*" };

struct row {
	const struct monitor_process *process; /* the sample's */
	char user[MONITOR_USER_BYTES];
};

enum sort { SORT_HANDLES, SORT_LIMIT, SORT_THREADS, SORT_MAPPINGS, SORT_PID, SORT_NAME, SORT_USER,
	    SORTS };

static const char *const sort_names[SORTS] = { "handles", "limit", "threads", "mappings", "pid",
					       "name", "user" };

struct request {
	bool json, reverse;
	enum sort sort;
	size_t limit; /* 0: none */
	bool has_above;
	uint64_t above;
	struct proc_selector *selectors;
	const char **words; /* the selectors as they were given */
	bool *matched;      /* for each selector */
	size_t n_selectors;
};

/* The command line */

static int check_counter(const struct command *command, const char *counter)
{
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		if (!strcasecmp(counter, counters[i]))
			return 0;
	return cmd_usage(command, "no counter '%s': there are Handle Count, Thread Count, "
			 "Mapping Count and ID Process", counter);
}

static int take_selector(const struct command *command, struct request *request, const char *word)
{
	struct proc_selector *selector = &request->selectors[request->n_selectors];
	int r = cmd_parse_selector(command, word, selector);

	if (r)
		return r;
	request->words[request->n_selectors++] = word;
	return selector->counter ? check_counter(command, selector->counter) : 0;
}

static int take_sort(const struct command *command, const char *word, enum sort *ret_sort)
{
	int sort, r = cmd_take_name(command, "column", word, sort_names, SORTS, &sort);

	if (r == 0)
		*ret_sort = (enum sort)sort;
	return r;
}

static int take_limit(const struct command *command, const char *word, size_t *ret_limit)
{
	uint64_t limit;
	const char *end = proc_scan(word, 10, &limit);

	if (!end || *end || limit == 0)
		return cmd_usage(command, "'%s' is no number of lines", word);
	*ret_limit = limit;
	return 0;
}

static int take_above(const struct command *command, const char *word, struct request *request)
{
	const char *end = proc_scan(word, 10, &request->above);

	if (!end || *end)
		return cmd_usage(command, "'%s' is no number of handles", word);
	request->has_above = true;
	return 0;
}

static int take(const struct command *command, void *state, int option, const char *value)
{
	struct request *request = state;

	switch (option) {
	case CMD_JSON:
		request->json = true;
		return 0;
	case OPTION_SORT:
		return take_sort(command, value, &request->sort);
	case OPTION_REVERSE:
		request->reverse = true;
		return 0;
	case OPTION_LIMIT:
		return take_limit(command, value, &request->limit);
	case OPTION_ABOVE:
		return take_above(command, value, request);
	default:
		return take_selector(command, request, value);
	}
}

/* Reading */

/* A selector whose every process has ended since is an error too: nothing is shown for it. */
static void note_matches(const struct request *request, const struct monitor_process *process)
{
	struct proc_process facts = { .pid = process->pid, .uid = process->uid,
				      .session = process->session };

	memcpy(facts.comm, process->name, sizeof(facts.comm));
	for (size_t i = 0; i < request->n_selectors; i++)
		if (!request->matched[i])
			request->matched[i] =
				proc_selector_match(&request->selectors[i], &facts);
}

static bool is_shown(const struct request *request, const struct monitor_process *process)
{
	return !request->has_above || (monitor_is_known(process, MONITOR_HANDLES) &&
				       process->value[MONITOR_HANDLES] > request->above);
}

static size_t fill_rows(const struct request *request, const struct monitor_sample *sample,
			struct monitor_users *users, struct row *rows)
{
	size_t n = 0;

	for (size_t i = 0; i < sample->n_processes; i++) {
		const struct monitor_process *process = &sample->process[i];

		note_matches(request, process);
		if (!is_shown(request, process))
			continue;
		rows[n].process = process;
		monitor_user_name(users, process->uid, rows[n++].user);
	}
	return n;
}

/* For one sample the iterator does not pay: to load it takes as long as to read a thousand processes
 * from /proc. */
static int new_sampler(const struct request *request, struct monitor_sampler **ret_sampler)
{
	struct monitor_options monitor = {
		.selectors = request->selectors,
		.n_selectors = request->n_selectors,
		.wanted = 1u << MONITOR_HANDLES | 1u << MONITOR_HANDLE_LIMIT |
			  1u << MONITOR_THREADS | 1u << MONITOR_MAPPINGS,
		.source = MONITOR_SOURCE_STAT,
	};
	int r = monitor_sampler_new(&monitor, ret_sampler);

	if (r != -ENOTSUP)
		return r;
	monitor.source = MONITOR_SOURCE_COUNT;
	return monitor_sampler_new(&monitor, ret_sampler);
}

/* Order and output */

static int compare_numbers(uint64_t x, uint64_t y, bool x_known, bool y_known)
{
	if (x_known != y_known)
		return x_known ? -1 : 1; /* what is not known comes last */
	return (x < y) - (x > y);
}

static int compare_counters(enum monitor_counter counter, const struct monitor_process *x,
			    const struct monitor_process *y)
{
	return compare_numbers(x->value[counter], y->value[counter],
			       monitor_is_known(x, counter), monitor_is_known(y, counter));
}

static int compare_by(enum sort sort, const struct row *x, const struct row *y)
{
	switch (sort) {
	case SORT_HANDLES:
		return compare_counters(MONITOR_HANDLES, x->process, y->process);
	case SORT_LIMIT:
		return compare_counters(MONITOR_HANDLE_LIMIT, x->process, y->process);
	case SORT_THREADS:
		return compare_counters(MONITOR_THREADS, x->process, y->process);
	case SORT_MAPPINGS:
		return compare_counters(MONITOR_MAPPINGS, x->process, y->process);
	case SORT_NAME:
		return strcmp(x->process->name, y->process->name);
	case SORT_USER:
		return strcmp(x->user, y->user);
	default:
		return 0;
	}
}

static int compare_rows(const void *a, const void *b, void *context)
{
	const struct request *request = context;
	const struct row *x = a, *y = b;
	int order = compare_by(request->sort, x, y);

	if (order == 0)
		order = (x->process->pid > y->process->pid) - (x->process->pid < y->process->pid);
	return request->reverse ? -order : order;
}

static const struct output_column columns[] = {
	{ "PID", "pid", OUTPUT_RIGHT, OUTPUT_SIGNED },
	{ "NAME", "name", OUTPUT_LEFT, OUTPUT_TEXT },
	{ "USER", "user", OUTPUT_LEFT, OUTPUT_TEXT },
	{ "HANDLES", "handles", OUTPUT_RIGHT, OUTPUT_UNSIGNED },
	{ "LIMIT", "handle_limit", OUTPUT_RIGHT, OUTPUT_UNSIGNED },
	{ "THREADS", "threads", OUTPUT_RIGHT, OUTPUT_UNSIGNED },
	{ "MAPPINGS", "mappings", OUTPUT_RIGHT, OUTPUT_UNSIGNED },
};

static struct output_value cell(const struct monitor_process *process, enum monitor_counter counter)
{
	return (struct output_value){ .known = monitor_is_known(process, counter),
				      .number = process->value[counter] };
}

static int add_row(struct output_table *table, const struct row *row)
{
	const struct monitor_process *process = row->process;
	struct output_value values[ARRAY_SIZE(columns)] = {
		{ .known = true, .signed_number = process->pid },
		output_text(process->name),
		output_text(row->user),
		cell(process, MONITOR_HANDLES),
		cell(process, MONITOR_HANDLE_LIMIT),
		cell(process, MONITOR_THREADS),
		cell(process, MONITOR_MAPPINGS),
	};

	return output_table_add(table, values);
}

static int print_rows(struct request *request, struct row *rows, size_t n)
{
	struct output_table *table = output_table_new(columns, ARRAY_SIZE(columns));
	int r = table ? 0 : -ENOMEM;

	if (n > 1)
		qsort_r(rows, n, sizeof(*rows), compare_rows, request);
	if (request->limit && n > request->limit)
		n = request->limit;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_row(table, &rows[i]);
	if (r == 0)
		r = request->json ? output_table_print_json(table, stdout) :
				    output_table_print(table, stdout, 0);
	output_table_free(table);
	return r;
}

/* A selector that nobody matched is an error, as an unknown PID is for the other commands. */
static int report_unmatched(const struct request *request)
{
	int code = CMD_DONE;

	for (size_t i = 0; i < request->n_selectors; i++) {
		if (request->matched[i])
			continue;
		cmd_say("no process matches '%s'", request->words[i]);
		code = CMD_FAILED;
	}
	return code;
}

static int print_sample(struct request *request, const struct monitor_sample *sample)
{
	AUTO_FREE struct row *rows = calloc(sample->n_processes + 1, sizeof(*rows));
	struct monitor_users users = { 0 };
	size_t n;

	if (!rows)
		return -ENOMEM;
	n = fill_rows(request, sample, &users, rows);
	monitor_users_done(&users);
	return print_rows(request, rows, n);
}

static int list(struct request *request)
{
	struct monitor_sampler *sampler = NULL;
	const struct monitor_sample *sample;
	int r = new_sampler(request, &sampler);

	if (r == 0)
		r = monitor_sample(sampler, &sample);
	if (r < 0) {
		monitor_sampler_free(sampler);
		return cmd_fail_code(request->json, r, "/proc");
	}
	r = print_sample(request, sample);
	monitor_sampler_free(sampler);
	return r < 0 ? cmd_printed(r) : report_unmatched(request);
}

static int run(const struct command *command, int argc, char **argv)
{
	AUTO_FREE struct proc_selector *selectors = calloc((size_t)argc, sizeof(*selectors));
	AUTO_FREE const char **words = calloc((size_t)argc, sizeof(*words));
	AUTO_FREE bool *matched = calloc((size_t)argc, sizeof(*matched));
	struct request request = { .selectors = selectors, .words = words, .matched = matched };
	int r;

	if (!selectors || !words || !matched)
		return cmd_fail_code(false, -ENOMEM, "ps");
	(void)cmd_raise_handle_limit();
	if (cmd_parse(command, argc, argv, take, &request, &r))
		r = list(&request);
	for (size_t i = 0; i < request.n_selectors; i++)
		proc_selector_done(&selectors[i]);
	return r;
}

const struct command cmd_ps = {
	.name = "ps",
	.synopsis = "[SELECTOR...]",
	.summary = "handle, thread and mapping counts of processes, now",
	.text = "SELECTOR is a PID, a name or glob, user:NAME, session:N, cgroup:PATH,\n"
		"container:ID, or a counter path such as \\Process(nginx)\\Handle Count.  None\n"
		"means every process.  What the kernel does not show to you is `-` (null in\n"
		"JSON).  Columns to sort by are also pid, name and user.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.examples = examples,
	.run = run,
};
