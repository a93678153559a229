/* SPDX-License-Identifier: BSD-2-Clause */
/* relog.c - tendril relog: what a log holds, cut and converted */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/moment.h"
#include "cmd/selection.h"
#include "monitor/export.h"

enum { OPTION_LIST, OPTION_FROM, OPTION_TO, OPTION_COUNTERS, OPTION_FORMAT, OPTION_OUTPUT };

static const struct cmd_option options[] = {
	[OPTION_LIST] = { "list", 'l', NULL, "what is in the log: times, processes, bookmarks" },
	[OPTION_FROM] = { "from", 'f', "TIME", "nothing older than that" },
	[OPTION_TO] = { "to", 't', "TIME", "nothing newer than that" },
	[OPTION_COUNTERS] = { "counters", 'c', "LIST", "only these, as handles,threads" },
	[OPTION_FORMAT] = { "format", 'F', "FORMAT", "pdh-csv, csv (default), json, openmetrics" },
	[OPTION_OUTPUT] = { "output", 'o', "FILE", "write there, and not to standard output" },
};

static const char *const examples[] = {
	"tendril relog week.tlog --list", "what is in it",
	"tendril relog week.tlog nginx --format pdh-csv -o web.csv", "for Windows's tools",
	"tendril relog week.tlog --from -2h --counters handles", "the last two hours of it",
	"tendril relog week.tlog --from 2026-11-23T08:00 --to 2026-11-23T09:00", "one hour, in UTC",
	NULL,
};

struct request {
	bool json, list;
	const char *path, *output;
	struct cmd_moment from, to;
	enum export_format format;
	bool has_format;
	struct cmd_selection selection;
};

/* The command line */

static int take_format(const struct command *command, const char *word, struct request *request)
{
	int format, r = cmd_take_name(command, "format", word, export_format_names, EXPORT_FORMATS,
				      &format);

	if (r)
		return r;
	request->format = (enum export_format)format;
	request->has_format = true;
	return 0;
}

static int take_word(const struct command *command, struct request *request, const char *word)
{
	size_t n = request->selection.n_selectors;
	int r;

	if (!request->path) {
		request->path = word;
		return *word ? 0 : cmd_usage(command, "the log's name is empty");
	}
	r = cmd_take_selector(command, &request->selection, word);
	if (r == 0 && request->selection.selectors[n].kind == PROC_SELECT_CGROUP)
		return cmd_usage(command, "'%s': control groups are not in a log", word);
	return r;
}

static int take(const struct command *command, void *state, int option, const char *value)
{
	struct request *request = state;

	switch (option) {
	case CMD_JSON:
		request->json = true;
		return 0;
	case OPTION_LIST:
		request->list = true;
		return 0;
	case OPTION_FROM:
		return cmd_take_moment(command, value, &request->from);
	case OPTION_TO:
		return cmd_take_moment(command, value, &request->to);
	case OPTION_COUNTERS:
		return cmd_take_counters(command, &request->selection, value);
	case OPTION_FORMAT:
		return take_format(command, value, request);
	case OPTION_OUTPUT:
		request->output = value;
		return 0;
	default:
		return take_word(command, request, value);
	}
}

static int store_failure(const struct request *request, const struct store *store, int code)
{
	return cmd_fail_file(request->json, request->path, code, store_problem(store));
}

/* The list */

static const struct output_column columns[] = {
	{ "PID", "pid", OUTPUT_RIGHT, OUTPUT_SIGNED },
	{ NULL, "start_ticks", OUTPUT_RIGHT, OUTPUT_UNSIGNED },
	{ "NAME", "name", OUTPUT_LEFT, OUTPUT_TEXT },
	{ "UID", "uid", OUTPUT_RIGHT, OUTPUT_UNSIGNED },
	{ "CONTAINER", "container", OUTPUT_LEFT, OUTPUT_TEXT },
	{ "FIRST", "first", OUTPUT_LEFT, OUTPUT_TEXT },
	{ "LAST", "last", OUTPUT_LEFT, OUTPUT_TEXT },
};

struct contents {
	struct store_range range;
	struct store_bookmark *bookmarks;
	struct store_instance *instances;
	size_t n_bookmarks, n_instances;
};

static int add_row(struct output_table *table, const struct store_instance *instance)
{
	char first[EXPORT_TIME_BYTES], last[EXPORT_TIME_BYTES];
	const char *container = instance->process.container;
	struct output_value values[ARRAY_SIZE(columns)] = {
		{ .known = true, .signed_number = instance->process.pid },
		output_unsigned(instance->process.start_ticks),
		output_text(instance->process.name),
		output_unsigned(instance->process.uid),
		output_text(*container ? container : NULL),
		output_text(first),
		output_text(last),
	};

	export_time(instance->first_ns, first);
	export_time(instance->last_ns, last);
	return output_table_add(table, values);
}

static int print_table(const struct contents *contents)
{
	struct output_table *table = output_table_new(columns, ARRAY_SIZE(columns));
	int r = table ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < contents->n_instances; i++)
		r = add_row(table, &contents->instances[i]);
	if (r == 0)
		r = output_table_print(table, stdout, 0);
	output_table_free(table);
	return cmd_printed(r);
}

