/* SPDX-License-Identifier: BSD-2-Clause */
/* handles.c - tendril handles: what a process has open */
#include "proc/handles.h"

#include <string.h>

#include "cmd/cmd.h"

enum { OPTION_KIND, OPTION_SUMMARY, OPTION_WIDE };

static const struct cmd_option options[] = {
	[OPTION_KIND] = { "kind", 'k', "KIND", "only handles of this kind, such as socket" },
	[OPTION_SUMMARY] = { "summary", 's', NULL, "how many there are of each kind" },
	[OPTION_WIDE] = { "wide", 'w', NULL, "do not cut lines at the width of the terminal" },
};

static const char *const examples[] = {
	"tendril handles 1234", "everything that process 1234 has open",
	"tendril handles 1234 --kind socket", "its connections",
	"tendril handles 1234 --summary", "what there is most of",
	"tendril handles 1234 --json | jq '.[] | select(.deleted)'",
	"files that are deleted but still take up space",
	NULL,
};

struct request {
	bool json, summary, wide;
	enum proc_handle_kind kind; /* PROC_HANDLE_KINDS: all */
	pid_t pid;
};

static int take_kind(const struct command *command, const char *name, enum proc_handle_kind *kind)
{
	const char *names[PROC_HANDLE_KINDS], *near;

	*kind = proc_handle_kind_named(name);
	if (*kind != PROC_HANDLE_KINDS)
		return 0;
	for (int i = 0; i < PROC_HANDLE_KINDS; i++)
		names[i] = proc_handle_kind_name((enum proc_handle_kind)i);
	near = cmd_near_miss(name, names, PROC_HANDLE_KINDS);
	return cmd_usage(command, "no kind '%s'%s%s%s", name, near ? ", did you mean '" : "",
			 near ? near : "", near ? "'?" : "");
}

static int take(const struct command *command, void *state, int option, const char *value)
{
	struct request *request = state;

	switch (option) {
	case CMD_JSON:
		request->json = true;
		return 0;
	case OPTION_KIND:
		return take_kind(command, value, &request->kind);
	case OPTION_SUMMARY:
		request->summary = true;
		return 0;
	case OPTION_WIDE:
		request->wide = true;
		return 0;
	default:
		if (request->pid)
			return cmd_usage(command, "'%s' is too much: one PID at a time", value);
		return cmd_take_pid(command, value, &request->pid);
	}
}

enum { COLUMN_HANDLE, COLUMN_KIND, COLUMN_ACCESS, COLUMN_AGE, COLUMN_SHOWN, COLUMN_WHAT,
       COLUMN_CLOSE_ON_EXEC, COLUMN_DELETED, COLUMN_POSITION, COLUMN_INODE, COLUMN_PID,
       COLUMN_PROTOCOL, COLUMN_STATE, COLUMN_LOCAL, COLUMN_PEER, COLUMNS };

static const struct output_column columns[COLUMNS] = {
	[COLUMN_HANDLE] = { "HANDLE", "handle", OUTPUT_RIGHT, OUTPUT_SIGNED },
	[COLUMN_KIND] = { "KIND", "kind", OUTPUT_LEFT, OUTPUT_TEXT },
	[COLUMN_ACCESS] = { "ACCESS", "access", OUTPUT_LEFT, OUTPUT_TEXT },
	[COLUMN_AGE] = { "AGE", "age_s", OUTPUT_RIGHT, OUTPUT_REAL },
	[COLUMN_SHOWN] = { "WHAT", NULL, OUTPUT_LEFT, OUTPUT_TEXT },
	[COLUMN_WHAT] = { NULL, "what", OUTPUT_LEFT, OUTPUT_TEXT },
	[COLUMN_CLOSE_ON_EXEC] = { NULL, "close_on_exec", OUTPUT_LEFT, OUTPUT_BOOL },
	[COLUMN_DELETED] = { NULL, "deleted", OUTPUT_LEFT, OUTPUT_BOOL },
	[COLUMN_POSITION] = { NULL, "position_bytes", OUTPUT_RIGHT, OUTPUT_UNSIGNED },
	[COLUMN_INODE] = { NULL, "inode", OUTPUT_RIGHT, OUTPUT_UNSIGNED },
	[COLUMN_PID] = { NULL, "pid", OUTPUT_RIGHT, OUTPUT_SIGNED },
	[COLUMN_PROTOCOL] = { NULL, "protocol", OUTPUT_LEFT, OUTPUT_TEXT },
	[COLUMN_STATE] = { NULL, "state", OUTPUT_LEFT, OUTPUT_TEXT },
	[COLUMN_LOCAL] = { NULL, "local", OUTPUT_LEFT, OUTPUT_TEXT },
	[COLUMN_PEER] = { NULL, "peer", OUTPUT_LEFT, OUTPUT_TEXT },
};

static struct output_value signed_value(int64_t number)
{
	return (struct output_value){ .known = true, .signed_number = number };
}

static void fill_socket(const struct proc_socket *socket, struct output_value *row)
{
	row[COLUMN_PROTOCOL] = output_text(socket->protocol[0] ? socket->protocol : NULL);
	row[COLUMN_STATE] = output_text(socket->state);
	row[COLUMN_LOCAL] = output_text(socket->local);
	row[COLUMN_PEER] = output_text(socket->peer);
}