static int print_contents(const struct contents *contents)
{
	char first[EXPORT_TIME_BYTES], last[EXPORT_TIME_BYTES];
	char text[4 * STORE_MARK_BYTES];

	export_time(contents->range.first_ns, first);
	export_time(contents->range.last_ns, last);
	if (contents->range.n_samples)
		printf("%s to %s\n", first, last);
	printf("%" PRIu64 " samples in %" PRIu64 " rows, %" PRIu64 " bytes, %zu processes\n\n",
	       contents->range.n_samples, contents->range.n_kept, contents->range.n_bytes,
	       contents->n_instances);
	for (size_t i = 0; i < contents->n_bookmarks; i++) {
		export_time(contents->bookmarks[i].time_ns, first);
		escape_text(contents->bookmarks[i].text, text, sizeof(text));
		printf("%s  %s\n%s", first, text, i + 1 == contents->n_bookmarks ? "\n" : "");
	}
	return print_table(contents);
}

static void print_json_instance(struct json *json, const struct store_instance *instance)
{
	char time[EXPORT_TIME_BYTES];
	const char *container = instance->process.container;

	json_object(json, NULL);
	json_signed(json, "pid", instance->process.pid);
	json_unsigned(json, "start_ticks", instance->process.start_ticks);
	json_text(json, "name", instance->process.name);
	json_unsigned(json, "uid", instance->process.uid);
	json_signed(json, "session", instance->process.session);
	json_text(json, "container", *container ? container : NULL);
	export_time(instance->first_ns, time);
	json_text(json, "first", time);
	export_time(instance->last_ns, time);
	json_text(json, "last", time);
	json_end_object(json);
}

static int print_json_contents(const struct contents *contents)
{
	struct json json = { .out = stdout };
	char time[EXPORT_TIME_BYTES];

	json_object(&json, NULL);
	export_time(contents->range.first_ns, time);
	json_text(&json, "first", contents->range.n_samples ? time : NULL);
	export_time(contents->range.last_ns, time);
	json_text(&json, "last", contents->range.n_samples ? time : NULL);
	json_unsigned(&json, "samples", contents->range.n_samples);
	json_unsigned(&json, "rows", contents->range.n_kept);
	json_unsigned(&json, "size_bytes", contents->range.n_bytes);
	json_array(&json, "bookmarks");
	for (size_t i = 0; i < contents->n_bookmarks; i++) {
		export_time(contents->bookmarks[i].time_ns, time);
		json_object(&json, NULL);
		json_text(&json, "time", time);
		json_text(&json, "text", contents->bookmarks[i].text);
		json_end_object(&json);
	}
	json_end_array(&json);
	json_array(&json, "processes");
	for (size_t i = 0; i < contents->n_instances; i++)
		print_json_instance(&json, &contents->instances[i]);
	json_end_array(&json);
	json_end_object(&json);
	return CMD_DONE;
}

/* Those that the selectors mean stay. */
static void select_instances(const struct cmd_selection *selection, struct contents *contents)
{
	size_t kept = 0;

	for (size_t i = 0; i < contents->n_instances; i++) {
		bool any = selection->n_selectors == 0;

		for (size_t k = 0; k < selection->n_selectors; k++)
			if (export_is_selected(&selection->selectors[k],
					       &contents->instances[i].process))
				any = selection->matched[k] = true;
		if (any)
			contents->instances[kept++] = contents->instances[i];
	}
	contents->n_instances = kept;
}

static int list(const struct request *request, struct store *store, int64_t from_ns, int64_t to_ns)
{
	struct contents contents = { 0 };
	int r = store_range(store, &contents.range);

	if (r == 0)
		r = store_bookmarks(store, &contents.bookmarks, &contents.n_bookmarks);
	if (r == 0)
		r = store_instances(store, from_ns, to_ns, &contents.instances,
				    &contents.n_instances);
	if (r < 0) {
		r = store_failure(request, store, r);
	} else {
		select_instances(&request->selection, &contents);
		r = request->json ? print_json_contents(&contents) : print_contents(&contents);
		if (r == CMD_DONE)
			r = cmd_selection_unmatched(&request->selection, "in the log ");
	}
	free(contents.bookmarks);
	free(contents.instances);
	return r;
}

/* Converting */

static int convert_to(const struct request *request, struct store *store, int64_t from_ns,
		      int64_t to_ns, FILE *out)
{
	char host[EXPORT_HOST_BYTES] = "localhost";
	const struct export_options how = { .format = request->format, .from_ns = from_ns,
					    .to_ns = to_ns,
					    .counters = request->selection.counters,
					    .selectors = request->selection.selectors,
					    .n_selectors = request->selection.n_selectors,
					    .matched = request->selection.matched,
					    .host = host };
	int r;

	(void)gethostname(host, sizeof(host) - 1);
	r = export_log(store, &how, out);
	if (r < 0 && ferror(out))
		return r;
	return r < 0 ? store_failure(request, store, r) :
		       cmd_selection_unmatched(&request->selection, "in the log ");
}