static int add_handle(struct output_table *table, const struct proc_handle *handle)
{
	/* The age stays unknown: nothing in /proc tells it (see src/proc/handles.h). */
	struct output_value row[COLUMNS] = { 0 };
	AUTO_FREE char *shown = NULL;

	if (asprintf(&shown, "%s%s", handle->what, handle->deleted ? " (deleted)" : "") < 0) {
		shown = NULL;
		return -ENOMEM;
	}
	row[COLUMN_HANDLE] = signed_value(handle->number);
	row[COLUMN_KIND] = output_text(proc_handle_kind_name(handle->kind));
	if (handle->access != PROC_ACCESS_UNKNOWN)
		row[COLUMN_ACCESS] = output_text(proc_access_name(handle->access));
	row[COLUMN_SHOWN] = output_text(shown);
	row[COLUMN_WHAT] = output_text(handle->what);
	row[COLUMN_CLOSE_ON_EXEC] = output_bool(handle->close_on_exec);
	row[COLUMN_DELETED] = output_bool(handle->deleted);
	if (handle->has_position)
		row[COLUMN_POSITION] = output_unsigned(handle->position);
	row[COLUMN_INODE] = output_unsigned(handle->inode);
	if (handle->pid)
		row[COLUMN_PID] = signed_value(handle->pid);
	if (handle->socket)
		fill_socket(handle->socket, row);
	return output_table_add(table, row);
}

static int print_table(const struct request *request, const struct output_table *table)
{
	if (request->json)
		return output_table_print_json(table, stdout);
	return output_table_print(table, stdout, request->wide ? 0 : cmd_terminal_width());
}

static int print_handles(const struct request *request, const struct proc_handles *handles)
{
	struct output_table *table = output_table_new(columns, COLUMNS);
	int r = table ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < handles->n_handles; i++)
		if (request->kind == PROC_HANDLE_KINDS ||
		    request->kind == handles->handle[i].kind)
			r = add_handle(table, &handles->handle[i]);
	if (r == 0)
		r = print_table(request, table);
	output_table_free(table);
	return r;
}

static const struct output_column summary_columns[] = {
	{ "COUNT", "count", OUTPUT_RIGHT, OUTPUT_UNSIGNED },
	{ "KIND", "kind", OUTPUT_LEFT, OUTPUT_TEXT },
};

struct kind_count {
	enum proc_handle_kind kind;
	uint64_t count;
};

static int compare_counts(const void *a, const void *b)
{
	const struct kind_count *x = a, *y = b;

	if (x->count != y->count)
		return (x->count < y->count) - (x->count > y->count);
	return (int)x->kind - (int)y->kind;
}

static int print_summary(const struct request *request, const struct proc_handles *handles)
{
	struct output_table *table = output_table_new(summary_columns, 2);
	struct kind_count counts[PROC_HANDLE_KINDS];
	int r = table ? 0 : -ENOMEM;

	for (int i = 0; i < PROC_HANDLE_KINDS; i++)
		counts[i] = (struct kind_count){ (enum proc_handle_kind)i, 0 };
	for (size_t i = 0; i < handles->n_handles; i++)
		counts[handles->handle[i].kind].count++;
	qsort(counts, PROC_HANDLE_KINDS, sizeof(counts[0]), compare_counts);
	for (int i = 0; r == 0 && i < PROC_HANDLE_KINDS && counts[i].count > 0; i++) {
		struct output_value row[2] = { output_unsigned(counts[i].count),
					       output_text(proc_handle_kind_name(counts[i].kind)) };

		if (request->kind == PROC_HANDLE_KINDS || request->kind == counts[i].kind)
			r = output_table_add(table, row);
	}
	if (r == 0)
		r = print_table(request, table);
	output_table_free(table);
	return r;
}

/* A zombie has no handles, but "none" would hide why. */
static int read_handles(pid_t pid, struct proc_handles *ret_handles)
{
	struct proc_process process;
	int r = proc_process_read(pid, &process);

	if (r == 0 && proc_is_zombie(&process))
		return -ESRCH;
	return r < 0 ? r : proc_handles_read(pid, ret_handles);
}

static int run(const struct command *command, int argc, char **argv)
{
	struct request request = { .kind = PROC_HANDLE_KINDS };
	struct proc_handles handles = { 0 };
	int r;

	if (!cmd_parse(command, argc, argv, take, &request, &r))
		return r;
	if (!request.pid)
		return cmd_usage(command, "PID is missing");
	r = read_handles(request.pid, &handles);
	if (r < 0)
		return cmd_fail_process(request.json, request.pid, r);
	r = request.summary ? print_summary(&request, &handles) :
			      print_handles(&request, &handles);
	proc_handles_done(&handles);
	return cmd_printed(r);
}

const struct command cmd_handles = {
	.name = "handles",
	.synopsis = "PID",
	.summary = "list the open handles of a process: number, kind, what, access, age",
	.text = "The kernel does not record when a handle was opened, so its age is `-` (null\n"
		"in JSON): see tendril-handles(1).",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.examples = examples,
	.run = run,
};