/*
 * A file is under its own name when it is whole: a conversion that fails leaves what was there.  Until
 * then it has no name, so that one that is killed leaves nothing; where there are no such files, it is
 * called OUTPUT.part.
 */
struct output {
	int fd;
	FILE *file; /* on a copy of it, so that it can be closed first */
	char *part;
	bool has_no_name;
};

static int open_nameless(const char *path)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");

	return folder ? open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666) : -1;
}

static int open_output(const struct request *request, struct output *ret_output)
{
	AUTO_CLOSE int fd = open_nameless(request->output);
	struct output output = { .has_no_name = fd >= 0 };
	int copy, r;

	if (asprintf(&output.part, "%s.part", request->output) < 0)
		return cmd_fail_code(request->json, -ENOMEM, request->output);
	if (fd < 0)
		fd = open(output.part, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
	copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	output.file = copy < 0 ? NULL : fdopen(copy, "w");
	if (!output.file) {
		r = cmd_fail_code(request->json, -errno, output.part);
		close_keeping_errno(copy);
		free(output.part);
		return r;
	}
	output.fd = take_fd(&fd);
	*ret_output = output;
	return CMD_DONE;
}

static int give_name(const struct output *output, const char *name)
{
	char own[64];

	if (output->has_no_name) {
		(void)snprintf(own, sizeof(own), "/proc/self/fd/%d", output->fd);
		(void)unlink(output->part);
		if (linkat(AT_FDCWD, own, AT_FDCWD, output->part, AT_SYMLINK_FOLLOW) < 0)
			return -errno;
	}
	return rename(output->part, name) < 0 ? -errno : 0;
}

static int convert_to_file(const struct request *request, struct store *store, int64_t from_ns,
			   int64_t to_ns)
{
	struct output output = { .fd = -1 };
	int r = open_output(request, &output);

	if (r != CMD_DONE)
		return r;
	r = convert_to(request, store, from_ns, to_ns, output.file);
	if (fclose(output.file) != 0 && r == CMD_DONE)
		r = -errno;
	if (r == CMD_DONE)
		r = give_name(&output, request->output);
	if (r < 0)
		r = cmd_fail_code(request->json, r, request->output);
	if (r != CMD_DONE && !output.has_no_name)
		(void)unlink(output.part);
	close_keeping_errno(output.fd);
	free(output.part);
	return r;
}

static int convert(const struct request *request, struct store *store, int64_t from_ns,
		   int64_t to_ns)
{
	int r;

	if (request->output)
		return convert_to_file(request, store, from_ns, to_ns);
	r = convert_to(request, store, from_ns, to_ns, stdout);
	return r < 0 ? CMD_FAILED : r; /* what main() says of it is enough */
}

static int relog(const struct request *request)
{
	const struct store_options how = { .mode = STORE_READ };
	struct store_error error = { "" };
	struct store_range range;
	struct store *store = NULL;
	int64_t from_ns, to_ns;
	int r = store_open(request->path, &how, &store, &error);

	if (r < 0)
		return cmd_fail_file(request->json, request->path, r, error.text);
	r = store_range(store, &range);
	if (r < 0) {
		r = store_failure(request, store, r);
	} else {
		from_ns = cmd_moment_ns(&request->from, range.last_ns, INT64_MIN);
		to_ns = cmd_moment_ns(&request->to, range.last_ns, INT64_MAX);
		r = request->list ? list(request, store, from_ns, to_ns) :
				    convert(request, store, from_ns, to_ns);
	}
	store_close(store);
	return r;
}

static int check(const struct command *command, struct request *request)
{
	if (!request->path)
		return cmd_usage(command, "which log?");
	if (request->list && (request->has_format || request->output))
		return cmd_usage(command, "--list converts nothing: no --format, no --output");
	if (!request->has_format)
		request->format = request->json ? EXPORT_JSON : EXPORT_CSV;
	else if (request->json && request->format != EXPORT_JSON)
		return cmd_usage(command, "--json and --format %s say different things",
				 export_format_names[request->format]);
	return CMD_DONE;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct request request = { 0 };
	int r;

	if (cmd_selection_new(&request.selection, argc) < 0) {
		r = cmd_fail_code(false, -ENOMEM, "relog");
	} else if (cmd_parse(command, argc, argv, take, &request, &r)) {
		r = check(command, &request);
		if (r == CMD_DONE)
			r = relog(&request);
	}
	cmd_selection_done(&request.selection);
	return r;
}

const struct command cmd_relog = {
	.name = "relog",
	.synopsis = "FILE [SELECTOR...]",
	.summary = "read a log: list it, cut it, convert it",
	.text = "TIME is 2026-11-23T08:00:00 (UTC), or -90s, -15m, -2h, -7d before the log's\n"
		"end.  The counters are handles, handle_limit, threads, mappings,\n"
		"resident_bytes and cpu_ns.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.examples = examples,
	.run = run,
};
